"""Hold trained networks to the claims, each with its control."""

from __future__ import annotations

import importlib
import pkgutil
import time
from collections.abc import Callable

from dfbench import environment, literature
from dfbench.errors import Unusable
from dfbench.literature.run import Claims, Outcome, examine
from dfbench.literature.statement import Literature
from dfbench.literature.trained import TRAINED, Lab, Subject

for _module in pkgutil.iter_modules(literature.__path__):
    if _module.name.startswith("c") and _module.name.endswith("_trained"):
        importlib.import_module(f"{literature.__name__}.{_module.name}")

Progress = Callable[[str, int, int], None]


def named(ids: list[str] | None = None) -> list[Literature]:
    """The claims with these ids ("T34" or "34"), in their order; all of them for None.

    Raises:
        Unusable: there is no such claim.
    """
    wanted = [
        text.upper().removeprefix("T") for text in (map(str, TRAINED) if ids is None else ids)
    ]
    unknown = [text for text in wanted if not text.isdigit() or int(text) not in TRAINED]
    if unknown:
        known = ", ".join(str(n) for n in sorted(TRAINED))
        raise Unusable(f"no claim on trained networks {', '.join(unknown)}; there are {known}")
    return [TRAINED[number] for number in sorted(TRAINED) if str(number) in wanted]


def check_trained(
    lab: Lab, ids: list[str] | None = None, *, progress: Progress | None = None
) -> Claims:
    """Check claims on the networks that a lab trains.

    Args:
        ids: like "34"; all by default.
        progress: called as (title, done, total) after each.

    Raises:
        Unusable: there is no such claim.
    """
    start = time.perf_counter()
    claims = named(ids)
    outcomes: list[Outcome] = []
    for claim in claims:
        outcomes.append(examine(claim, lambda formula: Subject(formula, lab)))
        if progress:
            progress(claim.title, len(outcomes), len(claims))
    return Claims(tuple(outcomes), environment.describe(), time.perf_counter() - start)
