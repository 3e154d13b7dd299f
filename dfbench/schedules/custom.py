"""Schedules a user describes: by a pair of functions (α, σ), or by the SDE's (f, g²)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dfbench.levels import Array, Function
from dfbench.reals import number
from dfbench.schedules.numerics import PROBES, Differences, LinearODE, Vectorised, derivative
from dfbench.schedules.schedule import Schedule


@dataclass(frozen=True)
class FunctionSchedule(Schedule):
    """The schedule of a user's functions of t.

    Args:
        alpha, sigma: α_t and σ_t. Functions of float64 arrays are called once, functions of one
            number once per element.
        alpha_dot, sigma_dot: their derivatives. Where not given, the complex step is used if the
            formula is analytic as code, else five-point differences (`numerics.derivative`).
        validate: try the functions at the ends and at 16 times between.

    Raises:
        ValueError: a level is not finite, is negative, or is zero inside (0, 1) or on both sides;
            λ does not fall with t; or a given derivative is not the derivative (relative 1e-5).
    """

    alpha_function: Function
    sigma_function: Function
    alpha_dot_function: Function | None = None
    sigma_dot_function: Function | None = None
    validate: bool = True

    def __post_init__(self) -> None:
        for name in ("alpha", "sigma"):
            function = getattr(self, f"{name}_function")
            rate = getattr(self, f"{name}_dot_function")
            if rate is not None and self.validate:
                _check_derivative(name, function, Vectorised(rate))
            rate = derivative(function) if rate is None else Vectorised(rate)
            object.__setattr__(self, f"{name}_function", Vectorised(function))
            object.__setattr__(self, f"{name}_dot_function", rate)
        if self.validate:
            self._check_levels()

    def _evaluate(self, t: Array) -> tuple[Array, Array, Array, Array]:
        assert self.alpha_dot_function is not None
        assert self.sigma_dot_function is not None
        return (
            self.alpha_function(t),
            self.sigma_function(t),
            self.alpha_dot_function(t),
            self.sigma_dot_function(t),
        )

    def _check_levels(self) -> None:
        t = np.concatenate([[0.0], PROBES, [1.0]])
        alpha, sigma = self.alpha_function(t), self.sigma_function(t)
        legal = np.isfinite(alpha) & np.isfinite(sigma) & (alpha >= 0) & (sigma >= 0)
        legal &= (alpha + sigma > 0) & ((t == 0) | (t == 1) | ((alpha > 0) & (sigma > 0)))
        if not legal.all():
            i = int(np.argmin(legal))
            raise ValueError(
                f"levels must be finite and positive inside (0, 1), at an end one of them may be "
                f"zero; at t = {t[i]:g} α = {alpha[i]:g} and σ = {sigma[i]:g}"
            )
        with np.errstate(all="ignore"):
            falls = np.diff(np.log(alpha) - np.log(sigma)) < 0
        if not falls.all():
            i = int(np.argmin(falls))
            raise ValueError(
                f"the log-SNR must fall as t goes from data (0) to noise (1); it does not between "
                f"t = {t[i]:g} and {t[i + 1]:g} (a library with noise at t = 0 needs t → 1 − t)"
            )


def _check_derivative(name: str, function: Function, rate: Function) -> None:
    given, found = rate(PROBES), Differences(function)(PROBES)
    wrong = ~np.isclose(given, found, rtol=1e-5, atol=1e-5)
    if wrong.any():
        i = int(np.argmax(wrong))
        raise ValueError(
            f"{name}_dot is not the derivative of {name}: at t = {PROBES[i]:g} it is "
            f"{given[i]:.9g}, differences give {found[i]:.9g}"
        )


@dataclass(frozen=True)
class SDESchedule(Schedule):
    """The schedule of the linear SDE dz = f(t) z dt + g(t) dw started at (α_0, σ_0).

        E_t = exp(∫₀ᵗ f),    α_t = α_0 E_t,    σ_t² = E_t² (σ_0² + ∫₀ᵗ g_s²/E_s² ds)

    so σ_t² = ∫₀ᵗ g_s² exp(+2 ∫_s^t f) ds for σ_0 = 0. GAO prints σ_t² = ∫₀ᵗ g_s² exp(−2 ∫₀ˢ f) ds,
    which is the square of σ_t/α_t and not of σ_t: it holds only where f = 0 (variance exploding).
    Inverse of `Schedule.f` and `Schedule.g2`.

    Args:
        f, g2: drift coefficient and squared diffusion coefficient, functions of t.
        alpha0, sigma0: the level at t = 0.

    Raises:
        ValueError: α_0 ≤ 0, σ_0 < 0, g² is negative, f or g² cannot be integrated to 1e-10, or a
            level is asked for at t = 1 where f or g² is not finite there.
    """

    f_function: Function
    g2_function: Function
    alpha0: float = 1.0
    sigma0: float = 0.0

    def __post_init__(self) -> None:
        if not (
            0 < number("alpha0", self.alpha0) < 1e100 and 0 <= number("sigma0", self.sigma0) < 1e100
        ):
            raise ValueError(f"need alpha0 > 0 and sigma0 ≥ 0, got {self.alpha0} and {self.sigma0}")
        object.__setattr__(self, "f_function", Vectorised(self.f_function))
        object.__setattr__(self, "g2_function", Vectorised(self.g2_function))
        if not (self.g2_function(PROBES) >= 0).all():
            raise ValueError("g2 is the square of g: it must be non-negative in (0, 1)")
        self._integrals  # noqa: B018  raises here rather than at the first level

    @cached_property
    def _integrals(self) -> LinearODE:
        return LinearODE(self.f_function, self.g2_function)

    def _evaluate(self, t: Array) -> tuple[Array, Array, Array, Array]:
        with np.errstate(all="ignore"):
            log_alpha, integral = self._integrals(t)
            alpha = self.alpha0 * np.exp(log_alpha)
            sigma = np.exp(log_alpha) * np.sqrt(self.sigma0**2 + integral)
            f, g2 = self.f_function(t), self.g2_function(t)
            sigma_dot = f * sigma + g2 / (2 * sigma)
        if not (np.isfinite(f) & np.isfinite(g2) & np.isfinite(sigma))[t > 0].all():
            raise ValueError("f or g2 is not finite at t = 1: ask for times below 1")
        if (sigma == 0).any():  # at t = 0 g² may be 0 too: σ ≈ t √(g²/2t) near it
            near = np.full_like(t, 1e-30)
            limit = np.sqrt(self.g2_function(near) / (2 * near))
            sigma_dot = np.where(sigma == 0, np.where(g2 > 0, np.inf, limit), sigma_dot)
        return alpha, sigma, f * alpha, sigma_dot

    def _log_snr(self, t: Array) -> Array:
        """−log(σ²/α²); −∞ at t = 1 if f or g² is not finite there (it is taken that α(1) = 0)."""
        _, integral = self._integrals(t)
        ends = ~np.isfinite(self.f_function(t) + self.g2_function(t)) & (t == 1)
        lam = 2 * np.log(self.alpha0) - np.log(self.sigma0**2 + integral)
        return np.asarray(np.where(ends, -np.inf, lam))

    def _f(self, t: Array) -> Array:
        return self.f_function(t)

    def _g2(self, t: Array) -> Array:
        return self.g2_function(t)
