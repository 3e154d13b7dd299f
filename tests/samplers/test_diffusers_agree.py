"""The references against diffusers' schedulers, from which they share no code.

Every scheduler gets random model outputs, draws and initial state on a grid of our own; its final
state has to be what the reference's table makes of the same numbers. Several schedulers cast to
float32, which sets the tolerance.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from dfbench.levels import Grid
from dfbench.samplers import METHODS
from dfbench.samplers.ancestral import consistency_scalings, lcm_scalings

pytest.importorskip("diffusers")
SIGMAS = [5.0, 2.0, 0.7, 0.2, 0.0]
N = len(SIGMAS) - 1
VE = Grid.from_ratios(SIGMAS)
FLOW = Grid(1 - np.array([0.95, 0.7, 0.4, 0.1, 0]), np.array([0.95, 0.7, 0.4, 0.1, 0]))
VP_BAR = np.array([0.97, 0.8, 0.4, 0.05])  # ᾱ, data first
VP = Grid(np.sqrt([*VP_BAR[::-1], 1.0]), np.sqrt([*(1 - VP_BAR[::-1]), 0.0]))
TOLERANCE = 2e-6  # of states and outputs of size one to five: a few float32 roundings


def make(name: str, steps: int = N, **config: Any) -> Any:
    scheduler = getattr(importlib.import_module("diffusers"), name)(**config)
    scheduler.set_timesteps(steps)
    return scheduler


def interleave(values: Sequence[float]) -> Any:
    """v_0, v_1, v_1, …, v_{N−1}, v_{N−1}, v_N"""
    import torch

    inner = np.repeat(np.asarray(values[1:-1], dtype=np.float64), 2)
    return torch.tensor([values[0], *inner, values[-1]], dtype=torch.float64)


def exploding(name: str, **config: Any) -> Any:
    import torch

    scheduler = make(name, **config)
    scheduler.sigmas = torch.tensor(SIGMAS, dtype=torch.float64)
    return scheduler


def two_stage(name: str, sigmas: Sequence[float], **config: Any) -> Any:
    scheduler = make(name, len(sigmas) - 1, **config)
    scheduler.sigmas = interleave(sigmas)
    return scheduler


def dpm2(name: str) -> Any:
    """The tables of σ, σ_down, σ_up and the middle, each in the layout of the scheduler."""
    import torch

    scheduler, s = make(name), np.array(SIGMAS)

    def layout(values: Any) -> Any:
        v = np.append(np.asarray(values, dtype=np.float64), 0.0)[: N + 1]
        return torch.tensor([v[0], *np.repeat(v[1:], 2), v[-1]])

    scheduler.sigmas = layout(s)
    down = s[1:] if name == "KDPM2DiscreteScheduler" else s[1:] ** 2 / s[:-1]
    middle = np.sqrt(s[:-1] * down)
    if name == "KDPM2DiscreteScheduler":
        scheduler.sigmas_interpol = layout(np.append(0.0, middle))
    else:
        scheduler.sigmas_interpol, scheduler.sigmas_down = layout(middle), layout(down)
        scheduler.sigmas_up = layout(np.sqrt(s[1:] ** 2 - down**2))
    return scheduler


def preserving(name: str, **config: Any) -> Any:
    """Time steps 3, 2, 1, 0 at the ᾱ of `VP_BAR`, then ᾱ = 1."""
    import torch

    free = {} if name == "TCDScheduler" else {"clip_sample": False}
    extra = {"original_inference_steps": N} if name in ("TCDScheduler", "LCMScheduler") else {}
    scheduler = make(name, num_train_timesteps=N, **free, **extra, **config)
    scheduler.alphas_cumprod = torch.tensor(VP_BAR, dtype=torch.float64)
    scheduler.timesteps = torch.arange(N - 1, -1, -1)
    return scheduler


def run(scheduler: Any, outputs: Any, draws: Any, z: Any, **call: Any) -> Any:
    import torch

    module = importlib.import_module(type(scheduler).__module__)
    noise = iter(torch.tensor(draws)[:, None, None])
    if hasattr(scheduler, "_step_index"):
        scheduler._step_index = None
        scheduler.set_begin_index(0)
    if hasattr(scheduler, "is_scale_input_called"):
        scheduler.is_scale_input_called = True
    state = torch.tensor(z)[None, None]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "randn_tensor", lambda *_, **__: next(noise), raising=False)
        if hasattr(scheduler, "noise_sampler"):
            scheduler.noise_sampler = lambda *_: next(noise)
        times = scheduler.timesteps[: len(outputs)]
        for t, m in zip(times, torch.tensor(outputs)[:, None, None], strict=True):
            state = scheduler.step(m, t, state, return_dict=False, **call)[0]
    return state[0, 0].numpy()


def lcm_config() -> dict[str, Any]:
    skip, weight = zip(*(lcm_scalings(t) for t in (3, 2, 1, 0)), strict=True)
    return {"c_skip": skip, "c_out": weight}


EPS = "EulerDiscreteScheduler"
Case = tuple[Callable[[], Any], dict[str, Any], str, dict[str, Any], Grid, str]
CASES: dict[str, Case] = {
    "ddim": (lambda: preserving("DDIMScheduler"), {}, "ddim", {}, VP, "eps"),
    "ddim eta": (
        lambda: preserving("DDIMScheduler", prediction_type="v_prediction"),
        {"eta": 0.7},
        "ddim",
        {"eta": 0.7},
        VP,
        "v",
    ),
    "ddpm": (lambda: preserving("DDPMScheduler"), {}, "ddpm", {}, VP, "eps"),
    "ddpm large": (
        lambda: preserving("DDPMScheduler", variance_type="fixed_large"),
        {},
        "ddpm",
        {"variance": "fixed_large"},
        VP,
        "eps",
    ),
    "euler": (lambda: exploding(EPS), {}, "euler", {}, VE, "eps"),
    "euler churn": (
        lambda: exploding(EPS),
        {"s_churn": 1.0, "s_noise": 1.1, "s_tmax": 3.0},
        "edm",
        {"s_churn": 1.0, "s_noise": 1.1, "s_tmax": 3.0, "second_order": False, "stale": "eps"},
        VE,
        "eps",
    ),
    "euler churn x": (
        lambda: exploding(EPS, prediction_type="sample"),
        {"s_churn": 1.0},
        "edm",
        {"s_churn": 1.0, "second_order": False, "stale": "x"},
        VE,
        "x",
    ),
    "euler ancestral": (
        lambda: exploding("EulerAncestralDiscreteScheduler"),
        {},
        "euler_ancestral",
        {},
        VE,
        "eps",
    ),
    "heun": (lambda: two_stage("HeunDiscreteScheduler", SIGMAS), {}, "heun", {}, VE, "eps"),
    "dpm2": (lambda: dpm2("KDPM2DiscreteScheduler"), {}, "dpm2", {}, VE, "eps"),
    "dpm2 ancestral": (
        lambda: dpm2("KDPM2AncestralDiscreteScheduler"),
        {},
        "dpm2_ancestral",
        {},
        VE,
        "eps",
    ),
    "dpmpp sde": (
        lambda: two_stage("DPMSolverSDEScheduler", SIGMAS),
        {"s_noise": 1.1},
        "dpmpp_sde",
        {"s_noise": 1.1},
        VE,
        "eps",
    ),
    "flow euler": (
        lambda: make("FlowMatchEulerDiscreteScheduler"),
        {},
        "flow_matching",
        {},
        FLOW,
        "u",
    ),
    "flow euler stochastic": (
        lambda: make("FlowMatchEulerDiscreteScheduler", stochastic_sampling=True),
        {},
        "lcm",
        {},
        FLOW,
        "u",
    ),
    "flow heun": (
        lambda: two_stage("FlowMatchHeunDiscreteScheduler", list(FLOW.sigma)),
        {},
        "flow_matching",
        {"solver": "heun"},
        FLOW,
        "u",
    ),
    "flow lcm": (lambda: make("FlowMatchLCMScheduler"), {}, "lcm", {}, FLOW, "u"),
    "flow ancestral": (
        lambda: make("LTXEulerAncestralRFScheduler", eta=0.6, s_noise=1.1),
        {},
        "flow_ancestral",
        {"eta": 0.6, "s_noise": 1.1},
        FLOW,
        "u",
    ),
    "lcm": (lambda: preserving("LCMScheduler"), {}, "lcm", lcm_config(), VP, "eps"),
}


def built(name: str) -> Any:
    import torch

    scheduler, grid = CASES[name][0](), CASES[name][4]
    if grid is FLOW and len(scheduler.sigmas) == N + 1:
        scheduler.sigmas = torch.tensor(grid.sigma)
    return scheduler


@pytest.mark.parametrize("name", CASES)
def test_the_final_state_agrees(name: str) -> None:
    _, call, method, options, grid, prediction = CASES[name]
    table = METHODS[method].table(grid, prediction, **options)
    rng = np.random.default_rng(1)
    z, outputs = rng.standard_normal(8), rng.standard_normal((table.nfe, 8))
    draws = rng.standard_normal((2 * N, 8))
    ours = table.a[-1] * z + table.weights() @ outputs + table.C[-1] @ draws[: table.n_draws]
    theirs = run(built(name), outputs, draws, z, **call)
    assert np.abs(theirs - ours).max() < TOLERANCE


def test_the_paper_and_the_released_churn_differ() -> None:
    """EDM's algorithm 2 evaluates after raising the noise, the released Euler before (CLAIMS 42).

    With data at a point the paper's keeps the variance and the released one does not.
    """
    options = {"s_churn": 4.0, "s_tmax": 3.0, "second_order": False}
    levels = Grid.from_ratios(SIGMAS[:-1])
    law = METHODS["edm"].table(levels, "eps", **options).law(0.0)
    released = METHODS["edm"].table(levels, "eps", stale="eps", **options).law(0.0)
    assert law.variance[0] == pytest.approx(0.2**2, rel=1e-12)
    assert released.variance[0] > 2 * 0.2**2


def test_consistency_models() -> None:
    """c_skip z + c_out F with the raw network output F, then noise √(σ_s² − σ_min²)."""
    sigmas, floor, data = np.array([5.0, 1.0, 0.1]), 0.1, 0.5
    import torch

    scheduler = make("CMStochasticIterativeScheduler", 2, sigma_min=floor, clip_denoised=False)
    scheduler.sigmas = torch.tensor(sigmas)
    skip, weight = zip(*(consistency_scalings(s, floor, data) for s in sigmas[:-1]), strict=True)
    table = METHODS["lcm"].table(
        Grid.from_ratios(sigmas),
        "edm",
        sigma_data=data,
        c_skip=skip,
        c_out=weight,
        sigma_min=floor,
    )
    rng = np.random.default_rng(1)
    z, outputs, draws = (rng.standard_normal(s) for s in ((8,), (2, 8), (2, 8)))
    ours = table.a[-1] * z + table.weights() @ outputs + table.C[-1] @ draws[: table.n_draws]
    assert np.abs(run(scheduler, outputs, draws, z) - ours).max() < TOLERANCE


def test_trigflow() -> None:
    import torch

    angles = np.array([1.5, 1.0, 0.4, 0.0])
    scheduler = importlib.import_module("diffusers").SCMScheduler(sigma_data=0.5)
    scheduler.set_timesteps(3, intermediate_timesteps=None)
    scheduler.timesteps = torch.tensor(angles)
    levels = Grid(np.cos(angles), 0.5 * np.sin(angles))
    rng = np.random.default_rng(1)
    z, outputs, draws = (rng.standard_normal(s) for s in ((8,), (3, 8), (3, 8)))
    table = METHODS["scm"].table(levels, "edm", sigma_data=0.5)
    # TrigFlow's x̂ = cos z − sin m has m = −σ_d F in EDM's terms, on the same levels
    ours = table.a[-1] * z + table.weights() @ (outputs / -0.5) + table.C[-1] @ draws[:2]
    assert np.abs(run(scheduler, outputs, draws, z) - ours).max() < TOLERANCE


def test_trajectory_consistency() -> None:
    """The released steps go to ⌊(1 − γ) t⌋ of integer times, and land on time 0, not on σ = 0."""
    import torch

    bar = np.linspace(0.99, 0.02, 50)
    scheduler = make("TCDScheduler", 4, num_train_timesteps=50, original_inference_steps=50)
    scheduler.alphas_cumprod = torch.tensor(bar)
    scheduler.timesteps = torch.tensor([49, 33, 21, 8])
    alpha = np.sqrt(bar[[49, 33, 21, 8, 0]])
    levels = Grid(alpha, np.sqrt(1 - alpha**2))
    below = bar[[int(0.7 * t) for t in (33, 21, 8, 0)]]
    table = METHODS["tcd"].table(levels, "eps", down=list(np.sqrt((1 - below) / below)))
    rng = np.random.default_rng(1)
    z, outputs, draws = (rng.standard_normal(s) for s in ((8,), (4, 8), (4, 8)))
    ours = table.a[-1] * z + table.weights() @ outputs + table.C[-1] @ draws[:3]
    assert np.abs(run(scheduler, outputs, draws, z, eta=0.3) - ours).max() < TOLERANCE
