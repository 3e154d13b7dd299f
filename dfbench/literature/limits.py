"""The law of a one-step method in the limit of small steps, on the line, without sampling."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.interpolate import make_interp_spline

from analytic import GaussianMixture
from dfbench.exact import exact_model
from dfbench.levels import Array, Grid, Level
from dfbench.samplers.method import Model, Noise, Output
from dfbench.table import Table

BOUND = 5e-7
DERIVATION = (
    "the limit of six step counts: the last two extrapolations differ by less; splines and "
    "quadrature add 1e-8"
)
WAVES = (0.5, 1.0, 2.0)  # ω of the test functions cos ωz and sin ωz
STEPS = (12, 16, 24, 32, 48, 64)
_NODES = np.linspace(-1.0, 1.0, 241)
_NOISE, _MASS = np.polynomial.hermite_e.hermegauss(10)

#: A sampler's code as it is called for one step, with at most one draw.
OneStep = Callable[[Model, Any, Grid, Noise], Any]


def expected(step: OneStep, target: GaussianMixture, grid: Grid) -> Array:
    """E e^{iωz} of the last state of a run that starts at the marginal, shape (len(WAVES),).

    Backwards: E[f(z_N) | z_{i+1}] is a spline of degree seven on nodes, and a step before that an
    integral over the step's one draw, by Gauss–Hermite. With or without noise alike. A step
    evaluates its model where it begins.
    """
    network = exact_model(target, "eps")
    laws = [target.diffused(*level) for level in grid]
    reach = max(float(np.max(np.abs(p.means) + 7 * np.sqrt(p.spectra))) for p in laws)
    nodes = reach * _NODES
    value = np.exp(1j * np.outer(nodes, WAVES))
    for i in reversed(range(grid.n_steps)):
        part = slice(i, i + 2)
        times = None if grid.t is None else grid.t[part]
        here = Grid(grid.alpha[part], grid.sigma[part], times, grid.schedule)
        eps = network(nodes[:, None], here[0])[:, 0]

        def model(z: Any, level: Level, eps: Array = eps) -> Output:
            return Output(eps, z, level, "eps")

        mean, moved = (step(model, nodes, here, lambda *_, d=d: d) for d in (0.0, 1.0))
        later = make_interp_spline(nodes, value, 7)
        if np.array_equal(mean, moved):
            value = later(np.clip(mean, -reach, reach))
        else:
            ends = np.clip(mean[:, None] + (moved - mean)[:, None] * _NOISE, -reach, reach)
            value = np.einsum("nkw,k->nw", later(ends), _MASS / _MASS.sum())
    mass = np.exp(laws[0].log_density(nodes[:, None])) * (nodes[1] - nodes[0])
    return np.asarray(mass @ value)


def of_table(table_of: Callable[[Grid], Table]) -> OneStep:
    """A step of a method of which there is the table, of x̂ or ε̂."""

    def step(model: Model, z: Any, grid: Grid, noise: Noise) -> Any:
        table = table_of(grid)
        start, of_output, *of_noise = table.rows[-1]
        output = getattr(model(z, grid[0]), table.prediction)
        return start * z + of_output * output + sum(w * noise() for w in of_noise)

    return step


def characteristic(law: GaussianMixture) -> Array:
    """E e^{iωz} of a mixture on the line, in closed form, shape (len(WAVES),)."""
    w = np.array(WAVES)[:, None]
    return np.asarray(np.exp(1j * w * law.means[:, 0] - w**2 * law.spectra[:, 0] / 2) @ law.weights)


def limit(steps: Sequence[float] | Array, values: Sequence[Any]) -> Any:
    """Limit of values that are polynomials in 1/n up to a remainder: Neville's scheme at 0."""
    x, found = 1 / np.array(steps, dtype=float), [np.asarray(v) for v in values]
    for k in range(1, len(found)):
        found = [
            (x[i] * found[i + 1] - x[i + k] * found[i]) / (x[i] - x[i + k])
            for i in range(len(found) - 1)
        ]
    return found[0]


def law_gap(step: OneStep, target: GaussianMixture, run: Callable[[int], Grid]) -> float:
    """|E e^{iωz} − that of the last level's marginal| as the steps vanish, the largest over ω."""
    found = limit(STEPS, [expected(step, target, run(n)) for n in STEPS])
    return float(np.abs(found - characteristic(target.diffused(*run(1)[-1]))).max())
