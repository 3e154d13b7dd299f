"""Runs that start in the middle: what image to image gets wrong although whole runs are right."""

from __future__ import annotations

import pytest

from dfbench.checks.bookkeeping import bookkeeping_check
from dfbench.checks.middle import middle_check
from dfbench.subjects import resolve

diffusers = pytest.importorskip("diffusers")
Euler, DPM = diffusers.EulerDiscreteScheduler, diffusers.DPMSolverMultistepScheduler


class IgnoresBeginIndex(Euler):
    """Starts at the first level whatever it was told."""

    def _init_step_index(self, timestep):
        self._step_index = 0


class CountsFromTheIndex(DPM):
    """Takes the index of the step for the number of outputs that it has seen."""

    def set_begin_index(self, begin_index=0):
        super().set_begin_index(begin_index)
        self.lower_order_nums = begin_index
        self.model_outputs = [0.0] * self.config.solver_order


class OneLate(diffusers.FlowMatchEulerDiscreteScheduler):
    """Off by one where the later times are passed, as the first time has occurred already."""

    def index_for_timestep(self, timestep, schedule_timesteps=None):
        found = super().index_for_timestep(timestep, schedule_timesteps)
        return found - 1 if found else found


class OneLateIndex(diffusers.UniPCMultistepScheduler):
    """set_begin_index counts from 1."""

    def set_begin_index(self, begin_index=0):
        super().set_begin_index(max(0, begin_index - 1))


class RunsOffTheEnd(Euler):
    """Counts the begin index twice."""

    def set_begin_index(self, begin_index=0):
        super().set_begin_index(2 * begin_index)


@pytest.mark.slow(quick=3)
@pytest.mark.parametrize(
    "cls", [IgnoresBeginIndex, CountsFromTheIndex, OneLate, OneLateIndex, RunsOffTheEnd]
)
def test_a_mistake_in_the_middle_is_seen_and_a_whole_run_is_right(cls):
    (subject,) = resolve(cls)
    assert bookkeeping_check(subject).verdict == "pass"
    finding = middle_check(subject)
    assert finding.verdict == "fail", finding
    said = finding.where or finding.why
    assert "set_begin_index" in said or "later times" in said


class SearchesByValue(Euler):
    """Finds its place by the nearest time: right in another style."""

    def index_for_timestep(self, timestep, schedule_timesteps=None):
        return int((self.timesteps - timestep).abs().argmin())


@pytest.mark.parametrize(
    "cls",
    [
        Euler,
        DPM,
        SearchesByValue,
        diffusers.DPMSolverSinglestepScheduler,
        diffusers.SASolverScheduler,
        diffusers.HeunDiscreteScheduler,
    ],
)
def test_right_code_passes(cls):
    (subject,) = resolve(cls)
    finding = middle_check(subject)
    assert finding.verdict == "pass", finding


def test_linear_multistep_takes_the_step_for_its_history():
    """A defect of diffusers: get_lms_coefficient's order follows step_index, not the outputs."""
    finding = middle_check(resolve("diffusers:LMSDiscreteScheduler")[0])
    assert finding.verdict == "fail"
    assert finding.measured > 1e-2
