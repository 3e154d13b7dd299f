"""Orders: on steps of unequal length, in the limit, and in the whole of their interval."""

from __future__ import annotations

import itertools
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from dfbench import convergence
from dfbench.checks.order import order_check
from dfbench.subjects import resolve
from dfbench.subjects.loop import LoopSampler
from dfbench.subjects.reference import Defect, MethodSampler

diffusers = pytest.importorskip("diffusers")
DPM, Euler = diffusers.DPMSolverMultistepScheduler, diffusers.EulerDiscreteScheduler
Heun = diffusers.HeunDiscreteScheduler


class OwnDPM(DPM):
    """DPM-Solver++(2M) in the form of its paper, α_t, σ_t and h by itself."""

    weight = 1.0

    def ratio(self, before, now):
        return before / now

    def multistep_dpm_solver_second_order_update(self, outputs, sample=None, noise=None, **options):
        to, now, before = (self.sigmas[self.step_index + k] for k in (1, 0, -1))
        alpha, end = 1 / (1 + now**2).sqrt(), 1 / (1 + to**2).sqrt()
        h, last = torch.log(now / to), torch.log(before / now)
        slope = (outputs[-1] - outputs[-2]) / self.ratio(last, h)
        x = outputs[-1] + self.weight * slope / 2
        return (end * to) / (alpha * now) * sample - end * torch.expm1(-h) * x


class WeightsOfEqualSteps(OwnDPM):
    """Takes r = 1, which the grid of its own tests has."""

    def ratio(self, before, now):
        return 1.0


class HalfTheSlope(OwnDPM):
    weight = 0.5


class AnotherLaw(DPM):
    """Contrast, a little: every sample 5e-5 too large."""

    def step(self, model_output, timestep, sample, **options):
        out = super().step(model_output, timestep, sample, **options)
        if self.step_index == len(self.timesteps):
            out.prev_sample = out.prev_sample * (1 + 5e-5)
        return out


class DriftsAway(Heun):
    """Loses 1e-6 of the state in every call."""

    def step(self, model_output, timestep, sample, **options):
        return super().step(model_output, timestep, sample * (1 - 1e-6), **options)


class GrowsWithTheSteps(Euler):
    """An error of the table, of 1e-6 a step, in every step."""

    def step(self, model_output, timestep, sample, **options):
        out = super().step(model_output, timestep, sample, **options)
        out.prev_sample = out.prev_sample * (1 + 1e-6 * len(self.timesteps))
        return out


@pytest.mark.slow(quick=1)
@pytest.mark.parametrize(
    ("cls", "words"),
    [
        (WeightsOfEqualSteps, "steps of unequal length"),
        (HalfTheSlope, "converges at order"),
        (AnotherLaw, "tends to another law"),
        (DriftsAway, "tends to another law"),
        (GrowsWithTheSteps, ""),
    ],
)
def test_a_wrong_limit_or_order_is_seen(cls, words):
    finding = order_check(resolve(cls)[0])
    assert finding.verdict == "fail", finding
    assert words in finding.why


@pytest.mark.slow(quick=1)
@pytest.mark.parametrize("cls", [OwnDPM, DPM, Euler, Heun, diffusers.LMSDiscreteScheduler])
def test_right_code_passes(cls):
    finding = order_check(resolve(cls)[0])
    assert finding.verdict == "pass", finding


def test_weights_that_the_paper_means_for_equal_steps_are_no_fault():
    """Adams–Bashforth's of iPNDM lose their order on unequal steps, as published."""
    assert order_check(MethodSampler("ipndm")).verdict == "pass"


def test_an_order_far_above_the_declared_is_no_pass():
    finding = order_check(MethodSampler("lms", claimed={"order": 1}))
    assert finding.verdict == "inconclusive"
    assert "far above" in finding.why


def test_errors_that_scatter_are_no_pass():
    """An error of random size in each run: the interval is as wide as the order."""
    rng = np.random.default_rng(0)

    def final(z):
        return z * (1 + 0.02 * rng.standard_normal())

    finding = order_check(MethodSampler("ddim", defect=Defect(final=final)))
    assert finding.verdict != "pass", finding


def test_unequal_steps_are_of_two_lengths():
    lam = convergence.uneven(12, "vp").log_snr
    assert np.diff(lam)[1::2] == pytest.approx(2 * np.diff(lam)[::2])
    assert convergence.uneven(12, "vp").ratio[[0, -1]] == pytest.approx([40.0, 0.1])


# What takes no grid -------------------------------------------------------------------------------


def euler(model, x, steps):
    for i in range(steps):
        x = x + model(x, i / steps) / steps
    return x


def midpoint(model, x, steps):
    h = 1 / steps
    for i in range(steps):
        x = x + h * model(x + h / 2 * model(x, i * h), (i + 0.5) * h)
    return x


def heun3(model, x, steps):
    h = 1 / steps
    for t in (i * h for i in range(steps)):
        first = model(x, t)
        second = model(x + h / 3 * first, t + h / 3)
        x = x + h / 4 * (first + 3 * model(x + 2 / 3 * h * second, t + 2 / 3 * h))
    return x


def karras(model, x, steps):
    """Heun's method in σ, with the last step of Euler onto σ = 0, whose length does not change."""
    sigmas = [
        *(80 ** (1 / 7) + (k / steps) * (0.3 ** (1 / 7) - 80 ** (1 / 7)) for k in range(steps))
    ]
    sigmas = [*(root**7 for root in sigmas), 0.0]
    for s, t in itertools.pairwise(sigmas):
        slope = (x - model(x, s)) / s
        ahead = x + (t - s) * slope
        x = ahead if t == 0 else x + (t - s) / 2 * (slope + (ahead - model(ahead, t)) / t)
    return x


FLOW = {"predicts": "velocity", "level": "flow-up"}


@pytest.mark.slow(quick=2)
@pytest.mark.parametrize(
    ("thing", "order", "verdict"),
    [
        (euler, 1, "pass"),
        (euler, 2, "fail"),
        (midpoint, 2, "pass"),
        (midpoint, 3, "fail"),
        (heun3, 3, "pass"),
    ],
)
def test_what_takes_no_grid_is_asked_on_its_own_levels(thing, order, verdict):
    finding = order_check(LoopSampler(thing, thing.__name__, claims={**FLOW, "order": order}))
    assert finding.verdict == verdict
    assert finding.measured == pytest.approx({euler: 1, midpoint: 2, heun3: 3}[thing], abs=0.02)
    assert "on its own levels, where" in finding.derivation


def test_levels_that_cannot_tell_an_order_say_so():
    claims = {"predicts": "x", "level": "sigma", "order": 2}
    finding = order_check(LoopSampler(karras, "karras", claims=claims))
    assert finding.verdict == "skip"
    assert "on its own levels" in finding.why


def test_noise_on_its_own_levels_is_held_to_the_law():
    if find_spec("denoising_diffusion_pytorch") is None:
        pytest.skip("it is not installed")
    (subject,) = resolve("denoising_diffusion_pytorch:ddim_eta")
    assert order_check(subject).verdict == "pass"
    subject.declare({"order": 2})
    assert order_check(subject).verdict != "pass"
