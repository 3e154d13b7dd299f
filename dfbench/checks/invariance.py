"""What must not change the sample: the scale of the levels, and the form of the prediction."""

from __future__ import annotations

from itertools import starmap

import numpy as np

from dfbench.checks.cases import judge_entries, largest
from dfbench.checks.precision import TABLES, accumulated
from dfbench.errors import SubjectError, Undefined, Unsupported
from dfbench.levels import Grid
from dfbench.outcome import Finding, claim, judge, skip
from dfbench.subjects.contract import Sampler
from dfbench.subjects.reference import Defect, MethodSampler, MethodSession
from dfbench.table import Table

STEPS = 8


def _scale_dependent(size: float) -> Sampler:
    """An error that grows with α: the sampler knows the scale of its levels."""

    def spoil(run: MethodSession) -> None:
        run.defect = Defect(output=lambda m, j: m * (1 + size * run.grid.alpha[j]))

    return MethodSampler("ddim", spoil=spoil)


@claim(
    "scale-invariance",
    "Levels c_t (α_t, σ_t) in place of (α_t, σ_t) give the same sampler, for every c_t > 0.",
    source="GAO; SONG (CLAIMS 31)",
    control=_scale_dependent,
    control_size=1e-2,
    harm="options",
    formula="max difference of the coefficients of z/α on levels of equal σ/α, variance "
    "preserving, variance exploding and flow",
    remedy="Look for an α or σ that enters other than through σ/α, often as a hard-coded √(1 − ᾱ). "
    "If the method depends on the scale by design, declare `scale_invariant = False`.",
)
def scale_check(subject: Sampler) -> Finding:
    """Canonical tables on the same ratios σ/α at every scale the subject can visit."""
    if not subject.traits.scale_invariant:
        return skip("the method does not claim it")
    scales = subject.scales
    if len(scales) < 2:
        return skip(f"its levels exist on one scale only ({', '.join(scales)})")
    ratio = np.geomspace(5.0, 0.1, STEPS + 1)
    tables = {}
    for scale, variant in scales.items():
        alpha = {"vp": 1 / np.hypot(1, ratio), "ve": np.ones_like(ratio), "flow": 1 / (1 + ratio)}
        grid = Grid(alpha[scale], ratio * alpha[scale])
        form = "x" if "x" in variant.predictions else None
        tables[scale] = variant.affine_reading(STEPS, grid=grid, prediction=form).table
    (base, first), *others = tables.items()
    bound = 2 * accumulated(first, TABLES)[:, None]

    def against(scale: str, table: Table) -> Finding:
        return judge_entries(
            table.canonical().gaps(first.canonical()),
            bound,
            lambda row, _: f"{base} against {scale}, evaluation {row}",
            unit="of the state's size",
            derivation="twice the accumulated round-off of float32 tables",
        )

    return largest(starmap(against, others))


def _one_form_is_wrong(size: float) -> Sampler:
    """Treats its x-prediction with an error; the ε-prediction is right."""

    def spoil(run: MethodSession) -> None:
        if run.prediction == "x":
            run.defect = Defect(output=lambda m, j: m * (1 + size))

    return MethodSampler("ddim", spoil=spoil)


@claim(
    "prediction-types",
    "The same model gives the same sample whether it returns ε, x, v or a flow velocity.",
    source="GAO (CLAIMS 16, 28)",
    control=_one_form_is_wrong,
    control_size=1e-2,
    harm="options",
    formula="max difference of the coefficients, outputs converted to x̂, between prediction types",
    remedy="Compare the branch of the type that it names with `dfbench.predictions.affine`: a "
    "wrong sign of v, or α and σ exchanged.",
)
def prediction_check(subject: Sampler) -> Finding:
    """Tables of all prediction types, converted to x, against each other."""
    tables, bounds = {}, {}
    reasons = []
    for prediction in subject.predictions:
        try:
            reading = subject.affine_reading(STEPS, prediction=prediction)
            tables[prediction] = reading.table.convert("x")
        except (Unsupported, Undefined) as reason:
            reasons.append(f"{prediction}: {reason}")
            continue
        except SubjectError:
            if not _defined(subject, prediction):
                reasons.append(f"{prediction} is not defined at its first level")
                continue
            raise
        bounds[prediction] = accumulated(reading.table, TABLES)
    if len(tables) < 2:
        only = "one prediction type only"
        return skip(f"{only} ({'; '.join(reasons)})", "not asked") if reasons else skip(only)
    (base, one), *others = tables.items()

    def against(name: str, two: Table) -> Finding:
        if (one.nfe, one.n_draws) != (two.nfe, two.n_draws):
            return judge(1.0, 0.0, unit="evaluations or draws", where=f"{base} against {name}")
        size = np.hypot(one.levels.alpha, one.levels.sigma)
        terms = np.maximum(1, np.abs(one.rows).sum(axis=1) / size)
        return judge_entries(
            two.gaps(one),
            ((bounds[base] + bounds[name]) * terms)[:, None],
            lambda row, column: f"{name} against {base}: {_place(one.nfe, row, column)}",
            unit="of the state's size",
            derivation="accumulated round-off of float32 tables, both forms, after conversion to x",
            counterexample={"steps": STEPS, "prediction": name},
        )

    return largest(starmap(against, others))


def _defined(subject: Sampler, prediction: str) -> bool:
    """Noise says nothing at α = 0, nor data at σ = 0."""
    first = subject.session(STEPS, prediction=prediction).grid[0]
    return not (first.alpha == 0 and prediction == "eps") and not (
        first.sigma == 0 and prediction in ("x", "v")
    )


def _place(nfe: int, row: int, column: int) -> str:
    state = "the sample" if row == nfe else f"evaluation {row}"
    return f"{state}, column {column}"
