"""Rows, dtypes and state: a sample depends on its row, keeps its dtype, leaves nothing behind."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import torch

from dfbench.checks.cases import judge_entries
from dfbench.checks.precision import accumulated, unit_roundoff
from dfbench.draws import GaussianDraws
from dfbench.errors import SubjectError, Undefined, Unsupported
from dfbench.outcome import Finding, claim, deciding, inconclusive, judge, skip
from dfbench.readout import Call, CalledModel
from dfbench.subjects.contract import Sampler, Session
from dfbench.subjects.reference import Defect, MethodSampler
from dfbench.table import Table

STEPS = 7


def _run(
    session: Session,
    z: torch.Tensor,
    model: CalledModel | None = None,
    rows: slice = slice(None),
    drawn: list[torch.Tensor] | None = None,
) -> torch.Tensor:
    """A run with fixed noise: draw k of row r is the same numbers in every batch and dtype."""
    seeds = itertools.count(1000)

    def fixed(operation: str, out: torch.Tensor, seeded: bool) -> torch.Tensor:
        source = torch.Generator().manual_seed(next(seeds))
        whole = torch.randn((4, *out.shape[1:]), generator=source, dtype=torch.float64)
        picked = whole[rows] if out.shape[:1] == z.shape[:1] else whole[: len(out)]
        if drawn is not None:
            drawn.append(picked.to(out.dtype).double())
        return picked.to(out.dtype)

    generator = torch.Generator().manual_seed(0)
    with torch.no_grad(), GaussianDraws(fixed, generator):
        network = model or (lambda z, call: torch.tanh(1.5 * z) - 0.2 * z)
        sample = session(network, z, generator)
    if z.dtype == torch.float64 and not torch.isfinite(sample).all():
        raise SubjectError(f"the sample of {STEPS} steps is not finite")
    return sample


def _start(dtype: torch.dtype = torch.float64) -> torch.Tensor:
    z = torch.randn((4, 2, 4, 4), generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    return z.to(dtype)


def _mixes_rows(size: float) -> Sampler:
    """Adds a little of the batch's mean to every output."""
    return MethodSampler("ddim", defect=Defect(output=lambda m, j: m + size * m.mean(0)))


@claim(
    "row-independence",
    "A row of the sample depends on its own row only: not on the batch around it.",
    source="DESIGN: the checks on a sampler",
    control=_mixes_rows,
    control_size=1e-6,
    formula="max_r ‖f(z)_r − f(z_r)‖/‖f(z)_r‖, each row sampled alone and in a batch of four, with "
    "the same noise",
    remedy="Look for means, norms, maxima or quantiles taken over the batch (thresholding, "
    "normalisation of x̂); take them per row.",
)
def rows_check(subject: Sampler) -> Finding:
    """Each row sampled alone against the same row in a batch of four, fixed noise."""
    whole = _run(subject.session(STEPS), _start())
    gaps = []
    for r in range(4):
        alone = _run(subject.session(STEPS), _start()[r : r + 1], rows=slice(r, r + 1))
        gaps.append(float((alone - whole[r : r + 1]).abs().max() / whole[r].abs().max()))
    at = int(np.argmax(gaps))
    # matrix products may be summed in another order in another batch; nothing else may change
    return judge(
        gaps[at],
        1e-5 if subject.reading(STEPS).single else 1e-12,
        unit="relative",
        derivation="order of summation only: 1e-12, or 1e-5 where it computes in float32",
        failing={"where": f"row {at} of 4", "counterexample": {"steps": STEPS, "row": at}},
    )


def _upcasts(size: float) -> Sampler:
    """Returns float64 whatever it was given."""
    return MethodSampler("ddim", defect=Defect(final=lambda z: z.double()))


@claim(
    "dtype",
    "Shape and dtype of the sample are those of its start, and float16, bfloat16 and float32 runs "
    "stay within round-off of the float64 run.",
    source="DESIGN: tolerance from the dtype",
    control=_upcasts,
    control_size=1.0,
    sized=False,
    harm="interface",
    formula="the largest deviation of a run in float32, bfloat16 and float16 from that in float64, "
    "of the size of the sample; and that of each step by itself",
    remedy="Cast the result to the dtype of the state, keep tables in float32 at least, and "
    "compute differences of neighbouring levels before rounding.",
)
def dtype_check(subject: Sampler) -> Finding:
    """The run in each dtype with the exact model of data at a point, against float64."""
    data = 0.25 * torch.tanh(_start() + 1).to(torch.float16).double()
    table = subject.affine_reading(STEPS).table
    try:
        forms = [table.affine("x", table.prediction, level) for level in table.evaluated]
    except Undefined:  # of data at a point, ε at σ = 0: runs on other outputs tell as much
        forms = []
    start = 0.25 * torch.tanh(_start()).to(torch.float16)

    def run(dtype: torch.dtype) -> torch.Tensor:
        calls = iter(forms or [(0.0, 1.0)] * table.nfe)

        def model(z: torch.Tensor, call: Call) -> torch.Tensor:
            c_z, c_x = next(calls)
            x = data if data.shape == z.shape else data[:, :1].expand_as(z)
            return (c_z * z.double() + c_x * x).to(z.dtype)

        return _run(subject.session(STEPS), start.to(dtype), model)

    exact = run(torch.float64)
    size = max(1.0, float(exact.abs().max()))

    def held(dtype: torch.dtype) -> Finding | None:
        name = str(dtype).removeprefix("torch.")
        try:
            sample = run(dtype)
        except Unsupported:  # there is no such type for its arrays
            return None
        if sample.dtype != dtype or sample.shape != start.shape:
            got = f"{str(sample.dtype).removeprefix('torch.')} {tuple(sample.shape)}"
            return judge(
                1.0,
                0.0,
                unit="changed dtype or shape",
                derivation="exact",
                where=f"{name} {tuple(start.shape)} in",
                why=f"{name} {tuple(start.shape)} goes in, {got} comes out",
                counterexample={"steps": STEPS, "dtype": name},
            )
        if not forms:
            return each(dtype)
        # inputs of at most 4 standard deviations where unit size is counted
        errors = 4 * accumulated(table, unit_roundoff(dtype))
        if errors.max() > 1 and dtype != torch.float32:
            return each(dtype)  # states drown in what earlier steps left (σ up to 1e4)
        whole = judge(
            float((sample.double() - exact).abs().max()) / size,
            float(errors[-1]),
            unit="of the sample's size",
            where=name,
            derivation="4 × the round-off of every step, carried to the end with the exact model",
            counterexample={"steps": STEPS, "dtype": name},
        )
        # what a step does to a few digits may vanish in what the whole run is allowed
        return deciding([whole, *filter(None, [each(dtype)])], whole)

    def each(dtype: torch.dtype) -> Finding | None:
        """Every step by itself.

        Not where prescribed outputs are clipped, nor from clean to noise, where steps magnify.
        """
        other = subject.ascending or subject.reading(STEPS).violated_at is not None
        other = other or subject.channels is not None  # which are copies of the first
        return None if other or dtype == torch.float32 else steps_hold(subject, table, dtype)

    found = map(held, (torch.float32, torch.bfloat16, torch.float16))
    none = inconclusive("no dtype holds the states of this grid")
    if not forms:
        none = skip("data at a point have no outputs for all of its levels", "not asked")
    return deciding(filter(None, found), none)


def steps_hold(subject: Sampler, table: Table, dtype: torch.dtype) -> Finding | None:
    """Each step in a dtype from the states that were before it, on prescribed outputs.

    A step of the table (`Table.steps`) rounds what it adds up: at most 8 u of the sum of the sizes
    of its terms, in the form of the outputs, of x̂ or of ε̂, whose own terms count, as they are made
    of them;
    or what a row of the table adds up.
    None where the draws are increments of a path, which are not recorded.
    """
    name, u = str(dtype).removeprefix("torch."), unit_roundoff(dtype)
    source = torch.Generator().manual_seed(11)
    shape = (table.nfe, *_start().shape)
    outputs = (0.25 * torch.randn(shape, generator=source, dtype=torch.float64)).to(dtype)
    states: list[torch.Tensor] = []

    def model(z: torch.Tensor, call: Call) -> torch.Tensor:
        states.append(z.double())
        return outputs[len(states) - 1].expand_as(z)

    start = _start().to(dtype)
    drawn: list[torch.Tensor] = []
    final = _run(subject.session(STEPS), start, model, drawn=drawn).double()
    if len(drawn) != table.n_draws or table.noise_cov is not None:
        return None
    seen = [*states, final]
    size, expected = [torch.zeros_like(final)] * (table.nfe + 1), []
    # a step of several evaluations goes on from an older state, of which the one before it, rounded
    # as it is, only tells: the rounding of that counts, at the rate at which its output goes in
    several = subject.traits.evaluations != 1
    rate = np.zeros(table.nfe + 1)
    for form in _forms(table):
        into = [
            (0.0, 1.0) if form is table else table.affine(table.prediction, form.prediction, level)
            for level in table.evaluated
        ]
        for j, step in enumerate(form.steps()):
            before = seen[j - 1] if j else start.double()
            value, terms = step.carry * before, abs(step.carry) * before.abs()
            for i, weight in step.outputs.items():
                c, d = into[i]
                m = outputs[i].double()
                value = value + weight * (c * seen[i] + d * m)
                terms = terms + abs(weight) * (abs(c) * seen[i].abs() + abs(d) * m.abs())
            for k, weight in step.draws.items():
                value, terms = value + weight * drawn[k], terms + abs(weight) * drawn[k].abs()
            value = value + step.start * start.double()
            if several and j and j - 1 in step.outputs:
                rate[j] = max(rate[j], abs(step.carry) + abs(step.outputs[j - 1] * into[j - 1][0]))
            if form is table:
                expected.append(value)
            size[j] = torch.maximum(size[j], terms + seen[j].abs())
    size = [
        now + r * before for now, r, before in zip(size, rate, [0 * final, *size], strict=False)
    ]
    # or from the start and all outputs, as code that works on the rows of its table does
    inputs = torch.stack([start.double(), *(m.double().expand_as(final) for m in outputs), *drawn])
    rows = torch.as_tensor(table.rows.copy())
    whole = torch.tensordot(rows, inputs, 1), torch.tensordot(rows.abs(), inputs.abs(), 1)
    off = [
        min(
            float(((state - value).abs() / terms.clamp(min=u)).max())
            for value, terms in ((expected[j], size[j]), (whole[0][j], whole[1][j]))
        )
        for j, state in enumerate(seen)
    ]
    return judge_entries(
        np.array(off),
        8 * u,
        lambda j: f"{name}, the sample" if j == table.nfe else f"{name}, evaluation {j}",
        unit="of the terms' size",
        derivation="8 u of the sum of the sizes of what a step adds up",
        counterexample={"steps": STEPS, "dtype": name},
    )


def _forms(table: Table) -> Iterator[Table]:
    """The table in the forms in which a step may be computed, its own first."""
    yield table
    for prediction in ("x", "eps"):
        with suppress(Undefined):
            yield table.convert(prediction)


def _remembers(size: float) -> Sampler:
    """Each run scales its sample by the number of runs before it."""
    runs = 0

    def final(z: torch.Tensor) -> torch.Tensor:
        nonlocal runs
        runs += 1
        return z * (1 + size * runs)

    return MethodSampler("ddim", defect=Defect(final=final))


@claim(
    "state",
    "A run leaves nothing behind: the same object run again gives the same sample to the bit.",
    source="DESIGN: the checks on a sampler",
    control=_remembers,
    control_size=1e-9,
    formula="max |f(z) − f(z)| of two runs of one object",
    remedy="Reset lists of past outputs, step indices and cached levels where a run is set up.",
)
def state_check(subject: Sampler) -> Finding:
    """Fresh object; the same object again; the same object after a run of another length."""
    session = subject.session(STEPS)
    first = _run(session, _start())
    second = _run(session.again(), _start())
    gap = float((second - first).abs().max())
    return judge(
        gap,
        0.0,
        unit="absolute",
        derivation="equal to the bit",
        failing={
            "where": f"a second run of the same object differs by {gap:.2e}",
            "counterexample": {"steps": STEPS},
        },
    )
