"""What the owner of a sampler claims of it, and what is seen where nobody claims anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import dfbench
from dfbench import cli
from dfbench.errors import Unusable
from dfbench.outcome import Finding
from dfbench.subjects import resolve

diffusers: Any = pytest.importorskip("diffusers")
from diffusers.configuration_utils import ConfigMixin, register_to_config  # noqa: E402
from diffusers.schedulers.scheduling_utils import SchedulerMixin, SchedulerOutput  # noqa: E402


class Own(SchedulerMixin, ConfigMixin):  # type: ignore[misc]
    """DDIM with η, from scratch, under nobody's name."""

    share = 1.0  # of the noise that η = 1 has
    draws = 1

    @register_to_config
    def __init__(self, num_train_timesteps: int = 1000) -> None:
        betas = torch.linspace(1e-4, 0.02, num_train_timesteps, dtype=torch.float64)
        self.alphas_cumprod = torch.cumprod(1 - betas, 0)
        self.final_alpha_cumprod = torch.tensor(1.0)

    def set_timesteps(self, n: int) -> None:
        self.stride = self.config.num_train_timesteps // n
        self.timesteps = torch.arange(n - 1, -1, -1) * self.stride

    def step(self, eps: Any, t: Any, x: Any, generator: Any = None) -> Any:
        now, to = self.alphas_cumprod[t], self.final_alpha_cumprod
        if t >= self.stride:
            to = self.alphas_cumprod[t - self.stride]
        data = (x - (1 - now).sqrt() * eps) / now.sqrt()
        up = self.share * (((1 - to) / (1 - now)) * (1 - now / to)).sqrt()
        mean = to.sqrt() * data + (1 - to - up**2).clamp(min=0).sqrt() * eps
        noise = [
            torch.randn(x.shape, generator=generator, dtype=x.dtype) for _ in range(self.draws)
        ]
        return SchedulerOutput(prev_sample=mean + up * sum(noise[:1]))


class Deterministic(Own):
    share, draws = 0.0, 0


class DrawsInVain(Own):
    share = 0.0


class Declares(Own):
    dfbench = {"reference": "ddim", "options": {"eta": 1.0}}  # noqa: RUF012


class Wrong(Declares):
    def step(self, eps: Any, *args: Any, **options: Any) -> Any:
        return super().step(0.99 * eps, *args, **options)


def certified(subject: Any, *select: str, **options: Any) -> dict[str, Finding]:
    (report,) = dfbench.certify(subject, select=list(select) or None, **options).subjects
    return {"": report, **{f.claim: f for f in report.findings}}  # type: ignore[dict-item]


def test_draws_that_are_seen_need_no_declaration() -> None:
    found = certified(Own, "counts", "noise", "affine")
    assert found["noise"].verdict == "pass"
    assert found[""].traits["stochastic"]  # type: ignore[attr-defined]
    assert not resolve(Deterministic)[0].traits.stochastic
    assert not resolve(DrawsInVain)[0].traits.stochastic
    claimed = certified(Own, "noise", declare={"stochastic": False})["noise"]
    assert claimed.where == "declared deterministic, depends on the seed"
    claimed = certified(Deterministic, "noise", declare={"stochastic": True})["noise"]
    assert claimed.where == "declared stochastic, draws nothing"


class Breaks(Own):
    def step(self, *args: Any, **options: Any) -> Any:
        raise RuntimeError("mine")


def test_one_whose_run_breaks_is_not_asked_for_its_draws() -> None:
    found = certified(Breaks, "affine", "noise")
    assert found["noise"].cause == "blocked"
    assert found["affine"].verdict == "fail"  # it breaks on any input


@pytest.mark.slow
def test_a_reference_that_is_declared_is_held_to() -> None:
    assert certified(Own, "identity")["identity"].verdict == "pass"  # DDIM, as it does
    right, wrong = certified(Declares, "identity", "noise"), certified(Wrong, "identity")
    assert (right["identity"].verdict, right["noise"].verdict) == ("pass", "pass")
    assert wrong["identity"].verdict == "fail"
    assert "differs from ddim(eta=1.0)" in (wrong["identity"].why or "")
    again = certified(Wrong, "bookkeeping")["bookkeeping"].reproduce or ""
    assert "import Wrong" in again
    assert "dfbench" not in again
    other = certified(Declares, "identity", declare={"options": {"eta": 0.5}})["identity"]
    assert other.verdict == "fail"
    assert certified(Declares(), "identity")["identity"].verdict == "pass"


def test_traits_that_are_declared() -> None:
    (sampler,) = resolve(Declares)
    assert (sampler.traits.order, sampler.traits.scale_invariant) == (1.0, True)
    said = "declared by its owner: {'options': {'eta': 1.0}, 'reference': 'ddim'}"
    assert said in sampler.notes
    found = certified("dfbench:ddim", "order", declare={"order": 2})["order"]
    assert found.verdict == "fail"
    assert "declared 2" in (found.why or "")
    found = certified("dfbench:ddim", "order", declare={"biased": "as it has to be"})["order"]
    assert "as it has to be" in (found.why or "")
    found = certified("dfbench:ddim", "order", declare={"order": 2, "expected": {"order": "no"}})
    assert found["order"].expected == "no"
    euler = resolve("diffusers:DPMSolverMultistepScheduler")[0]
    euler.declare({"order": 1})
    assert {each.traits.order for each in euler.scales.values()} == {1.0}


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ({"ordr": 2}, "ordr: no such key; accepted: order"),
        ({"order": "two"}, "order: must be a number"),
        ({"order": -1}, "order: must be more than 0"),
        ({"stochastic": 1}, "stochastic: must be true or false"),
        ({"reference": "dim"}, "reference: no method 'dim'"),
        ({"reference": "ddim", "options": {"etaa": 1}}, "ddim has no option etaa"),
        ({"options": {"eta": 1}}, "options: has no reference"),
    ],
)
def test_what_cannot_be_declared(declared: dict[str, Any], words: str) -> None:
    with pytest.raises(Unusable, match=words):
        dfbench.certify(Own, declare=declared)


def test_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["certify", "dfbench:ddim", "--select", "order", "--declare"]
    assert cli.main([*call, '{"order": 1}']) == 0
    assert "note: dfbench:ddim: declared by its owner: {'order': 1" in capsys.readouterr().err
    assert cli.main([*call, '{"order": 2}']) == 1
    assert cli.main([*call, '{"ordr": 2}']) == 2
    assert cli.main(["certify", "dfbench", "--declare", '{"order": 2}']) == 2
    assert "--declare needs one subject" in capsys.readouterr().err
