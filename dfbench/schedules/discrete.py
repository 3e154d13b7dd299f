"""Schedules that are tables: the ᾱ_n of DDPM at integer training times n."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from dfbench.errors import expect, short
from dfbench.levels import Array, Level
from dfbench.reals import number, reals, whole
from dfbench.schedules.schedule import Schedule, at_log_snr


@dataclass(frozen=True, eq=False)
class DiscreteSchedule:
    """A variance-preserving table: α_n = √ᾱ_n, σ_n = √(1 − ᾱ_n) for n = 0 (data) … N − 1 (noise).

    Between integers log(σ/α) is linear in n, as in k-diffusion's `DiscreteSchedule` and in the
    `_sigma_to_t` of diffusers (whose `set_timesteps` interpolates σ/α itself). As a schedule in
    continuous time: `as_schedule`.

    Args:
        alphas_cumprod: ᾱ, shape (N,), N ≥ 2, falling strictly within [0, 1). ᾱ_{N−1} = 0 is legal
            (zero terminal SNR); there is then no level between N − 2 and N − 1. Any array,
            a released scheduler's float32 tensor too: its values are taken as they are.

    Raises:
        ValueError: the table has another shape, leaves [0, 1), or does not fall strictly.
    """

    alphas_cumprod: Array

    def __post_init__(self) -> None:
        table = np.array(reals("alphas_cumprod", self.alphas_cumprod))
        if table.ndim != 1 or len(table) < 2:
            raise ValueError(f"alphas_cumprod needs shape (N,) with N ≥ 2, got {table.shape}")
        if not ((table >= 0) & (table < 1)).all() or not (np.diff(table) < 0).all():
            raise ValueError("alphas_cumprod must fall strictly within [0, 1)")
        table.flags.writeable = False
        object.__setattr__(self, "alphas_cumprod", table)

    @classmethod
    def from_betas(cls, betas: ArrayLike) -> DiscreteSchedule:
        """ᾱ_n = Π_{i ≤ n} (1 − β_i) (HO, eq. 4).

        Raises:
            ValueError: a β is not in (0, 1], or one before the last is 1.
        """
        betas_ = reals("betas", betas)
        if betas_.ndim != 1 or not ((betas_ > 0) & (betas_ <= 1)).all():
            raise ValueError("betas must be one-dimensional and in (0, 1]")
        return cls(np.asarray(np.cumprod(1 - betas_), dtype=np.float64))

    @classmethod
    def linear(
        cls, n: int = 1000, beta_start: float = 1e-4, beta_end: float = 0.02
    ) -> DiscreteSchedule:
        """β linear from `beta_start` to `beta_end` (HO, section 4)."""
        first, last = number("beta_start", beta_start), number("beta_end", beta_end)
        return cls.from_betas(np.linspace(first, last, whole("n", n, 2)))

    @classmethod
    def scaled_linear(
        cls, n: int = 1000, beta_start: float = 0.00085, beta_end: float = 0.012
    ) -> DiscreteSchedule:
        """√β linear: latent diffusion's table (arXiv:2112.10752), Stable Diffusion's defaults."""
        first, last = number("beta_start", beta_start, 0), number("beta_end", beta_end, 0)
        roots = np.linspace(math.sqrt(first), math.sqrt(last), whole("n", n, 2))
        return cls.from_betas(roots**2)

    @classmethod
    def cosine(cls, n: int = 1000, s: float = 0.008, beta_max: float = 0.999) -> DiscreteSchedule:
        """β_n = min(1 − ᾱ((n+1)/N)/ᾱ(n/N), β_max), ᾱ(t) = cos²(π/2 · (t + s)/(1 + s)).

        Source: iDDPM (arXiv:2102.09672, eq. 17); `squaredcos_cap_v2` in diffusers.
        """
        s, beta_max = number("s", s, 0.0), number("beta_max", beta_max, 0.0, 1.0)
        t = np.arange(whole("n", n, 2) + 1) / n
        bar = np.cos((t + s) / (1 + s) * math.pi / 2) ** 2
        return cls.from_betas(np.minimum(1 - bar[1:] / bar[:-1], beta_max))

    def zero_terminal_snr(self, terminal: float = 0.0) -> DiscreteSchedule:
        """√ᾱ shifted and scaled so that the last entry is 0 and the first stays.

        Source: Lin et al. (arXiv:2305.08891, algorithm 1). diffusers puts ᾱ_{N−1} = 2^(−24) in
        the schedulers that need σ/α finite: `terminal=2**-24`.
        """
        terminal = number("terminal", terminal, 0.0)
        root = np.sqrt(self.alphas_cumprod)
        bar = ((root - root[-1]) * root[0] / (root[0] - root[-1])) ** 2
        bar[0], bar[-1] = self.alphas_cumprod[0], terminal
        return DiscreteSchedule(bar)

    def __len__(self) -> int:
        return len(self.alphas_cumprod)

    @property
    def ratios(self) -> Array:
        """σ_n/α_n, shape (N,), rising; ∞ at ᾱ = 0."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.sqrt((1 - self.alphas_cumprod) / self.alphas_cumprod))

    @property
    def log_snr(self) -> Array:
        """λ_n = log(ᾱ_n/(1 − ᾱ_n)), shape (N,), falling; −∞ at ᾱ = 0."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.alphas_cumprod) - np.log1p(-self.alphas_cumprod))

    def level(self, n: float) -> Level:
        """The level at time index n; at an integer exactly the table's.

        Raises:
            ValueError: n is outside [0, N − 1], or between N − 2 and N − 1 where ᾱ_{N−1} = 0.
        """
        if not 0 <= number("time index", n) <= len(self) - 1:
            raise ValueError(f"time index must be in [0, {len(self) - 1}], got {short(n)}")
        if n == int(n):
            bar = float(self.alphas_cumprod[int(n)])
            return Level(math.sqrt(bar), math.sqrt(1 - bar))
        below, above = self.log_snr[int(n) : int(n) + 2]
        if above == -math.inf:
            raise ValueError(f"no level between {int(n)} and {int(n) + 1}: the last has no signal")
        alpha, sigma = at_log_snr(float(below + (n - int(n)) * (above - below)), "vp")
        return Level(alpha, sigma)

    def as_schedule(self) -> Schedule:
        """The table as a `Schedule`: t = n/(N − 1), so t = 0 is index 0, where σ > 0.

        Its λ is piecewise linear; at a knot the rates are those towards noise.

        Raises:
            ValueError: ᾱ_{N−1} = 0 (use `zero_terminal_snr` with a positive `terminal`).
        """
        return TableSchedule(self)


@dataclass(frozen=True)
class TableSchedule(Schedule):
    """A `DiscreteSchedule` with N entries in the time t = n/(N − 1)."""

    table: DiscreteSchedule
    scale = "vp"

    def __post_init__(self) -> None:
        expect("table", self.table, DiscreteSchedule)
        if self.table.alphas_cumprod[-1] == 0:
            raise ValueError("a table that ends without signal has no schedule in continuous time")

    def _log_snr(self, t: Array) -> Array:
        n = t * (len(self.table) - 1)
        return np.asarray(np.interp(n, np.arange(len(self.table)), self.table.log_snr))

    def _log_snr_dot(self, t: Array) -> Array:
        last = len(self.table) - 1
        below = np.minimum((t * last).astype(np.int64), last - 1)
        return np.asarray(np.diff(self.table.log_snr)[below] * last)

    def _evaluate(self, t: Array) -> tuple[Array, Array, Array, Array]:
        alpha, sigma = at_log_snr(self._log_snr(t), "vp")
        rate = self._log_snr_dot(t) / 2
        return alpha, sigma, rate * alpha * sigma**2, -rate * sigma * alpha**2

    def _t_of_log_snr(self, lam: Array) -> Array:
        rising = -self.table.log_snr
        return np.interp(-lam, rising, np.arange(len(rising))) / (len(rising) - 1)
