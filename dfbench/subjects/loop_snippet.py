"""Stand-alone Python that shows what is wrong with a loop: its own code, and nothing of dfbench."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dfbench.errors import NotAffine, SubjectError, Unsupported
from dfbench.outcome import Finding
from dfbench.readout import Reading
from dfbench.table import Difference

if TYPE_CHECKING:
    from dfbench.subjects.loop import LoopSampler

RUN = '''\
import torch
{load}

SHAPE = (2, 3, 1, 1)


class Network(torch.nn.Module):
    """Answers call i with `answer(i, state)`, and keeps the states."""

    def __init__(self, answer):
        super().__init__()
        self.answer, self.seen = answer, []

    def forward(self, *given, **named):
        values = [*given, *named.values()]
        self.seen.append(next(v for v in values if getattr(v, "shape", None) == SHAPE))
        return {sign}self.answer(len(self.seen) - 1, self.seen[-1])

    def round_sigma(self, sigma):
        return torch.as_tensor(sigma)


def run(answer, start, draws):
    """The states that the network sees, and the sample; normal draw k is `draws(k)`."""
    made = iter(range(10**9))
    torch.randn = lambda *a, **o: draws(next(made)) * torch.ones(SHAPE, dtype=torch.float64)
    torch.randn_like = torch.randn
    model = Network(answer)
    start = start * torch.ones(SHAPE, dtype=torch.float64)
    out = {call}
    out = out if isinstance(out, torch.Tensor) else list(out)[-1]
    out = out if out.shape == SHAPE else out[-1]
    return [float(z.flatten()[0]) for z in (*model.seen, {sample})]


'''

COEFFICIENT = """\
one = torch.ones(SHAPE, dtype=torch.float64)
states = run(lambda i, z: {output} * one, {start}, lambda k: {draw})
print({what!r}, states[{row}], "should be", {expected!r})
"""

BOOKS = """\
# all data at 1: the exact network answers call i with a z + b
exact = {exact!r}
answer = lambda i, z: exact[i][0] * z + exact[i][1]
data = run(answer, {alpha!r}, lambda k: 0.0)[{j}]
# data at 0, and the start or one draw of unit size
none = lambda i, z: exact[i][0] * z
parts = [run(none, {sigma!r}, lambda k: 0.0)[{j}]]
parts += [run(none, 0.0, lambda k, one=one: float(k == one))[{j}] for one in range({draws})]
print({what!r})
print("mean", data, "should be", {mean!r})
print("noise", sum(part**2 for part in parts) ** 0.5, "should be", {noise!r})
"""


def reproducer(subject: LoopSampler, claim: str, finding: Finding) -> str | None:
    """A script for a failed claim, where there is one."""
    n = (finding.counterexample or {}).get("steps")
    if claim != "bookkeeping" or not isinstance(n, int):
        return None
    head = _head(subject, n)
    if head is None:
        return None
    reading = subject.affine_reading(n)
    table = reading.table
    if table.noise_cov is not None:
        return None
    mean, variance = table.point_response()
    levels = table.levels
    gap = np.maximum(abs(mean - levels.alpha), abs(np.sqrt(variance) - levels.sigma))
    gap = gap / np.hypot(levels.alpha, levels.sigma)
    j = int(np.flatnonzero(gap > 1e-2 * gap.max())[0])  # the first that is as wrong as any
    exact = [table.affine("x", table.prediction, level) for level in table.evaluated]
    place = "the sample" if j == table.nfe else f"the state at evaluation {j}"
    return head + BOOKS.format(
        exact=[(float(a), float(b)) for a, b in exact],
        alpha=float(table.origin.alpha),
        sigma=float(table.origin.sigma),
        j=j,
        draws=table.n_draws,
        what=f"{place} of {n} steps",
        mean=float(levels.alpha[j]),
        noise=float(levels.sigma[j]),
    )


def coefficient(
    subject: LoopSampler, n: int, different: Difference, reading: Reading
) -> str | None:
    """A script that prints one coefficient of a run of n steps."""
    table = reading.table
    head = _head(subject, n)
    if head is None or table.noise_cov is not None:
        return None
    k = different.column - 1
    output = f"float(i == {k})" if 0 <= k < table.nfe else "0.0"
    draw = f"float(k == {k - table.nfe})" if k >= table.nfe else "0.0"
    return head + COEFFICIENT.format(
        output=output,
        start="1.0" if different.column == 0 else "0.0",
        draw=draw,
        row=different.row,
        what=different.where,
        expected=float(different.expected),
    )


def _head(subject: LoopSampler, n: int) -> str | None:
    """Imports, the network and `run`; None where the code cannot be called from a script."""
    load, facts, entry = _load(subject), subject.facts, subject.entry
    if load is None or entry.put or subject.arrays != "torch" or facts.start == "drawn":
        return None
    with contextlib.suppress(SubjectError, Unsupported, NotAffine, ValueError):
        session = subject.session(n)
        times = [] if session.times is None else [float(t) for t in session.times]
        grid = f"torch.tensor({times if facts.ends else times[:-1]}, dtype=torch.float64)"
        scale = session._entry
        values = {
            "model": "model",
            "state": "start" if scale == 1 else f"start / {scale!r}",
            "steps": str(n),
            "sigmas": grid,
            "times": grid,
            "generator": "torch.Generator()",
            "noise": "torch.randn_like",
        }
        name = load.rsplit(" ", 1)[1]
        call = _arguments(entry.called, values, {**entry.call})
        if inspect.isclass(subject.thing):
            made = _arguments(entry.constructor, values, entry.config)
            method = "" if entry.method == "__call__" else f".{entry.method}"
            call = f"{name}({made}){method}({call})"
        elif entry.method:
            return None
        else:
            call = f"{name}({call})"
        c, d = facts.output
        sign = "-" if facts.predicts.startswith("-") else ""
        sample = "out" if (c, d) == (1.0, 0.0) else f"(out - {d!r}) / {c!r}"
        return RUN.format(load=load, sign=sign, call=call, sample=sample)
    return None


def _arguments(roles: dict[str, str], values: dict[str, str], given: dict[str, Any]) -> str:
    named = {name: values[role] for role, name in roles.items()}
    named |= {name: repr(value) for name, value in given.items()}
    return ", ".join(f"{name}={value}" for name, value in named.items())


def _load(subject: LoopSampler) -> str | None:
    """The import of the code, by the name under which it was given or by its module's."""
    where, _, name = subject.name.rpartition(":")
    if where.endswith(".py") and name.isidentifier():
        path = Path(where)
        head = f"import sys\n\nsys.path.insert(0, {str(path.parent)!r})\n"
        return f"{head}from {path.stem} import {name}"
    module, own = getattr(subject.thing, "__module__", ""), getattr(subject.thing, "__name__", "")
    known = sys.modules.get(module)
    if known is None or getattr(known, own, None) is not subject.thing:
        return None
    with contextlib.suppress(ImportError):
        importlib.import_module(module)
        return f"from {module} import {own}"
    return None
