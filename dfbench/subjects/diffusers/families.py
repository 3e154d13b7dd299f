"""Which family a scheduler class belongs to.

A class that keeps its configuration as diffusers' do is found by its own name or that of a base,
and if neither is known (a renamed copy) by
the arguments of its constructor and of `step`, which the families do not share; if those are not
known either, it is read from what it does.
"""

from __future__ import annotations

import importlib
import inspect
import re
from functools import cache
from typing import Any

import numpy as np

from dfbench.subjects.diffusers.observed import Observed
from dfbench.subjects.diffusers.sampler import REGISTERED, SchedulerSampler

SINCE = (0, 30)  # the release of diffusers from which on the families are as they are here
FILES = ("discrete", "solvers", "exploding", "flow", "consistency")


def family_of(cls: type) -> type[SchedulerSampler]:
    """By name, by signature, or `Observed`."""
    # other libraries have a DDIMScheduler, too, which keeps no configuration of this kind
    named = cls.__mro__ if hasattr(cls, "register_to_config") else ()
    for base in named:
        if found := _named(base.__name__):
            return found
    import diffusers

    for name, family in REGISTERED.items():
        known = getattr(diffusers, name, None)
        if isinstance(known, type) and _signature(known) == _signature(cls):
            return family
    return Observed


def keeps_its_levels_so(subject: SchedulerSampler) -> bool:
    """Whether the tables are there that its family reads, in a run of a few steps.

    Of what is derived of a class of the installed release, that class is tried: what is wrong in
    the other is for the checks to tell.
    """
    import diffusers

    for base in subject.cls.__mro__:
        if base is getattr(diffusers, base.__name__, None):
            return _released_keeps_so(base)
    return _has_its_tables(subject) and _keeps_its_books(subject)


@cache
def _released_keeps_so(cls: type) -> bool:
    try:
        subject = family_of(cls)(cls, cls.__name__, {}, {}, "", None)
    except Exception:  # it needs a configuration
        return True
    return _has_its_tables(subject) and (_of_now() or _keeps_its_books(subject))


def _of_now() -> bool:
    """Whether the installed release is one that the families were written for."""
    import diffusers

    numbers = re.findall(r"\d+", diffusers.__version__)
    return tuple(map(int, numbers[:2])) >= SINCE


def _keeps_its_books(subject: SchedulerSampler) -> bool:
    """Whether a run has the levels of the tables, or those of no convention.

    A table of an old release may have the name of one, and not be it: `sigmas` once held all
    training levels, clean first.
    """
    if not subject.traits.exact_on_points:
        return True
    n = subject.counts((10, 4, 2))[0]
    try:
        mean, variance = (table := subject.affine_reading(n).table).point_response()
    except Exception:  # which is for the checks to tell
        return True
    off = np.abs(mean - table.levels.alpha) + np.abs(np.sqrt(variance) - table.levels.sigma)
    if (off < 1e-2 * np.hypot(table.levels.alpha, table.levels.sigma)).all():
        return True
    other = Observed(subject.cls, subject.name, subject.config, subject.call, "", subject.instance)
    return not other.keeps


def _has_its_tables(subject: SchedulerSampler) -> bool:
    for n in subject.counts((10, 4, 2)):
        try:
            subject.session(n)
        except (AttributeError, KeyError, TypeError):
            return False
        except Exception:  # which is for the checks to tell
            continue
        return True
    return True


def _named(name: str) -> type[SchedulerSampler] | None:
    """The family of a name, looked for in one file after another."""
    for file in FILES:
        importlib.import_module(f"dfbench.subjects.diffusers.{file}")
        if name in REGISTERED:
            return REGISTERED[name]
    return None


def _signature(cls: Any) -> tuple[set[str], set[str]]:
    """What tells the families apart when the name does not."""
    of = cls.__init__, cls.step
    constructor, step = (set(inspect.signature(each).parameters) for each in of)
    return constructor, step
