"""What comes of a run under a protocol.

One invariant covers all protocols: a run under any of them is the plain run on the same inputs,
element by element. The inputs are prescribed (the network's outputs do not depend on the state) or
recorded (the draws), so that what differs is the sampler's doing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from dfbench.draws import GaussianDraws, preserved_random_state
from dfbench.errors import SubjectError
from dfbench.protocols import Protocol
from dfbench.readout import Call, increments

if TYPE_CHECKING:
    from dfbench.subjects.contract import Sampler

SEED = 5  # of the caller's generator
AMPLITUDE = 0.1  # of states and outputs: inside every clipping range


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
