"""The script of a law that is not the data's, or is reached too slowly: more steps, and the error.

On data N(0, v) the exact network is a number times the state at every call, and the deviation of
the samples tells the law. On the levels that the scheduler has by itself, and only where the
failure shows there, too.
"""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from dfbench.errors import NotAffine, SubjectError, Undefined, Unsupported
from dfbench.outcome import Finding

if TYPE_CHECKING:
    from dfbench.subjects.diffusers.sampler import SchedulerSampler

COUNTS = (16, 64)
VARIANCES = (1.0, 1e-2, 1e2)
BY_CHANCE = 0.01  # what 2¹⁸ samples leave, twice over
CLEAR = 0.3  # of an order, or of the bound: what a script must show

RATE = """\
# data N(0, {variance:g}): the exact network returns these numbers times the state, call by call
slopes = {slopes!r}
size = {size}  # of the state: inside the range in which nothing is clipped
error = {{}}
{draws}for n, slope in slopes.items():
    start, wanted = {ends!r}[n]
    noise = {noise}
    sample = run(lambda i, z: slope[i] * z, size * start * noise)[-1]
    deviation = (sample**2).mean().sqrt().item() / size
    error[n] = abs(deviation / wanted - 1)
    print(n, "steps: the deviation of the samples is", deviation, "and of the data", wanted)
few, many = sorted(error)
"""
LAW = """\
print("relative error in", many, "steps", error[many], "should be below", {rate:g} * error[few])
"""
ORDER = """\
order = math.log(error[few] / error[many]) / math.log(many / few)
print("order", order, "should be", {order:g})
"""


def script(
    subject: SchedulerSampler, claim: str, finding: Finding, run: str, small: str
) -> str | None:
    """The script; None where the levels of its own do not show what is wrong.

    Args:
        run: the source of a run of `n` steps.
        small: the source that makes draws as small as the state, if they have to be.
    """
    for variance in _variances(finding):
        with suppress(SubjectError, Unsupported, Undefined, NotAffine, ValueError):
            made = _on(subject, claim, variance, run, small)
            if made is not None:
                return made
    return None


def _variances(finding: Finding) -> tuple[float, ...]:
    """Of data; that of the finding first."""
    own = (finding.counterexample or {}).get("variance")
    return VARIANCES if own is None else (float(own), *VARIANCES)


def _on(subject: SchedulerSampler, claim: str, variance: float, run: str, small: str) -> str | None:
    readings = {n: subject.affine_reading(n) for n in COUNTS}
    few, many = (abs(float(r.told.response(np.array([variance]))[0])) for r in readings.values())
    draws = any(r.table.n_draws for r in readings.values())
    small = small if draws and readings[COUNTS[0]].amplitude != 1 else ""
    if draws and (few < BY_CHANCE or abs(many) < BY_CHANCE):
        return None
    order, declared = math.log(few / many) / math.log(COUNTS[1] / COUNTS[0]), subject.traits.order
    if claim == "order" and not order < (declared or 1.0) - CLEAR:
        return None
    if claim == "law" and not many > (1 + CLEAR) * 0.5 * few:
        return None

    def ends(n: int) -> tuple[float, float]:
        first, last = readings[n].table.origin, readings[n].table.levels[-1]
        deviations = (np.hypot(at.alpha * math.sqrt(variance), at.sigma) for at in (first, last))
        start, wanted = map(float, deviations)
        return start, wanted

    seeded = "generator=torch.Generator().manual_seed(1)"
    values: dict[str, Any] = {
        "variance": variance,
        "slopes": {n: _short(r.told.slopes(variance)) for n, r in readings.items()},
        "ends": {n: ends(n) for n in COUNTS},
        "size": readings[COUNTS[0]].amplitude,
        "draws": small,
        "noise": f"torch.randn(1, 1, 512, 512, dtype=torch.float64, {seeded})"
        if draws
        else "torch.ones(1, 1, 1, 1, dtype=torch.float64)",
    }
    told = LAW.format(rate=0.5) if claim == "law" else ORDER.format(order=declared or 1.0)
    return "import math\n" + run + RATE.format(**values) + told


def _short(values: Any) -> list[float]:
    return [float(f"{value:.12g}") for value in np.ravel(values)]
