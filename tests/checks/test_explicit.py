"""Grids that a user gives: what goes wrong there although runs on its own grid are right."""

from __future__ import annotations

import numpy as np
import pytest

import dfbench
from dfbench.checks import CLAIMS
from dfbench.errors import Unusable
from dfbench.subjects import resolve

diffusers = pytest.importorskip("diffusers")
Euler, DDPM = diffusers.EulerDiscreteScheduler, diffusers.DDPMScheduler
Flow = diffusers.FlowMatchEulerDiscreteScheduler


class Even(DDPM):
    """With times of the user the time before is still T/n below."""

    def previous_timestep(self, timestep):
        if self.custom_timesteps:
            return timestep - 1000 // len(self.timesteps)
        return super().previous_timestep(timestep)


class KeepsSome(Euler):
    """σ that are given do not end at 0."""

    def set_timesteps(self, n=None, device=None, timesteps=None, sigmas=None):
        super().set_timesteps(n, device, timesteps, sigmas)
        if sigmas is not None:
            self.sigmas[-1] = 0.03


class Unshifted(Flow):
    """σ that are given are not shifted, though its own are."""

    def set_timesteps(self, num_inference_steps=None, device=None, sigmas=None, mu=None, **more):
        if sigmas is not None:
            sigmas = np.asarray(sigmas)
            sigmas = sigmas / (self.shift - (self.shift - 1) * sigmas)
        super().set_timesteps(num_inference_steps, device, sigmas, mu, **more)


class OffByOne(Euler):
    """Times that are given count from 1."""

    def set_timesteps(self, n=None, device=None, timesteps=None, sigmas=None):
        timesteps = None if timesteps is None else [t - 1 for t in timesteps]
        super().set_timesteps(n, device, timesteps, sigmas)


class OfAnotherMu(Flow):
    """μ is taken and not used."""

    def time_shift(self, mu, sigma, t):
        return super().time_shift(0.5, sigma, t)


@pytest.mark.parametrize(
    ("cls", "config", "claim"),
    [
        (Even, {"clip_sample": False}, "times-given"),
        (KeepsSome, {}, "sigmas-given"),
        (Unshifted, {"shift": 3.0}, "sigmas-given"),
        (OffByOne, {}, "times-given"),
        (OfAnotherMu, {"use_dynamic_shifting": True}, "mu-given"),
    ],
)
def test_what_is_wrong_on_a_grid_that_is_given(cls, config, claim):
    (subject,) = resolve(cls, config)
    assert CLAIMS[claim](subject).verdict == "fail"
    (right,) = resolve(cls.__bases__[0], config)
    assert CLAIMS[claim](right).verdict == "pass"


@pytest.mark.slow(quick=2)
@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("DDPMScheduler", {"timesteps": [900, 500, 300, 100]}),
        ("EulerDiscreteScheduler", {"sigmas": [14.6, 6.0, 2.5, 1.0, 0.3, 0.0]}),
        ("FlowMatchEulerDiscreteScheduler", {"sigmas": [1.0, 0.9, 0.7, 0.4, 0.1]}),
    ],
)
def test_a_grid_in_the_call_is_asked_all_that_is_asked_of_others(name, call):
    core = [
        "bookkeeping",
        "told-level",
        "landing",
        "identity",
        "levels",
        "law",
        "noise",
        "protocol",
    ]
    (report,) = dfbench.certify(f"diffusers:{name}", call=call, select=core).subjects
    verdicts = {finding.claim: finding.verdict for finding in report.findings}
    assert set(verdicts.values()) <= {"pass", "skip"}, verdicts
    assert {k for k, v in verdicts.items() if v == "pass"} >= {"bookkeeping", "identity", "levels"}
    assert report.steps == (len(call.get("timesteps") or call["sigmas"]) - (name[:6] == "EulerD"),)


def test_a_grid_that_is_refused_is_unusable():
    with pytest.raises(Unusable, match="the grid is not taken"):
        resolve("diffusers:DDPMScheduler", {}, {"timesteps": [100, 900]})


def test_a_grid_that_breaks_is_a_failure():
    """EDM's takes a list, as it says, and asks it for `to`."""
    (subject,) = resolve("diffusers:EDMEulerScheduler")
    found = CLAIMS["sigmas-given"](subject)
    assert found.verdict == "fail"
    assert "'list' object has no attribute 'to'" in (found.why or "")
