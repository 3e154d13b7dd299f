"""The grids that a user may give a scheduler: times, σ, μ."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from dfbench.errors import SetupError, SubjectError, Unsupported, Unusable
from dfbench.subjects.contract import SAME, Sampler

if TYPE_CHECKING:
    from dfbench.subjects.diffusers.sampler import SchedulerSampler

STEPS = 10  # of the run whose times are handed back, and some of which are left out
KEPT = (0, 1, 3, 4, 7)  # and the last: uneven
MU = 0.8  # of dynamic shifting, far from its defaults
UNEVEN = "some of its times, given"


def grids(subject: SchedulerSampler, kind: str) -> dict[str, Sampler | str]:
    """The subject on grids of a kind that its `set_timesteps` takes, by how they are given.

    Those that it refuses are left out; where it breaks, there is what it says.
    """
    if subject.gives_grid or subject.begin:
        return {}
    found: dict[str, Sampler | str] = {}
    for said, call in _calls(subject, kind).items():
        try:
            found[said] = subject._like(subject.config, subject.call | call)
        except Unusable as error:
            if isinstance(error.__cause__, SetupError):
                found[said] = str(error.__cause__)
        except (Unsupported, SubjectError):
            continue
    return found


def _calls(subject: SchedulerSampler, kind: str) -> dict[str, dict[str, Any]]:
    """Arguments of the call, by how they are given."""
    taken = subject._setter_arguments
    if kind == "times" and "timesteps" in taken and (times := _times(subject)):
        return {SAME: {"timesteps": times}, UNEVEN: {"timesteps": _uneven(times)}}
    if kind == "sigmas" and "sigmas" in taken and (sigmas := subject.sigmas()):
        return {"σ given": {"sigmas": sigmas}}
    shifts = "mu" in taken and subject.settings.get("use_dynamic_shifting")
    return {"μ given": {"mu": MU}} if kind == "mu" and shifts else {}


def _uneven(times: list[Any]) -> list[Any]:
    """Some of the times, both ends among them."""
    return [t for i, t in enumerate(times) if i in KEPT or i == len(times) - 1]


def _times(subject: SchedulerSampler) -> list[Any]:
    """The times of a run, as numbers."""
    with contextlib.suppress(Unsupported, SubjectError):
        return subject.times_given(subject.session(subject.counts((STEPS,))[0]))
    return []
