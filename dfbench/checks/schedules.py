"""What is asked of a schedule: levels, their order and their ends, rates, the way back, float32."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from dfbench.checks.cases import judge_entries
from dfbench.levels import Array
from dfbench.outcome import Finding, claim, judge, skip
from dfbench.subjects.schedule import ScheduleSubject, by, tensor_of

STEPS = (1e-3, 1e-4, 1e-5, 1e-6)  # of the span, over which differences are taken
COUNT = 201  # times over the span, ends among them
SOURCE = "SDE; VDM eq. 3–5; LIP"


class _Cosine:
    """(cos πt/2, sin πt/2), with a defect of some size."""

    def __init__(self, *, rate: float = 0.0, back: float = 0.0, bump: float = 0.0) -> None:
        self.rate, self.back, self.bump = rate, back, bump

    def alpha(self, t: Any) -> Any:
        t = torch.as_tensor(t)
        return torch.cos(t * math.pi / 2) * (1 + self.bump * torch.sin(40 * t))

    def sigma(self, t: Any) -> Any:
        return torch.sin(torch.as_tensor(t) * math.pi / 2)

    def alpha_dot(self, t: Any) -> Any:
        return -math.pi / 2 * torch.sin(t * math.pi / 2) * (1 + self.rate)

    def sigma_dot(self, t: Any) -> Any:
        return math.pi / 2 * torch.cos(t * math.pi / 2)

    def t_of_log_snr(self, lam: Any) -> Any:
        return 2 / math.pi * torch.atan(torch.exp(-lam / 2)) * (1 + self.back)


class _Cut(_Cosine):
    """Ends before there is noise only."""

    def __init__(self, size: float) -> None:
        super().__init__()
        self.size = size

    def sigma(self, t: Any) -> Any:
        return super().sigma((1 - self.size) * torch.as_tensor(t))

    def alpha(self, t: Any) -> Any:
        return super().alpha((1 - self.size) * torch.as_tensor(t))


class _Cancels(_Cosine):
    """σ² as 1 − α², which loses all its digits near the data."""

    def sigma(self, t: Any) -> Any:
        return torch.sqrt(1 - self.alpha(t) ** 2)


def _subject(thing: Any) -> ScheduleSubject:
    return ScheduleSubject(thing, "dfbench:cosine schedule", claims={"kind": "schedule"})


def _times(subject: ScheduleSubject, inside: bool = False) -> Array:
    low, high = subject.span
    u = np.linspace(0.0, 1.0, COUNT)
    return low + (high - low) * (u[1:-1] if inside else u)


def _negative(size: float) -> ScheduleSubject:
    return _subject(lambda t: (torch.cos(t * math.pi / 2) - size, torch.sin(t * math.pi / 2)))


@claim(
    "schedule-levels",
    "Over its span α and σ are finite, not below nothing, and not both nothing.",
    source=SOURCE,
    control=_negative,
    control_size=1e-1,
    kind="schedule",
    of_the_run=True,
    harm="samples",
    core="the run",
    formula="the number of times (201 over the span) at which α or σ is not finite, below 0, or "
    "both are 0",
    remedy="Check the span: declare it, or clamp what round-off leaves below 0 under a root.",
)
def levels_check(subject: ScheduleSubject) -> Finding:
    """Two hundred times, both ends among them."""
    times = _times(subject)
    alpha, sigma = subject.levels(times)
    below = np.minimum(alpha, sigma)
    wrong = ~np.isfinite(alpha) | ~np.isfinite(sigma) | (below < -1e-6) | (alpha + sigma <= 0)
    j = int(np.argmax(wrong))
    return judge(
        int(wrong.sum()),
        0,
        unit="times that have no level",
        derivation="α, σ ≥ 0, one of them above",
        failing={
            "where": f"time {times[j]:.6g}: α = {alpha[j]:.6g}, σ = {sigma[j]:.6g}",
            "counterexample": {"time": float(times[j])},
        },
    )


@claim(
    "schedule-monotone",
    "The signal-to-noise ratio only falls, or only rises, with time.",
    source="VDM section 3.1",
    control=lambda size: _subject(_Cosine(bump=size)),
    control_size=1e-1,
    kind="schedule",
    harm="samples",
    formula="the largest step backwards of the angle atan(σ/α) from time to time",
    remedy="Plot log σ/α: a β below 0, an interpolation that overshoots, or two pieces that do not "
    "meet.",
)
def monotone_check(subject: ScheduleSubject) -> Finding:
    """The angle atan(σ/α) from time to time."""
    times = _times(subject)
    alpha, sigma = subject.levels(times)
    step = np.diff(np.arctan2(sigma, alpha))
    step = step * (1.0 if step.sum() > 0 else -1.0)
    j = int(np.argmin(step))
    return judge(
        float(max(0.0, -step[j])),
        1e-7,
        unit="of the angle atan(σ/α), backwards",
        derivation="float32",
        failing={
            "where": f"between times {times[j]:.6g} and {times[j + 1]:.6g}",
            "counterexample": {"time": float(times[j])},
        },
    )


@claim(
    "schedule-ends",
    "At one end there is data with next to no noise, at the other noise that leaves next to no "
    "data.",
    source="Lin et al. 2023, arXiv 2305.08891",
    control=lambda size: _subject(_Cut(size)),
    control_size=2e-1,
    kind="schedule",
    harm="samples",
    core="the landing",
    formula="σ/α at the clean end; α²/2σ², what pure noise leaves out of data, at the noisy end",
    remedy="Rescale to zero terminal SNR or train to a noisier level; or declare the failure as "
    "expected where the network was trained so.",
)
def ends_check(subject: ScheduleSubject) -> Finding:
    """σ/α at the clean end; what pure noise leaves out of the data, α²/2σ², at the other."""
    alpha, sigma = subject.levels(np.array(subject.span))
    ratio = np.divide(sigma, alpha, out=np.full(2, np.inf), where=alpha > 0)
    clean, noisy = int(np.argmin(ratio)), int(np.argmax(ratio))
    left = float(alpha[noisy] ** 2 / (2 * sigma[noisy] ** 2)) if sigma[noisy] else math.inf
    sizes = np.array([ratio[clean] / 5e-2, left / 2e-2])
    j = int(np.argmax(sizes))
    return judge(
        float(ratio[clean] if j == 0 else left),
        5e-2 if j == 0 else 2e-2,
        unit="σ/α at the clean end" if j == 0 else "α²/2σ² at the noisy end",
        derivation="Stable Diffusion's ends are 0.03 and 0.0023",
        where=f"time {subject.span[clean if j == 0 else noisy]:g}",
    )


@claim(
    "schedule-rates",
    "The rates that it gives are the derivatives of its α and σ.",
    source="SDE; LIP eq. 14",
    control=lambda size: _subject(_Cosine(rate=size)),
    control_size=1e-3,
    kind="schedule",
    harm="training",
    formula="|(α̇, σ̇) − derivative of (α, σ)|/|rates|, by extrapolated central differences",
    remedy="Differentiate the formula by the time that the schedule takes, not by a part of it: a "
    "factor of T is the usual mistake.",
)
def rates_check(subject: ScheduleSubject) -> Finding:
    """Against central differences of two steps, extrapolated."""
    times = _times(subject, inside=True)[::10]
    said = subject.rates(times)
    if said is None:
        return skip("it gives no rates")
    off, exact = np.full(len(times), np.inf), np.zeros((2, len(times)))
    for h in STEPS:  # the nearest of several: a table has knots, and float32 few digits
        found = _slopes(subject, times, h * (subject.span[1] - subject.span[0]))
        size = np.maximum(np.hypot(*found), 1e-12)
        apart = np.maximum(abs(said[0] - found[0]), abs(said[1] - found[1])) / size
        exact = np.where(apart < off, found, exact)
        off = np.minimum(off, apart)
    j = int(np.argmax(off))
    return judge_entries(
        off,
        1e-5,
        unit="of the rates' size",
        derivation="differences of fourth order",
        failing={
            "where": f"time {times[j]:.6g}: α̇ = {said[0][j]:.6g} and σ̇ = {said[1][j]:.6g}, should "
            f"be {exact[0][j]:.6g} and {exact[1][j]:.6g}",
            "counterexample": {"time": float(times[j])},
        },
    )


def _slopes(subject: ScheduleSubject, times: Array, h: float) -> Array:
    """(α̇, σ̇) by central differences of two steps, extrapolated."""

    def slope(step: float) -> Array:
        before, after = subject.levels(times - step), subject.levels(times + step)
        return (np.array(after) - np.array(before)) / (2 * step)

    return np.asarray((4 * slope(h / 2) - slope(h)) / 3)


@claim(
    "schedule-inverse",
    "Its way back from a level gives the time of the level.",
    source="VDM; DPM-Solver appendix",
    control=lambda size: _subject(_Cosine(back=size)),
    control_size=1e-3,
    kind="schedule",
    harm="samples",
    formula="|t(λ(t)) − t| of the span",
    remedy="Invert the function that the levels come from, with the same ends, and in log σ/α.",
)
def inverse_check(subject: ScheduleSubject) -> Finding:
    """Time to level and back."""
    found = subject.inverse()
    if found is None:
        return skip("it has no way back")
    of, back = found
    times = _times(subject, inside=True)[::10]
    alpha, sigma = subject.levels(times)
    ways = []
    for taken in by(of, alpha, sigma):  # some call α/σ a signal-to-noise ratio, some its square
        given = torch.tensor(taken, dtype=torch.float64)
        ways.append(tensor_of(back(given)).double().reshape(-1).numpy())
    again = min(ways, key=lambda way: float(np.nanmax(np.abs(way - times))))
    off = np.abs(again - times) / (subject.span[1] - subject.span[0])
    j = int(np.argmax(off))
    return judge_entries(
        off,
        1e-5,
        unit="of the span",
        derivation="float32 of the way back",
        failing={
            "where": f"time {times[j]:.6g} comes back as {again[j]:.6g}",
            "counterexample": {"time": float(times[j])},
        },
    )


@claim(
    "schedule-dtype",
    "In float32 α and σ keep three digits, near the ends too.",
    source="DESIGN: the numerical rules",
    control=lambda size: _subject(_Cancels()),
    control_size=1.0,
    sized=False,
    kind="schedule",
    harm="interface",
    formula="max relative deviation of α and σ in float32 from those in float64, near both ends",
    remedy="Compute the small one of α and σ directly (sin, expm1), not as √(1 − α²).",
)
def dtype_check(subject: ScheduleSubject) -> Finding:
    """Relative error of float32 against float64, down to 1e-4 of the span from the ends."""
    low, high = subject.span
    near = np.geomspace(1e-4, 0.5, 25)
    ends = np.concatenate([low + near * (high - low), high - near[::-1] * (high - low)])
    times: Array = ends.astype(np.float32).astype(np.float64)  # the same times in both
    exact, single = subject.levels(times), subject.levels(times, torch.float32)
    off = np.array(
        [np.abs(s - e) / np.maximum(np.abs(e), 1e-30) for s, e in zip(single, exact, strict=True)]
    )
    # close to where a level is nothing, the time itself has but seven digits
    exposed = np.minimum(times - low, high - times) / (high - low)
    bound: Array = 1e-3 + 4 * 2.0**-24 / exposed
    k, j = map(int, np.unravel_index(int(np.argmax(off - bound)), off.shape))
    return judge(
        float(off[k, j]),
        float(bound[j]),
        unit="relative",
        derivation="three digits, and what the time itself leaves",
        failing={
            "where": f"{'ασ'[k]} at time {times[j]:.6g}: {single[k][j]:.6g}, should be "
            f"{exact[k][j]:.6g}",
            "counterexample": {"time": float(times[j])},
        },
    )
