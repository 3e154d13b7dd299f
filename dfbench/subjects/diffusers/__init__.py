"""diffusers' schedulers, and anything that behaves like one."""

from __future__ import annotations

import importlib
import inspect
from typing import TYPE_CHECKING, Any

from dfbench.environment import version
from dfbench.errors import Unsupported, Unusable
from dfbench.subjects.alike import same
from dfbench.subjects.contract import Sampler
from dfbench.subjects.diffusers.saved import arguments
from dfbench.subjects.library import Library

if TYPE_CHECKING:
    from dfbench.subjects.diffusers.sampler import SchedulerSampler


class Diffusers(Library):
    name = "diffusers"
    word = "scheduler"
    heavy = ("diffusers.schedulers", "dfbench.subjects.diffusers.families")
    shape = "like diffusers' schedulers, which offer set_timesteps and step"

    def names(self) -> list[str]:
        excluded = self.excluded()
        return [name for name in _classes() if name not in excluded]

    def others(self) -> list[str]:
        return list(self.excluded())

    def excluded(self) -> dict[str, str]:
        from dfbench.subjects.diffusers.catalogue import excluded

        known = excluded()
        return {name: known[name] for name in _classes() if name in known}

    def configurations(self, name: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        from dfbench.subjects.diffusers.catalogue import configurations

        return configurations(name)

    def named(self, name: str, config: dict[str, Any], call: dict[str, Any]) -> Sampler:
        return _sampler(_classes()[name], f"{self.name}:{name}", config, call)

    def recognises(self, thing: Any) -> bool:
        try:
            return all(callable(getattr(thing, name, None)) for name in ("set_timesteps", "step"))
        except Exception:  # what stands in for a class whose library is missing raises when asked
            return False

    def made_of(
        self, thing: Any, name: str, config: dict[str, Any], call: dict[str, Any]
    ) -> Sampler:
        try:
            if inspect.isclass(thing):
                return _sampler(thing, name, config, call)
            own = _configuration(thing)
            made = _sampler(type(thing), name, own, call, thing)
            if config:
                given, notes = arguments(type(thing), config)
                made = made.configured(own | given)
                made.notes += notes
            return made
        except Unusable:
            raise
        except Unsupported as reason:
            raise Unusable(f"{name}: takes no other configuration: {reason}") from reason
        except Exception as error:
            raise Unusable(
                f"{name} cannot be run as a scheduler: {type(error).__name__}: {error}"
            ) from error


def _configuration(scheduler: Any) -> dict[str, Any]:
    """The arguments of its constructor that are not the defaults, by what it says itself."""
    defaults = inspect.signature(type(scheduler).__init__).parameters
    from dfbench.subjects.conventions import configuration

    own = configuration(scheduler).items()
    return {k: v for k, v in own if k in defaults and not same(v, defaults[k].default)}


def _classes() -> dict[str, type]:
    """The scheduler classes of the installed diffusers, by name.

    Raises:
        ImportError: diffusers is not installed.
    """
    schedulers = importlib.import_module("diffusers.schedulers")
    names = [name for name in dir(schedulers) if name.endswith("Scheduler")]
    # without transformers, a name is listed (ScoreSdeVpScheduler, in 0.42) that is not there
    found = {name: getattr(schedulers, name, None) for name in names}
    return {name: cls for name, cls in found.items() if isinstance(cls, type) and _there(cls)}


def _there(cls: type) -> bool:
    """Whether it is a class, and not what stands in for one that needs another package."""
    try:
        hasattr(cls, "step")
    except ImportError:
        return False
    return True


def _sampler(
    cls: type, name: str, config: dict[str, Any], call: dict[str, Any], instance: Any = None
) -> SchedulerSampler:
    from dfbench.subjects.diffusers.families import family_of, keeps_its_levels_so
    from dfbench.subjects.diffusers.observed import Observed

    known = version(cls.__module__.partition(".")[0]) or ""
    given, notes = arguments(cls, config)
    made = family_of(cls)(cls, name, given, call, known, instance)
    if not keeps_its_levels_so(made):  # of another release, or of another library
        made = Observed(cls, name, given, call, known, instance)
    made.notes += notes
    return made


LIBRARY = Diffusers()
