"""A sampler as a table of coefficients, like the Butcher tableau of a Runge–Kutta method.

Between model evaluations nearly every diffusion sampler is linear. With E evaluations and K
Gaussian draws the whole run is

    state at evaluation j:  z_j = a_j z_T + Σ_{i<j} B_ji m_i + Σ_k C_jk ξ_k
    sample:                 z_E = a_E z_T + Σ_i   B_Ei m_i + Σ_k C_Ek ξ_k

with m_i the i-th model output and ξ ~ N(0, noise_cov ⊗ I). `rows` holds it all: row j is the
state at evaluation j, the last row is the sample, the columns are [z_T | m_0 … | ξ_0 …]. What a
run does on the way, step by step, is `dfbench.steps`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import solve_triangular

from analytic import GaussianMixture
from dfbench import predictions
from dfbench.combining import Sums
from dfbench.errors import Undefined, expect, short
from dfbench.exact import exact_model, exact_slope
from dfbench.levels import Array, Grid, Level, grid_of
from dfbench.reals import finite, number, reals, shaped
from dfbench.steps import Step, executed, followed_back, taken_apart

CONVERTED = 1e-11  # more than conversion leaves of a weight of zero, less than single precision


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
        gap = np.sqrt(self.variance) - np.sqrt(_fitting("variance", variance, self.variance.shape))
        shift = self.mean - _fitting("mean", mean, self.mean.shape, -math.inf)
        return np.asarray(np.hypot(shift, gap))


def _fitting(name: str, value: ArrayLike, shape: tuple[int, ...], low: float = 0.0) -> Array:
    """Finite numbers of at least `low` in a shape of which they may leave out axes."""
    found = finite(name, value)
    if (found < low).any():
        raise ValueError(f"{name} must be at least {low:g}, got {short(value)}")
    return shaped(name, found, shape)


def _check_covariance(cov: Array, n: int) -> None:
    if cov.shape != (n, n):
        raise ValueError(f"noise_cov must be {(n, n)}, got {cov.shape}")
    size = float(np.abs(cov).max(initial=0.0))
    if (np.abs(cov - cov.T) > 1e-10 * size).any():
        raise ValueError("noise_cov must be symmetric")
    if n and np.array_equal(cov, np.diag(np.diag(cov))):
        fits = bool((np.diag(cov) >= 0).all())
    else:
        try:
            np.linalg.cholesky(cov + 1e-10 * size * np.eye(n))
            fits = True
        except np.linalg.LinAlgError:
            fits = False
    if not fits:
        raise ValueError("noise_cov must be positive semi-definite")


def relative(variance: Array, truth: Array) -> Array:
    """Relative error √(variance/truth) − 1 of a standard deviation.

    Where there is nothing to be had, nothing is right and anything infinitely wrong.
    """
    found, right = reals("variance", variance), reals("truth", truth)
    if found.shape != right.shape or not ((found >= 0).all() and (right >= 0).all()):
        raise ValueError("variance and truth must be numbers ≥ 0, of one shape")
    return _relative(found, right)


def _relative(found: Array, right: Array) -> Array:
    """NaN where coefficients are beyond measure, and there is no law."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = found / right
    return np.asarray(np.sqrt(np.where((right == 0) & (found == 0), 1.0, ratio)) - 1)


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
        ValueError: shapes do not fit, an evaluation uses an output that comes later, the
            prediction is unknown, σ_data is not positive, or `noise_cov` is no covariance.
    """

    rows: Array
    levels: Grid
    prediction: str = "eps"
    noise_cov: Array | None = None
    sigma_data: float | None = None
    start: Level | None = None

    def __post_init__(self) -> None:
        rows = np.array(reals("rows", self.rows))
        expect("levels", self.levels, Grid)
        if self.start is not None:
            expect("start", self.start, Level)
        rows.setflags(write=False)
        object.__setattr__(self, "rows", rows)
        e = len(self.levels) - 1
        if rows.ndim != 2 or rows.shape[0] != e + 1 or rows.shape[1] < 1 + e:
            raise ValueError(f"{e} evaluations need rows ({e + 1}, 1 + {e} + K), got {rows.shape}")
        if np.triu(rows[:e, 1 : 1 + e]).any():
            raise ValueError("an evaluation may use earlier outputs only")
        if self.noise_cov is not None:
            _check_covariance(finite("noise_cov", self.noise_cov), self.n_draws)
        predictions.known(self.prediction)
        if self.sigma_data is not None and number("sigma_data", self.sigma_data) <= 0:
            raise ValueError(f"sigma_data must be a number > 0, got {short(self.sigma_data)}")

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

    @cached_property
    def noise_root(self) -> Array:
        """R with R Rᵀ = `covariance`, shape (K, K): the draws are R times standard normals."""
        values, vectors = np.linalg.eigh(self.covariance)
        root: Array = vectors * np.sqrt(np.maximum(values, 0.0))
        return root

    def drawn(self, normals: Callable[[int], Any]) -> Callable[[int], Any]:
        """The draws of the table made of standard normals, array k of each being `normals(k)`."""
        if self.noise_cov is None or not self.n_draws:
            return normals
        if not callable(normals):
            raise TypeError(f"normals must be a function of k, got {short(normals)}")
        every = np.stack([normals(k) for k in range(self.n_draws)])
        return lambda k: np.tensordot(self.noise_root[k], every, 1)

    def weights(self, prediction: str | None = None) -> Array:
        """Weight of every model output in the sample, shape (E,) (CLAIMS 36, GAO)."""
        table = self if prediction in (None, self.prediction) else self.convert(str(prediction))
        return np.array(table.B[-1])

    @property
    def noise_left(self) -> float:
        """Standard deviation of the noise that the draws leave in the sample."""
        left = self.C[-1]
        return float(np.sqrt(max(0.0, left @ self.covariance @ left)))

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

    def converted(self) -> Iterator[Table]:
        """The table in the predictions in which its steps may be computed beside its own: x̂, and
        ε̂ where its own is neither, as far as they exist."""
        for prediction in ("x",) if self.prediction in ("x", "eps") else ("x", "eps"):
            try:
                table = self.convert(prediction)
            except Undefined:
                continue
            yield table

    @property
    def evaluated(self) -> list[Level]:
        """The levels of the E evaluations."""
        return list(self.levels)[:-1]

    def affine(self, source: str, target: str, level: Level) -> tuple[float, float]:
        """(c, d) with target = c z + d source at a level.

        Raises:
            Undefined: there is none.
        """
        expect("level", level, Level)
        predictions.known(source)
        predictions.known(target)
        try:
            c, d = predictions.affine(
                source, target, level.alpha, level.sigma, sigma_data=self.sigma_data
            )
        except ValueError as reason:
            raise Undefined(str(reason)) from reason
        return float(c), float(d)

    def until(self, j: int) -> Table:
        """The states up to the j-th, which is the sample: what the outputs before it make."""
        if isinstance(j, bool) or not isinstance(j, int | np.integer) or not 0 <= j <= self.nfe:
            raise ValueError(f"j must be a whole number from 0 to {self.nfe}, got {short(j)}")
        if j == self.nfe:
            return self
        used = np.r_[0 : 1 + j, 1 + self.nfe : self.rows.shape[1]]
        return replace(
            self, rows=self.rows[: j + 1, used], levels=grid_of(list(self.levels)[: j + 1])
        )

    def on_levels(self, levels: Grid) -> Table:
        """The same sampler with its states on the scale of other levels of the same ratios."""
        expect("levels", levels, Grid)
        scale = np.hypot(levels.alpha, levels.sigma)
        return self.rescaled(scale / np.hypot(self.levels.alpha, self.levels.sigma))

    def normal_draws(self, negligible: float = 0.0) -> Table:
        """The same law with its draws in a standard form.

        Without the draws whose weight in every state is at most `negligible` times its size, and
        with the sign of each such that its first weight is positive.
        """
        negligible = number("negligible", negligible, 0.0)
        weight = np.abs(self.C) / np.hypot(self.levels.alpha, self.levels.sigma)[:, None]
        used = weight.max(axis=0, initial=0.0) > negligible
        first = np.argmax(weight > negligible, axis=0)
        sign = np.where(self.C[first, np.arange(self.n_draws)] < 0, -1.0, 1.0)[used]
        rows = np.concatenate([self.rows[:, : 1 + self.nfe], self.C[:, used] * sign], axis=1)
        cov = self.covariance[np.ix_(used, used)] * np.outer(sign, sign)
        return replace(self, rows=rows, noise_cov=None if self.noise_cov is None else cov)

    def slope(self, level: Level, variance: ArrayLike) -> Array:
        """∂m/∂z of the exact model at a level for data of this variance, of its shape."""
        expect("level", level, Level)
        s = finite("variance", variance)
        if (s < 0).any():
            raise ValueError(f"variance must be at least 0, got {short(variance)}")
        return exact_slope(s, level, self.prediction, self.sigma_data)

    def slopes(self, variance: ArrayLike = 0.0) -> Array:
        """`slope` at every evaluation, shape (E,) + shape of variance."""
        found = [self.slope(level, variance) for level in self.evaluated]
        return np.array(found).reshape(self.nfe, *np.shape(variance))

    def rescaled(self, factors: ArrayLike) -> Table:
        """The table of the states c_j z_j (z_T by c_0), outputs unchanged in meaning.

        z_T keeps its ratio σ/α, so that `start` is scaled along.

        Only predictions that do not depend on the scale (eps, x, edm) are left unchanged by it;
        convert others first.
        """
        if self.prediction not in ("eps", "x", "edm"):
            raise ValueError(f"convert {self.prediction!r} to 'x' or 'eps' before rescaling")
        c = shaped("factors", finite("factors", factors), (self.nfe + 1,))
        if not (c > 0).all():
            raise ValueError(f"factors must be positive, got {short(factors)}")
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
        size = max(np.size(each) for each in (variance, mean))
        s = _fitting("variance", variance, (size,))
        mu = _fitting("mean", mean, (size,), -math.inf)
        first = self.origin
        z_mean, z_var = first.alpha * mu, first.alpha**2 * s + first.sigma**2
        if start_mean is not None:
            z_mean = _fitting("start_mean", start_mean, (size,), -math.inf)
        if start_variance is not None:
            z_var = _fitting("start_variance", start_variance, (size,))
        gain, noise = self.sensitivity(s)
        found = gain * z_mean
        if mu.any():  # the model pulls towards it, with noise or without
            data = GaussianMixture.diagonal([1.0], mu[None], s[None])
            model = exact_model(data, self.prediction, self.sigma_data)
            still = np.zeros((1, len(s)))
            found = self.run(model, still + z_mean, lambda k: still)[0]
        paired = noise if self.noise_cov is None else self.noise_cov @ noise
        return Law(found, gain**2 * z_var + np.einsum("kd,kd->d", noise, paired))

    def response(self, variance: Array) -> Array:
        """Relative error of the sample's standard deviation on Gaussian data, of its shape, (D,).

        From the exact marginal at the start, against that at the last level: neither
        initialisation nor truncation enters. (PG, spectral form)
        """
        last = self.levels[-1]
        truth = last.alpha**2 * finite("variance", variance) + last.sigma**2
        return _relative(self.law(variance).variance, truth)

    def sensitivity(self, variance: Array) -> tuple[Array, Array]:
        """What z_T (D,) and every draw (K, D) weigh in the sample for Gaussian data, (D,)."""
        size = np.size(variance)
        s = _fitting("variance", variance, (size,))
        return followed_back(
            self.steps(), lambda j: self.slope(self.levels[j], s), self.n_draws, size
        )

    def run(
        self,
        model: Callable[[Any, Level], Any],
        z: Any,
        draws: Callable[[int], Any] | None = None,
    ) -> Any:
        """Execute the table on NumPy or torch arrays: the last of its `states`, the sample."""
        states = self.states(model, z, draws)
        for _ in range(self.nfe):
            next(states)  # not held: its memory is used again
        return next(states)

    def states(
        self,
        model: Callable[[Any, Level], Any],
        z: Any,
        draws: Callable[[int], Any] | None = None,
    ) -> Iterator[Any]:
        """The E + 1 states of a run one by one: `model(z, level)` returns the prediction.

        Works through `steps`, so each state costs a handful of passes over memory instead of one
        per earlier output; in single precision, of the prediction in which they are shortest.
        A state is yours as long as you hold it, or a view of it; then its memory may be used again.
        Neither z nor what the model returns is written to.
        `draws(k)` gives the k-th Gaussian draw (`drawn` makes it of standard normals).

        Raises:
            ValueError: the table draws noise and `draws` is missing.
        """
        if not callable(model):
            raise TypeError(f"model must be a function of (z, level), got {short(model)}")
        if self.n_draws and draws is None:
            raise ValueError(f"the sampler draws noise {self.n_draws} times: pass draws")
        sums = Sums()
        single = getattr(getattr(z, "dtype", None), "itemsize", 8) < 8
        steps, factors = self._single if single else (self.steps(), None)
        levels = self.evaluated

        def output(state: Any, j: int) -> Any:
            m = model(state, levels[j])
            return m if factors is None else sums([(factors[j][0], state), (factors[j][1], m)])

        return executed(steps, output, z, draws, sums=sums)

    @cached_property
    def _single(self) -> tuple[list[Step], list[tuple[float, float]] | None]:
        """The steps in the prediction that takes up the fewest outputs, and (c, d) at every
        evaluation that make it of the table's own, m' = c z + d m; None where it is that.

        A multistep method in x̂ needs its last few x̂; in ε̂, all ε̂ so far. Another prediction
        than the table's own counts as one more output an evaluation: it has to be computed.
        Conversion costs digits, but not as many as single precision has lost already.
        """

        def taken(steps: list[Step]) -> int:
            return sum(len(step.outputs) for step in steps)

        steps, least = self.steps(), taken(self.steps())
        factors: list[tuple[float, float]] | None = None
        # another form costs an output an evaluation for itself, and one for its conversion
        for other in self.converted() if least > 2 * self.nfe else ():
            few = other.steps(CONVERTED)
            if (cost := taken(few) + self.nfe) < least:
                kind = other.prediction
                with suppress(Undefined):  # ε̂ gives no x̂ where α = 0
                    factors = [self.affine(self.prediction, kind, lev) for lev in self.evaluated]
                    steps, least = few, cost
        return steps, factors

    def steps(self, negligible: float = 0.0) -> list[Step]:
        """Each state as the one before it plus the few outputs and draws that are new to it.

        Weights of at most `negligible` times the size of the state are dropped.
        """
        negligible = number("negligible", negligible, 0.0)
        if negligible not in self._steps:
            sizes = np.hypot(self.levels.alpha, self.levels.sigma)
            self._steps[negligible] = taken_apart(self.rows, sizes, negligible)
        return self._steps[negligible]

    @cached_property
    def _steps(self) -> dict[float, list[Step]]:
        return {}

    def gaps(self, expected: Table) -> Array:
        """Disagreement of every coefficient, in units of the expected state, shape of `rows`.

        Row j is divided by √(α_j² + σ_j²), the size of the state for data of unit size; the
        column of z_T is multiplied by the size of z_T. Non-finite coefficients count as ∞.

        Raises:
            ValueError: the tables differ in evaluations, draws or prediction.
        """
        expect("expected", expected, Table)
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
        bound = shaped("tolerance", reals("tolerance", tolerance), gaps.shape)
        if np.isnan(bound).any() or (bound < 0).any():
            raise ValueError(f"tolerance must be numbers ≥ 0, got {short(tolerance)}")
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
