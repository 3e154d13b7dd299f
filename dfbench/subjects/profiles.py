"""Calling conventions that many samplers share, by name: `--as NAME`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dfbench.reading import one_of

Claims = Mapping[str, Any]


def _gaussian_diffusion(thing: Any) -> Claims:
    """An object that keeps its levels in `alphas_cumprod`, draws its start and returns images."""
    table = getattr(thing, "alphas_cumprod", None)
    known = [n for n in ("ddim_sample", "p_sample_loop", "sample") if hasattr(thing, n)]
    claims: dict[str, Any] = {"start": "drawn", "dims": 4, "output": (0.5, 0.5)}
    if known:
        claims["method"] = known[0]
    if table is not None:

        def level(time: float) -> tuple[float, float]:
            if not 0 <= time < len(table):
                raise ValueError("not a training step")
            kept = float(table[int(time)])
            return kept**0.5, (1 - kept) ** 0.5

        claims["level"] = level
    return claims


PROFILES: dict[str, tuple[str, Claims | Callable[[Any], Claims]]] = {
    "k-diffusion": (
        "sample(model, x, sigmas): a denoiser, σ of the steps with a last 0",
        {"predicts": "x", "level": "sigma"},
    ),
    "comfy": (
        "the same; `model.inner_model.model_sampling` is there",
        {"predicts": "x", "level": "sigma"},
    ),
    "edm": (
        "edm_sampler(net, latents): unit noise, σ inside, float64 inside and out",
        {
            "predicts": "x",
            "level": "sigma",
            "start": "noise",
            "least": 2,
            "expected": {"dtype": "the sample is float64 by design"},
        },
    ),
    "flow-up": (
        "a velocity from time 0 (noise) to 1",
        {"predicts": "velocity", "level": "flow-up"},
    ),
    "flow-down": (
        "a velocity from time 1 (noise) to 0",
        {"predicts": "velocity", "level": "flow-down"},
    ),
    "flow-down-1000": (
        "a velocity from time 1000 (noise) to 0",
        {"predicts": "velocity", "level": "flow-down × T"},
    ),
    "ddpm": (
        "noise, told whole training steps of DDPM's linear β",
        {"predicts": "eps", "level": "ddpm-linear"},
    ),
    "stable-diffusion": (
        "noise, told whole training steps of Stable Diffusion's β",
        {"predicts": "eps", "level": "ddpm-scaled-linear"},
    ),
    "dpm-solver": (
        "noise at times from 1 to 0.001 of the continuous linear β",
        {"predicts": "eps", "level": "vp", "lands": 1e-3},
    ),
    "loss": (
        "a training loss: loss(model, x), which draws times and noise",
        {"kind": "loss"},
    ),
    "schedule": (
        "a noise schedule: of the time, α and σ",
        {"kind": "schedule"},
    ),
    "conversion": (
        "a conversion of predictions: of a prediction, a state and a level or a time",
        {"kind": "conversion"},
    ),
    "coupling": (
        "pairs of noise and data, or states and targets between them: of two batches",
        {"kind": "coupling"},
    ),
    "times": (
        "what draws the times that a network is trained at: of their number",
        {"kind": "times"},
    ),
    "likelihood": (
        "log p of data under a network: of both, and of steps or times perhaps",
        {"kind": "likelihood"},
    ),
    "integrator": (
        "a velocity and an integrator that chooses its steps: of a network, a state, times",
        {"kind": "integrator"},
    ),
    "formula": (
        "a number of one argument, a weight or a decay: of a tensor of arguments",
        {"kind": "formula"},
    ),
    "gaussian-diffusion": (
        "an object with `alphas_cumprod` and `ddim_sample` or `p_sample_loop`",
        _gaussian_diffusion,
    ),
}
"""Name → in words, and what it declares, which may hang on the object."""


def claims_of(profile: str, thing: Any) -> dict[str, Any]:
    """What a profile declares of a thing.

    Raises:
        Wrong: there is no such profile.
    """
    _, claims = PROFILES[one_of(profile, PROFILES, "profile")]
    return dict(claims(thing) if callable(claims) else claims)
