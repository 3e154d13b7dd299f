"""A run under any protocol is the plain run: mistakes that show in one way of running only."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch
from hypothesis import given

import dfbench
from dfbench.checks.protocol import protocol_check
from dfbench.errors import Unusable
from dfbench.protocols import PLAIN, VALUES, covering, simpler
from dfbench.subjects import resolve
from dfbench.testing import protocols

diffusers = pytest.importorskip("diffusers")
DDIM, DDPM = diffusers.DDIMScheduler, diffusers.DDPMScheduler
DPM, Euler = diffusers.DPMSolverMultistepScheduler, diffusers.EulerDiscreteScheduler


class KeepsHistory(diffusers.IPNDMScheduler):
    """Forgets to reset its outputs when the steps are set."""

    def set_timesteps(self, *args, **options):
        kept = getattr(self, "ets", [])
        super().set_timesteps(*args, **options)
        self.ets = kept


class RemembersItsFirst(DDIM):
    """The number of steps that was set first is kept for good."""

    def set_timesteps(self, n, *args, **options):
        super().set_timesteps(n, *args, **options)
        self.first = getattr(self, "first", n)

    def step(self, model_output, timestep, sample, **options):
        scaled = model_output * (1 + 1e-3 * (self.first - self.num_inference_steps))
        return super().step(scaled, timestep, sample, **options)


class SharesNoise(diffusers.EulerAncestralDiscreteScheduler):
    """One draw for all channels."""

    def step(self, model_output, timestep, sample, generator=None, return_dict=True):
        self._init_step_index(timestep)
        now, to = self.sigmas[self.step_index], self.sigmas[self.step_index + 1]
        up = (to**2 * (now**2 - to**2) / now**2) ** 0.5
        down = (to**2 - up**2) ** 0.5
        shape = (len(sample), 1, *sample.shape[2:])
        noise = torch.randn(shape, generator=generator, dtype=sample.dtype)
        self._step_index += 1
        moved = sample + (down - now) * model_output + up * noise
        return (
            diffusers.schedulers.scheduling_ddpm.DDPMSchedulerOutput(moved)
            if return_dict
            else (moved,)
        )


class WrongForVideo(DDIM):
    """Broadcasts along the wrong axis where there are five."""

    def step(self, model_output, timestep, sample, **options):
        if sample.ndim == 5:
            sample = sample * torch.linspace(1.0, 1.01, sample.shape[2])[:, None, None]
        return super().step(model_output, timestep, sample, **options)


class WrongForOneRow(DDIM):
    """Takes a lonely row for the unconditional half of a batch."""

    def step(self, model_output, timestep, sample, **options):
        if len(sample) == 1:
            model_output = 1.001 * model_output
        return super().step(model_output, timestep, sample, **options)


class ChangesItsInput(Euler):
    """Works in place."""

    def step(self, model_output, timestep, sample, **options):
        model_output.mul_(1.0001)
        return super().step(model_output, timestep, sample, **options)


class WrongTuple(Euler):
    """The tuple's first element is the prediction of x."""

    def step(self, model_output, timestep, sample, return_dict=True, **options):
        out = super().step(model_output, timestep, sample, **options)
        return out if return_dict else (out.pred_original_sample,)


class SharesState(DDIM):
    """A copy starts anew."""

    def set_timesteps(self, *args, **options):
        super().set_timesteps(*args, **options)
        self.count = torch.zeros(())

    def __deepcopy__(self, memo):
        made = type(self)(**dict(self.config))
        if self.num_inference_steps:
            made.set_timesteps(self.num_inference_steps)
        return made

    def step(self, model_output, timestep, sample, **options):
        self.count += 1
        return super().step(model_output * (1 + 1e-4 * self.count), timestep, sample, **options)


class ReadsTheNumber(DDIM):
    """Takes a number for an index into its own list of times."""

    def step(self, model_output, timestep, sample, **options):
        if isinstance(timestep, int):
            timestep = max(0, timestep - 1)
        return super().step(model_output, timestep, sample, **options)


WRONG = [
    KeepsHistory,
    RemembersItsFirst,
    SharesNoise,
    WrongForVideo,
    WrongForOneRow,
    ChangesItsInput,
    WrongTuple,
    SharesState,
    ReadsTheNumber,
]


@pytest.mark.slow(quick=3)
@pytest.mark.parametrize("cls", WRONG, ids=lambda cls: cls.__name__)
def test_a_mistake_in_one_way_of_running_is_seen(cls):
    (subject,) = resolve(cls)
    finding = protocol_check(subject)
    assert finding.verdict == "fail", finding
    assert finding.where


class InPlaceOnItsOwn(DDIM):
    """Works in place, on what is its own."""

    def step(self, model_output, timestep, sample, **options):
        own = sample.clone()
        own.mul_(1.0)
        return super().step(model_output.clone(), timestep, own, **options)


class ResetsItself(DPM):
    """Starts anew at the first time instead of when the steps are set."""

    def step(self, model_output, timestep, sample, **options):
        if timestep == self.timesteps[0]:
            self.model_outputs = [None] * self.config.solver_order
            self.lower_order_nums = 0
            self._step_index = 0
        return super().step(model_output, timestep, sample, **options)


@pytest.mark.slow(quick=1)
@pytest.mark.parametrize("cls", [InPlaceOnItsOwn, ResetsItself, DDIM, DDPM, DPM, Euler])
def test_right_code_passes(cls):
    (subject,) = resolve(cls)
    finding = protocol_check(subject)
    assert finding.verdict == "pass", finding


def test_the_simplest_protocol_that_fails_is_told():
    finding = protocol_check(resolve(WrongForVideo)[0])
    assert finding.counterexample["steps"] == 1
    assert len(finding.counterexample["shape"]) == 5
    assert {k: v for k, v in finding.counterexample.items() if k not in ("steps", "shape")} == {
        k: getattr(PLAIN, k) for k in VALUES if k not in ("steps", "shape")
    }


def test_every_pair_of_values_is_in_a_protocol():
    made = covering()
    names = [name for name in VALUES if name != "steps"]
    for a, b in combinations(names, 2):
        seen = {(getattr(p, a), getattr(p, b)) for p in made}
        assert seen == {(x, y) for x in VALUES[a] for y in VALUES[b]}
    assert {p.steps for p in made} == set(VALUES["steps"])
    assert made == covering()


def test_what_is_simpler_is_nearer_to_the_plain_run():
    for protocol in covering():
        assert all(easier != protocol for easier in simpler(protocol))
    assert all(each.steps < PLAIN.steps for each in simpler(PLAIN))


class OnlyTogether(DDIM):
    """Wrong for video, of a tuple, after a run of more steps: no two of them show it."""

    def set_timesteps(self, n, *args, **options):
        self.before, self.now = getattr(self, "now", 0), n
        super().set_timesteps(n, *args, **options)

    def step(self, model_output, timestep, sample, return_dict=True, **options):
        if sample.ndim == 5 and self.before > self.now and not return_dict:
            model_output = model_output * 1.01
        return super().step(model_output, timestep, sample, return_dict=return_dict, **options)


@pytest.mark.slow
def test_what_only_three_things_together_show_is_found_by_drawing():
    (subject,) = resolve(OnlyTogether)
    assert protocol_check(subject).verdict == "pass"  # no protocol of the covering has all three
    (report,) = dfbench.certify(OnlyTogether, select=["protocol"], depth="thorough").subjects
    (finding,) = report.findings
    assert finding.verdict == "fail"
    simplest = {"shape": (2, 3, 2, 4, 5), "returns": "tuple", "before": "a longer run"}
    different = {k: v for k, v in finding.counterexample.items() if v != getattr(PLAIN, k)}
    assert {k: v for k, v in different.items() if k != "steps"} == simplest


def test_a_depth_that_does_not_exist_is_refused():
    with pytest.raises(Unusable, match="'quick' or 'thorough'"):
        dfbench.certify(DDIM, depth="deep")


@given(protocols(generator="one", steps=(2, 3)))
def test_protocols_are_drawn_from_what_is_asked_for(protocol):
    assert protocol.generator == "one"
    assert protocol.steps in (2, 3)
    assert protocol.shape in VALUES["shape"]


def test_few_training_steps_are_asked_as_many_as_they_have():
    (subject,) = resolve(DDIM, {"num_train_timesteps": 4})
    assert subject.counts((10, 20)) == [4]
    assert protocol_check(subject).verdict == "pass"
    assert {p.steps for p in covering({**VALUES, "steps": (1, 2)})} == {1, 2}
