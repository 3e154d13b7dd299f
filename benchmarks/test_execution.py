"""`Table.run` against the same loop in diffusers, the dense product, and the bytes that must move.

The floor: every step reads each array it combines once and writes the new state once; where a
method needs x̂ and the model gives ε̂, x̂ is written once more. At the bandwidth of plain copies of
arrays of the same size, in the same run; plus the time of drawing the noise. The model is free.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.timing import copies, report, seconds, variance_preserving
from dfbench.samplers import METHODS
from dfbench.table import Table

N = 20
COPIES = 20
SHAPES = [(4, 4, 64, 64), (64, 3, 64, 64)]
PAIRS = {
    "ddim": ("DDIMScheduler", {}),
    "dpm_solver_pp_multistep": ("DPMSolverMultistepScheduler", {}),
    "heun": ("HeunDiscreteScheduler", {}),
    "unipc": ("UniPCMultistepScheduler", {}),
    "ddpm": ("DDPMScheduler", {"clip_sample": False}),
}


def moved(table: Table) -> int:
    """Arrays that have to go through memory in a run in single precision."""
    steps, factors = table._single
    arrays = sum(
        (step.carry != 0) + (step.start != 0) + len(step.outputs) + len(step.draws) + 1
        for step in steps
    )
    return arrays + (table.nfe if factors else 0)


def dense(table: Table, z: torch.Tensor, m: torch.Tensor, draws: Any) -> torch.Tensor:
    """Every state as the product of its row with all inputs so far."""
    rows = torch.tensor(table.rows, dtype=z.dtype, device=z.device)
    e, width = table.nfe, rows.shape[1]
    inputs = torch.empty((width, z.numel()), dtype=z.dtype, device=z.device)
    inputs[0] = z.reshape(-1)
    drawn = 0
    for j in range(e + 1):
        used = np.flatnonzero(table.C[j])
        while used.size and drawn <= used[-1]:
            inputs[1 + e + drawn] = draws(drawn).reshape(-1)
            drawn += 1
        state = rows[j, : 1 + j] @ inputs[: 1 + j]
        if drawn:
            state += rows[j, 1 + e : 1 + e + drawn] @ inputs[1 + e : 1 + e + drawn]
        if j < e:
            inputs[1 + j] = m.reshape(-1)
    return state.reshape(z.shape)


@pytest.mark.parametrize("shape", SHAPES, ids=["4x4x64x64", "64x3x64x64"])
@pytest.mark.parametrize("name", PAIRS)
def test_torch(benchmark: Any, name: str, shape: tuple[int, ...], device: str) -> None:
    diffusers = pytest.importorskip("diffusers")
    table = METHODS[name].table(variance_preserving(N), "eps")
    z, m = (torch.randn(shape, device=device) for _ in range(2))

    def draws(k: int) -> torch.Tensor:
        return torch.randn(shape, device=device)

    def run() -> torch.Tensor:
        out: torch.Tensor = table.run(lambda state, level: m, z, draws)
        return out

    made, options = PAIRS[name]
    scheduler = getattr(diffusers, made)(**options)

    def loop() -> None:
        state = z * scheduler.init_noise_sigma
        for t in scheduler.timesteps:
            scheduler.scale_model_input(state, t)
            state = scheduler.step(m, t, state).prev_sample

    best = seconds(
        {
            "run": run,
            "diffusers": loop,
            "dense": lambda: dense(table, z, m, draws),
            "copies": copies(shape, z.dtype, device, COPIES),
            "draws": lambda: [draws(k) for k in range(table.n_draws)],
        },
        {"diffusers": lambda: scheduler.set_timesteps(N, device=device)},
    )
    arrays = moved(table)
    floor = best["copies"] / COPIES / 2 * arrays + best["draws"] * bool(table.n_draws)
    report(
        benchmark,
        run,
        microseconds_per_evaluation=1e6 * best["run"] / table.nfe,
        arrays_per_evaluation=arrays / table.nfe,
        run_over_floor=best["run"] / floor,
        diffusers_over_run=best["diffusers"] / best["run"],
        dense_over_run=best["dense"] / best["run"],
    )


@pytest.mark.parametrize("name", ["ddim", "dpm_solver_pp_multistep"])
def test_numpy(benchmark: Any, name: str) -> None:
    table = METHODS[name].table(variance_preserving(N), "eps")
    z = np.random.default_rng(0).standard_normal(SHAPES[1]).astype(np.float32)
    m = z + 1

    def run() -> Any:
        return table.run(lambda state, level: m, z)

    best = seconds({"run": run, "copies": copies(z.shape, torch.float32, "cpu", COPIES)})
    floor = best["copies"] / COPIES / 2 * moved(table)
    report(benchmark, run, run_over_floor=best["run"] / floor)
