"""diffusers' schedulers on a float64 grid of one's own, to compare with the references."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from dfbench.levels import Grid
from dfbench.samplers import METHODS


def run(name: str, grid: Grid, outputs: Any, z: Any, draws: Any, **config: Any) -> Any:
    """The scheduler's final state when the i-th model output is outputs[i], whatever the state."""
    diffusers = pytest.importorskip("diffusers")
    import torch

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*dpmsolver.*is deprecated", FutureWarning)
        scheduler = getattr(diffusers, name)(**config)
    n = grid.n_steps
    scheduler.set_timesteps(n)
    scheduler.sigmas = torch.tensor(grid.ratio)
    scheduler.timesteps = torch.arange(n, 0, -1)
    if hasattr(scheduler, "_step_index"):
        scheduler._step_index = None
    scheduler.is_scale_input_called = True  # LMS asks for it; the outputs do not depend on it
    state = torch.tensor(z)[None, None]
    module = __import__(type(scheduler).__module__, fromlist=["randn_tensor"])
    noise = iter(draws)
    original = getattr(module, "randn_tensor", None)
    if original is not None:
        module.randn_tensor = lambda *_, **__: torch.tensor(next(noise))[None, None]
    try:
        for i, t in enumerate(scheduler.timesteps):
            m = torch.tensor(outputs[i])[None, None]
            state = scheduler.step(m, t, state, return_dict=False)[0]
    finally:
        if original is not None:
            module.randn_tensor = original
    return state[0, 0].numpy()


def gap(
    name: str,
    config: dict[str, Any],
    method: str,
    options: dict[str, Any],
    grid: Grid,
    prediction: str = "x",
) -> float:
    """|scheduler − reference| on random outputs, draws and initial states."""
    rng = np.random.default_rng(0)
    table = METHODS[method].table(grid, prediction, **options)
    z = rng.standard_normal(16)
    outputs = rng.standard_normal((table.nfe, 16))
    draws = rng.standard_normal((grid.n_steps, 16))
    kind = {"x": "sample", "eps": "epsilon"}[prediction]
    theirs = run(name, grid, outputs, z, draws, prediction_type=kind, **config)
    last = table.rows[-1]
    ours = last[0] * z + table.weights() @ outputs + table.C[-1] @ draws[: table.n_draws]
    return float(np.abs(theirs - ours).max())
