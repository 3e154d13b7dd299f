"""The flow of isotropic components by Taylor series, each point at steps of its own.

With c and s the mean and variance of the narrowest component that counts at a point (the heaviest
of those), the coordinates

    t = alpha/beta,   x = z/beta - t c,   beta^2 = alpha^2 s + sigma^2

make the probability-flow ODE `dx/dt = M - c`, with `delta_k = s_k - s`, `m_k = mu_k - c` and

    M - c   = sum_k r_k rho_k (m_k + delta_k t x),   rho_k = 1/(1 + delta_k t^2),
    log r_k = rho_k (delta_k |t x|^2/2 + m_k.(t x) - t^2 |m_k|^2/2) + d/2 log rho_k + log w_k,

the logarithm up to what all k share. Nothing is divided by the noise, t = 0 is pure noise, and
where one component is alone x is constant: any step is exact. Products, quotients and exponentials
have their series by the usual recurrences (Griewank and Walther 2008, chapter 13).

A step is so long that the last two terms of the series are within the tolerance (Jorba and Zou
2005), and that no component comes up of which the series cannot know. At its end the series must
have the slope of the field, or half the step is taken.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analytic._checks import Array
from analytic._state import Components

Mask = NDArray[np.bool_]
Rows = NDArray[np.intp]

ORDER = 22  # at most
_STEPS = 400  # draws need 10 to 40; a point that needs more is stiff
_ROWS, _NUMBERS = 1024, 1 << 19  # points taken together, and numbers of one series of them
_COUNTS = 0.02  # of the weight: such a component may lend its variance to the coordinates
_LOST = 37.0  # exp(-37) is below rounding
_REACH = 22.0  # exponents over a step: as many terms show exp of it
_SLOPE = 64.0  # tolerances by which the slope at the end may be off, times the step
_TINY, _EPS = 1e-300, 2.0**-52


class Series:
    """The flow between two levels of the unit circle, given as ratios r = sigma/alpha."""

    def __init__(self, components: Components, start: float, stop: float) -> None:
        here = components.weights > 0
        self.start, self.stop, self.down = start, stop, stop < start
        self.means = np.ascontiguousarray(components.means[here].T)
        self.log_weights = components.log_weights[here, None]
        self.s: Array = components.spectra[here, 0]
        self.equal = bool((self.s == self.s[0]).all())
        self.length = float(np.sqrt((self.means**2).sum(0).max())) or 1.0
        widest = max(len(self.s) * 2 * ORDER, self.means.size)
        self.rows = max(1, min(_ROWS, _NUMBERS // widest))

    def run(self, z: Array, tolerance: float, scale: float, order: int) -> tuple[Array, Mask]:
        """The ends of z (n, d) on the unit circle, and which points arrived, (n,).

        An error of a step is held to `tolerance (scale + |z|)`, |z| the largest coordinate.
        """
        self.room = np.empty((2, ORDER * len(self.s) * min(self.rows, len(z))))
        points = _Points(self, z)
        steps, arrived = np.zeros(len(z), dtype=np.intp), np.zeros(len(z), dtype=bool)
        with np.errstate(over="ignore", invalid="ignore"):  # a step that overflows is not taken
            while True:
                rows = np.flatnonzero(~arrived & (steps < _STEPS))[: self.rows]
                if not rows.size:
                    return points.z.T, arrived
                steps[rows] += 1
                arrived[rows] = self._step(points, rows, tolerance, scale, order)

    def _step(
        self, points: _Points, rows: Rows, tolerance: float, scale: float, order: int
    ) -> Mask:
        """One step of these points, or none where it would be wrong; which arrived."""
        z, unit = points.z[:, rows], points.unit[rows]
        c, s = self.means[:, points.origin[rows]], points.s[rows]
        t, tau, beta = _time(points.r[rows], s)
        chart = _Chart(self, c, s)
        x = z / beta - t * c
        series, _, known = chart.series(x, t, tau, unit, order)
        # An error of x is one of z beta times as large: at the end, if that is more than here.
        worst = np.maximum(beta, _time(np.array([self.stop]), s)[2])
        allowed = tolerance * (scale + np.abs(z).max(0)) / worst
        allowed = np.maximum(allowed, _EPS * np.abs(x).max(0))
        h = np.minimum(unit * np.minimum(_longest(series, allowed), known), points.limit[rows])
        last = h >= np.abs(_ahead(points.r[rows], self.stop, s))
        # The level there, and the step anew to where it is: the level is what must be exact.
        level = _level(points.r[rows], h if self.down else -np.minimum(h, t), s)
        between = np.maximum if self.down else np.minimum
        level = np.where(last, self.stop, between(level, self.stop))
        ahead, tau, beta = _time(level, s)
        h = _ahead(points.r[rows], level, s)
        x, slope = _polynomial(series, h / unit)
        field, weight, _ = chart.series(x, ahead, tau, unit, 1)
        good: Mask = np.abs((field[1] - slope) * (h / unit)).max(0) <= _SLOPE * allowed
        there = rows[good]
        points.z[:, there] = (beta * (x + ahead * c))[:, good]
        points.r[there] = level[good]
        points.unit[rows] = np.maximum(np.abs(h), _TINY)
        points.limit[rows] = np.where(good, np.inf, np.abs(h) / 2)
        points.weigh(there, weight[:, good])
        done: Mask = good & last
        return done


class _Points:
    """Where points are, z (d, n) and r; their coordinates; the scale and bound of their steps."""

    def __init__(self, law: Series, z: Array) -> None:
        n = len(z)
        self.law, self.z, self.r = law, z.T.copy(), np.full(n, law.start)
        self.unit, self.limit = np.full(n, 1 / law.length), np.full(n, np.inf)
        self.origin, self.s = np.zeros(n, dtype=np.intp), np.full(n, law.s.min())
        t, tau, beta = _time(self.r, self.s)
        for first in range(0, n, law.rows):  # good enough to tell which components count
            rows = np.arange(first, min(first + law.rows, n))
            chart = _Chart(law, np.zeros((len(self.z), len(rows))), self.s[rows])
            x = self.z[:, rows] / beta[rows]
            self.weigh(rows, chart.series(x, t[rows], tau[rows], self.unit[rows], 1)[1])

    def weigh(self, rows: Rows, weight: Array) -> None:
        """Choose the coordinates by the responsibilities, (K, n)."""
        each = np.where(weight >= _COUNTS, self.law.s[:, None], np.inf)
        self.s[rows] = s = each.min(0)
        self.origin[rows] = np.where(each == s, weight, 0.0).argmax(0)


class _Chart:
    """Coordinates of n points: about c (d, n), by the variances s (n,)."""

    def __init__(self, law: Series, c: Array, s: Array) -> None:
        size, dim, n = len(law.s), len(c), len(s)
        self.law, self.dim = law, dim
        self.apart = np.ones((dim + 1, size, n))  # m_k; the last row sums over components
        np.subtract(law.means[:, :, None], c[:, None], out=self.apart[:dim])
        self.square = np.einsum("dkn,dkn->kn", self.apart[:dim], self.apart[:dim])
        self.delta = law.s[:, None] - s

    def series(
        self, x: Array, t: Array, tau: Array, unit: Array, order: int
    ) -> tuple[Array, Array, Array]:
        """Of x in steps of `unit`: coefficients, (order + 1, d, n); r, (K, n); reach, (n,).

        The reach is how many units ahead the series knows of all components; tau is sigma/beta.
        """
        law, dim, n = self.law, self.dim, len(t)
        apart, delta = self.apart, self.delta
        xs, us = np.empty((order + 1, dim, n)), np.empty((order, dim, n))  # x, t x
        ms = np.empty((order, dim + 1, n))  # M - c, and the total weight
        shape = order, len(law.s), n  # of r_k rho_k, and of the slope of its logarithm
        f, rates = law.room[:, : order * len(law.s) * n].reshape(2, *shape)
        halves = 0.5 * t**2, t * unit, 0.5 * unit**2  # t^2/2
        reach = np.full(n, np.inf)
        xs[0] = x
        mixed = None if law.equal else _Mixed(delta, law.s[:, None] * t**2 + tau**2, halves, us)
        for j in range(order):
            u = np.multiply(t, xs[j], out=us[j])
            if j:
                u += unit * xs[j - 1]
            log = np.einsum("dkn,dn->kn", apart[:dim], u)
            if j < 3:
                log -= halves[j] * self.square
            if mixed:
                log = mixed.divided(log, j)
            if j == 0:
                logs = log + law.log_weights
                if mixed:
                    logs -= 0.5 * dim * np.log(mixed.base)
                top = logs.max(0)
                r: Array = np.exp(logs - top)
                r /= r.sum(0)
                f[0] = r * mixed.inverse if mixed else r
            else:
                np.multiply(log, j, out=rates[j])
                if mixed:
                    rates[j] -= (0.5 * dim + 1) * mixed.bend(j)
                np.einsum("jkn,jkn->kn", rates[1 : j + 1], f[j - 1 :: -1], out=f[j])
                f[j] *= 1 / j
            if j == 1:
                speed = rates[1] - (r * rates[1]).sum(0)
                far = np.maximum(_REACH, top - logs - _LOST)
                falls = (speed if law.down else -speed) < 0  # what is lost and falls stays so
                speed = np.where(falls & (far > _REACH), 0.0, np.abs(speed))
                reach = (far / np.maximum(speed, _TINY)).min(0)
            m = np.einsum("dkn,kn->dn", apart, f[j], out=ms[j])
            if mixed:
                mixed.add(m, f[j], j)
            if j:
                m[:dim] -= np.einsum("jn,jdn->dn", ms[1 : j + 1, dim], ms[j - 1 :: -1, :dim])
            if mixed:
                m[:dim] /= ms[0, dim]
            np.multiply(m[:dim], unit / (j + 1), out=xs[j + 1])
        return xs, r, reach


class _Mixed:
    """What different variances add: quotients by `1 + delta t^2`, whose series has three terms."""

    def __init__(self, delta: Array, base: Array, halves: tuple[Array, ...], us: Array) -> None:
        self.delta, self.base, self.inverse = delta, base, 1 / base
        self.halves, self.us, self.sums = halves, us, np.empty((len(us), us.shape[2]))
        self.first = -2 * delta * (halves[1] * self.inverse)
        self.second = -2 * delta * (halves[2] * self.inverse)
        self.logs, self.bends = [base, base], [base, base]  # the last two terms of each series

    def divided(self, log: Array, j: int) -> Array:
        """Term j of `rho_k (delta_k |t x|^2/2 + ...)`, of the terms so far."""
        us = self.us
        log += self.delta * (0.5 * np.einsum("jdn,jdn->n", us[: j + 1], us[j::-1]))
        log *= self.inverse
        if j:
            log += self.first * self.logs[0]
        if j > 1:
            log += self.second * self.logs[1]
        self.logs = [log, self.logs[0]]
        return log

    def bend(self, j: int) -> Array:
        """Term j - 1 of the slope of `log(1 + delta t^2)`, for j = 1, 2, ..."""
        if j == 1:
            bend = -self.first
        elif j == 2:
            bend = self.first * self.bends[0] - 2 * self.second
        else:
            bend = self.first * self.bends[0] + self.second * self.bends[1]
        self.bends = [bend, self.bends[0]]
        return bend

    def add(self, m: Array, f: Array, j: int) -> None:
        """Term j: `t x sum_k delta_k f_k` to the mean, `t^2 sum_k delta_k f_k` to the weight."""
        np.einsum("kn,kn->n", self.delta, f, out=self.sums[j])
        m[:-1] += np.einsum("jdn,jn->dn", self.us[: j + 1], self.sums[j::-1])
        for i in range(min(j, 2) + 1):
            m[-1] += 2 * self.halves[i] * self.sums[j - i]


def _time(r: Array, s: Array) -> tuple[Array, Array, Array]:
    """t, tau = sigma/beta and beta on the unit circle at r = sigma/alpha."""
    far = np.isinf(r)
    length = np.hypot(1, np.where(far, 1.0, r))
    cos, sin = np.where(far, 0.0, 1 / length), np.where(far, 1.0, r / length)
    beta = np.sqrt(s * cos**2 + sin**2)
    return cos / beta, sin / beta, beta


def _ahead(r: Array, level: Array | float, s: Array) -> Array:
    """t(level) - t(r), without subtracting what is nearly equal where the noise is small."""
    near, far = np.minimum(r, level), np.maximum(r, level)
    x = np.sqrt(s + near**2)
    with np.errstate(divide="ignore", invalid="ignore"):
        y = np.sqrt(s + far**2)
        h = np.where(np.isinf(far), 1 / x, (far - near) / x * ((far + near) / y) / (x + y))
    return np.where(level < r, h, np.where(level > r, -h, 0.0))


def _level(r: Array, h: Array, s: Array) -> Array:
    """r where t is h more."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        t = 1 / np.sqrt(s + r**2)
        there = t + h
        square = np.where(t > 0, r**2 - (h / there) * ((t + there) / there) / t**2, there**-2.0 - s)
    return np.sqrt(np.maximum(np.where(there > 0, square, np.inf), 0.0))


def _longest(series: Array, allowed: Array) -> Array:
    """How far the last two terms stay below what is allowed."""
    longest = np.full(series.shape[2], np.inf)
    for j in (len(series) - 2, len(series) - 1):
        size = np.maximum(np.abs(series[j]).max(0), _TINY)
        np.minimum(longest, np.exp(np.log(allowed / size) / j), out=longest)
    return longest


def _polynomial(series: Array, q: Array) -> tuple[Array, Array]:
    """Value and slope at q."""
    value, slope = series[-1].copy(), np.zeros_like(series[-1])
    for term in series[-2::-1]:
        slope *= q
        slope += value
        value *= q
        value += term
    return value, slope
