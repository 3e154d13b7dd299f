"""Reference trajectories and likelihoods of the probability-flow ODE of a Gaussian mixture.

Only the ray (alpha : sigma) matters, so the flow is run on the unit circle, `alpha = cos phi` and
`sigma = sin phi`, where `dz/dphi = -sin(phi) E[x|z] + cos(phi) E[eps|z]` is regular from data (phi
= 0) to noise (phi = pi/2). Any other schedule is a scaling of z. The variable of integration is

    w = log(1 + r/a) - log(1 + r/b),   r = sigma/alpha = tan phi,

with a and b the smallest and the largest length of the data: logarithmic in between, where the
field changes with every octave of noise, and smooth at both ends. Sources: SDE, HE (row 44), LIP.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from analytic import _checks, _univariate
from analytic._checks import Array
from analytic._state import Components, State
from analytic.mixture import GaussianMixture

_FINE, _COARSE = 5e-14, 3e-13  # tolerances of the result and of the run that judges it
_BUDGET = 12 * 1500  # evaluations: ten times what points of the law itself need
_CHUNK = 256  # numbers integrated together: the step is chosen for all, so not too many


@dataclass(frozen=True)
class Trajectory:
    """End points z (n, d) of the flow, and an estimate of the absolute error of each (n,)."""

    z: Array
    error: Array


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
    there. The error is the difference from a second run at six times the tolerance, plus the
    rounding that both runs share.
    """
    x, single = _checks.points(z, mixture.dim)
    fine, coarse, _ = _both(mixture, x, start, stop, likelihood=False)
    error = np.abs(fine - coarse).max(-1, initial=0.0) + _FINE * np.abs(fine).max(-1, initial=0.0)
    return Trajectory(fine[0, ...], error[0, ...]) if single else Trajectory(fine, error)


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
    x, single = _checks.points(z, mixture.dim)
    fine, coarse, base = _both(mixture, x, start, stop, likelihood=True)
    density = [
        mixture.log_density(run[:, :-1], *stop) + run[:, -1] + base for run in (fine, coarse)
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


def _both(
    mixture: GaussianMixture,
    z: Array,
    start: tuple[float, float],
    stop: tuple[float, float],
    *,
    likelihood: bool,
) -> tuple[Array, Array, float]:
    """Two runs at two tolerances; with `likelihood`, a last column holds the divergence."""
    a, b = _levels(mixture, start, stop)
    if likelihood and mixture.singular and b[1] == 0:
        raise ValueError("there is no density at sigma = 0 where a covariance is singular")
    c, centre = mixture._components, mixture.mean  # a common offset would cost digits
    circle = _Circle(Components(c.weights, c.means - centre, c.spectra, c.bases), a, b)
    size_a, size_b = np.hypot(*a), np.hypot(*b)
    runs = []
    for tolerance in (_FINE, _COARSE):
        out = np.empty((len(z), mixture.dim + likelihood))
        step = max(1, _CHUNK // mixture.dim)
        for first in range(0, len(z), step):
            rows = slice(first, first + step)
            out[rows] = circle.run((z[rows] - a[0] * centre) / size_a, tolerance, likelihood)
        out[:, : mixture.dim] = out[:, : mixture.dim] * size_b + b[0] * centre
        runs.append(out)
    return runs[0], runs[1], float(mixture.dim * np.log(size_b / size_a))


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
        begin = self.clock(self.start)
        end = self.clock(max(self.stop, self.small) if self.finish else self.stop)
        if begin != end:
            state = self.advance(state, begin, end, tolerance)
        if self.finish:
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
