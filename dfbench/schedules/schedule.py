"""What a schedule is: levels (α, σ) as functions of t in [0, 1], with rates and an inverse."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from dfbench.errors import OffSchedule, expect, short
from dfbench.levels import Array, Function, Level
from dfbench.reals import number, reals
from dfbench.schedules.numerics import Vectorised, bisect_falling, derivative

Time = TypeVar("Time", float, NDArray[np.float64])
Scale = Literal["vp", "ve", "flow"]
SCALES: tuple[Scale, ...] = ("vp", "ve", "flow")


def at_log_snr(lam: Time, scale: Scale = "vp") -> tuple[Time, Time]:
    """The level (α, σ) with log(α²/σ²) = λ whose scale is `scale`.

    `"vp"`: α² + σ² = 1; `"ve"`: α = 1; `"flow"`: α + σ = 1. λ = ±∞ are the two ends (not −∞ for
    `"ve"`, whose σ is infinite there).

    Raises:
        ValueError: unknown scale, or λ is NaN.
    """
    lam_ = reals("log-SNR", lam)
    if np.isnan(lam_).any():
        raise ValueError("log-SNR is NaN")
    if not isinstance(scale, str) or scale not in SCALES:
        raise ValueError(f"scale must be one of {SCALES}, got {short(scale)}")
    if scale == "vp":
        ratio = np.exp(-np.abs(lam_) / 2)  # the smaller of σ/α and α/σ
        large = 1 / np.sqrt(1 + ratio**2)
        alpha = np.where(lam_ >= 0, large, ratio * large)
        sigma = np.where(lam_ >= 0, ratio * large, large)
    elif scale == "flow":
        alpha, sigma = expit(lam_ / 2), expit(-lam_ / 2)
    else:
        alpha, sigma = np.ones_like(lam_), np.exp(-lam_ / 2)
    return _like(lam, alpha), _like(lam, sigma)


class Schedule(ABC):
    """Levels z_t = α_t x + σ_t ε for t in [0, 1]: t = 0 is data, t = 1 is noise.

    Every method takes a float or a float64 array of any shape and returns the same; t outside
    [0, 1] or NaN raises ValueError. At an end where a quantity diverges its limit ±∞ is returned.
    The log-SNR λ = log(α²/σ²) falls strictly with t.

    A subclass gives `_evaluate`, and overrides another underscored method only where the generic
    formula loses digits or has a closed form.
    """

    scale: Scale | None = None
    """`"vp"` if α² + σ² = 1 at every t, `"ve"` if α = 1, `"flow"` if α + σ = 1, else None."""

    @abstractmethod
    def _evaluate(self, t: Array) -> tuple[Array, Array, Array, Array]:
        """(α, σ, α̇, σ̇) at t."""

    def _log_snr(self, t: Array) -> Array:
        alpha, sigma, _, _ = self._evaluate(t)
        return 2 * (np.log(alpha) - np.log(sigma))

    def _log_snr_dot(self, t: Array) -> Array:
        alpha, sigma, alpha_dot, sigma_dot = self._evaluate(t)
        return 2 * (alpha_dot / alpha - sigma_dot / sigma)

    def _f(self, t: Array) -> Array:
        alpha, _, alpha_dot, _ = self._evaluate(t)
        return alpha_dot / alpha

    def _g2(self, t: Array) -> Array:
        alpha, sigma, alpha_dot, sigma_dot = self._evaluate(t)
        return 2 * sigma * (sigma_dot - sigma * alpha_dot / alpha)

    def _t_of_log_snr(self, lam: Array) -> Array:
        return bisect_falling(self._log_snr, lam)

    def alpha(self, t: Time) -> Time:
        """Signal coefficient α_t."""
        return _call(lambda s: self._evaluate(s)[0], t)

    def sigma(self, t: Time) -> Time:
        """Noise coefficient σ_t."""
        return _call(lambda s: self._evaluate(s)[1], t)

    def alpha_dot(self, t: Time) -> Time:
        """dα/dt."""
        return _call(lambda s: self._evaluate(s)[2], t)

    def sigma_dot(self, t: Time) -> Time:
        """dσ/dt."""
        return _call(lambda s: self._evaluate(s)[3], t)

    def log_snr(self, t: Time) -> Time:
        """λ_t = log(α²/σ²): −∞ where α = 0, +∞ where σ = 0."""
        return _call(self._log_snr, t)

    def log_snr_dot(self, t: Time) -> Time:
        """dλ/dt = 2 (α̇/α − σ̇/σ), negative."""
        return _call(self._log_snr_dot, t)

    def f(self, t: Time) -> Time:
        """Drift coefficient f = d log α/dt of the forward SDE dz = f z dt + g dw (SDE; GAO)."""
        return _call(self._f, t)

    def g2(self, t: Time) -> Time:
        """Squared diffusion coefficient g² = 2 α σ d(σ/α)/dt = 2 σ σ̇ − 2 f σ² (SDE; GAO)."""
        return _call(self._g2, t)

    def t_of_log_snr(self, lam: Time) -> Time:
        """The time at which log(α²/σ²) = λ, the inverse of `log_snr`.

        Raises:
            OffSchedule: λ is NaN or outside the schedule's range [λ(1), λ(0)].
        """
        noise, data = self.log_snr(1.0), self.log_snr(0.0)
        lam_ = reals("log-SNR", lam)
        slack = 1e-12 * (1 + np.abs(np.where(np.isfinite(lam_), lam_, 0)))
        if not np.all((lam_ >= noise - slack) & (lam_ <= data + slack)):
            raise OffSchedule(f"log-SNR must be in [{noise:.6g}, {data:.6g}], got {short(lam)}")
        with np.errstate(all="ignore"):
            t = self._t_of_log_snr(np.clip(lam_, noise, data))
        return _like(lam, np.clip(t, 0.0, 1.0))

    def level(self, t: float) -> Level:
        """The `Level` (α_t, σ_t).

        Raises:
            ValueError: t is outside [0, 1], or σ_t is infinite (α = 0 brought to the scale α = 1).
        """
        with np.errstate(all="ignore"):
            alpha, sigma, _, _ = self._evaluate(np.asarray(number("t", _times(t))))
        if not (np.isfinite(alpha) and np.isfinite(sigma)):
            raise ValueError(f"no finite level at t = {t}: α = {alpha:g}, σ = {sigma:g}")
        return Level(float(alpha), float(sigma))

    def rates(self, t: Time) -> tuple[Time, Time]:
        """(α̇, σ̇), the coefficients of the velocity α̇ x + σ̇ ε."""
        with np.errstate(all="ignore"):
            _, _, alpha_dot, sigma_dot = self._evaluate(_times(t))
        return _like(t, alpha_dot), _like(t, sigma_dot)

    def scaled(self, c: Function, c_dot: Function | None = None) -> Schedule:
        """The schedule (c α, c σ): other states, the same log-SNRs (GAO).

        Args:
            c: positive function of t.
            c_dot: its derivative; found numerically where it is not given.
        """
        return Scaled(self, c, c_dot)


@dataclass(frozen=True)
class Scaled(Schedule):
    """`base` multiplied by c(t) > 0: f gains ċ/c, g² the factor c², and λ does not change."""

    base: Schedule
    c: Function
    c_dot: Function | None = None

    def __post_init__(self) -> None:
        expect("base", self.base, Schedule)
        c_dot = derivative(self.c) if self.c_dot is None else Vectorised(self.c_dot)
        object.__setattr__(self, "c", Vectorised(self.c))
        object.__setattr__(self, "c_dot", c_dot)

    def _factor(self, t: Array) -> tuple[Array, Array]:
        c = self.c(t)
        if not (np.isfinite(c) & (c > 0)).all():
            raise ValueError("a schedule can only be scaled by a positive function of t")
        assert self.c_dot is not None
        return c, self.c_dot(t)

    def _evaluate(self, t: Array) -> tuple[Array, Array, Array, Array]:
        alpha, sigma, alpha_dot, sigma_dot = self.base._evaluate(t)
        c, c_dot = self._factor(t)
        return (
            c * alpha,
            c * sigma,
            c_dot * alpha + c * alpha_dot,
            c_dot * sigma + c * sigma_dot,
        )

    def _log_snr(self, t: Array) -> Array:
        return self.base._log_snr(t)

    def _log_snr_dot(self, t: Array) -> Array:
        return self.base._log_snr_dot(t)

    def _t_of_log_snr(self, lam: Array) -> Array:
        return self.base._t_of_log_snr(lam)

    def _f(self, t: Array) -> Array:
        c, c_dot = self._factor(t)
        return self.base._f(t) + c_dot / c

    def _g2(self, t: Array) -> Array:
        c, _ = self._factor(t)
        return c**2 * self.base._g2(t)


def _times(t: ArrayLike) -> Array:
    times = reals("t", t)
    if not ((times >= 0) & (times <= 1)).all():
        raise ValueError(f"t must be in [0, 1] (0 is data, 1 is noise), got {short(t)}")
    return times


def _like(template: Time, values: Array) -> Time:
    if isinstance(template, np.ndarray):
        return np.asarray(values, dtype=np.float64)
    return float(values) if np.ndim(values) == 0 else values  # type: ignore[return-value]


def _call(function: Function, t: Time) -> Time:
    with np.errstate(all="ignore"):
        return _like(t, function(_times(t)))
