"""The schedules of the literature that are functions of a continuous time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from dfbench.errors import expect, short
from dfbench.levels import Array
from dfbench.reals import number
from dfbench.schedules.schedule import SCALES, Scale, Schedule


@dataclass(frozen=True)
class FlowMatching(Schedule):
    """α = 1 − t, σ = t: the straight path of flow matching (LIP; LIU). λ from +∞ to −∞."""

    scale = "flow"

    def _evaluate(self, t: Array) -> tuple[Array, Array, Array, Array]:
        return 1 - t, t, np.full_like(t, -1.0), np.ones_like(t)

    def _log_snr(self, t: Array) -> Array:
        return 2 * (np.log1p(-t) - np.log(t))

    def _t_of_log_snr(self, lam: Array) -> Array:
        return np.asarray(expit(-lam / 2), dtype=np.float64)


@dataclass(frozen=True)
class Cosine(Schedule):
    """α = cos φ, σ = sin φ with an angle φ linear in t (iDDPM, arXiv:2102.09672, with s = 0).

    Unbounded, φ = π t/2. With bounds, φ runs linearly between the angles of `log_snr_max` (t = 0)
    and `log_snr_min` (t = 1): the truncation of simple diffusion (arXiv:2301.11093, there
    λ in [−15, 15]), strictly monotone and smooth, unlike a hard clip of λ.

    Raises:
        ValueError: not log_snr_min < log_snr_max.
    """

    log_snr_min: float = -math.inf
    log_snr_max: float = math.inf
    scale = "vp"

    def __post_init__(self) -> None:
        low, high = (
            number(name, getattr(self, name), infinite=True)
            for name in ("log_snr_min", "log_snr_max")
        )
        if not low < high:
            raise ValueError(f"need log_snr_min < log_snr_max, got {short(self)}")

    def _angles(self, t: Array) -> tuple[Array, Array, float]:
        """φ, its complement π/2 − φ without the subtraction, and φ̇."""
        small, large = (_angle(-self.log_snr_max), _angle(-self.log_snr_min))
        co_small, co_large = (_angle(self.log_snr_max), _angle(self.log_snr_min))
        phi = small * (1 - t) + large * t
        return phi, co_small * (1 - t) + co_large * t, large - small

    def _evaluate(self, t: Array) -> tuple[Array, Array, Array, Array]:
        phi, complement, rate = self._angles(t)
        alpha, sigma = np.sin(complement), np.sin(phi)
        return alpha, sigma, -rate * sigma, rate * alpha

    def _t_of_log_snr(self, lam: Array) -> Array:
        small, large = _angle(-self.log_snr_max), _angle(-self.log_snr_min)
        return (np.arctan(np.exp(-lam / 2)) - small) / (large - small)


def _angle(log_ratio2: float) -> float:
    """arctan r for log r² given, without overflow."""
    half = log_ratio2 / 2
    return math.atan(math.exp(half)) if half < 700 else math.pi / 2


@dataclass(frozen=True)
class _LinearBeta(Schedule):
    """β(t) = β_min + t (β_max − β_min), B = ∫β."""

    beta_min: float = 0.1
    beta_max: float = 20.0

    def __post_init__(self) -> None:
        low, high = number("beta_min", self.beta_min), number("beta_max", self.beta_max)
        if not 0 <= low <= high or high == 0:
            raise ValueError(
                f"need 0 ≤ beta_min ≤ beta_max, beta_max > 0 and finite, got {short(self)}"
            )

    def _beta(self, t: Array) -> tuple[Array, Array]:
        """β and B at t."""
        slope = self.beta_max - self.beta_min
        return self.beta_min + slope * t, t * (self.beta_min + slope * t / 2)

    def _t_of_integral(self, integral: Array) -> Array:
        slope = self.beta_max - self.beta_min
        root = np.sqrt(self.beta_min**2 + 2 * slope * integral)
        return np.asarray(np.where(integral == 0, 0.0, 2 * integral / (self.beta_min + root)))

    def _f(self, t: Array) -> Array:
        return -self._beta(t)[0] / 2


@dataclass(frozen=True)
class LinearVP(_LinearBeta):
    """Variance preserving with linear β: α² = e^(−B), σ² = 1 − e^(−B), f = −β/2, g² = β.

    Source: SDE (arXiv:2011.13456, eq. 32–33), β from 0.1 to 20. σ² is taken by `expm1`, so that
    it keeps all its digits as t → 0; λ = −log(e^B − 1).

    Raises:
        ValueError: not 0 ≤ beta_min ≤ beta_max, or beta_max = 0.
    """

    scale = "vp"

    def _evaluate(self, t: Array) -> tuple[Array, Array, Array, Array]:
        beta, integral = self._beta(t)
        alpha, sigma = np.exp(-integral / 2), np.sqrt(-np.expm1(-integral))
        with np.errstate(all="ignore"):
            sigma_dot = beta * np.exp(-integral) / (2 * sigma)
        if self.beta_min == 0:  # σ ≈ t sqrt(β_max/2): the limit of 0/0
            sigma_dot = np.where(t == 0, math.sqrt(self.beta_max / 2), sigma_dot)
        return alpha, sigma, -beta * alpha / 2, sigma_dot

    def _log_snr(self, t: Array) -> Array:
        _, integral = self._beta(t)
        return -integral - np.log(-np.expm1(-integral))

    def _g2(self, t: Array) -> Array:
        return self._beta(t)[0]

    def _t_of_log_snr(self, lam: Array) -> Array:
        return self._t_of_integral(np.asarray(np.logaddexp(0, -lam)))


@dataclass(frozen=True)
class SubVP(_LinearBeta):
    """Sub-variance preserving with linear β: α = e^(−B/2), σ = 1 − e^(−B), g² = β (1 − e^(−2B)).

    Source: SDE (arXiv:2011.13456, eq. 28–29 and appendix C). λ = −2 log(2 sinh(B/2)).

    Raises:
        ValueError: not 0 ≤ beta_min ≤ beta_max, or beta_max = 0.
    """

    def _evaluate(self, t: Array) -> tuple[Array, Array, Array, Array]:
        beta, integral = self._beta(t)
        alpha, kept = np.exp(-integral / 2), np.exp(-integral)
        return alpha, -np.expm1(-integral), -beta * alpha / 2, beta * kept

    def _log_snr(self, t: Array) -> Array:
        _, integral = self._beta(t)
        return np.asarray(-integral - 2 * np.log(-np.expm1(-integral)))

    def _g2(self, t: Array) -> Array:
        beta, integral = self._beta(t)
        return np.asarray(-beta * np.expm1(-2 * integral))

    def _t_of_log_snr(self, lam: Array) -> Array:
        return self._t_of_integral(2 * np.arcsinh(np.exp(-lam / 2) / 2))


@dataclass(frozen=True)
class VE(Schedule):
    """Variance exploding: α = 1, σ = σ_min (σ_max/σ_min)^t (SDE, arXiv:2011.13456, eq. 30).

    Raises:
        ValueError: not 0 < sigma_min < sigma_max.
    """

    sigma_min: float = 0.01
    sigma_max: float = 50.0
    scale = "ve"

    def __post_init__(self) -> None:
        low, high = number("sigma_min", self.sigma_min), number("sigma_max", self.sigma_max)
        if not 0 < low < high:
            raise ValueError(f"need 0 < sigma_min < sigma_max, got {short(self)}")

    @property
    def _rate(self) -> float:
        return math.log(self.sigma_max) - math.log(self.sigma_min)

    def _evaluate(self, t: Array) -> tuple[Array, Array, Array, Array]:
        sigma = self.sigma_min ** (1 - t) * self.sigma_max**t
        return np.ones_like(t), sigma, np.zeros_like(t), self._rate * sigma

    def _log_snr(self, t: Array) -> Array:
        return -2 * (math.log(self.sigma_min) + self._rate * t)

    def _t_of_log_snr(self, lam: Array) -> Array:
        return (-lam / 2 - math.log(self.sigma_min)) / self._rate


@dataclass(frozen=True)
class EDM(Schedule):
    """α = 1, σ = σ_max t: EDM's σ(t) = t, s(t) = 1 with time divided by σ_max (EDM, table 1).

    The levels of EDM's ρ-spaced steps are `dfbench.grids.karras`.

    Raises:
        ValueError: not sigma_max > 0.
    """

    sigma_max: float = 80.0
    scale = "ve"

    def __post_init__(self) -> None:
        if not number("sigma_max", self.sigma_max) > 0:
            raise ValueError(f"need sigma_max > 0, got {short(self)}")

    def _evaluate(self, t: Array) -> tuple[Array, Array, Array, Array]:
        rate = np.full_like(t, self.sigma_max)
        return np.ones_like(t), rate * t, np.zeros_like(t), rate

    def _t_of_log_snr(self, lam: Array) -> Array:
        return np.exp(-lam / 2) / self.sigma_max


@dataclass(frozen=True)
class Shifted(Schedule):
    """`base` with σ/α multiplied by `shift`, so λ − 2 log(shift), brought back to a scale.

    With the flow-matching path this is the time shift t → s t/(1 + (s − 1) t) of SD3
    (arXiv:2403.03206, eq. 23); with the cosine schedule the resolution shift of simple diffusion
    (arXiv:2301.11093, eq. 5). With shift 1 it only changes the scale: (α, σ)/(α + σ),
    (α, σ)/√(α² + σ²) or (1, σ/α).

    Args:
        base: schedule to shift.
        shift: factor on σ/α; above 1 spends more time in noise.
        to_scale: scale of the result; the base's own where None, and where that has none
            (α, shift · σ) as it stands.

    Raises:
        ValueError: shift is not positive and finite, or the scale is unknown.
    """

    base: Schedule
    shift: float = 1.0
    to_scale: Scale | None = None

    def __post_init__(self) -> None:
        expect("base", self.base, Schedule)
        if not number("shift", self.shift) > 0:
            raise ValueError(f"shift must be positive and finite, got {short(self.shift)}")
        if not (self.to_scale is None or isinstance(self.to_scale, str)) or (
            self.to_scale is not None and self.to_scale not in SCALES
        ):
            raise ValueError(
                f"to_scale must be one of {SCALES} or None, got {short(self.to_scale)}"
            )

    @property
    def scale(self) -> Scale | None:  # type: ignore[override]
        return self.to_scale or self.base.scale

    def _norm(self, alpha: Array, sigma: Array) -> Array:
        if self.scale == "flow":
            return alpha + sigma
        if self.scale == "vp":
            return np.hypot(alpha, sigma)
        return alpha if self.scale == "ve" else np.ones_like(alpha)

    def _evaluate(self, t: Array) -> tuple[Array, Array, Array, Array]:
        alpha, sigma, alpha_dot, sigma_dot = self.base._evaluate(t)
        sigma, sigma_dot = self.shift * sigma, self.shift * sigma_dot
        if self.scale is None:
            return alpha, sigma, alpha_dot, sigma_dot
        n = self._norm(alpha, sigma)
        with np.errstate(all="ignore"):
            # w = σ̇ α − σ α̇ = α² d(σ/α)/dt carries every rate; σ w = s² α g²/2 stays finite at
            # σ = 0, where σ̇ may not.
            w = sigma_dot * alpha - sigma * alpha_dot
            sigma_w = self.shift**2 * alpha * self.base._g2(t) / 2
            sigma_w = np.where(alpha > sigma, sigma_w, sigma * w)
        if self.scale == "flow":
            return alpha / n, sigma / n, -w / n**2, w / n**2
        if self.scale == "vp":
            return alpha / n, sigma / n, -sigma_w / n**3, alpha * w / n**3
        return np.ones_like(t), sigma / n, np.zeros_like(t), w / n**2

    def _log_snr(self, t: Array) -> Array:
        return self.base._log_snr(t) - 2 * math.log(self.shift)

    def _log_snr_dot(self, t: Array) -> Array:
        return self.base._log_snr_dot(t)

    def _g2(self, t: Array) -> Array:
        alpha, sigma, _, _ = self.base._evaluate(t)
        return (self.shift / self._norm(alpha, self.shift * sigma)) ** 2 * self.base._g2(t)

    def _t_of_log_snr(self, lam: Array) -> Array:
        return self.base._t_of_log_snr(lam + 2 * math.log(self.shift))
