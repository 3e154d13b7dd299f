"""Grids: which levels a run visits, noise first. n is always the number of steps.

Three families:

- on a schedule, with times: `uniform_t`, `uniform_log_snr`, `quadratic`, `beta`;
- of noise-to-signal ratios σ/α, in variance-exploding scale: `karras`, `exponential`,
  `beta_ratios`; and `regular`, uniform in λ in any scale;
- of integer training times, as diffusers spaces them: `leading`, `trailing`, `linspace`, which
  `at_indices` turns into a grid.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv

from dfbench.errors import expect, short
from dfbench.levels import Array, Grid, Level, grid_of
from dfbench.reals import finite, number, whole
from dfbench.schedules import DiscreteSchedule, Scale, Schedule, at_log_snr

Family = Literal["ddim", "dpm", "euler"]
Indices = NDArray[np.int64]


def at_times(schedule: Schedule, t: ArrayLike) -> Grid:
    """The levels of a schedule at times, noise first, shape (N + 1,)."""
    expect("schedule", schedule, Schedule)
    times = finite("t", t)
    if times.ndim != 1:
        raise ValueError(f"t must have shape (N + 1,), got {times.shape}")
    levels = grid_of([schedule.level(float(time)) for time in times])
    return Grid(levels.alpha, levels.sigma, times, schedule)


def uniform_t(schedule: Schedule, n: int, t_start: float = 1.0, t_stop: float = 0.0) -> Grid:
    """n steps of equal length in t, from `t_start` (noise) down to `t_stop`.

    Raises:
        ValueError: n < 1, or not 1 ≥ t_start > t_stop ≥ 0, or a level is not finite.
    """
    return at_times(schedule, np.linspace(*_interval(t_start, t_stop), _steps(n) + 1))


def uniform_log_snr(schedule: Schedule, n: int, lam_start: float, lam_stop: float) -> Grid:
    """n steps of equal length in λ = log(α²/σ²), from `lam_start` (noise) up to `lam_stop`.

    The levels are the schedule's own. Source: DPM-Solver (arXiv:2206.00927, section 3.3), whose
    λ is half of this one.

    Raises:
        ValueError: n < 1, or not lam_start < lam_stop, or λ is outside the schedule's range.
    """
    expect("schedule", schedule, Schedule)
    lam = np.linspace(*_rising("log-SNR", lam_start, lam_stop), _steps(n) + 1)
    return at_times(schedule, schedule.t_of_log_snr(lam))


def quadratic(schedule: Schedule, n: int, t_start: float = 1.0, t_stop: float = 0.0) -> Grid:
    """n steps of equal length in √t: short near data.

    Source: DDIM (SONG, appendix D.2, τ_i = ⌊c i²⌋) without its rounding; `time_quadratic` of the
    official DPM-Solver code.

    Raises:
        ValueError: as `uniform_t`.
    """
    start, stop = _interval(t_start, t_stop)
    t = np.linspace(math.sqrt(start), math.sqrt(stop), _steps(n) + 1) ** 2
    t[0], t[-1] = start, stop
    return at_times(schedule, t)


def beta(
    schedule: Schedule,
    n: int,
    a: float = 0.6,
    b: float = 0.6,
    t_start: float = 1.0,
    t_stop: float = 0.0,
) -> Grid:
    """Times at the quantiles of a Beta(a, b) law: a, b < 1 crowds both ends.

    Source: Beta Sampling (arXiv:2407.12173), which spaces *times*; diffusers applies the same
    quantiles to σ/α: `beta_ratios`.

    Raises:
        ValueError: as `uniform_t`, or a or b is not positive.
    """
    start, stop = _interval(t_start, t_stop)
    t = stop + (start - stop) * _beta_quantiles(_steps(n) + 1, a, b)
    return at_times(schedule, t)


def karras(
    sigma_max: float, sigma_min: float, n: int, rho: float = 7.0, final_zero: bool = True
) -> Grid:
    """Levels (1, σ_i), σ_i = (σ_max^(1/ρ) + i/(K−1) (σ_min^(1/ρ) − σ_max^(1/ρ)))^ρ, i < K.

    Source: EDM (arXiv:2206.00364, eq. 5), with K = n and then σ_n = 0. Without `final_zero`
    K = n + 1 and the last level is σ_min. With n = 1 and `final_zero` the grid is (σ_max, 0).

    Raises:
        ValueError: n < 1, or not 0 < sigma_min < sigma_max, or ρ = 0 or not finite.
    """
    high, low = _ratio_range(sigma_max, sigma_min)
    if number("rho", rho) == 0:
        raise ValueError(f"rho must be finite and not zero, got {short(rho)}")
    points = _points(n, final_zero)
    ends = (high ** (1 / rho), low ** (1 / rho))
    return _ratios(np.linspace(*ends, points) ** rho, high, low, final_zero)


def exponential(sigma_max: float, sigma_min: float, n: int, final_zero: bool = True) -> Grid:
    """Levels (1, σ_i) uniform in log σ, so in λ: `karras` for ρ → ∞. Arguments as there.

    Raises:
        ValueError: as `karras`.
    """
    high, low = _ratio_range(sigma_max, sigma_min)
    points = _points(n, final_zero)
    return _ratios(
        np.exp(np.linspace(math.log(high), math.log(low), points)), high, low, final_zero
    )


def beta_ratios(
    sigma_max: float,
    sigma_min: float,
    n: int,
    a: float = 0.6,
    b: float = 0.6,
    final_zero: bool = True,
) -> Grid:
    """Levels (1, σ_i), σ_i = σ_min + (σ_max − σ_min) · (Beta(a, b) quantile): diffusers' version.

    `use_beta_sigmas` of the diffusers schedulers cites arXiv:2407.12173, which spaces times and
    not σ: see `beta`.

    Raises:
        ValueError: as `karras`, or a or b is not positive.
    """
    high, low = _ratio_range(sigma_max, sigma_min)
    quantiles = _beta_quantiles(_points(n, final_zero), a, b)
    return _ratios(low + (high - low) * quantiles, high, low, final_zero)


def regular(log_snr_start: float, log_snr_stop: float, n: int, scale: Scale = "vp") -> Grid:
    """n equal steps in λ = log(α²/σ²) from `log_snr_start` (noise) up to `log_snr_stop`.

    The clean grid for measuring orders: no schedule, no end point with σ = 0.

    Args:
        log_snr_start, log_snr_stop: finite, the first below the second.
        n: number of steps.
        scale: `"vp"`, `"ve"` or `"flow"` (`dfbench.schedules.at_log_snr`).

    Raises:
        ValueError: n < 1, not log_snr_start < log_snr_stop, or unknown scale.
    """
    lam = np.linspace(*_rising("log-SNR", log_snr_start, log_snr_stop), _steps(n) + 1)
    return Grid(*at_log_snr(lam, scale))


def leading(n_train: int, n: int, steps_offset: int = 0, *, family: Family = "ddim") -> Indices:
    """Time indices i · ⌊N/n⌋ + offset, i = n − 1 … 0: diffusers' `timestep_spacing="leading"`.

    Never starts at the noisiest index N − 1 unless N/n = 1 or the offset reaches it. The DPM
    family (DPM-Solver, UniPC, DEIS, SA-Solver: `family="dpm"`) spaces n + 1 points by ⌊N/(n + 1)⌋
    and drops the last, so that it ends one stride above zero.

    Args:
        n_train: training times N.
        n: number of time indices returned, one per step.
        steps_offset: added to each (Stable Diffusion: 1).
        family: whose convention: `"ddim"` (DDPM, DDIM, PNDM), `"euler"` (the same here), `"dpm"`.

    Returns:
        int64, shape (n,), falling.

    Raises:
        ValueError: n < 1, n too large for a stride of one, unknown family, or an index outside
            [0, N − 1] (diffusers raises IndexError only when stepping, e.g. n = N with offset 1).
    """
    dpm = _is_dpm(family)
    stride = _train(n_train, n) // (n + 1 if dpm else n)
    if stride == 0:
        raise ValueError(f"{n} steps of the {family} family do not fit {n_train} training times")
    indices = np.arange(n + dpm)[::-1][:n] * stride + whole("steps_offset", steps_offset)
    return _inside(indices, n_train)


def trailing(n_train: int, n: int, *, family: Family = "ddim") -> Indices:
    """Time indices round(N − i N/n) − 1, i = 0 … n − 1: diffusers' "trailing", the same in all.

    Starts at N − 1; Lin et al. (arXiv:2305.08891, table 2). The released code takes `arange(N, 0,
    −N/n)`, whose rounding yields an (n + 1)-th index −1 for some n (61, 103, 121, 122, 201 … for
    N = 1000, 62 values in all); that index is left out here.

    Arguments, result and errors as in `leading`.
    """
    _is_dpm(family)
    points = _train(n_train, n) - np.arange(n) * (n_train / n)
    return _inside(np.round(points).astype(np.int64) - 1, n_train)


def linspace(n_train: int, n: int, *, family: Family = "ddim") -> NDArray[np.float64]:
    """Time indices equally spaced from N − 1 to 0: diffusers' `timestep_spacing="linspace"`.

    `"ddim"` rounds them (half to even); `"euler"` does not, and evaluates between training times;
    `"dpm"` rounds n + 1 points and drops the last (0). With n = 1 the first two give the index 0,
    clean data, and `"dpm"` gives N − 1.

    Returns:
        float64, shape (n,), falling; whole numbers except for `"euler"`.

    Raises:
        ValueError: n < 1, n > N, or unknown family.
    """
    dpm = _is_dpm(family)
    points = np.linspace(0, _train(n_train, n) - 1, n + dpm)[::-1][:n]
    return points.copy() if family == "euler" else points.round()


def at_indices(table: DiscreteSchedule, indices: ArrayLike, final_zero: bool = True) -> Grid:
    """The levels of a table at time indices, and one more for the end of the last step.

    Args:
        table: the training levels.
        indices: noise first, whole or between; shape (n,).
        final_zero: end at (α, σ) = (1, 0) (`set_alpha_to_one`, `final_sigmas_type="zero"`);
            otherwise at the level of index 0.

    Raises:
        ValueError: no index, an index outside the table, or indices that rise.
    """
    expect("table", table, DiscreteSchedule)
    n = finite("indices", indices)
    if n.ndim != 1 or len(n) == 0 or not (np.diff(n) <= 0).all():
        raise ValueError(f"indices must be falling, shape (n,) with n ≥ 1, got {short(indices)}")
    end = Level(1.0, 0.0) if final_zero else table.level(0)
    return grid_of([*(table.level(float(i)) for i in n), end])


def _ratios(sigma: Array, high: float, low: float, final_zero: bool) -> Grid:
    sigma[-1] = low
    sigma[0] = high
    return Grid.from_ratios(np.append(sigma, 0.0) if final_zero else sigma)


def _beta_quantiles(points: int, a: float, b: float) -> Array:
    """Quantiles at `points` equal levels from 1 down to 0."""
    if not (number("a", a) > 0 and number("b", b) > 0):
        raise ValueError(f"a and b must be positive, got {short(a)} and {short(b)}")
    return np.asarray(betaincinv(a, b, 1 - np.linspace(0, 1, points)), dtype=np.float64)


def _steps(n: int) -> int:
    return whole("the number of steps", n, 1)


def _points(n: int, final_zero: bool) -> int:
    """Positive levels of a grid of n steps."""
    return _steps(n) if final_zero else _steps(n) + 1


def _interval(t_start: float, t_stop: float) -> tuple[float, float]:
    start, stop = number("t_start", t_start), number("t_stop", t_stop)
    if not 1 >= start > stop >= 0:
        raise ValueError(f"need 1 ≥ t_start > t_stop ≥ 0, got {start:g} and {stop:g}")
    return start, stop


def _rising(what: str, start: float, stop: float) -> tuple[float, float]:
    first, last = number(f"the {what}", start), number(f"the {what}", stop)
    if not first < last:
        raise ValueError(f"the {what} must rise (noise first), got {first:g}, {last:g}")
    return first, last


def _ratio_range(sigma_max: float, sigma_min: float) -> tuple[float, float]:
    high, low = number("sigma_max", sigma_max), number("sigma_min", sigma_min)
    if not 0 < low < high:
        raise ValueError(f"need 0 < sigma_min < sigma_max, got {low:g} and {high:g}")
    return high, low


def _train(n_train: int, n: int) -> int:
    if _steps(n) > _steps(n_train):
        raise ValueError(f"{n} steps do not fit {n_train} training times")
    return int(n_train)


def _is_dpm(family: str) -> bool:
    if not isinstance(family, str) or family not in ("ddim", "dpm", "euler"):
        raise ValueError(f"family must be 'ddim', 'dpm' or 'euler', got {short(family)}")
    return family == "dpm"


def _inside(indices: Indices, n_train: int) -> Indices:
    if indices.min() < 0 or indices.max() >= n_train:
        raise ValueError(
            f"time indices {indices.min()} … {indices.max()} are outside 0 … {n_train - 1}"
        )
    return indices.astype(np.int64)
