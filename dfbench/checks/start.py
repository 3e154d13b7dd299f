"""Does a run start from as much noise as the network is told?"""

from __future__ import annotations

import math

from dfbench.checks.cases import STEPS, at_steps, worst_of
from dfbench.errors import SubjectError, Unsupported
from dfbench.levels import Level
from dfbench.outcome import Finding, claim, judge, skip
from dfbench.subjects.contract import Sampler
from dfbench.subjects.reference import Defect, MethodSampler

#: Of the deviation of the noise: half a training step of the usual schedules at their noisy end,
#: where β = 0.02 moves σ by a hundredth (variance exploding), and 1/1000 of flow's σ.
TOLD = 5e-3
#: Few steps of a grid that leaves out the first training steps start where data show through.
MANY = 10
#: Of the deviation of the noise: what pure noise leaves out of data of variance 1, α²/2σ². Stable
#: Diffusion's schedule leaves out 0.0023 at its end and 0.007 where 10 "leading" steps start, the
#: cosine schedule 0.012 there; the second half of the usual linear schedule, 0.04.
LEFT_OUT = 2e-2


def _told_less_noise(size: float) -> Sampler:
    """Tells the network at the first call of less noise than the start has."""

    def told(level: Level, j: int) -> Level:
        return Level(level.alpha, level.sigma / (1 + size)) if j == 0 else level

    return MethodSampler("ddim", defect=Defect(told=told))


@claim(
    "start",
    "The first state as users draw it (normal, of deviation `init_noise_sigma`) has the noise of "
    "the level that the network is told at the first call, and that level is noise enough: what "
    "pure noise leaves out of the data is small.",
    source="DESIGN: bookkeeping; Lin et al. 2023, arXiv 2305.08891",
    control=_told_less_noise,
    control_size=1e-1,
    formula="how far the deviation of the drawn start is outside of [σ, √(α² + σ²)] of the level "
    "told, of the state's size; and √(α² + σ²)/σ − 1, what pure noise leaves out of the data there",
    remedy="Scale the start by the level of the first step, not by that of the noisiest training "
    "step, and use the same in `init_noise_sigma`.",
)
def start_check(subject: Sampler) -> Finding:
    """The deviation of the first state against σ of the level told, and √(α² + σ²)."""
    if subject.ascending:
        return skip("it goes from clean to noise")

    def at(n: int) -> Finding:
        session = subject.session(n)
        try:
            told = subject.reading(n).calls[0].told
        except SubjectError as error:  # which is what "counts" fails for
            raise Unsupported(str(error)) from error
        drawn = math.sqrt(_variance(subject, session.start, told))
        # between noise alone and noise with data of variance 1 in it: both are drawn
        low, high = told.sigma, math.hypot(told.alpha, told.sigma)
        off = max(low - drawn, drawn - high, 0.0) / high
        where = (
            f"{n} steps: drawn with deviation {drawn:.6g}, told σ = {told.sigma:.6g} and "
            f"α = {told.alpha:.6g}"
        )
        details = {"where": where, "counterexample": {"steps": n}}
        held = judge(
            off,
            TOLD,
            unit="of the state's size",
            derivation="half a step of the model's time at the noisy end",
            failing=details,
        )
        if held.verdict != "pass" or n < MANY:
            return held
        left = high / low - 1 if low else math.inf
        trained = math.hypot(1, 1 / session.noisiest) - 1 if session.noisiest else math.inf
        why = f"noise in the place of a state with {told.alpha:.3g} of the data in it"
        enough = judge(
            left,
            max(LEFT_OUT, 2 * trained),
            unit="of the noise, left out",
            derivation="the usual schedules leave out 0.012 where 10 leading steps start; or twice "
            "what the noisiest level trained leaves out",
            failing=details | {"why": why},
        )
        return enough if enough.verdict != "pass" else held

    return worst_of(at_steps(subject.counts(STEPS), at))


def _variance(subject: Sampler, given: float | None, told: Level) -> float:
    """Of the first state, where it is given, else 1, which on other scales nobody draws."""
    if given is not None:
        return given
    return told.sigma**2 if subject.scale == "ve" else 1.0
