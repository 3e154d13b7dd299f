"""A sampler as a table of coefficients, like the Butcher tableau of a Runge–Kutta method.

Between model evaluations nearly every diffusion sampler is linear. With E evaluations and K
Gaussian draws the whole run is

    state at evaluation j:  z_j = a_j z_T + Σ_{i<j} B_ji m_i + Σ_k C_jk ξ_k
    sample:                 z_E = a_E z_T + Σ_i   B_Ei m_i + Σ_k C_Ek ξ_k

with m_i the i-th model output and ξ ~ N(0, noise_cov ⊗ I). `rows` holds it all: row j is the
state at evaluation j, the last row is the sample, the columns are [z_T | m_0 … | ξ_0 …].
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import blas, solve_triangular

from dfbench import predictions
from dfbench.errors import Undefined
from dfbench.levels import Array, Grid, Level

BLOCK = 32  # evaluations that `Table.law` takes together
CONVERTED = 1e-11  # more than conversion leaves of a weight of zero, less than single precision
ROUND_OFF = 8 * float(np.finfo(np.float64).eps)  # of a weight, relative to what it came from


@dataclass(frozen=True)
class Difference:
    """The coefficient by which two tables differ most, and the first that differs.

    `where` reads like "evaluation 7, weight of output 6: 0.132, should be 0.128".
    """

    size: float
    row: int
    column: int
    value: float
    expected: float
    where: str


@dataclass(frozen=True)
class Law:
    """Gaussian law of a sampler's output: mean and variance per direction, shape (D,)."""

    mean: Array
    variance: Array

    def wasserstein(self, mean: ArrayLike, variance: ArrayLike) -> Array:
        """W₂ to N(mean, variance) in every direction, shape (D,); exact for Gaussians in 1-D."""
        gap = np.sqrt(self.variance) - np.sqrt(np.asarray(variance, dtype=np.float64))
        distance: Array = np.hypot(self.mean - np.asarray(mean, dtype=np.float64), gap)
        return distance


@dataclass(frozen=True, eq=False)
class Table:
    """The coefficients of one run.

    Attributes:
        rows: (E + 1, 1 + E + K), float64, read-only.
        levels: E + 1 levels: those at which the model is evaluated, then the sample's.
        prediction: what m is, a kind of `dfbench.predictions`.
        noise_cov: (K, K) covariance of the draws; None means independent.
        sigma_data: the σ_data of the "edm" prediction.
        start: the level of z_T; None where it is that of the first evaluation, which it is
            unless noise is added before it (churn).

    Raises:
        ValueError: shapes do not fit, or an evaluation uses an output that comes later.
    """

    rows: Array
    levels: Grid
    prediction: str = "eps"
    noise_cov: Array | None = None
    sigma_data: float | None = None
    start: Level | None = None

    def __post_init__(self) -> None:
        if np.iscomplexobj(self.rows):  # the root of a negative variance, on levels out of order
            raise ValueError("the coefficients are not real")
        rows = np.array(self.rows, dtype=np.float64)
        rows.setflags(write=False)
        object.__setattr__(self, "rows", rows)
        e = len(self.levels) - 1
        if rows.ndim != 2 or rows.shape[0] != e + 1 or rows.shape[1] < 1 + e:
            raise ValueError(f"{e} evaluations need rows ({e + 1}, 1 + {e} + K), got {rows.shape}")
        if np.triu(rows[:e, 1 : 1 + e]).any():
            raise ValueError("an evaluation may use earlier outputs only")
        if self.noise_cov is not None and np.shape(self.noise_cov) != (self.n_draws, self.n_draws):
            raise ValueError(f"noise_cov must be {(self.n_draws,) * 2}")

    @property
    def origin(self) -> Level:
        """The level of z_T."""
        return self.start or self.levels[0]

    @property
    def nfe(self) -> int:
        """E, the model evaluations spent."""
        return len(self.levels) - 1

    @property
    def n_draws(self) -> int:
        """K, the Gaussian draws."""
        return int(self.rows.shape[1]) - 1 - self.nfe

    @property
    def a(self) -> Array:
        """Weights of z_T, shape (E + 1,)."""
        return self.rows[:, 0]

    @property
    def B(self) -> Array:
        """Weights of the model outputs, shape (E + 1, E)."""
        return self.rows[:, 1 : 1 + self.nfe]

    @property
    def C(self) -> Array:
        """Weights of the draws, shape (E + 1, K)."""
        return self.rows[:, 1 + self.nfe :]

    @property
    def covariance(self) -> Array:
        """Covariance of the draws, shape (K, K)."""
        return np.eye(self.n_draws) if self.noise_cov is None else np.asarray(self.noise_cov)

    def weights(self, prediction: str | None = None) -> Array:
        """Weight of every model output in the sample, shape (E,) (CLAIMS 36, GAO)."""
        table = self if prediction in (None, self.prediction) else self.convert(str(prediction))
        return np.array(table.B[-1])

    def convert(self, prediction: str) -> Table:
        """The same sampler in terms of another model output.

        m_i = c_i z_i + d_i n_i at every level, so Z = base + B diag(c) Z + B diag(d) N:
        one unit lower triangular solve.

        Raises:
            Undefined: the conversion does not exist at one of the levels.
        """
        if prediction == self.prediction:
            return self
        e = self.nfe
        factors = [self.affine(prediction, self.prediction, level) for level in self.evaluated]
        c, d = np.array(factors, dtype=np.float64).reshape(e, 2).T
        base = self.rows.copy()
        base[:, 1 : 1 + e] *= d
        coupling = self.B * c
        if e:
            base[:e] = solve_triangular(
                np.eye(e) - coupling[:e], base[:e], lower=True, unit_diagonal=True
            )
        base[e] += coupling[e] @ base[:e]
        return replace(self, rows=base, prediction=prediction)

    @property
    def evaluated(self) -> list[Level]:
        """The levels of the E evaluations."""
        return list(self.levels)[:-1]

    def affine(self, source: str, target: str, level: Level) -> tuple[float, float]:
        """(c, d) with target = c z + d source at a level.

        Raises:
            Undefined: there is none.
        """
        try:
            c, d = predictions.affine(
                source, target, level.alpha, level.sigma, sigma_data=self.sigma_data
            )
        except ValueError as reason:
            raise Undefined(str(reason)) from reason
        return float(c), float(d)

    def on_levels(self, levels: Grid) -> Table:
        """The same sampler with its states on the scale of other levels of the same ratios."""
        scale = np.hypot(levels.alpha, levels.sigma)
        return self.rescaled(scale / np.hypot(self.levels.alpha, self.levels.sigma))

    def normal_draws(self, negligible: float = 0.0) -> Table:
        """The same law with its draws in a standard form.

        Without the draws whose weight in every state is at most `negligible` times its size, and
        with the sign of each such that its first weight is positive.
        """
        weight = np.abs(self.C) / np.hypot(self.levels.alpha, self.levels.sigma)[:, None]
        used = weight.max(axis=0, initial=0.0) > negligible
        first = np.argmax(weight > negligible, axis=0)
        sign = np.where(self.C[first, np.arange(self.n_draws)] < 0, -1.0, 1.0)[used]
        rows = np.concatenate([self.rows[:, : 1 + self.nfe], self.C[:, used] * sign], axis=1)
        cov = self.covariance[np.ix_(used, used)] * np.outer(sign, sign)
        return replace(self, rows=rows, noise_cov=None if self.noise_cov is None else cov)

    def slopes(self, variance: ArrayLike = 0.0) -> Array:
        """∂m/∂z of the exact model for data N(0, variance), shape (E,) + shape of variance."""
        s = np.asarray(variance, dtype=np.float64)
        found = []
        for level in self.evaluated:
            k = level.alpha * s / (level.alpha**2 * s + level.sigma**2)
            c, w = self.affine("x", self.prediction, level)
            found.append(c + w * k)
        return np.array(found).reshape(self.nfe, *s.shape)

    def rescaled(self, factors: ArrayLike) -> Table:
        """The table of the states c_j z_j (z_T by c_0), outputs unchanged in meaning.

        z_T keeps its ratio σ/α, so that `start` is scaled along.

        Only predictions that do not depend on the scale (eps, x, edm) are left unchanged by it;
        convert others first.
        """
        if self.prediction not in ("eps", "x", "edm"):
            raise ValueError(f"convert {self.prediction!r} to 'x' or 'eps' before rescaling")
        c = np.broadcast_to(np.asarray(factors, dtype=np.float64), (self.nfe + 1,))
        rows = self.rows * c[:, None]
        rows[:, 0] /= c[0]
        start = self.start and Level(self.start.alpha * c[0], self.start.sigma * c[0])
        return replace(self, rows=rows, levels=self.levels.scaled(c), start=start)

    def canonical(self) -> Table:
        """x-prediction and states z/α: the form in which samplers on any scale compare.

        A level with α = 0 is scaled by 1/σ instead.
        """
        scale = [1 / (level.alpha or level.sigma) for level in self.levels]
        return self.convert("x").rescaled(scale)

    def point_response(self) -> tuple[Array, Array]:
        """Mean (per unit of x₀) and variance of every state when all data sits at x₀.

        The exact denoiser is x̂ = x₀ and z_T ~ N(α_T x₀, σ_T²). Both of shape (E + 1,). A
        sampler that keeps its books has mean α_j and variance σ_j² (CLAIMS, DESIGN).
        """
        rows = self.convert("x").rows
        first, e = self.origin, self.nfe
        mean = rows[:, 0] * first.alpha + rows[:, 1 : 1 + e].sum(axis=1)
        noise = rows[:, 1 + e :]
        var = (rows[:, 0] * first.sigma) ** 2 + ((noise @ self.covariance) * noise).sum(axis=1)
        return mean, var

    def law(
        self,
        variance: ArrayLike,
        mean: ArrayLike = 0.0,
        *,
        start_variance: ArrayLike | None = None,
        start_mean: ArrayLike | None = None,
    ) -> Law:
        """Exact law of the sample for Gaussian data, without Monte Carlo.

        Along each eigen-direction of the data's covariance the exact model is affine in the
        state, m_i = g_i z_i + h_i, so the sample is a scalar Gaussian.

        Args:
            variance, mean: of the data per direction, shape (D,) or scalar.
            start_variance, start_mean: law of z_T per direction; by default the exact marginal
                N(α_T mean, α_T² variance + σ_T²), which leaves out the initialisation error.
        """
        s, mu = np.broadcast_arrays(
            np.atleast_1d(np.asarray(variance, dtype=np.float64)),
            np.asarray(mean, dtype=np.float64),
        )
        if not (np.isfinite(s).all() and np.isfinite(mu).all() and (s >= 0).all()):
            raise ValueError("variances must be finite and ≥ 0, means finite")
        e, d = self.nfe, len(s)
        slope, shift = self.slopes(s), np.empty((e, d))
        for i, level in enumerate(self.evaluated):
            # E[x | z] = k z + (1 − α k) μ
            k = level.alpha * s / (level.alpha**2 * s + level.sigma**2)
            shift[i] = self.affine("x", self.prediction, level)[1] * (1 - level.alpha * k) * mu
        # adjoint recursion: total weight of output i in the sample, per direction; what a block
        # of evaluations passes on to those before it is one matrix product
        weight, through = np.repeat(self.B[e][:, None], d, axis=1), slope
        for stop in range(e, 0, -BLOCK):
            begin = max(stop - BLOCK, 0)
            for i in range(stop - 1, begin - 1, -1):
                through[i] *= weight[i]
                weight[begin:i] += self.B[i, begin:i, None] * through[i]
            weight[:begin] += self.B[begin:stop, :begin].T @ through[begin:stop]
        first = self.origin
        z_mean = first.alpha * mu if start_mean is None else np.asarray(start_mean, dtype=float)
        z_var = (
            first.alpha**2 * s + first.sigma**2
            if start_variance is None
            else np.asarray(start_variance, dtype=float)
        )
        gain = self.a[e] + self.a[:e] @ through
        noise = self.C[e][:, None] + self.C[:e].T @ through
        paired = noise if self.noise_cov is None else self.noise_cov @ noise
        spread = np.einsum("kd,kd->d", noise, paired)
        return Law(gain * z_mean + (weight * shift).sum(axis=0), gain**2 * z_var + spread)

    def run(
        self,
        model: Callable[[Any, Level], Any],
        z: Any,
        draws: Callable[[int], Any] | None = None,
    ) -> Any:
        """Execute the table on NumPy or torch arrays: `model(z, level)` returns the prediction.

        Works through `steps`, so each state costs a handful of passes over memory instead of one
        per earlier output; in single precision, of the prediction in which they are shortest.
        Every state is a fresh array; neither z nor what the model returns is written to.
        `draws(k)` gives the k-th Gaussian draw.

        Raises:
            ValueError: the table draws noise and `draws` is missing.
        """
        if self.n_draws and draws is None:
            raise ValueError(f"the sampler draws noise {self.n_draws} times: pass draws")
        single = getattr(getattr(z, "dtype", None), "itemsize", 8) < 8
        form, steps = self._single if single else (self, self.steps())
        last_use = {i: j for j, step in enumerate(steps) for i in step.outputs}
        noise_use = {k: j for j, step in enumerate(steps) for k in step.draws}
        outputs: dict[int, Any] = {}
        noise: dict[int, Any] = {}
        state = z
        for j, step in enumerate(steps):
            for k in step.draws:
                if k not in noise:
                    assert draws is not None
                    noise[k] = draws(k)
            terms = [(step.carry, state), (step.start, z)]
            terms += [(weight, outputs[i]) for i, weight in step.outputs.items()]
            terms += [(weight, noise[k]) for k, weight in step.draws.items()]
            state = combined(terms)
            del terms
            outputs = {i: m for i, m in outputs.items() if last_use[i] > j}
            noise = {k: x for k, x in noise.items() if noise_use[k] > j}
            if j < self.nfe:
                m = model(state, self.levels[j])
                if j in last_use:
                    if form is not self:
                        c, d = self.affine(self.prediction, form.prediction, self.levels[j])
                        m = combined([(c, state), (d, m)])
                    outputs[j] = m
        return state

    @cached_property
    def _single(self) -> tuple[Table, list[Step]]:
        """The table in the prediction whose steps take up the fewest outputs, and these steps.

        A multistep method in x̂ needs its last few x̂; in ε̂, all ε̂ so far. Another prediction
        than the table's own counts as one more output an evaluation: it has to be computed.
        Conversion costs digits, but not as many as single precision has lost already.
        """

        def taken(steps: list[Step]) -> int:
            return sum(len(step.outputs) for step in steps)

        form, steps = self, self.steps()
        least = taken(steps)
        for prediction in ("x",) if self.prediction in ("x", "eps") else ("x", "eps"):
            if least <= 2 * self.nfe:  # the least that another one costs
                break
            with suppress(Undefined):
                other = self.convert(prediction)
                few = other.steps(CONVERTED)
                if (cost := taken(few) + self.nfe) < least:
                    form, steps, least = other, few, cost
        return form, steps

    def steps(self, negligible: float = 0.0) -> list[Step]:
        """Each state as the one before it plus the few outputs and draws that are new to it.

        row_j = carry · row_{j−1} + Σ outputs + Σ draws, with round-off-sized entries dropped;
        after a state that has lost z_T, also start · z_T. Weights of outputs and draws that are
        at most `negligible` times the size of the state are dropped, too.
        """
        e, tiny, rows = self.nfe, ROUND_OFF, self.rows
        previous = np.vstack([np.eye(1, rows.shape[1]), rows[:-1]])
        begun = np.abs(previous[:, 0]) > tiny * np.abs(previous).max(axis=1)
        carry = np.divide(rows[:, 0], previous[:, 0], out=np.zeros(e + 1), where=begun)
        lost = np.abs(rows[:, 0]) <= tiny * np.abs(rows).max(axis=1)
        start = np.where(begun | lost, 0.0, rows[:, 0])
        kept = carry[:, None] * previous
        rest = rows - kept
        size = np.hypot(self.levels.alpha, self.levels.sigma)[:, None]
        rest[np.abs(rest) <= tiny * (np.abs(rows) + np.abs(kept)) + negligible * size] = 0.0
        outputs, draws = rest[:, 1 : 1 + e], rest[:, 1 + e :]
        return [
            Step(float(carry[j]), nonzero(outputs[j]), nonzero(draws[j]), float(start[j]))
            for j in range(e + 1)
        ]

    def gaps(self, expected: Table) -> Array:
        """Disagreement of every coefficient, in units of the expected state, shape of `rows`.

        Row j is divided by √(α_j² + σ_j²), the size of the state for data of unit size; the
        column of z_T is multiplied by the size of z_T. Non-finite coefficients count as ∞.

        Raises:
            ValueError: the tables differ in evaluations, draws or prediction.
        """
        for name in ("nfe", "n_draws", "prediction"):
            mine, other = getattr(self, name), getattr(expected, name)
            if mine != other:
                raise ValueError(f"{name}: {mine}, should be {other}")
        size = np.hypot(expected.levels.alpha, expected.levels.sigma)
        gaps = np.abs(self.rows - expected.rows) / size[:, None]
        gaps[:, 0] *= np.hypot(*expected.origin)
        gaps[~np.isfinite(self.rows)] = np.inf
        return gaps

    def compare(self, expected: Table, tolerance: ArrayLike | None = None) -> Difference | None:
        """The largest disagreement, or the first beyond `tolerance` (None where there is none).

        Args:
            tolerance: bound on `gaps`, scalar or of its shape.
        """
        gaps = self.gaps(expected)
        if tolerance is None:
            row, column = divmod(int(np.argmax(gaps)), gaps.shape[1])
            return self._difference(expected, gaps, row, column)
        bound = np.broadcast_to(np.asarray(tolerance, dtype=np.float64), gaps.shape)
        beyond = ~(gaps <= bound)
        if not beyond.any():
            return None
        row = int(np.flatnonzero(beyond.any(axis=1))[0])
        excess = np.divide(
            gaps[row], bound[row], out=np.full(len(gaps[row]), np.inf), where=bound[row] > 0
        )
        return self._difference(
            expected, gaps, row, int(np.where(beyond[row], excess, -np.inf).argmax())
        )

    def _difference(self, expected: Table, gap: Array, row: int, column: int) -> Difference:
        place = "the sample" if row == self.nfe else f"evaluation {row}"
        if column == 0:
            what = "weight of the initial state"
        elif column <= self.nfe:
            what = f"weight of output {column - 1}"
        else:
            what = f"weight of draw {column - 1 - self.nfe}"
        value, should = float(self.rows[row, column]), float(expected.rows[row, column])
        where = f"{place}, {what}: {value:.9g}, should be {should:.9g}"
        return Difference(float(gap[row, column]), row, column, value, should, where)


@dataclass(frozen=True)
class Step:
    """state ← carry · state + Σ outputs[i] m_i + Σ draws[k] ξ_k + start · z_T."""

    carry: float
    outputs: dict[int, float]
    draws: dict[int, float]
    start: float = 0.0


def nonzero(weights: Array) -> dict[int, float]:
    """The weights that are not zero, by index."""
    used = np.flatnonzero(weights)
    return dict(zip(used.tolist(), weights[used].tolist(), strict=True))


def combined(terms: list[tuple[float, Any]]) -> Any:
    """Σ weight · x as a new array, accumulated in place where shapes and types agree.

    Terms of weight zero are left out. Where they do not agree, the types decide, as in plain
    arithmetic. Accumulation takes three passes over memory a term, the first two terms together
    three in torch (`addr`, which rounds weights to the type: not for half precision).
    """
    (weight, x), *rest = [term for term in terms if term[0]] or terms[:1]
    alike = getattr(x, "ndim", 0) and all(
        type(y) is type(x) and y.dtype == x.dtype and y.shape == x.shape for _, y in rest
    )
    if alike and isinstance(x, np.ndarray):
        return _accumulated(weight, x, rest)
    if not alike or not hasattr(x, "add_"):
        total = weight * x
        for factor, y in rest:
            total = total + factor * y
        return total
    if rest and x.itemsize >= 4 and x.is_contiguous() and rest[0][1].is_contiguous():
        (factor, y), *rest = rest
        one = x.new_ones(1)
        total = x.reshape(-1, 1).addr(y.reshape(-1), one, beta=weight, alpha=factor)
        total = total.reshape(x.shape)
    else:
        total = x * weight
    for factor, y in rest:
        total.add_(y, alpha=factor)
    return total


def _accumulated(weight: float, x: Any, rest: list[tuple[float, Any]]) -> Any:
    total = x * weight
    fits = total.dtype in (np.float32, np.float64) and total.size < 2**31
    for factor, y in rest:
        if fits and total.flags.c_contiguous and y.flags.c_contiguous:
            axpy = blas.saxpy if total.dtype == np.float32 else blas.daxpy
            axpy(y.reshape(-1), total.reshape(-1), a=factor)  # one pass, nothing in between
        else:
            total += factor * y
    return total
