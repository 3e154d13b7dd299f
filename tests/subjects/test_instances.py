"""What is handed in is what is certified: the object itself, not what its config makes."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import dfbench
from dfbench import cli
from dfbench.errors import Unusable
from dfbench.outcome import Finding
from dfbench.subjects.alike import difference, duplicate, same

diffusers: Any = pytest.importorskip("diffusers")
DDIM, Flow = diffusers.DDIMScheduler, diffusers.FlowMatchEulerDiscreteScheduler
Euler, Multistep = diffusers.EulerDiscreteScheduler, diffusers.DPMSolverMultistepScheduler
UNLIKE = "the object is not what its config makes: "


def findings(subject: Any, select: list[str] | None = None, **options: Any) -> dict[str, Finding]:
    (report,) = dfbench.certify(subject, select=select, **options).subjects
    return {finding.claim: finding for finding in report.findings}


def verdicts(subject: Any, select: list[str] | None = None, **options: Any) -> dict[str, str]:
    return {claim: f.verdict for claim, f in findings(subject, select, **options).items()}


def closed(factor: float) -> Any:
    """Its `step` is replaced by a function that calls the one it replaces."""
    scheduler = DDIM(clip_sample=False)
    step = scheduler.step
    scheduler.step = lambda m, t, x, **options: step(factor * m, t, x, **options)
    return scheduler


def bound(factor: float) -> Any:
    """The same, bound as a method."""

    def step(self: Any, m: Any, t: Any, x: Any, **options: Any) -> Any:
        return DDIM.step(self, factor * m, t, x, **options)

    scheduler = DDIM(clip_sample=False)
    scheduler.step = types.MethodType(step, scheduler)
    return scheduler


def by_default(factor: float) -> Any:
    """The same, remembered as the default of an argument."""
    scheduler = DDIM(clip_sample=False)
    scheduler.step = lambda m, t, x, step=scheduler.step, **options: step(
        factor * m, t, x, **options
    )
    return scheduler


@pytest.mark.slow
@pytest.mark.parametrize("patched", [closed, bound, by_default])
def test_a_step_that_was_replaced(patched: Any) -> None:
    wrong, right = (findings(patched(factor)) for factor in (1.01, 1.0))
    assert {"identity", "bookkeeping"} <= {c for c, f in wrong.items() if f.verdict == "fail"}
    assert "fail" not in {f.verdict for f in right.values()}
    assert right["identity"].verdict == right["noise"].verdict == "pass"
    for found in (wrong, right):  # what needs another object of the class
        assert found["order"].verdict == "skip"
        assert f"{UNLIKE}DDIMScheduler(…).step is another" in (found["order"].why or "")
        assert UNLIKE in (found["prediction-types"].why or "")


def test_what_is_replaced_is_not_what_its_owner_has() -> None:
    scheduler = closed(1.0)
    before = duplicate(scheduler)
    dfbench.certify(scheduler, select=["counts", "state"])
    assert scheduler.num_inference_steps is None
    assert difference(scheduler, before) is None


def test_a_table_that_was_replaced() -> None:
    """Another schedule is its own; one that two of its tables disagree on is wrong."""
    scheduler = DDIM(clip_sample=False)
    scheduler.alphas_cumprod = scheduler.alphas_cumprod**2
    (report,) = dfbench.certify(scheduler, select=["identity", "told-level", "order"]).subjects
    assert [f.verdict for f in report.findings] == ["pass", "pass", "skip"]
    assert report.notes == (f"{UNLIKE}DDIMScheduler(…).alphas_cumprod is another",)
    wrong = DDIM(clip_sample=False)
    wrong.final_alpha_cumprod = torch.tensor(0.9)
    assert verdicts(wrong, ["landing"]) == {"landing": "fail"}


@pytest.mark.slow
def test_a_shift_that_was_set() -> None:
    plain, shifted = Flow(), Flow()
    shifted.set_shift(7.0)
    one, two = (findings(each, ["identity", "law", "order"]) for each in (plain, shifted))
    assert one["order"].verdict == "pass"
    assert two["order"].verdict == "pass"  # on its own levels: no grid can be given to it
    curves = [(each["law"].series or {})["N=10"] for each in (one, two)]
    assert curves[0] != curves[1]


class Scaled(DDIM):
    """An argument that its config does not have."""

    def __init__(self, scale: float = 1.0, **options: Any) -> None:
        super().__init__(**{"clip_sample": False, **options})
        self.scale = scale

    def step(self, m: Any, t: Any, x: Any, **options: Any) -> Any:
        return super().step(self.scale * m, t, x, **options)


class Needs(Scaled):
    """The same, and it has no default."""

    def __init__(self, scale: float) -> None:
        super().__init__(scale)


@pytest.mark.slow
@pytest.mark.parametrize(("cls", "why"), [(Scaled, ".scale is another"), (Needs, "raises TypeErr")])
def test_an_argument_that_is_not_in_the_config(cls: Any, why: str) -> None:
    right, wrong = findings(cls(1.0)), findings(cls(1.01))
    assert wrong["identity"].verdict == "fail"
    assert right["identity"].verdict == "pass"
    assert why in (wrong["order"].why or "")
    assert right["order"].verdict == ("pass" if cls is Scaled else "skip")


def test_an_attribute_that_was_set() -> None:
    scheduler = Scaled()
    scheduler.scale = 1.01
    assert verdicts(scheduler, ["identity"]) == {"identity": "fail"}
    scheduler.scale = 1.0
    assert verdicts(scheduler, ["identity", "order"]) == {"identity": "pass", "order": "pass"}


@pytest.mark.slow
@pytest.mark.parametrize("cls", [DDIM, Euler, Multistep, diffusers.UniPCMultistepScheduler])
def test_one_that_was_used_is_what_its_config_makes(cls: Any) -> None:
    scheduler = cls()
    fresh = verdicts(scheduler)
    scheduler.set_timesteps(6)
    x = torch.ones((1, 1, 2, 2))
    for t in scheduler.timesteps[:3]:
        x = scheduler.step(x, t, scheduler.scale_model_input(x, t)).prev_sample
    assert verdicts(scheduler) == fresh == verdicts(cls)


def test_a_config_beside_an_object() -> None:
    given = {"clip_sample": True}
    assert verdicts(DDIM(clip_sample=False), ["affine"]) == {"affine": "pass"}
    (report,) = dfbench.certify(DDIM(clip_sample=False), config=given, select=["affine"]).subjects
    assert report.findings[0].expected
    with pytest.raises(Unusable, match="takes no other configuration: the object is not what"):
        dfbench.certify(closed(1.0), config=given)


class NoCopy(DDIM):
    def __deepcopy__(self, memo: Any) -> Any:
        raise RuntimeError("one only")


class AnotherCopy(DDIM):
    def __deepcopy__(self, memo: Any) -> Any:
        return type(self)(**dict(self.config))


def test_a_copy_that_cannot_be_made() -> None:
    with pytest.raises(Unusable, match=r"no copy can be made of the object \(RuntimeError: one on"):
        dfbench.certify(NoCopy())
    made = AnotherCopy()
    assert verdicts(made, ["counts"]) == {"counts": "pass"}
    made.set_timesteps(5)
    with pytest.raises(Unusable, match=r"a copy of the object is another object: \.\w+ differs"):
        dfbench.certify(made)


FILE = """
from diffusers import DDIMScheduler

RIGHT = DDIMScheduler(clip_sample=False)
PATCHED = DDIMScheduler(clip_sample=False)
_step = PATCHED.step
PATCHED.step = lambda m, t, x, **options: _step(1.01 * m, t, x, **options)
AS_LAMBDA = lambda **options: DDIMScheduler(**{"clip_sample": False, **options})


def made():
    return PATCHED


def needs(something):
    return RIGHT
"""


@pytest.mark.slow
def test_objects_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(FILE, encoding="utf-8")
    for name, found in (("RIGHT", 0), ("PATCHED", 1), ("made", 1), ("AS_LAMBDA", 0)):
        status = cli.main(["certify", f"mine.py:{name}", "--select", "identity,bookkeeping"])
        assert status == found, name
    affine = findings("mine.py:AS_LAMBDA", ["affine"], config={"clip_sample": True})["affine"]
    assert affine.expected
    capsys.readouterr()
    assert cli.main(["certify", "mine.py:needs"]) == 2
    assert "makes nothing that can: TypeError: needs() missing" in capsys.readouterr().err
    for name in ("PATCHED", "made"):  # what reproduces it is not the class
        reproduce = findings(f"mine.py:{name}", ["bookkeeping"])["bookkeeping"].reproduce or ""
        assert f"run_path('mine.py')['{name}']" in reproduce
        exec(compile(reproduce, "snippet", "exec"), {})
        assert "should be" in capsys.readouterr().out


def test_as_items_of_pytest() -> None:
    mark = dfbench.parametrize_with_checks([closed(1.01), closed(1.0)], select=["bookkeeping"])
    (wrong, check), (right, _) = (each.values for each in mark.args[1])
    check(right)
    with pytest.raises(AssertionError, match="bookkeeping: fail"):
        check(wrong)


# Copies and differences -----------------------------------------------------------------------


class Thing:
    def __init__(self, **given: Any) -> None:
        self.__dict__.update(given)


def test_differences() -> None:
    pairs: list[tuple[Any, Any, bool]] = [
        (1, 1, True),
        (1, 1.0, False),
        (float("nan"), float("nan"), True),
        ([1, {"a": (2,)}], [1, {"a": (2,)}], True),
        ([1, {"a": (2,)}], [1, {"a": (3,)}], False),
        ({"a": 1}, {"b": 1}, False),
        (np.array([1.0, np.nan]), np.array([1.0, np.nan]), True),
        (np.array([1.0]), np.array([1.0], dtype=np.float32), False),
        (torch.ones(2), torch.ones(2), True),
        (torch.ones(2), torch.tensor([1.0, 1.1]), False),
        (torch.ones(2).bfloat16(), torch.ones(2).bfloat16(), True),
        (torch.ones(2), torch.ones(1), False),
        (np.array(["a"]), np.array(["a"]), True),
        (lambda x: x + 1, lambda x: x + 2, False),
        (Thing(a=Thing(b=1)), Thing(a=Thing(b=1)), True),
        (Thing(a=Thing(b=1)), Thing(a=Thing(b=2)), False),
        (torch.Generator().manual_seed(1), torch.Generator().manual_seed(1), True),
        (torch.Generator().manual_seed(1), torch.Generator().manual_seed(2), False),
    ]
    for one, two, equal in pairs:
        assert same(one, two) == equal, (one, two)

    def adder(n: int) -> Any:
        return lambda x: x + n

    assert same(adder(1), adder(1))
    assert not same(adder(1), adder(2))
    assert difference(Thing(a=1, b=[1, 2]), Thing(a=1, b=[1, 3])) == ".b[1]"
    assert difference(Thing(a=1), Thing(a=1, c=2)) == ".c"
    assert difference(Thing(a=1), Thing(a=1, c=2), ("c",)) is None
    assert difference(Thing(a={"x": 1}), Thing(a={"x": 2})) == ".a['x']"
    one, two = Thing(), Thing()
    one.me, two.me = one, two
    assert difference(one, two) is None


def test_a_copy_has_functions_of_its_own() -> None:
    thing = Thing(n=1)

    def decorated(function: Any) -> Any:
        return lambda: function()

    thing.plain = lambda: thing.n
    thing.nested = decorated(decorated(lambda: thing.n))
    thing.other = lambda: same
    made = duplicate(thing)
    made.n = 2
    assert (made.plain(), made.nested(), made.other()) == (2, 2, same)
    assert (thing.plain(), thing.nested()) == (1, 1)
    again = duplicate(made)
    again.n = 3
    assert (again.nested(), made.nested()) == (3, 2)


class Narrow(DDIM):
    """Takes none of the options of its base."""

    def __init__(self) -> None:
        super().__init__(clip_sample=False)


@pytest.mark.slow(quick=1)
@pytest.mark.parametrize("subject", [Narrow, Narrow()])
def test_a_constructor_that_refuses_what_a_clean_grid_needs(subject: Any) -> None:
    found = findings(subject)
    assert found["order"].verdict == "skip"
    assert "the constructor refuses {" in (found["order"].why or "")
    assert not any(f.cause == "check broke" for f in found.values())
    assert found["identity"].verdict == "pass"
