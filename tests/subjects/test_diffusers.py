"""The adapter of diffusers: its catalogue, its families, the levels of a run."""

from __future__ import annotations

import inspect
from collections import Counter
from typing import Any

import pytest

import dfbench
from dfbench.checks import CLAIMS
from dfbench.convergence import grid
from dfbench.subjects import libraries, resolve
from dfbench.subjects.diffusers import catalogue, families, scheduler_levels
from dfbench.subjects.diffusers.sampler import REGISTERED
from dfbench.subjects.diffusers.scheduler_levels import TrainingSteps

diffusers: Any = pytest.importorskip("diffusers")


def test_the_catalogue_is_about_what_there_is() -> None:
    """Every class that it names is one of diffusers, and every option one that the class takes."""
    found = catalogue.catalogue()
    named = {*found["configurations"], *found["needed"], *found["excluded"]}
    known = {name for name in named if hasattr(diffusers.schedulers, name)}
    assert set(libraries()["diffusers"]) <= set(found["configurations"])
    for name in known - set(found["excluded"]):
        accepted = inspect.signature(getattr(diffusers, name).__init__).parameters
        configurations = catalogue.configurations(name)
        assert configurations[0] == (found["needed"].get(name, {}), {})
        for config, _ in configurations:
            assert set(config) <= set(accepted)
    used = [
        e for each in (*found["configurations"].values(), *found["groups"].values()) for e in each
    ]
    assert {e for e in used if isinstance(e, str)} == set(found["groups"])


def test_configurations_are_different_and_one_s_own() -> None:
    for name in catalogue.catalogue()["configurations"]:
        pairs = catalogue.configurations(name)
        assert all(one not in pairs[:i] for i, one in enumerate(pairs)), name
        pairs[-1][0]["changed"] = True
        assert "changed" not in catalogue.configurations(name)[-1][0]


def test_every_family_is_found_by_its_name() -> None:
    for name in libraries()["diffusers"]:
        (first, *_) = resolve(f"diffusers:{name}")
        assert type(first) is REGISTERED[name]
    assert families.family_of(type("Mine", (), {"step": lambda self: 0})) is families.Observed


@pytest.mark.slow
def test_the_levels_of_a_run_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a step count and grid, whatever the number of sessions; anew after `forget`."""
    seen: Counter[Any] = Counter()
    whole = TrainingSteps.calls
    resolve("diffusers:DDIMScheduler")  # what a class is recognised by is asked of it once

    def calls(self: TrainingSteps) -> Any:
        found = whole(self)
        seen[tuple(found)] += 1
        return found

    monkeypatch.setattr(TrainingSteps, "calls", calls)
    # what runs start in the middle, and on used objects, is computed for each anew
    anew = ("middle", "protocol", "times-given", "sigmas-given", "mu-given")
    asked = [name for name in CLAIMS if name not in anew]
    assert dfbench.certify("diffusers:DDIMScheduler", select=asked).verdict == "pass"
    assert len(seen) > 20
    (subject,) = resolve("diffusers:DDIMScheduler")
    # once for each prediction, where those are compared
    assert set(seen.values()) <= {1, len(subject.predictions)}
    assert Counter(seen.values()).most_common(1)[0][0] == 1
    first, second = subject.session(5), subject.session(5)
    assert first.grid is second.grid
    subject.forget()
    assert subject.session(5).grid is not first.grid


def test_a_start_is_that_of_the_pipelines() -> None:
    """σ_max on the scale of the sample is 1 on that of the network, nearly."""
    for name, start in (("DDIM", 1.0), ("EulerDiscrete", pytest.approx(1.0, abs=0.01))):
        (subject,) = resolve(f"diffusers:{name}Scheduler")
        assert subject.session(7).start == start
    (ours,) = resolve("dfbench:ddim")
    assert ours.session(7).start is None


def test_what_two_schedulers_share_is_not_changed_by_one() -> None:
    """Levels that are imposed on a run stay in its scheduler."""
    (subject,) = resolve("diffusers:HeunDiscreteScheduler")
    before = subject.session(4)
    imposed = subject.session(8, grid=grid(8, "vp"))
    assert imposed.grid.ratio == pytest.approx(grid(8, "vp").ratio)
    again = subject.session(4)
    assert (again.grid.ratio == before.grid.ratio).all()
    assert scheduler_levels.TwoCalls.extra_calls == 0
