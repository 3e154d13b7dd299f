"""What can be certified, and how what a user names becomes it."""

from __future__ import annotations

import importlib.util
import inspect
from typing import Any

from dfbench.errors import Unusable
from dfbench.loading import load_module
from dfbench.samplers.method import METHODS, Method
from dfbench.subjects.contract import Sampler
from dfbench.subjects.reference import MethodSampler

ACCEPTED = "LIBRARY, LIBRARY:NAME, package.module:NAME or path/to/file.py:NAME"
LIBRARIES = ("diffusers", "dfbench")
NEED_TIMES = (
    "annealed_langevin",
    "exponential_sde",
    "interpolant_sde",
    "predictor_corrector",
    "probability_flow",
    "reverse_sde",
    "tcd",
    "velocity",
)


def libraries() -> dict[str, list[str]]:
    """The subjects of every library that is installed, by library."""
    found = {"dfbench": sorted(_references())}
    if importlib.util.find_spec("diffusers") is not None:
        from dfbench.subjects import diffusers

        names = diffusers.classes()
        found["diffusers"] = [name for name in names if name not in diffusers.EXCLUDED]
    return found


def excluded(library: str) -> dict[str, str]:
    """What of a library cannot be certified, and why."""
    if library != "diffusers":
        return {}
    from dfbench.subjects import diffusers

    known = diffusers.EXCLUDED
    return {name: known[name] for name in diffusers.classes() if name in known}


def resolve(
    subject: Any,
    config: dict[str, Any] | None = None,
    call: dict[str, Any] | None = None,
    configs: str = "default",
) -> list[Sampler]:
    """The samplers that a name stands for, or an object is.

    Args:
        subject: one of the forms in `ACCEPTED`, or a class, an instance or a reference method.
        config, call: arguments of the constructor and of the sampling call.
        configs: "default", or "all" for every configuration of a library's class that its
            options are worth.

    Raises:
        Unusable: nothing that can be certified has this name.
    """
    config, call = config or {}, call or {}
    if configs not in ("default", "all"):
        raise Unusable(f"configs must be 'default' or 'all', got {configs!r}")
    if not isinstance(subject, str):
        return [_from_object(subject, _name_of(subject), config, call)]
    library, colon, name = subject.rpartition(":")
    if not colon:
        library, name = subject, ""
    if library in LIBRARIES:
        return _from_library(library, name, config, call, configs)
    if not colon:
        raise Unusable(f"{subject}: not a known library ({', '.join(LIBRARIES)}); give {ACCEPTED}")
    if not library or not name:
        raise Unusable(f"{subject!r}: give {ACCEPTED}")
    module = load_module(library)
    if not hasattr(module, name):
        offered = [n for n, v in vars(module).items() if inspect.isclass(v) and _recognised(v)]
        known = f"; it has {', '.join(offered[:8])}" if offered else ""
        raise Unusable(f"{library} has no {name}{known}")
    return [_from_object(getattr(module, name), subject, config, call)]


def _references() -> dict[str, dict[str, Any]]:
    """Reference methods that run on levels alone, without times on a schedule."""
    return {name: {} for name in METHODS if name not in NEED_TIMES}


def _from_library(
    library: str, name: str, config: dict[str, Any], call: dict[str, Any], configs: str
) -> list[Sampler]:
    if library == "dfbench":
        if name and name not in METHODS:
            raise Unusable(f"dfbench has no sampler {name}; it has {', '.join(sorted(METHODS))}")
        chosen = [name] if name else sorted(_references())
        return [_reference(each, config or _references().get(each, {})) for each in chosen]
    if importlib.util.find_spec(library) is None:
        raise Unusable(f"{library} is not installed (pip install 'dfbench[{library}]')")
    from dfbench.subjects import diffusers

    classes = diffusers.classes()
    if name and name not in classes:
        close = [n for n in classes if name.lower() in n.lower()][:4]
        hint = f"; do you mean {' or '.join(close)}?" if close else ""
        raise Unusable(f"{library} has no scheduler {name}{hint}")
    if name in diffusers.EXCLUDED:
        raise Unusable(f"{library}:{name} cannot be certified: {diffusers.EXCLUDED[name]}")
    if not name and (config or call):
        raise Unusable("--config and --call need one subject: LIBRARY:NAME")
    wanted = [name] if name else [n for n in classes if n not in diffusers.EXCLUDED]
    found: list[Sampler] = []
    for each in wanted:
        pairs = [(config, call)]
        if not (config or call):
            pairs = diffusers.configurations(each)[: None if configs == "all" else 1]
        for one_config, one_call in pairs:
            found.append(
                diffusers.SchedulerSampler(
                    classes[each], f"{library}:{each}", one_config, one_call, _version(library)
                )
            )
    return found


def _reference(name: str, options: dict[str, Any]) -> Sampler:
    try:
        return MethodSampler(name, options)
    except (ValueError, TypeError) as error:
        raise Unusable(f"dfbench:{name}: {error}") from error


def _recognised(thing: Any) -> bool:
    from dfbench.subjects import diffusers

    return diffusers.recognises(thing)


def _from_object(thing: Any, name: str, config: dict[str, Any], call: dict[str, Any]) -> Sampler:
    if isinstance(thing, Sampler):
        return thing
    if isinstance(thing, Method):
        return _reference(thing.name, config)
    if not _recognised(thing):
        raise Unusable(
            f"{name} is not something that can be certified: it offers neither set_timesteps and "
            "step, as diffusers' schedulers do, nor is it a reference method"
        )
    from dfbench.subjects import diffusers

    if inspect.isclass(thing):
        cls, given = thing, config
    else:
        cls = type(thing)
        accepted = inspect.signature(cls.__init__).parameters
        own = {k: v for k, v in dict(getattr(thing, "config", {})).items() if k in accepted}
        defaults = {k: accepted[k].default for k in own}
        given = {**{k: v for k, v in own.items() if v != defaults[k]}, **config}
    version = _version(cls.__module__.partition(".")[0])
    try:
        return diffusers.SchedulerSampler(cls, name, given, call, version)
    except Unusable:
        raise
    except Exception as error:
        raise Unusable(
            f"{name} cannot be run as a scheduler: {type(error).__name__}: {error}"
        ) from error


def _name_of(thing: Any) -> str:
    cls = thing if inspect.isclass(thing) else type(thing)
    if isinstance(thing, Method):
        return f"dfbench:{thing.name}"
    package = cls.__module__.partition(".")[0]
    where = package if package in LIBRARIES else cls.__module__
    return f"{where}:{cls.__qualname__}"


def _version(package: str) -> str:
    from dfbench.environment import version

    return version(package) or ""


__all__ = ["ACCEPTED", "LIBRARIES", "excluded", "libraries", "resolve"]
