"""The exact law of the output on Gaussian data, at every scale of the data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from dfbench.checks.cases import at_steps, last
from dfbench.checks.effect import VARIANCES
from dfbench.checks.identity import allowed as coefficients_allowed
from dfbench.checks.precision import TABLES, accumulated
from dfbench.convergence import grid
from dfbench.errors import Undefined, Unsupported
from dfbench.levels import Array
from dfbench.outcome import Finding, claim, inconclusive, judge, skip
from dfbench.samplers import METHODS
from dfbench.subjects.contract import Sampler
from dfbench.subjects.reference import Defect, MethodSampler
from dfbench.table import Table

STEPS = (10, 20, 50)  # of the released grid, for the spectral response
FEW, MANY = 16, 64  # of the clean grid, for the verdict
ENOUGH = 20  # steps from which on a method of any order is to be as good as one of first order
WORSE = 2.0  # times its error
RATE = 0.5  # half of first order, for what is not yet asymptotic at 16 steps


def _too_much_noise(size: float) -> Sampler:
    """Ancestral sampling whose fresh noise is too large by the factor 1 + size."""
    return MethodSampler("ddim", {"eta": 1.0}, defect=Defect(noise=lambda xi, k: xi * (1 + size)))


@claim(
    "law",
    "On Gaussian data of any variance from 1e-4 to 1e4 the law of the output tends to the data's "
    "law as the number of steps grows.",
    source="CLAIMS 37, 39, 43, 47; PG",
    control=_too_much_noise,
    control_size=1e-1,
    formula="max over variances of |std of the sample/std of the data − 1| at 64 steps, against "
    "that at 16",
    remedy="The data scale at which it is worst tells where: small scales the last steps, large "
    "scales the first ones. Look at the variance of the noise that is added and at the scale "
    "of the start.",
)
def law_check(subject: Sampler) -> Finding:
    """Error of the output's standard deviation: 64 steps against 16, between two noise levels."""
    if subject.traits.biased:
        return skip(f"does not converge by design: {subject.traits.biased}")
    series = spectral_response(subject)
    details: dict[str, Any] = {"unit": "relative error of the standard deviation", "series": series}
    try:
        few, many = (
            subject.affine_reading(n, grid=grid(n, subject.scale)).table for n in (FEW, MANY)
        )
    except Unsupported as reason:
        return _without_clean_grid(subject, str(reason), details)
    coarse, fine = (np.abs(table.response(VARIANCES)) for table in (few, many))
    floor = float(accumulated(many, TABLES)[-1])
    index = int(fine.argmax())
    return judge(
        float(fine[index]),
        max(float(coarse.max()) * (FEW / MANY) ** RATE, floor),
        derivation=f"the error at {FEW} steps × ({FEW}/{MANY})^{RATE}, or round-off",
        where=f"{MANY} steps, data of standard deviation {np.sqrt(VARIANCES[index]):.3g}",
        counterexample={"steps": MANY, "variance": float(VARIANCES[index])},
        **details,
    )


def spectral_response(subject: Sampler) -> dict[str, list[float]]:
    """The response on the released grid, as the model is really told: a curve per step count."""
    series: dict[str, list[float]] = {"data_std": [float(s) for s in np.sqrt(VARIANCES)]}
    for n in subject.counts(STEPS):
        try:
            error = subject.affine_reading(n).told.response(VARIANCES)
        except (Unsupported, Undefined):
            continue
        series[f"N={n}"] = [float(e) for e in error]
    return series


def _without_clean_grid(subject: Sampler, reason: str, details: dict[str, Any]) -> Finding:
    """The released grid alone: the error must be that of the published method."""

    def at(n: int) -> Finding:
        reference = subject.session(n).reference()
        if reference is None:
            return _beside_first_order(subject, n, details)
        try:
            table, expected = subject.affine_reading(n).table, reference.table
            error, allowed = np.abs(table.response(VARIANCES)), np.abs(expected.response(VARIANCES))
        except ZeroDivisionError:
            return inconclusive(f"{reference.name} does not exist on these levels", **details)
        bound = allowed + accumulated(table, TABLES)[-1] + _rounded(expected)
        index = int((error - bound).argmax())
        return judge(
            float(error[index]),
            float(bound[index]),
            derivation=f"the error of {reference.name} on the same levels, plus round-off of the "
            "states, and what the law makes of that of the coefficients",
            where=f"{n} steps, data of standard deviation {np.sqrt(VARIANCES[index]):.3g}",
            counterexample={"steps": n, "variance": float(VARIANCES[index])},
            **details,
        )

    return last(at_steps(subject.counts(STEPS), at), skip(reason, "not asked"))


def _rounded(expected: Table) -> Array:
    """How far the law moves when coefficients move by what `identity` allows in float32."""
    rng = np.random.default_rng(0)
    size = np.hypot(expected.levels.alpha, expected.levels.sigma)[:, None]
    step = np.where(expected.rows == 0, 0.0, coefficients_allowed(expected) * size)
    exact = expected.response(VARIANCES)
    largest = np.zeros_like(exact)
    for _ in range(4):
        moved = replace(expected, rows=expected.rows + rng.choice([-1.0, 1.0], step.shape) * step)
        with np.errstate(all="ignore"):  # where coefficients are beyond measure there is no law
            largest = np.fmax(largest, np.abs(moved.response(VARIANCES) - exact))
    return np.where(np.isfinite(largest), largest, 0.0)


def _beside_first_order(subject: Sampler, n: int, details: dict[str, Any]) -> Finding:
    """On levels of its own and nothing published to compare with: no worse than first order."""
    session, table = subject.session(n), subject.affine_reading(n).table
    if n < ENOUGH:
        raise Unsupported(f"{n} steps are too few to tell by the law alone")
    plain = METHODS["ddim"].table(
        session.grid, table.prediction, eta=float(subject.traits.stochastic)
    )
    error, allowed = (np.abs(each.response(VARIANCES)).max() for each in (table, plain))
    return judge(
        float(error),
        float(WORSE * allowed + accumulated(table, TABLES)[-1]),
        derivation=f"{WORSE:g} × the error of ddim on the same levels, plus round-off",
        where=f"{n} steps",
        counterexample={"steps": n},
        **details,
    )
