"""Schedulers that nobody knows are read from what they do."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import dfbench
from dfbench.errors import Unusable
from dfbench.subjects import resolve
from tests.defects.own import FlowEuler, FlowUp, HandDDIM, Stepped
from tests.defects.right import FlowThousand, HandEuler, HandV, HandX

pytest.importorskip("diffusers")

CORE = ("counts", "affine", "bookkeeping", "told-level", "landing", "identity", "law", "protocol")


class Tensors:
    """Returns the state itself; times are a list of floats; arguments in another order."""

    def set_timesteps(self, steps: int) -> None:
        self.timesteps = [1 - i / steps for i in range(steps)]
        self.h = 1 / steps

    def step(self, x: torch.Tensor, t: float, velocity: torch.Tensor) -> torch.Tensor:
        return x - self.h * velocity


class Angles:
    """z = cos φ x + sin φ ε; the network returns v; the time is the angle over π/2."""

    config = SimpleNamespace(num_train_timesteps=1000)

    def set_timesteps(self, n: int) -> None:
        self.timesteps = torch.linspace(1, 0, n + 1, dtype=torch.float64)[:-1]
        self.n = n

    def step(self, v: torch.Tensor, t: Any, sample: torch.Tensor) -> tuple[torch.Tensor, ...]:
        now, then = (a * math.pi / 2 for a in (float(t), float(t) - 1 / self.n))
        x = math.cos(now) * sample - math.sin(now) * v
        eps = math.sin(now) * sample + math.cos(now) * v
        return math.cos(then) * x + math.sin(then) * eps, x


class Sigmas:
    """Euler on a σ table without its last 0; the state is x + σ ε, the time σ itself."""

    def set_timesteps(self, n: int) -> None:
        self.sigmas = torch.logspace(1.5, -1.5, n, dtype=torch.float64)
        self.timesteps = self.sigmas

    @property
    def init_noise_sigma(self) -> float:
        return float(self.sigmas[0])

    def step(self, eps: torch.Tensor, t: Any, sample: torch.Tensor) -> dict[str, torch.Tensor]:
        i = int((self.sigmas == t).nonzero()[0])
        then = self.sigmas[i + 1] if i + 1 < len(self.sigmas) else 0.0
        return {"prev_sample": sample + (then - self.sigmas[i]) * eps}


@pytest.mark.slow(quick=1)
@pytest.mark.parametrize(
    ("cls", "level", "returns"),
    [
        (FlowEuler, "scale_noise", "u"),
        (FlowUp, "scale_noise", "-u"),
        (FlowThousand, "scale_noise", "u"),
        (HandDDIM, "add_noise", "eps"),
        (HandV, "add_noise", "v"),
        (HandX, "add_noise", "x"),
        (HandEuler, "add_noise", "eps"),
        (Tensors, "flow-down", "u"),
        (Angles, "cosine", "v"),
        (Sigmas, "sigma", "eps"),
    ],
)
def test_the_convention_is_the_one_that_keeps_the_books(
    cls: type, level: str, returns: str
) -> None:
    (subject,) = resolve(cls)
    said = next(note for note in subject.notes if note.startswith("read from what it does"))
    assert f'{{"predicts": "{returns}", "level": "{level}"}}' in said
    (report,) = dfbench.certify(cls, select=list(CORE)).subjects
    wrong = [f for f in report.findings if f.verdict in ("fail", "inconclusive")]
    assert not wrong, [(f.claim, f.where, f.why) for f in wrong]


def test_what_two_conventions_explain_is_said() -> None:
    (subject,) = resolve(FlowEuler)
    assert "it might be that the network returns eps" in subject.notes[0]
    (subject,) = resolve(HandDDIM)
    assert "might be" not in subject.notes[0]


def test_what_is_declared_goes_before_what_is_read() -> None:
    (report,) = dfbench.certify(
        HandDDIM, declare={"predicts": "v"}, select=["bookkeeping"]
    ).subjects
    assert report.findings[0].verdict == "fail"
    (report,) = dfbench.certify(
        HandDDIM, declare={"predicts": "eps", "level": "alphas_cumprod"}, select=["bookkeeping"]
    ).subjects
    assert report.findings[0].verdict == "pass"


class LastLevelKept(HandDDIM):
    """The last step leaves a little noise."""

    def step(self, output: torch.Tensor, t: Any, sample: torch.Tensor, **kw: Any) -> Stepped:
        made = super().step(output, t, sample, **kw).prev_sample
        return Stepped(made + (1e-2 * output if t == self.timesteps[-1] else 0))


class OneWrongStep(FlowEuler):
    """The fourth step is a per cent too long."""

    def step(self, output: torch.Tensor, t: Any, sample: torch.Tensor) -> Stepped:
        return super().step(output * (1.01 if self.i == 3 else 1.0), t, sample)


class Raises(FlowEuler):
    """The fourth step breaks."""

    def step(self, output: torch.Tensor, t: Any, sample: torch.Tensor) -> Stepped:
        if self.i == 3:
            raise AttributeError("mine")
        return super().step(output, t, sample)


class DDIMScheduler(HandDDIM):
    """Of another library than the class that has this name: no configuration, lists for tables."""

    def add_noise(self, x: torch.Tensor, noise: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        self.alphas_cumprod = self.alphas_cumprod.to(x.dtype)  # as they do
        return super().add_noise(x, noise, t)


class Rounded(FlowEuler):
    """Levels of i/n, of which the network is told the nearest of a thousand training steps."""

    def set_timesteps(self, n: int) -> None:
        super().set_timesteps(n)
        self.timesteps = (1000 * self.sigmas[:-1]).round().long()

    def scale_noise(self, x: torch.Tensor, t: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        return super().scale_noise(x, t / 1000, noise)


@pytest.mark.slow
def test_a_name_alone_makes_no_diffusers_scheduler() -> None:
    (report,) = dfbench.certify(DDIMScheduler, select=list(CORE)).subjects
    assert {f.verdict for f in report.findings} == {"pass"}, report.findings
    assert any("read from what it does" in note for note in report.notes)


@pytest.mark.slow
def test_times_that_are_rounded_are_not_the_levels() -> None:
    (report,) = dfbench.certify(Rounded, select=list(CORE)).subjects
    assert {f.verdict for f in report.findings} == {"pass"}, report.findings
    assert any("rounded to whole training steps" in note for note in report.notes)

    class Longer(Rounded):
        def step(self, output: torch.Tensor, t: Any, sample: torch.Tensor) -> Stepped:
            return super().step(1.01 * output if self.i == 3 else output, t, sample)

    (report,) = dfbench.certify(Longer, select=["bookkeeping"]).subjects
    assert report.findings[0].verdict == "fail"


@pytest.mark.parametrize("cls", [LastLevelKept, OneWrongStep])
def test_a_defect_does_not_make_another_convention(cls: type) -> None:
    (report,) = dfbench.certify(cls, select=["bookkeeping"]).subjects
    assert report.findings[0].verdict == "fail"
    assert (report.findings[0].measured or 0) < 0.1


def test_what_the_subject_raises_is_never_called_ours() -> None:
    (report,) = dfbench.certify(Raises).subjects
    assert not [f.claim for f in report.findings if f.cause == "check broke"]
    assert any(f.verdict == "fail" for f in report.findings)


def test_a_convention_that_does_not_exist_is_refused() -> None:
    (subject,) = resolve(FlowEuler)
    for claims in ({"predicts": "anything"}, {"level": "up"}):
        with pytest.raises(Unusable, match="declared"):
            subject.declare(claims)


class Unnamed(FlowEuler):
    """Times of no meaning, and a table of σ: what the network is told nobody can know."""

    scale_noise = None

    def set_timesteps(self, n: int) -> None:
        super().set_timesteps(n)
        self.timesteps = torch.arange(n) * 7 + 3


def test_what_times_mean_is_not_passed_where_nobody_knows() -> None:
    (report,) = dfbench.certify(Unnamed, select=["bookkeeping", "told-level"]).subjects
    found = {f.claim: f for f in report.findings}
    assert found["bookkeeping"].verdict == "pass"
    assert found["told-level"].verdict == "inconclusive"
    assert "nobody says what its times mean" in (found["told-level"].why or "")
