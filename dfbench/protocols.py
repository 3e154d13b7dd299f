"""How a user runs a sampler: a protocol, those that people use, and a few that cover all pairs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import partial
from itertools import combinations
from typing import Any


@dataclass(frozen=True)
class Protocol:
    """How a run is made; the defaults are the plain way.

    Attributes:
        steps: of the run.
        shape: of the state, rows first.
        generator: "one" for all rows, "one a row" (a list), or "none" (the global state).
        returns: "object", or "tuple" (`return_dict=False`).
        time: as the sampler's "own" list of times has it, as a Python "number", or one for each
            "row", (B,).
        before: what the same object was used for before.
        meanwhile: what happens in the middle of the run.
    """

    steps: int = 10
    shape: tuple[int, ...] = (2, 3, 4, 5)
    generator: str = "one"
    returns: str = "object"
    time: str = "own"
    before: str = "nothing"
    meanwhile: str = "nothing"

    def __str__(self) -> str:
        """What is not as in the plain run, like "5 steps, state of shape (2, 6), before: …"."""
        said = [f"{self.steps} steps"]
        if self.shape != PLAIN.shape:
            said.append(f"state of shape {self.shape}")
        if self.generator != PLAIN.generator:
            said.append(f"generator: {self.generator}")
        if self.returns != PLAIN.returns:
            said.append("return_dict=False")
        if self.time != PLAIN.time:
            said.append(
                "time given as a number" if self.time == "number" else "a time for each row"
            )
        if self.before != PLAIN.before:
            said.append(f"before: {self.before}")
        if self.meanwhile != PLAIN.meanwhile:
            said.append(f"in the middle {self.meanwhile}")
        return ", ".join(said)


FEW = (10, 1, 2, 3, 5, 8)  # steps of the protocols that come after each count had its turn

#: In the middle of a run: whose turn it is, or who else has one.
COPY, ORIGINAL, ANOTHER = (
    "a deep copy goes on",
    "a deep copy ends the run, and the original goes on",
    "another object of the class runs",
)
MEANWHILE = (COPY, ORIGINAL, ANOTHER)

PLAIN = Protocol()

#: What people use; the first of each is the simplest.
VALUES: dict[str, tuple[Any, ...]] = {
    "steps": (10, *range(1, 10), 12, 14, 15, 16, 18, 20, 24, 25, 28, 30, 33, 36, 40, 50),
    "shape": (
        *((2, 3, 4, 5), (2, 6), (3, 17, 5), (1, 3, 4, 5), (2, 3, 2, 4, 5), (3, 1, 1, 1), (3, 3)),
        *((1, 16, 9, 36), (1, 3, 3, 4, 5)),
    ),
    "generator": ("one", "none", "one a row"),
    "returns": ("object", "tuple"),
    "time": ("own", "number", "row"),
    "before": (
        *("nothing", "the same run", "a longer run", "a shorter run", "an aborted run"),
        "a run of another shape",
    ),
    "meanwhile": ("nothing", *MEANWHILE),
}


def covering(values: dict[str, tuple[Any, ...]] = VALUES) -> list[Protocol]:
    """Protocols in which every pair of values occurs, the same ones every time.

    Numbers of steps, of which there are many, are paired with nothing: each occurs, then the few
    go round.
    """
    names = [name for name in values if name != "steps"]
    missing = {
        ((a, x), (b, y)) for a, b in combinations(names, 2) for x in values[a] for y in values[b]
    }
    found: list[Protocol] = []
    few = tuple(n for n in FEW if n in values["steps"]) or values["steps"]
    while missing or len(found) < len(values["steps"]):
        chosen = dict(min(missing, key=repr)) if missing else {}
        for name in names:
            if name not in chosen:
                known = set(chosen.items())
                chosen[name] = max(values[name], key=partial(_new, name, known, missing))
        missing -= {((a, chosen[a]), (b, chosen[b])) for a, b in combinations(names, 2)}
        counts = values["steps"] if len(found) < len(values["steps"]) else few
        steps = counts[len(found) % len(counts)]
        found.append(Protocol(steps=steps, **chosen))
    return found


def _new(name: str, chosen: set[Any], missing: set[Any], value: Any) -> int:
    """Pairs not yet seen that a value would make."""
    one = (name, value)
    return sum((one, other) in missing or (other, one) in missing for other in chosen)


def simpler(protocol: Protocol) -> Iterator[Protocol]:
    """The same with one thing as in the plain run, or with fewer steps."""
    for field in fields(protocol):
        plain = getattr(PLAIN, field.name)
        if getattr(protocol, field.name) != plain and field.name != "steps":
            yield replace(protocol, **{field.name: plain})
    for steps in sorted(VALUES["steps"]):
        if steps < protocol.steps:
            yield replace(protocol, steps=steps)
