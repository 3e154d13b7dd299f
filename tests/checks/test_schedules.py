"""Schedules: right ones in many forms pass, wrong ones fail where they are wrong."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

import dfbench
from dfbench.outcome import Finding, SubjectReport
from dfbench.schedules import SCHEDULES


def certified(thing: Any, **options: Any) -> SubjectReport:
    (report,) = dfbench.certify(thing, **options).subjects
    return report


def failed(thing: Any, **options: Any) -> dict[str, Finding]:
    report = certified(thing, **options)
    assert report.kind == "schedule"
    return {f.claim: f for f in report.findings if f.verdict == "fail"}


def flow(t: float) -> tuple[float, float]:
    return 1 - t, t


def cosine(t: Any) -> Any:
    return torch.cos(torch.as_tensor(t) * math.pi / 2), torch.sin(torch.as_tensor(t) * math.pi / 2)


class Out(NamedTuple):
    alpha_t: Any
    sigma_t: Any
    d_alpha_t: Any
    d_sigma_t: Any


class Upwards:
    """Time 1 is data, as in flow_matching."""

    def __call__(self, t: Any) -> Out:
        return Out(t, 1 - t, torch.ones_like(torch.as_tensor(t)), -torch.ones_like(t))

    def snr_inverse(self, snr: Any) -> Any:
        return snr / (1 + snr)


class Methods:
    def alpha(self, t: Any) -> Any:
        return np.exp(-5 * np.asarray(t, dtype=float) ** 2 - 0.05 * np.asarray(t, dtype=float))

    def sigma(self, t: Any) -> Any:
        return np.sqrt(-np.expm1(2 * np.log(self.alpha(t))))


@pytest.mark.parametrize("thing", [flow, cosine, Upwards(), Methods()], ids=lambda x: str(x)[:12])
def test_a_right_one_passes(thing: Any) -> None:
    report = certified(thing)
    assert report.kind == "schedule"
    assert report.verdict == "pass", [f for f in report.findings if f.verdict == "fail"]


@pytest.mark.parametrize("name", SCHEDULES)
def test_those_of_dfbench_pass(name: str) -> None:
    report = certified(SCHEDULES[name]())
    assert report.verdict == "pass", [f for f in report.findings if f.verdict == "fail"]
    by = {f.claim: f.verdict for f in report.findings}
    assert by["schedule-rates"] == by["schedule-inverse"] == "pass"


class HalfARate(Upwards):
    def __call__(self, t: Any) -> Out:
        alpha, sigma, a, s = super().__call__(t)
        return Out(alpha, sigma, a, 0.5 * s)


class OtherWayBack(Upwards):
    def snr_inverse(self, snr: Any) -> Any:
        return 1 / (1 + snr)


WRONG: dict[str, tuple[Any, str]] = {
    "not all the noise": (lambda t: (math.cos(1.2 * t), math.sin(1.2 * t)), "schedule-ends"),
    "never clean": (lambda t: (1 - 0.9 * t - 0.1, 0.9 * t + 0.1), "schedule-ends"),
    "back and forth": (lambda t: flow(t + 0.1 * math.sin(12 * t)), "schedule-monotone"),
    "below nothing": (lambda t: (1 - 1.1 * t, 1.1 * t), "schedule-levels"),
    "half a rate": (HalfARate(), "schedule-rates"),
    "another way back": (OtherWayBack(), "schedule-inverse"),
    "a cancellation": (
        lambda t: (torch.exp(-7 * t**2), torch.sqrt(1 - torch.exp(-7 * t**2) ** 2)),
        "schedule-dtype",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_one_fails(what: str) -> None:
    thing, claim = WRONG[what]
    found = failed(dfbench.sampler(kind="schedule")(thing))
    assert claim in found, found


def test_a_span_of_ones_own() -> None:
    thousand = dfbench.sampler(kind="schedule", span=[0, 1000])(lambda t: flow(t / 1000))
    assert certified(thousand).verdict == "pass"
    assert "schedule-levels" in failed(
        dfbench.sampler(kind="schedule", span=[0, 1000])(lambda t: flow(t))
    )
