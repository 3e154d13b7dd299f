"""Somebody else's sampler as a run: its own schedule and grid, its table read out of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from dfbench.draws import GaussianDraws
from dfbench.errors import SubjectError, Unsupported, Unusable
from dfbench.levels import Array, Level
from dfbench.readout import Call
from dfbench.subjects import resolve
from dfbench.subjects.contract import Sampler
from dfbench.sweep.samplers import Draws, Run

_ONE_AT_A_TIME = threading.RLock()  # a read-out replaces functions of torch for the whole process


def subject(name: str, config: dict[str, Any], call: dict[str, Any]) -> Sampler:
    """The one sampler that a name stands for.

    Raises:
        Unusable: there is none, or its constructor refuses the configuration.
    """
    with _ONE_AT_A_TIME:
        found = resolve(name, config, call)
    if len(found) != 1:
        raise Unusable(f"{name!r} stands for {len(found)} samplers; name one, LIBRARY:NAME")
    (only,) = found
    if not isinstance(only, Sampler):
        raise Unusable(f"{name!r} is a {only.kind}, and no sampler")
    return only


def run(sampler: Sampler, n: int, prediction: str | None, label: str) -> Run:
    """The sampler with n steps as released: `set_timesteps(n)`, the levels that it visits then.

    Args:
        prediction: one that it can be configured for; None is its own.

    Raises:
        ValueError: it does not do that many steps or that prediction, or crashes.
    """
    if prediction is not None and prediction not in sampler.predictions:
        raise ValueError(f"it predicts {', '.join(sampler.predictions)}, not {prediction}")
    own = prediction if prediction != sampler.predictions[0] else None
    with _ONE_AT_A_TIME:
        try:
            session = sampler.session(n, None, own)
            start = session.start
            reading = sampler.reading(n, None, own)  # at full amplitude: as it runs, clipping too
        except (Unsupported, SubjectError) as error:
            raise ValueError(str(error)) from error
        finally:
            sampler.forget()
    affine = reading.violated_at is None and reading.offset == 0
    table = reading.told.normal_draws() if affine else None  # some draw what they never use
    return Run(
        label,
        sampler.name,
        sampler.version,
        session.grid,
        session.prediction,
        len(reading.calls),
        table,
        bool(reading.draws if table is None else table.n_draws),
        sigma_data=session.sigma_data,
        start=start,
        code=None if table is not None else _code(sampler, n, own),
        clock=_clock(sampler, n, own),
    )


def _clock(sampler: Sampler, n: int, prediction: str | None) -> Callable[[int], float]:
    """Times a run of the sampler's own code with a model that hands back the state."""

    def clock(numbers: int) -> float:
        state = torch.ones((1, 1, 1, numbers), dtype=torch.float64)
        generator = torch.Generator().manual_seed(0)
        with _ONE_AT_A_TIME, torch.no_grad():
            session = sampler.session(n, None, prediction)
            start = time.perf_counter()
            session(lambda z, call: z, state, generator)
            return time.perf_counter() - start

    return clock


def _code(
    sampler: Sampler, n: int, prediction: str | None
) -> Callable[[Callable[[Any, Level], Any], Array, Draws], Array]:
    """Runs the sampler itself on states (n, d), seen as images of one pixel and d channels."""

    def code(model: Callable[[Any, Level], Any], z: Array, draws: Draws) -> Array:
        count = 0

        def network(state: torch.Tensor, call: Call) -> torch.Tensor:
            flat = state.reshape(len(state), -1).numpy().astype(np.float64)
            return torch.from_numpy(model(flat, call.told)).reshape(state.shape).to(state.dtype)

        def drawn(operation: str, out: torch.Tensor, seeded: bool) -> torch.Tensor:
            nonlocal count
            count += 1
            return torch.from_numpy(draws(count - 1)).reshape(out.shape).to(out.dtype)

        state = torch.from_numpy(z).reshape(*z.shape, 1, 1)
        generator = torch.Generator().manual_seed(0)
        with _ONE_AT_A_TIME, torch.no_grad(), GaussianDraws(drawn, generator):
            out = sampler.session(n, None, prediction)(network, state, generator)
        return np.asarray(out.reshape(z.shape).numpy(), dtype=np.float64)

    return code
