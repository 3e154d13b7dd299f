"""What is right is right: it runs as what it is like, and finds data at a point."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.defects.catalogue import Right, subjects
from tests.defects.plain import PLAIN, Noised, Run, alone, effect, gap, parameters, rounding
from tests.defects.right import POINT

OWN = (
    PLAIN,
    Run(steps=7),
    Run(steps=1),
    Run(steps=20),
    Run(shape=(2, 6)),
    Run(shape=(2, 3, 4, 4, 4)),
    Run(before="aborted"),
    Run(meanwhile="another"),
)
RELEASED = (
    *OWN,
    Run(begin=4),
    Run(begin=4, by="index"),
    Run(tuples=True),
    Run(generator="rows"),
    Run(meanwhile="copy"),
)


def _named(subject: Right) -> str:
    return subject.name


def _grid(subject: Right) -> dict[str, Any]:
    """Arguments of the call that are those of `set_timesteps`."""
    return {k: v for k, v in subject.call.items() if k == "mu"}


@pytest.mark.slow(quick=14)
@pytest.mark.parametrize("subject", [s for s in subjects().values() if s.like], ids=_named)
def test_it_runs_as_what_it_is_like(subject: Right) -> None:
    """In all ways in which it can be run."""

    def mine() -> Any:
        return subject.make(**subject.config)

    def other() -> Any:
        assert subject.like is not None
        return subject.like(**subject.config)

    for run in RELEASED if hasattr(subject.make, "register_to_config") else OWN:
        if run.by == "index" and not hasattr(subject.make, "set_begin_index"):
            continue
        size, where = effect(mine, other, run)
        assert size <= 10 * rounding(run), f"{run}: {where}"
    if hasattr(subject.make, "add_noise"):
        assert gap(Noised().trace(mine), Noised().trace(other))[0] <= rounding(PLAIN)


@pytest.mark.parametrize("subject", [s for s in subjects().values() if s.point], ids=_named)
@pytest.mark.parametrize("steps", [1, 2, 7, 20])
def test_it_finds_data_at_a_point(subject: Right, steps: int) -> None:
    """With the network that such data have, whatever the start and the draws."""
    assert subject.point is not None
    with alone():
        scheduler = subject.make(**subject.config)
        scheduler.set_timesteps(steps)
        sample = torch.randn(2, 3, dtype=torch.float64)
        sample = POINT + sample * float(getattr(scheduler, "init_noise_sigma", 1.0))
        for t in scheduler.timesteps:
            seen = sample
            if hasattr(scheduler, "scale_model_input"):
                seen = scheduler.scale_model_input(sample, t)
            output = subject.point(scheduler, seen, t)
            extra = {k: v for k, v in subject.call.items() if k in parameters(scheduler.step)}
            sample = scheduler.step(output, t, sample, **extra).prev_sample
    assert torch.allclose(sample, torch.full_like(sample, POINT), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "subject", [s for s in subjects().values() if s.name.startswith("real/")], ids=_named
)
def test_a_real_configuration_runs(subject: Right) -> None:
    """Finite all the way."""
    call = {k: v for k, v in subject.call.items() if k != "mu"}
    run = Run(grid=_grid(subject), call=call)
    for name, value in run.trace(lambda: subject.make(**subject.config)):
        assert bool(value.isfinite().all()), name


def test_what_is_known_of_a_release_is_adjudicated() -> None:
    """And it is one of what fails."""
    path = Path(__file__).parents[2] / "reports/diffusers/adjudication.json"
    entries = {entry["id"]: entry for entry in json.loads(path.read_text(encoding="utf-8"))}
    for subject in subjects().values():
        for claim, known in subject.known.items():
            assert claim in entries[known]["claims"], subject.name


def test_there_are_sixty() -> None:
    """Of three kinds."""
    assert len(subjects()) >= 60
