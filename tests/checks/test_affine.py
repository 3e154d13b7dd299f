"""A sampler that is not affine, or breaks where an input is 0, is said to be so, once."""

from __future__ import annotations

import pytest
import torch

from dfbench.checks.affine import affine_check
from dfbench.subjects import resolve

diffusers = pytest.importorskip("diffusers")
Euler, DDIM, DDPM = (
    getattr(diffusers, f"{name}Scheduler") for name in ("EulerDiscrete", "DDIM", "DDPM")
)


class DividesByTheOutput(Euler):
    """Rescales what the network returns to the deviation of the state, as guidance does."""

    def step(self, model_output, timestep, sample, **options):
        rows = tuple(range(1, sample.ndim))
        size = model_output.pow(2).mean(rows, keepdim=True).sqrt()
        return super().step(model_output / size, timestep, sample, **options)


class DividesByTheState(DDIM):
    def step(self, model_output, timestep, sample, **options):
        return super().step(model_output, timestep, sample * (sample / sample), **options)


class LogOfTheOutput(Euler):
    def step(self, model_output, timestep, sample, **options):
        return super().step(model_output.log(), timestep, sample, **options)


@pytest.mark.parametrize(
    ("cls", "words"),
    [
        (DividesByTheOutput, "not affine: it divides"),
        (DividesByTheState, "affine elsewhere"),
        (LogOfTheOutput, "not finite on random inputs"),
    ],
)
def test_what_breaks_at_zero_fails(cls, words):
    finding = affine_check(
        resolve(cls, {"clip_sample": False} if cls is DividesByTheState else {})[0]
    )
    assert finding.verdict == "fail", finding
    assert words in finding.why


@pytest.mark.parametrize("cls", [Euler, DDIM, DDPM])
def test_right_code_passes(cls):
    config = {} if cls is Euler else {"clip_sample": False}
    assert affine_check(resolve(cls, config)[0]).verdict == "pass"


class CutAtFive(Euler):
    def step(self, model_output, timestep, sample, **options):
        return super().step(model_output.clamp(-5, 5), timestep, sample, **options)


def test_what_is_cut_only_where_it_is_loud_is_seen():
    finding = affine_check(resolve(CutAtFive, {})[0])
    assert finding.verdict == "fail"
    assert finding.counterexample == {"steps": 10, "amplitude": 16.0}
    assert "fails at amplitude 16 and holds at 1" in finding.why


class Guided(DDIM):
    """A weight on the output is affine."""

    def step(self, model_output, timestep, sample, **options):
        zero = torch.zeros_like(model_output)
        return super().step(zero + 1.0 * (model_output - zero), timestep, sample, **options)


def test_so_does_a_guided_one():
    assert affine_check(resolve(Guided, {"clip_sample": False})[0]).verdict == "pass"
