"""Integrators that choose their steps: right ones pass, wrong ones fail where they are wrong."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from torchdiffeq import odeint

import dfbench
from dfbench.outcome import Finding, SubjectReport

FLOW = {"predicts": "velocity", "level": "flow-up"}


def certified(thing: Any, **declare: Any) -> SubjectReport:
    (report,) = dfbench.certify(thing, declare={"kind": "integrator", **FLOW, **declare}).subjects
    assert report.kind == "integrator"
    return report


def failed(thing: Any, **declare: Any) -> dict[str, Finding]:
    return {f.claim: f for f in certified(thing, **declare).findings if f.verdict == "fail"}


def stopped(model: Any, x: Any, times: Any, rtol: float = 1e-5, atol: float = 1e-5) -> Any:
    """torchdiffeq's, told to step on the end."""
    options = {"step_t": times[-1:]}
    return odeint(lambda t, z: model(z, t), x, times, rtol=rtol, atol=atol, options=options)


def of_scipy(model: Any, x: Any, tol: float = 1e-5) -> Any:
    def rate(t: float, flat: Any) -> Any:
        return model(torch.from_numpy(flat).reshape(x.shape).to(x), t).numpy().ravel()

    start = x.double().numpy().ravel()
    found = solve_ivp(rate, (0.0, 1.0), start, rtol=tol, atol=tol)
    return torch.from_numpy(found.y[:, -1]).reshape(x.shape).to(x)


def sampled(
    model: Any,
    x: Any,
    *,
    tolerance: float,
    end: float = 1.0,
    stop: Callable[[float, float], bool] = lambda t, end: t < end - 1e-12,
    told: Callable[[float], float] = lambda t: t,
) -> Any:
    """Heun's steps, by their distance from Euler's."""
    t, h = 0.0, 1e-2
    while stop(t, end):
        h = min(h, end - t) if end <= 1 else h
        first = model(x, told(t))
        second = model(x + h * first, told(min(t + h, 1.0)))
        error = float((h * (second - first) / 2).abs().max())
        if error <= tolerance:
            x, t = x + h * (first + second) / 2, t + h
        h *= min(2.0, max(0.3, 0.9 * math.sqrt(tolerance / max(error, 1e-12))))
    return x


def mine(model: Any, x: Any, atol: float = 1e-4) -> Any:
    return sampled(model, x, tolerance=atol)


def not_the_last(model: Any, x: Any, atol: float = 1e-4) -> Any:
    """Ends before the last step."""
    return sampled(model, x, tolerance=atol, end=0.98)


def too_far(model: Any, x: Any, atol: float = 1e-4) -> Any:
    """The last step is not shortened."""
    return sampled(model, x, tolerance=atol, end=1.0 + 1e-9, stop=lambda t, end: t < 1)


def deaf(model: Any, x: Any, atol: float = 1e-4) -> Any:
    return sampled(model, x, tolerance=3e-2)


def late(model: Any, x: Any, atol: float = 1e-4) -> Any:
    """The network is told the time of a grid of a thousand."""
    return sampled(model, x, tolerance=atol, told=lambda t: 1000 * t)


def upside_down(model: Any, x: Any, atol: float = 1e-4) -> Any:
    return sampled(model, x, tolerance=atol, told=lambda t: 1 - t)


def narrow(model: Any, x: Any, atol: float = 1e-4) -> Any:
    return sampled(model, x.float(), tolerance=atol).float()


def mixing(model: Any, x: Any, atol: float = 1e-4) -> Any:
    """A mean over the batch is taken off, as of guidance that is normalised with it."""

    def other(z: Any, t: float) -> Any:
        u = model(z, t)
        return u * (u.norm() / u.norm()) + 0.1 * (u - u.mean(0))

    return sampled(other, x, tolerance=atol)


@pytest.mark.parametrize("thing", [stopped, of_scipy, mine], ids=lambda f: f.__name__)
def test_a_right_one_passes(thing: Any) -> None:
    report = certified(thing)
    assert report.verdict == "pass", [f for f in report.findings if f.verdict != "pass"]


WRONG: dict[str, tuple[Any, str]] = {
    "too early": (not_the_last, "integrator-landing"),
    "too far": (too_far, "integrator-landing"),
    "deaf": (deaf, "integrator-error"),
    "other times": (late, "integrator-interval"),
    "upside down": (upside_down, "integrator-error"),
    "narrow": (narrow, "integrator-runs"),
    "mixing": (mixing, "integrator-error"),
}


@pytest.mark.slow(quick=2)
@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_one_fails(what: str) -> None:
    thing, claim = WRONG[what]
    found = failed(thing)
    assert claim in found, found


def test_what_goes_past_the_end_is_named() -> None:
    """torchdiffeq's adaptive methods step past the last time, and go back by a polynomial."""
    pytest.importorskip("torchdiffeq")
    (report,) = dfbench.certify("torchdiffeq:dopri5").subjects
    (found,) = (f for f in report.findings if f.verdict == "fail")
    assert found.claim == "integrator-interval"
    told: list[float] = []
    times = torch.tensor([0.0, 1.0], dtype=torch.float64)

    def rate(t: Any, z: Any) -> Any:
        told.append(float(t))
        return -z * (1 + t)

    odeint(rate, torch.ones(3, dtype=torch.float64), times, rtol=1e-4, atol=1e-4)
    assert np.max(told) > 1.0  # without dfbench
