"""Reference trajectories and likelihoods of the probability-flow ODE of a Gaussian mixture.

Only the ray (alpha : sigma) matters, so the flow is run on the unit circle, `alpha = cos phi` and
`sigma = sin phi`, where `dz/dphi = -sin(phi) E[x|z] + cos(phi) E[eps|z]` is regular from data (phi
= 0) to noise (phi = pi/2). Any other schedule is a scaling of z. The variable of integration is

    w = log(1 + r/a) - log(1 + r/b),   r = sigma/alpha = tan phi,

with a and b the smallest and the largest length of the data: logarithmic in between, where the
field changes with every octave of noise, and smooth at both ends. Sources: SDE, HE (row 44), LIP.

Isotropic components have shorter ways: `analytic._taylor`. Of 1000 points of 8 such components in
the plane, from r = 10 to 0.02, the largest distance from a run of another order at a sixth of the
tolerance was 3e-13, the median 1e-14; points between whose paths the flow parts say up to 1e-11.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from analytic import _checks, _univariate
from analytic._checks import Array
from analytic._state import Components, State
from analytic._taylor import ORDER, Series
from analytic.mixture import GaussianMixture

_FINE, _COARSE = 5e-14, 3e-13  # tolerances of the result and of the run that judges it
_BUDGET = 12 * 1500  # evaluations: ten times what points of the law itself need
_SERIES = 0.25  # of these tolerances, for a series: it reaches them in hardly more steps
_CHUNK = 256  # numbers integrated together: the step is chosen for all, so not too many


@dataclass(frozen=True)
class Trajectory:
    """End points z (n, d) of the flow; a single point has z (d,) and error ()."""

    z: Array
    _judge: Callable[[], Array]

    @cached_property
    def error(self) -> Array:
        """An estimate of the absolute error of each point, (n,): a second run, made when asked."""
        return self._judge()


@dataclass(frozen=True)
class Likelihood:
    """`log_density` (n,) at the points asked, its estimated error (n,), and their ends z (n, d)."""

    log_density: Array
    error: Array
    z: Array


def flow_map(
    mixture: GaussianMixture, z: ArrayLike, start: tuple[float, float], stop: tuple[float, float]
) -> Trajectory:
    """Carry z (n, d) or (d,) along the probability-flow ODE from one level to another.

    Either way; alpha = 0 (pure noise) and sigma = 0 (data) are levels like others, except that no
    flow leaves sigma = 0 where a covariance is singular. Below 1e-9 of the smallest length a
    singular mixture is finished by one step of constant E[x|z] and E[eps|z], exact to rounding
    there. A step is held to 5e-14 of a coordinate, or of the data's scale where that is more; draws
    end within about 1e-12 of that. The error, when it is asked for, is the difference from a second
    run at six times the tolerance, plus the rounding that both runs share.
    """
    _checks.mixture(mixture)
    x, single = _checks.points(
        _checks.finite("z", z), mixture.dim
    )  # the caller may change his, for `error`
    legs = _Legs(mixture, x, start, stop, likelihood=False)
    fine = legs.run(_FINE)

    def judge() -> Array:
        apart = np.abs(fine - legs.run(_COARSE)).max(-1, initial=0.0)
        error: Array = apart + _FINE * np.abs(fine).max(-1, initial=0.0)
        return error[0, ...] if single else error

    return Trajectory(fine[0, ...] if single else fine, judge)


def log_likelihood(
    mixture: GaussianMixture,
    z: ArrayLike,
    start: tuple[float, float] = (1.0, 0.0),
    stop: tuple[float, float] = (0.0, 1.0),
) -> Likelihood:
    """Log-density of z at `start` by change of variables along the flow to `stop`. (row 44: HE)

    `log p_start(z) = log p_stop(z') + integral of the divergence of the velocity`; it must agree
    with `mixture.log_density(z, *start)`, which knows nothing of the flow.
    """
    _checks.mixture(mixture)
    x, single = _checks.points(z, mixture.dim)
    legs = _Legs(mixture, x, start, stop, likelihood=True)
    fine, coarse = legs.run(_FINE), legs.run(_COARSE)
    density = [
        mixture.log_density(run[:, :-1], *stop) + run[:, -1] + legs.base for run in (fine, coarse)
    ]
    error = np.abs(density[0] - density[1]) + _FINE * (1 + np.abs(density[0]))
    if single:
        return Likelihood(density[0][0, ...], error[0, ...], fine[0, :-1])
    return Likelihood(density[0], error, fine[:, :-1])


def quantile_flow(
    mixture: GaussianMixture, z: ArrayLike, start: tuple[float, float], stop: tuple[float, float]
) -> Array:
    """The flow in one dimension without an ODE, in the shape of z: it is the monotone
    rearrangement.

    Trajectories cannot cross, so `F_stop(z') = F_start(z)`; solved on the smaller tail, in
    logarithms.
    """
    _checks.mixture(mixture)
    x = _checks.finite("z", z)
    a, b = _levels(mixture, start, stop)
    lower, upper = _univariate.log_tails(*mixture.diffused(*a)._line(), x)
    return _univariate.quantile(*mixture.diffused(*b)._line(), lower, upper)


def _levels(
    mixture: GaussianMixture, start: tuple[float, float], stop: tuple[float, float]
) -> tuple[tuple[float, float], tuple[float, float]]:
    a, b = _checks.level("start", start), _checks.level("stop", stop)
    if mixture.singular and a[1] == 0:
        raise ValueError("no flow leaves sigma = 0 where a covariance is singular")
    return a, b


class _Legs:
    """From one level to another, at any tolerance."""

    def __init__(
        self,
        mixture: GaussianMixture,
        z: Array,
        start: tuple[float, float],
        stop: tuple[float, float],
        *,
        likelihood: bool,
    ) -> None:
        self.start, self.stop = a, b = _levels(mixture, start, stop)
        if likelihood and mixture.singular and b[1] == 0:
            raise ValueError("there is no density at sigma = 0 where a covariance is singular")
        c, self.centre = mixture._components, mixture.mean  # a common offset would cost digits
        centred = Components(c.weights, c.means - self.centre, c.spectra, c.bases)
        self.z, self.likelihood = z, likelihood
        self.circle = _Circle(centred, a, b)
        self.size = float(np.hypot(*a)), float(np.hypot(*b))
        self.base = mixture.dim * float(np.log(self.size[1] / self.size[0]))

    def run(self, tolerance: float) -> Array:
        """The end points, (n, d); with `likelihood`, a last column holds the divergence."""
        z, dim = (self.z - self.start[0] * self.centre) / self.size[0], self.z.shape[1]
        out = self.circle.run(z, tolerance, self.likelihood)
        out[:, :dim] = out[:, :dim] * self.size[1] + self.stop[0] * self.centre
        return out


class _Stiff(Exception):
    """The budget of evaluations is spent."""


class _Circle:
    """The flow between two levels scaled to the unit circle, in the variable w."""

    def __init__(
        self, components: Components, start: tuple[float, float], stop: tuple[float, float]
    ) -> None:
        self.components = components
        self.start, self.stop = _ratio(start), _ratio(stop)
        small, large = _lengths(components)
        if components.singular:
            small = min(1e-9 * small, self.start)
        self.finish = components.singular and self.stop < small
        self.scale = min(large, 1.0)
        self.small, self.large = min(small, 1.0), max(large, 10 * small, 1.0)
        self.length = np.log(self.large / self.small)

    def clock(self, r: float) -> float:
        if np.isinf(r):
            return float(self.length)
        return float(np.log1p(r / self.small) - np.log1p(r / self.large))

    def run(self, z: Array, tolerance: float, likelihood: bool) -> Array:
        """End points, with the integrated divergence as a last column if `likelihood`."""
        state = np.concatenate([z, np.zeros((len(z), 1))], axis=1) if likelihood else z
        stop = max(self.stop, self.small) if self.finish else self.stop
        begin, end = self.clock(self.start), self.clock(stop)
        left = np.full(len(z), begin != end)
        if self.components.round and not likelihood and begin != end:
            judging = tolerance > _FINE  # by another order, too
            series = Series(self.components, self.start, stop)
            state, arrived = series.run(z, _SERIES * tolerance, self.scale, ORDER - 4 * judging)
            state, left = np.where(arrived[:, None], state, z), ~arrived
        chunk, rows = max(1, _CHUNK // z.shape[1]), np.flatnonzero(left)
        for first in range(0, len(rows), chunk):
            some = rows[first : first + chunk]
            state[some] = self.advance(state[some], begin, end, tolerance)
        if self.finish and len(z):
            cos, sin, _ = self.at(end)
            angle = np.arctan(self.stop)
            last = self.field(state, cos, sin)
            state = last.combine(np.array([[np.cos(angle)]]), np.array([[np.sin(angle)]]))
        return state

    def advance(self, state: Array, begin: float, end: float, tolerance: float) -> Array:
        """Explicit for all rows at once; rows that prove stiff, each alone and implicitly.

        Stiff are points that no draw would give: between narrow components, towards the noise.
        """
        from scipy.integrate import solve_ivp

        n, dim = len(state), self.components.dim
        likelihood = state.shape[1] > dim
        budget = _BUDGET
        # Coordinates near zero are held to the scale of the data or of the noise, the smaller.
        floor = np.full(state.shape, tolerance)
        floor[:, :dim] *= self.scale

        def rate(w: float, flat: Array) -> Array:
            nonlocal budget
            budget -= 1
            if budget < 0:
                raise _Stiff
            cos, sin, speed = self.at(w)
            point = self.field(flat.reshape(n, -1)[:, :dim], cos, sin)
            a, b = np.array([[-sin * speed]]), np.array([[cos * speed]])
            velocity = point.combine(a, b)
            if not likelihood:
                return velocity.reshape(-1)
            return np.concatenate([velocity, point.divergence(a, b)[:, None]], axis=1).reshape(-1)

        def solve(method: str) -> Array:
            solved = solve_ivp(
                rate,
                *((begin, end), state.reshape(-1)),
                method=method,
                t_eval=[end],
                rtol=tolerance,
                atol=floor.reshape(-1),
            )
            if not solved.success:
                raise RuntimeError(f"the reference integration failed: {solved.message}")
            final: Array = solved.y[:, -1].reshape(n, -1)
            return final

        try:
            return solve("DOP853")
        except _Stiff:
            if n > 1:
                rows = [self.advance(row[None], begin, end, tolerance) for row in state]
                return np.concatenate(rows)
        budget = 100 * _BUDGET
        try:
            return solve("Radau")
        except _Stiff:
            raise RuntimeError("the reference integration does not advance: too stiff") from None

    def at(self, w: float) -> tuple[float, float, float]:
        """cos phi, sin phi and dphi/dw."""
        a, b = self.small, self.large
        across, along = a * np.expm1(w), -np.expm1(w - self.length)
        length = np.hypot(across, along)  # cos(arctan2) would lose its digits near noise
        cos, sin = float(along / length), float(across / length)
        return cos, sin, float((a * cos + sin) * (b * cos + sin) / (b - a))

    def field(self, z: Array, cos: float, sin: float) -> State:
        return State(self.components, z, np.array([cos]), np.array([sin]))


def _ratio(level: tuple[float, float]) -> float:
    return level[1] / level[0] if level[0] > 0 else float("inf")


def _lengths(components: Components) -> tuple[float, float]:
    """The smallest and the largest length in the data: standard deviations, and separations."""
    from scipy.spatial.distance import pdist

    some = components.weights > 0
    deviations = np.sqrt(components.spectra[some]).reshape(-1)
    lengths = np.concatenate([deviations, pdist(components.means[some])])
    lengths = lengths[lengths > 0]
    if not lengths.size:
        return 1.0, 1.0
    # Point masses are told apart by their distance; where all have width, the width is what counts.
    small = lengths if components.singular else deviations
    return float(small.min()), float(lengths.max())
