"""How a user runs a sampler, and what came of a run.

One invariant covers all protocols: a run under any of them is the plain run on the same inputs,
element by element. The inputs are prescribed (the network's outputs do not depend on the state) or
recorded (the draws), so that what differs is the sampler's doing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from itertools import combinations
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from dfbench.draws import GaussianDraws, preserved_random_state
from dfbench.errors import SubjectError, Unsupported
from dfbench.readout import Call, increments

if TYPE_CHECKING:
    from dfbench.subjects.contract import Sampler

SEED = 5  # of the caller's generator
AMPLITUDE = 0.1  # of states and outputs: inside every clipping range


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
    "steps": (10, 1, 2, 3, 4, 5, 6, 7, 8, 15, 20, 25, 28, 30, 40, 50),
    "shape": (
        *((2, 3, 4, 5), (2, 6), (3, 4, 5), (1, 3, 4, 5), (2, 3, 2, 4, 5), (3, 1, 1, 1), (3, 3)),
        (1, 2, 40, 36),
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
    while missing or len(found) < len(values["steps"]):
        chosen = dict(min(missing, key=repr)) if missing else {}
        for name in names:
            if name not in chosen:
                known = set(chosen.items())
                chosen[name] = max(values[name], key=partial(_new, name, known, missing))
        missing -= {((a, chosen[a]), (b, chosen[b])) for a, b in combinations(names, 2)}
        counts = values["steps"] if len(found) < len(values["steps"]) else FEW
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


@dataclass(frozen=True)
class Trace:
    """What a run did: the states shown to the network, the sample, and the draws it made."""

    states: tuple[torch.Tensor, ...]
    draws: tuple[torch.Tensor, ...]


def inputs(shape: Sequence[int], count: int, seed: int = 0) -> torch.Tensor:
    """A start and `count` network outputs, shape (1 + count, *shape), of size `AMPLITUDE`."""
    source = torch.Generator().manual_seed(seed)
    return AMPLITUDE * torch.randn((1 + count, *shape), generator=source, dtype=torch.float64)


def generators(protocol: Protocol) -> Any:
    """What a caller passes as the generator."""
    if protocol.generator == "none":
        return None
    if protocol.generator == "one":
        return torch.Generator().manual_seed(SEED)
    return [torch.Generator().manual_seed(SEED + r) for r in range(protocol.shape[0])]


def played(subject: Sampler, protocol: Protocol) -> Trace:
    """Run a subject under a protocol, on prescribed outputs; what it draws is kept.

    Raises:
        Unsupported: it cannot be run this way.
        SubjectError: the run breaks.
    """
    made: list[torch.Tensor] = []
    rng = np.random.default_rng(SEED)

    def draw(operation: str, out: torch.Tensor, seeded: bool, span: Any = None) -> torch.Tensor:
        if operation == "brownian":  # an increment, not drawn yet
            out = torch.from_numpy(rng.standard_normal(tuple(out.shape))).to(out.dtype)
        made.append(out.detach().clone())
        return out

    start, *outputs = inputs(protocol.shape, _most(protocol))
    states = _run(subject, protocol, start, outputs, draw)
    return Trace(states, tuple(_whole(made, protocol.shape)))


def plainly(subject: Sampler, protocol: Protocol, draws: Sequence[torch.Tensor]) -> Trace:
    """The plain run on the inputs of a run under a protocol, its draws among them.

    On a state of shape (rows + 1, elements of a row, 1, 1), the last row with inputs of its own.

    Raises:
        SubjectError: the run breaks, or draws noise of another size than that of the state.
    """
    rows, size = protocol.shape[0], prod(protocol.shape[1:])
    given, used = list(draws), []

    def padded(values: torch.Tensor) -> torch.Tensor:
        flat = values.reshape(rows, size).double()
        return torch.cat([flat, 0.5 * flat[:1].flip(1)])[..., None, None]

    def draw(operation: str, out: torch.Tensor, seeded: bool, span: Any = None) -> torch.Tensor:
        if not given or given[0].numel() != rows * size or out.numel() != (rows + 1) * size:
            shape = tuple(given[0].shape if given else out.shape)
            raise SubjectError(f"draws noise of shape {shape}, not one number for every element")
        used.append(given.pop(0))
        return padded(used[-1]).reshape(out.shape).to(out.dtype)

    start, *outputs = map(padded, inputs(protocol.shape, _most(protocol)))
    plain = Protocol(protocol.steps, (rows + 1, size, 1, 1))
    states = _run(subject, plain, start, outputs, draw)
    return Trace(tuple(state[:rows] for state in states), tuple(used))


def stepped(out: Any) -> torch.Tensor:
    """The state in what `step` returns: a tensor, the first of a tuple, or `prev_sample`."""
    if isinstance(out, torch.Tensor):
        return out
    if isinstance(out, tuple | list) and out and not hasattr(out, "prev_sample"):
        return stepped(out[0])
    found = out.get("prev_sample") if isinstance(out, dict) else getattr(out, "prev_sample", None)
    if not isinstance(found, torch.Tensor):
        raise SubjectError(
            f"returns {type(out).__name__}: neither a tensor, nor a tuple that begins with one, "
            "nor something with a prev_sample"
        )
    return found


def previewed(out: Any) -> torch.Tensor | None:
    """What `step` returns of the clean sample besides, if anything."""
    if isinstance(out, tuple | list) and not hasattr(out, "prev_sample"):
        found = out[1] if len(out) > 1 else None
    else:
        get = out.get if isinstance(out, dict) else partial(getattr, out)
        found = get("pred_original_sample", None)
    return found if isinstance(found, torch.Tensor) else None


def _most(protocol: Protocol) -> int:
    """Evaluations that a run may make."""
    return 4 * protocol.steps + 16


def _run(
    subject: Sampler,
    protocol: Protocol,
    start: torch.Tensor,
    outputs: Sequence[torch.Tensor],
    draw: Callable[..., torch.Tensor],
) -> tuple[torch.Tensor, ...]:
    """The states shown to the network, and the sample."""
    session = subject.session(protocol.steps).under(protocol)
    states: list[torch.Tensor] = []

    def model(z: torch.Tensor, call: Call) -> torch.Tensor:
        states.append(z.detach().clone())
        return outputs[len(states) - 1].to(z.dtype).clone()

    with torch.no_grad(), preserved_random_state(), increments(draw), GaussianDraws(draw, None):
        torch.manual_seed(SEED)
        sample = session(model, start, generators(protocol))
    return (*states, sample.detach().clone())


def _whole(draws: list[torch.Tensor], shape: tuple[int, ...]) -> Iterator[torch.Tensor]:
    """Draws for all rows, put together where each row has a generator of its own."""
    rows: list[torch.Tensor] = []
    for each in draws:
        if shape[0] == 1 or each.numel() * shape[0] != prod(shape):
            yield each
            continue
        rows.append(each.reshape(1, -1))
        if len(rows) == shape[0]:
            yield torch.cat(rows)
            rows = []
    yield from rows


__all__ = [
    "PLAIN",
    "VALUES",
    "Protocol",
    "Trace",
    "Unsupported",
    "covering",
    "plainly",
    "played",
    "simpler",
]
