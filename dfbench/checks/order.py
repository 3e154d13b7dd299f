"""Does it converge, and at the order it says?"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from analytic import flow_map
from dfbench.checks.precision import accumulated, unit_roundoff
from dfbench.convergence import CLEAN, NOISE, WINDOW, exact_flow, fit, grid, target, uneven
from dfbench.draws import GaussianDraws
from dfbench.errors import NotAffine, Undefined, Unsupported
from dfbench.exact import exact_model
from dfbench.levels import Array, Grid
from dfbench.outcome import Finding, claim, fail, inconclusive, judge, skip
from dfbench.readout import Call
from dfbench.samplers import METHODS
from dfbench.subjects.contract import Sampler
from dfbench.subjects.reference import MethodSampler
from dfbench.table import Table

STEPS = (8, 12, 16, 24, 32, 48, 64)
MORE = (96, 128, 192)  # where these do not decide, or decide against it
DATA = 0.3  # variance at which the floor of round-off is taken
SLACK = 0.3  # an order this far below the claim is another order
ABOVE = 1.0 + SLACK  # and this far above it: a corrector may raise the order by one
MOST = 1008  # steps at which the limit is looked at: training steps, to a dozen (blocks of 2, 3, 4)
SMALL = 1e-6  # an error that is as good as none, which needs no more steps
FEW_DRAWS = 192  # the same, where it draws noise: the law takes a column a draw
#: (order, draws noise) → a method that has it wherever levels can show it.
BESIDE: dict[tuple[float, bool], tuple[str, dict[str, Any]]] = {
    (1.0, False): ("ddim", {}),
    (1.0, True): ("ddim", {"eta": 1.0}),
    (2.0, False): ("flow_matching", {"solver": "midpoint"}),
    (3.0, False): ("flow_matching", {"solver": "heun3"}),
}
REGULAR = f"between σ/α = {NOISE:g} and {CLEAN:g}"
GROWS = 1.1  # of neighbouring errors, above round-off


def deterministic_error(subject: Sampler, n: int, levels: Grid) -> tuple[float, float]:
    """RMS distance (in z/α) to the exact flow from the same points, and the round-off floor."""
    table = subject.affine_reading(n, grid=levels).table.normal_draws(1e-9)
    if table.n_draws:
        raise NotAffine("declared deterministic, but draws noise")
    return flow_error(table)


def flow_error(table: Table) -> tuple[float, float]:
    """The same of a table."""
    start, end = exact_flow()
    model = exact_model(target(), table.prediction, table.sigma_data)
    z = start * table.origin.alpha
    out = table.run(model, z) / table.levels[-1].alpha
    floor = float(accumulated(table, unit_roundoff(torch.float64), DATA)[-1])
    return float(np.sqrt(np.mean((out - end) ** 2))), floor


def weak_error(subject: Sampler, n: int, levels: Grid) -> tuple[float, float]:
    """Largest relative error of the output's standard deviation over Gaussian data, and floor."""
    return law_error(subject.affine_reading(n, grid=levels).table)


def law_error(table: Table) -> tuple[float, float]:
    """The same of a table."""
    error = np.abs(table.response(np.geomspace(0.05, 20.0, 13))).max()
    return float(error), float(accumulated(table, unit_roundoff(torch.float64), DATA)[-1])


def _euler_called_second_order(size: float) -> Sampler:
    """DDIM is first order; this one claims 1 + size."""
    return MethodSampler("ddim", claimed={"order": 1.0 + size})


@claim(
    "order",
    "Between two noise levels the sampler converges at its declared order, on steps of equal and "
    "of unequal length, and goes on to the limit: to the exact probability flow from the same "
    "points, or, if it draws noise, to the exact law.",
    source="CLAIMS 27, 39, 42 and the method's paper",
    control=_euler_called_second_order,
    control_size=1.0,
    formula="p of error ∝ n^(−p), fitted over step counts above round-off, its 95 % interval; the "
    "error is the distance to the exact flow from the same points, or to the exact law where "
    "noise is drawn",
    remedy="An order of 1 where 2 was declared is a wrong second-order coefficient or a history "
    "that is dropped. If it only fails on unequal steps, a ratio of step lengths is missing. If "
    "the method has another order, declare it.",
)
def order_check(subject: Sampler) -> Finding:
    """Errors over step counts on a λ-regular grid; the fitted order against the declared one.

    What takes no grid is asked on its own levels, as far as these can tell.
    """
    if subject.traits.biased:
        return skip(f"does not converge by design: {subject.traits.biased}")
    measure = weak_error if subject.traits.stochastic else deterministic_error
    measured: list[tuple[int, float, float]] = []
    finding = inconclusive("no step count could be run")
    for counts in (STEPS, *((n,) for n in MORE)):
        try:
            measured += [(n, *measure(subject, n, grid(n, subject.scale))) for n in counts]
        except Unsupported as reason:
            return _on_its_own_levels(subject, f"cannot visit a grid of one's own: {reason}")
        steps, error, floor = np.array(measured, dtype=float).T
        finding = _verdict(subject, steps, error, floor)
        if finding.verdict == "pass":
            break
    for ask in (_on_uneven_steps, _in_the_limit):
        if finding.verdict == "pass":
            finding = ask(subject, finding, *measured[-1])
    return finding


def _on_its_own_levels(subject: Sampler, reason: str) -> Finding:
    """The order over step counts alone, where a method of that order has it on the same levels.

    Most levels that people choose cannot tell: a last step of fixed length leaves an error of its
    own, and a few hundred steps are not many on some schedules.
    """
    declared = _declared(subject)
    name, options = BESIDE.get((declared, subject.traits.stochastic), ("", {}))
    unable = skip(reason, "not asked")
    counts = np.array(list(subject.counts(STEPS + MORE)))
    if not name or len(counts) < WINDOW or subject.ascending:
        return unable
    of_table = law_error if subject.traits.stochastic else whole_error
    rows = []
    try:
        for n in map(int, counts):
            levels = subject.session(n).grid
            table = subject.affine_reading(n).table.normal_draws(1e-9)
            beside = METHODS[name].table(levels, "x", **options)
            rows.append([*of_table(table), *of_table(beside)])
    except (Unsupported, Undefined, NotAffine, ValueError, ArithmeticError):
        return unable
    error, floor, shown, its = np.array(rows).T
    order, width, _used = fit(counts, shown, its)
    if not order - width > declared - SLACK:
        return replace(unable, why=f"{reason}; on its own levels {name} has order {order:.2f}")
    between = f"on its own levels, where {name} has {order:.2f}"
    found = _verdict(subject, counts.astype(float), error, floor, between)
    if found.verdict not in ("pass", "fail"):
        return replace(unable, why=f"{reason}; on its own levels: {found.why}")
    return found


def whole_error(table: Table) -> tuple[float, float]:
    """`flow_error` from the first level of a table to its last, whatever they are."""
    rng = np.random.default_rng(7)
    x, noise = target().sample(24, rng), rng.standard_normal((24, 2))
    first, last = table.origin, table.levels[-1]
    z = first.alpha * x + first.sigma * noise
    end = flow_map(target(), z, (*first,), (*last,)).z
    out = table.run(exact_model(target(), table.prediction, table.sigma_data), z)
    floor = float(accumulated(table, unit_roundoff(torch.float64), DATA)[-1])
    return float(np.sqrt(np.mean((out - end) ** 2)) / np.hypot(*last)), floor


def _on_uneven_steps(subject: Sampler, found: Finding, *_: float) -> Finding:
    """The order on steps whose lengths change: that of the method, if that has another there."""
    measure = weak_error if subject.traits.stochastic else deterministic_error
    of_table = law_error if subject.traits.stochastic else flow_error
    if found.unit == "error":  # exact at every count
        return found
    bound = _declared(subject) - SLACK
    counts = np.array(STEPS[2:])
    levels = [uneven(n, subject.scale) for n in counts]
    rows = [measure(subject, n, on) for n, on in zip(counts, levels, strict=True)]
    order, width, _used = fit(counts, *np.array(rows).T)
    if not order + width < bound:
        return found
    published = [subject.session(n, on).reference() for n, on in zip(counts, levels, strict=True)]
    known = [of_table(each.table) for each in published if each is not None]
    if len(known) == len(counts) and fit(counts, *np.array(known).T).order < bound:
        return found  # the published method has no other: Adams–Bashforth's weights, say
    return replace(
        found,
        verdict="fail",
        measured=order,
        where=f"{counts[0]}–{counts[-1]} steps, each second twice as long as the one before",
        why=f"converges at order {order:.2f} ± {width:.2f} on steps of unequal length, at "
        f"{found.measured:.2f} on equal ones",
    )


def _in_the_limit(
    subject: Sampler, found: Finding, n: float, error: float, floor: float
) -> Finding:
    """The error with very many steps: still falling as before, or at the floor of round-off."""
    order = _declared(subject) - SLACK
    if subject.traits.stochastic:
        steps = FEW_DRAWS
        limit, least = weak_error(subject, steps, grid(steps, subject.scale))
    else:
        steps = min(MOST, 12 * round(n / 12 * max(2.0, (error / SMALL) ** (1 / (order + SLACK)))))
        limit, least = simulated_error(subject, steps), floor * steps / n
    bound = max(error * (n / steps) ** order, 30 * least)
    if limit <= bound:
        return found
    return fail(
        f"the error of {n:.0f} steps, {error:.2g}, does not go on falling: it tends to another law",
        measured=limit,
        bound=bound,
        unit="error",
        derivation=f"the error of {n:.0f} steps × ({n:.0f}/{steps})^{order:g}, or round-off",
        where=f"{steps} steps",
        counterexample={"steps": steps},
        series=found.series,
    )


def simulated_error(subject: Sampler, n: int) -> float:
    """`deterministic_error` from a run of the sampler itself with the exact network."""
    start, end = exact_flow()
    session = subject.session(n, grid(n, subject.scale))
    exact = exact_model(target(), session.prediction, session.sigma_data)
    z = torch.from_numpy(start * session.grid[0].alpha).reshape(-1, 1, 1, 1)

    def model(state: torch.Tensor, call: Call) -> torch.Tensor:
        points = state[:, 0].double().reshape(start.shape).numpy()  # copies, if more channels
        return (
            torch.from_numpy(np.asarray(exact(points, call.own))).reshape(z.shape).expand_as(state)
        )

    # a sampler that casts to single precision is run in double, as it is read
    single = subject.affine_reading(STEPS[0], grid=grid(STEPS[0], subject.scale)).single
    watch = GaussianDraws(lambda operation, out, seeded: out, None, len(z))
    with torch.no_grad(), watch if single else nullcontext():
        out = session(model, z).double().reshape(start.shape).numpy()
    return float(np.sqrt(np.mean((out / session.grid[-1].alpha - end) ** 2)))


def _declared(subject: Sampler) -> float:
    """The order that is declared; 1 where none is."""
    return 1.0 if subject.traits.order is None else subject.traits.order


def _verdict(
    subject: Sampler, steps: Array, error: Array, floor: Array, between: str = REGULAR
) -> Finding:
    """The fitted order against the declared one; `between` which levels, in words."""
    declared = subject.traits.order
    bound = _declared(subject) - SLACK
    kind = "weak order" if subject.traits.stochastic else "order"
    order, width, used = fit(steps, error, floor)
    stated = "no order is declared, so 1" if declared is None else f"declared {declared:g}"
    details: dict[str, Any] = {
        "measured": order,
        "bound": bound,
        "sense": "at least",
        "unit": kind,
        "series": {
            "steps": list(steps),
            "error": list(error),
            "interval": [order - width, order + width],
        },
        "derivation": f"{stated}, less {SLACK}; 95 % interval ± {width:.2f} from {used} step "
        f"counts {between}",
    }
    where = f"{steps[0]:.0f}–{steps[-1]:.0f} steps"
    if not np.isfinite(error).all():
        return fail("the sample is not finite", where=where, **details)
    if not np.isfinite(order):
        if error[-1] > 30 * floor[-1]:
            return inconclusive("fewer than four step counts above round-off", **details)
        small = {"measured": error[-1], "bound": 30 * floor[-1], "sense": "at most"}
        why = "exact to round-off at every step count"
        return judge(**(details | small | {"unit": "error", "why": why}))
    above = error > 30 * floor
    if above[-2:].all() and error[-1] > GROWS * error[-2]:
        return fail(f"the error grows from {steps[-2]:.0f} steps on", where=where, **details)
    if order - width < bound <= order + width:
        why = f"{kind} {order:.2f} ± {width:.2f}: the interval reaches {bound}"
        return inconclusive(why, **details)
    if declared is not None and order + width > declared + ABOVE:
        why = f"{kind} {order:.2f} ± {width:.2f} is far above what is declared, {declared:g}"
        return inconclusive(why, **details)
    why = f"converges at {kind} {order:.2f} ± {width:.2f}, {stated}"
    return judge(failing={"why": why, "where": where}, **details)
