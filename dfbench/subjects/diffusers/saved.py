"""A configuration as schedulers save it, with keys that are not the constructor's."""

from __future__ import annotations

import inspect
from typing import Any

MARKS = ("_class_name", "_diffusers_version")


def arguments(cls: type, config: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """What the constructor takes of a configuration, and what there is to say of the rest.

    As `from_config` does, of a class's own `scheduler_config.json` or another's. A configuration
    that bears no mark of having been saved is the user's own: all of it is to be taken.
    """
    if not any(mark in config for mark in MARKS):
        return config, []
    parameters = inspect.signature(cls).parameters.values()
    anything = any(each.kind is each.VAR_KEYWORD for each in parameters)
    names = {each.name for each in parameters}
    defaults = config.get("_use_default_values") or []
    given = {k: v for k, v in config.items() if not k.startswith("_") and k not in defaults}
    taken = {k: v for k, v in given.items() if k in names or anything}
    saver, release = (config.get(mark) for mark in MARKS)
    said = f"the configuration is one that {saver or 'a scheduler'} saved"
    said += f" (release {release})" if release else ""
    if saver and saver != cls.__name__:
        said += f", another class than {cls.__name__}"
    if dropped := [k for k in given if k not in taken]:
        said += f"; dropped, as {cls.__name__} does not take them: {', '.join(dropped)}"
    return taken, [said]
