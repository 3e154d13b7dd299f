"""Loss weightings: every diffusion loss is ∫ w(λ) E|ε̂ − ε|² dλ, with λ = log(α²/σ²).

A named weighting is a function of λ alone; `WEIGHTINGS` has them by name. It includes both the
factor in front of the squared error and the density with which its paper draws λ, and is written
for ε̂ whatever the network predicts, since |m̂ − m|² = c²(λ) |ε̂ − ε|² (`predictions.mse_factor`).
Constants are those of each paper, so that the integral is the paper's loss. Kingma and Gao
(KG, arXiv 2303.00848, table 1) write the same loss with ½ in front: their w is twice this one,
and drops constants.

`effective_weighting` gives w for any prediction, factor and schedule.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from dfbench.errors import short
from dfbench.levels import Array, Function
from dfbench.predictions import known, mse_factor
from dfbench.reals import number, reals, shaped

if TYPE_CHECKING:
    from dfbench.schedules import Schedule


LARGEST = 1e100  # size of a parameter: its square is a number, too


class Weighting(ABC):
    """w(λ) ≥ 0 of a loss ∫ w(λ) E|ε̂ − ε|² dλ; called with numbers or arrays of λ.

    Attributes:
        formula: LaTeX, with the constants of the defaults.
        source: paper and equation.
    """

    formula: ClassVar[str]
    source: ClassVar[str]

    def __call__(self, lam: ArrayLike) -> Array:
        """w at every λ, in the shape of `lam`."""
        with np.errstate(over="ignore"):
            return np.asarray(self._at(reals("lam", lam)), dtype=np.float64)

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            number(f"{type(self).__name__}: {name}", value, -LARGEST, LARGEST)

    @abstractmethod
    def _at(self, lam: Array) -> Array: ...


def cosine_density(lam: Array) -> Array:
    """Density of λ for t ~ U(0, 1) and the cosine schedule: sech(λ/2)/(2π)."""
    lam = reals("lam", lam)
    return np.asarray(np.exp(-np.logaddexp(lam / 2, -lam / 2)) / math.pi)


def normal_density(lam: Array, mean: float, std: float, tilt: float = 0.0) -> Array:
    """Density of λ ~ N(mean, std²), times e^(−tilt λ), without ∞ · 0."""
    lam, mean, tilt = reals("lam", lam), number("mean", mean), number("tilt", tilt)
    if not number("std", std) > 0:
        raise ValueError(f"std must be positive, got {short(std)}")
    power = -0.5 * ((lam - mean) / std) ** 2 - tilt * lam
    return np.asarray(np.exp(power) / (std * math.sqrt(2 * math.pi)))


@dataclass(frozen=True)
class ELBO(Weighting):
    """The likelihood's bound in nats: constant."""

    formula = r"\tfrac12"
    source = "KG, eq. 6; VDM (arXiv 2107.00630, eq. 17)"

    def _at(self, lam: Array) -> Array:
        return np.full_like(lam, 0.5)


@dataclass(frozen=True)
class EpsCosine(Weighting):
    """E_t|ε̂ − ε|², DDPM's simple loss, under the cosine schedule."""

    formula = r"\operatorname{sech}(\lambda/2)/(2\pi)"
    source = "HO, eq. 14; iDDPM (arXiv 2102.09672); KG, table 1"

    def _at(self, lam: Array) -> Array:
        return cosine_density(lam)


@dataclass(frozen=True)
class VCosine(Weighting):
    """E_t|v̂ − v|² under the cosine schedule: 2/π times flow matching's."""

    formula = r"e^{-\lambda/2}/\pi"
    source = "Salimans and Ho (arXiv 2202.00512, eq. 12 and app. D); KG, table 1"

    def _at(self, lam: Array) -> Array:
        return np.asarray(np.exp(-lam / 2) / math.pi)


@dataclass(frozen=True)
class FlowMatchingWeighting(Weighting):
    """E_t|û − u|², t ~ U(0, 1), on the straight path."""

    formula = r"e^{-\lambda/2}/2"
    source = "LIP; LIU; KG, table 1"

    def _at(self, lam: Array) -> Array:
        return np.asarray(np.exp(-lam / 2) / 2)


@dataclass(frozen=True)
class LogitNormal(Weighting):
    """SD3: E_t|û − u|² with logit t ~ N(mean, std²), σ/α then multiplied by `shift`."""

    mean: float = 0.0
    std: float = 1.0
    shift: float = 1.0
    formula = r"\mathcal N(\lambda;0,2^2)\,(1+e^{-\lambda/2})^2"
    source = "SD3 (arXiv 2403.03206, eq. 19 and 23); GAO"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.std > 0 and self.shift > 0):
            raise ValueError(f"need std > 0 and shift > 0, got {short(self)}")

    def _at(self, lam: Array) -> Array:
        law = (-2 * self.mean - 2 * math.log(self.shift), 2 * self.std)
        one, cross, other = (normal_density(lam, *law, tilt) for tilt in (0.0, 0.5, 1.0))
        return one + 2 * cross + other


@dataclass(frozen=True)
class EDMWeighting(Weighting):
    """EDM: |D − x|²/c_out² with log σ ~ N(p_mean, p_std²)."""

    p_mean: float = -1.2
    p_std: float = 1.2
    sigma_data: float = 0.5
    formula = r"\mathcal N(\lambda;2.4,2.4^2)\,(e^{-\lambda}+0.5^2)/0.5^2"
    source = "EDM, table 1 and eq. 8; KG, table 1"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.p_std > 0 and self.sigma_data > 1 / LARGEST):
            raise ValueError(f"need p_std > 0 and sigma_data > 0, got {short(self)}")

    def _at(self, lam: Array) -> Array:
        law = (-2 * self.p_mean, 2 * self.p_std)
        return normal_density(lam, *law) + normal_density(lam, *law, 1.0) / self.sigma_data**2


@dataclass(frozen=True)
class EDMMonotonic(EDMWeighting):
    """EDM's, held at its largest value below the λ of that value."""

    formula = r"\max_{\mu\ge\lambda} w_{\mathrm{EDM}}(\mu)"
    source = "KG, section 5 and table 1"

    def _at(self, lam: Array) -> Array:
        grid = np.linspace(-2 * self.p_mean - 24 * self.p_std, -2 * self.p_mean, 4001)
        top = float(grid[int(np.argmax(super()._at(grid)))])
        step = grid[1] - grid[0]
        for _ in range(6):  # the maximum is flat: its place to 1e-9 is its height to rounding
            near = np.linspace(top - step, top + step, 41)
            top, step = float(near[int(np.argmax(super()._at(near)))]), step / 10
        return super()._at(np.maximum(lam, top))


@dataclass(frozen=True)
class MinSNR(Weighting):
    """Min-SNR-γ: min(SNR, γ)|x̂ − x|² under the cosine schedule."""

    gamma: float = 5.0
    formula = r"\operatorname{sech}(\lambda/2)\min(1,5e^{-\lambda})/(2\pi)"
    source = "Hang et al. (arXiv 2303.09556, eq. 5); KG, table 1"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.gamma > 0:
            raise ValueError(f"need gamma > 0, got {short(self)}")

    def _at(self, lam: Array) -> Array:
        return cosine_density(lam) * np.minimum(1.0, self.gamma * np.exp(-lam))


@dataclass(frozen=True)
class TruncatedSNR(Weighting):
    """max(SNR, 1)|x̂ − x|² under the cosine schedule."""

    formula = r"\operatorname{sech}(\lambda/2)\max(1,e^{-\lambda})/(2\pi)"
    source = "Salimans and Ho (arXiv 2202.00512, eq. 11)"

    def _at(self, lam: Array) -> Array:
        # sech(λ/2) e^(−λ) = 2 e^(−λ/2)/(1 + e^λ) below 0, without ∞ · 0
        below = np.exp(-lam / 2) / ((1 + np.exp(np.minimum(lam, 0.0))) * math.pi)
        return np.where(lam < 0, below, cosine_density(lam))


@dataclass(frozen=True)
class P2(Weighting):
    """P2: |ε̂ − ε|²/(k + SNR)^γ under the cosine schedule."""

    gamma: float = 1.0
    k: float = 1.0
    formula = r"\operatorname{sech}(\lambda/2)/(1+e^\lambda)/(2\pi)"
    source = "Choi et al. (arXiv 2204.00227, eq. 8); KG, table 1"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.gamma >= 0 and self.k > 0):
            raise ValueError(f"need gamma ≥ 0 and k > 0, got {short(self)}")

    def _at(self, lam: Array) -> Array:
        return cosine_density(lam) * np.exp(-self.gamma * np.logaddexp(math.log(self.k), lam))


@dataclass(frozen=True)
class Sigmoid(Weighting):
    """sigmoid(bias − λ)/2: the ELBO of data seen through noise, monotonic."""

    bias: float = 2.0
    formula = r"\operatorname{sigmoid}(2-\lambda)/2"
    source = "KG, section 5; simpler diffusion (arXiv 2410.19324) with bias −3"

    def _at(self, lam: Array) -> Array:
        return np.asarray(expit(self.bias - lam) / 2)


@dataclass(frozen=True)
class InDI(Weighting):
    """InDI: E_t|x̂ − x|², t ~ U(0, 1), on the straight path."""

    formula = r"e^{-\lambda}\operatorname{sech}^2(\lambda/4)/8"
    source = "Delbracio and Milanfar (arXiv 2303.11435); KG, table 1"

    def _at(self, lam: Array) -> Array:
        # e^(−λ) sech²(λ/4)/8 = e^(−λ/2) sigmoid(−λ/2)²/2: no ∞ · 0
        return np.asarray(np.exp(-lam / 2) * expit(-lam / 2) ** 2 / 2)


WEIGHTINGS: dict[str, type[Weighting]] = {
    "elbo": ELBO,
    "eps_cosine": EpsCosine,
    "v_cosine": VCosine,
    "flow_matching": FlowMatchingWeighting,
    "sd3": LogitNormal,
    "edm": EDMWeighting,
    "edm_monotonic": EDMMonotonic,
    "min_snr": MinSNR,
    "truncated_snr": TruncatedSNR,
    "p2": P2,
    "sigmoid": Sigmoid,
    "indi": InDI,
}
"""Name → class; made without arguments it has its paper's constants."""


def _check(schedule: object) -> None:
    """A schedule, by what is asked of it: this module comes before its class."""
    if isinstance(schedule, type) or not hasattr(schedule, "log_snr_dot"):
        raise TypeError(f"schedule must be a Schedule, got {type(schedule).__name__}")


def _function(name: str, given: object) -> None:
    if not callable(given):
        raise TypeError(f"{name} must be a function of λ, got {short(given)}")


def _values(given: Function, lam: Array) -> Array:
    """What a function gives at every λ; a constant counts everywhere."""
    name = "what a function of λ gives"
    return shaped(name, reals(name, given(lam)), np.shape(lam))


def log_snr_density(schedule: Schedule, lam: ArrayLike) -> Array:
    """Density of λ_t for t ~ U(0, 1): 1/|dλ/dt| at the t of λ; 0 outside the schedule's range."""
    _check(schedule)
    lam_ = reals("lam", lam)
    inside, t = _times(schedule, lam_)
    with np.errstate(divide="ignore"):
        return np.where(inside, 1 / np.abs(schedule.log_snr_dot(t)), 0.0)


def effective_weighting(
    prediction: str,
    schedule: Schedule,
    factor: Function | None = None,
    density: Function | None = None,
    *,
    sigma_data: float | None = None,
) -> Function:
    """w(λ) of the loss E_t[factor(λ_t) |m̂ − m|²] for any prediction m and schedule.

    w = density · factor · c², with |m̂ − m|² = c² |ε̂ − ε|². (KG, section 2; GAO)

    Args:
        prediction: a kind of `dfbench.predictions`.
        schedule: gives (α, σ), on whose scale v, velocity and score depend, and the density.
        factor: of λ, in front of the squared error; 1 where None.
        density: of λ in training; that of t ~ U(0, 1) where None.
        sigma_data: for the "edm" prediction.
    """
    _check(schedule)
    known(prediction)
    for name, given in (("factor", factor), ("density", density)):
        if given is not None:
            _function(name, given)

    def weight(lam: Array) -> Array:
        lam = reals("lam", lam)
        inside, t = _times(schedule, lam)
        rates = schedule.rates(t) if prediction == "velocity" else None
        level = (schedule.alpha(t), schedule.sigma(t))
        c2 = mse_factor("eps", prediction, *level, rates=rates, sigma_data=sigma_data)
        p = log_snr_density(schedule, lam) if density is None else _values(density, lam)
        base = 1.0 if factor is None else _values(factor, lam)
        return np.asarray(np.where(inside, p * base * c2, 0.0))

    return weight


def _times(schedule: Schedule, lam: Array) -> tuple[NDArray[np.bool_], Array]:
    """Whether λ is on the schedule, and its t (that of the nearest end where it is not)."""
    low, high = schedule.log_snr(1.0), schedule.log_snr(0.0)
    inside = np.asarray((lam >= low) & (lam <= high))
    return inside, np.asarray(schedule.t_of_log_snr(np.clip(lam, low, high)))


def normalised(weight: Function, low: float, high: float) -> Function:
    """The weighting divided by its integral over λ from `low` to `high`: a density there."""
    _function("weight", weight)
    lam, panel = _nodes(low, high)
    total = float(panel @ _values(weight, lam))
    if not (math.isfinite(total) and total > 0):
        raise ValueError(f"the weighting has no finite positive integral over [{low}, {high}]")
    return lambda at: np.asarray(_values(weight, at) / total)


def total_variation(one: Function, other: Function, low: float, high: float) -> float:
    """½ ∫|w₁ − w₂| dλ of the two normalised over [low, high]: 0 the same, 1 disjoint."""
    lam, panel = _nodes(low, high)
    gap = normalised(one, low, high)(lam) - normalised(other, low, high)(lam)
    return float(0.5 * panel @ np.abs(gap))


def _nodes(low: float, high: float) -> tuple[Array, Array]:
    """Gauss–Legendre, ten nodes on each of 200 panels."""
    if not number("low", low) < number("high", high):
        raise ValueError(f"need low < high, got {low} and {high}")
    edges = np.linspace(low, high, 201)
    node, weight = np.polynomial.legendre.leggauss(10)
    half = np.diff(edges)[:, None] / 2
    return (edges[:-1, None] + half * (1 + node)).reshape(-1), (half * weight).reshape(-1)
