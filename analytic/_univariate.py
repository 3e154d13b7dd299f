"""One-dimensional mixtures: tails of the distribution function in logarithms, and their inverse.

`weights`, `means`, `scales` are (K,); a scale of zero is an atom. Both tails are kept because
either one loses the other: near p = 1 only `1 - p` still has digits.
"""

import numpy as np
from numpy.typing import NDArray

from analytic._checks import Array

_EPS = float(np.finfo(np.float64).eps)
_TINY = float(np.finfo(np.float64).tiny)
_BLOCK = 1 << 17


def log_tails(weights: Array, means: Array, scales: Array, x: Array) -> tuple[Array, Array]:
    """`log P(X <= x)` and `log P(X > x)`, each in the shape of x."""
    lower, upper = np.empty(x.size), np.empty(x.size)
    flat = x.reshape(-1)
    step = max(1, _BLOCK // len(weights))
    for start in range(0, x.size, step):
        rows = slice(start, start + step)
        lower[rows], upper[rows], _ = _tails(weights, means, scales, flat[rows])
    return lower.reshape(x.shape), upper.reshape(x.shape)


def _tails(weights: Array, means: Array, scales: Array, x: Array) -> tuple[Array, Array, Array]:
    """Both log tails and the log density (of the part that has one) at x (n,)."""
    from scipy.special import log_ndtr

    apart = x - means[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        log_w = np.log(weights)[:, None]
        u = np.where(scales[:, None] > 0, apart / scales[:, None], np.inf)
        u = np.where((scales[:, None] == 0) & (apart < 0), -np.inf, u)
        bell = -0.5 * u**2 - np.log(scales[:, None]) - 0.5 * np.log(2 * np.pi)
        bell = np.where(np.isfinite(u), bell, -np.inf)
        return (
            _log_sum(log_w + log_ndtr(u)),
            _log_sum(log_w + log_ndtr(-u)),
            _log_sum(log_w + bell),
        )


def _log_sum(terms: Array) -> Array:
    top = terms.max(0)
    safe = np.where(np.isfinite(top), top, 0.0)
    total: Array = safe + np.log(np.exp(terms - safe).sum(0))
    return total


def quantile(
    weights: Array, means: Array, scales: Array, log_lower: Array, log_upper: Array
) -> Array:
    """Smallest x with `log P(X <= x) >= log_lower`, told both tails, in their shape."""
    shape, lower, upper = log_lower.shape, log_lower.reshape(-1), log_upper.reshape(-1)
    x = np.empty(lower.size)
    step = max(1, _BLOCK // len(weights))
    some = weights > 0
    for start in range(0, x.size, step):
        rows = slice(start, start + step)
        x[rows] = _solve(weights[some], means[some], scales[some], lower[rows], upper[rows])
    return x.reshape(shape)


def _solve(weights: Array, means: Array, scales: Array, lower: Array, upper: Array) -> Array:
    """Newton on the logarithm of the smaller tail, kept inside a bracket by bisection."""
    from scipy.special import ndtri_exp

    left = lower < upper

    def excess(x: Array, rows: NDArray[np.intp]) -> tuple[Array, Array]:
        below, above, log_density = _tails(weights, means, scales, x)
        tail = np.where(left[rows], below, above)
        target = np.where(left[rows], lower[rows], upper[rows])
        slope = np.exp(np.minimum(log_density - np.where(np.isfinite(tail), tail, 0.0), 700.0))
        with np.errstate(invalid="ignore"):
            return np.where(left[rows], tail - target, target - tail), slope

    # A quantile of the mixture lies between those of its components; widened against rounding.
    u = np.where(left, ndtri_exp(np.where(left, lower, 0.0)), 0.0)
    u = np.where(left, u, -ndtri_exp(np.where(left, -1.0, upper)))
    each = means[:, None] + scales[:, None] * np.where(scales[:, None] > 0, u, 0.0)
    margin = 1e-10 * (np.abs(each) + scales[:, None] * (1 + np.abs(u))) + _TINY
    lo, hi = (each - margin).min(0), (each + margin).max(0)
    x: Array = 0.5 * (lo + hi)
    last = hi - lo
    active = np.arange(len(x))
    for _ in range(2200):  # bisection alone ends before that anywhere in float64
        value, slope = excess(x[active], active)
        enough = value >= 0
        hi[active] = np.where(enough, x[active], hi[active])
        lo[active] = np.where(enough, lo[active], x[active])
        width = hi[active] - lo[active]
        middle = lo[active] + 0.5 * width
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            newton = x[active] - value / slope
        fast = (newton > lo[active]) & (newton < hi[active])
        fast &= np.abs(newton - x[active]) < 0.5 * last[active]
        trial = np.where(fast, newton, middle)
        last[active] = np.abs(trial - x[active])
        # Done: the tail agrees to rounding where it slopes, or the bracket has closed on a jump.
        exact = (slope > 0) & (np.abs(value) <= 2 * _EPS * (1 + slope * np.abs(x[active])))
        closed = (middle <= lo[active]) | (middle >= hi[active])
        x[active] = np.where(exact, x[active], np.where(closed, hi[active], trial))
        active = active[~(exact | closed)]
        if not active.size:
            break
    return x
