"""The error of an expectation, by multilevel coupling: few samples say what N steps change."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np

from dfbench.levels import Array
from dfbench.sweep.measurement import Value
from dfbench.sweep.measures.measure import measure
from dfbench.sweep.refinement import coupling, refined
from dfbench.sweep.samplers import Run
from dfbench.sweep.sampling import Samples
from dfbench.sweep.targets import Target

PATH = 9  # stream of the draws of halved steps


def no_coupling(target: Target, run: Run) -> str | None:
    """Why two step counts cannot share their noise."""
    if not run.affine:
        return "the sampler is not affine: it has no table"
    try:
        _pair(target, run)
    except ValueError as error:
        return str(error)
    return None


@lru_cache(maxsize=4)
def _pair(target: Target, run: Run) -> tuple[Run, Array]:
    """The run with its steps halved, and its draws as those of the run are made of them."""
    fine = refined(run)
    if not run.stochastic:
        return fine, np.zeros((0, 0))
    return fine, coupling(run.table, fine.table, _moments(target)[1] / target.dim)


def _moments(target: Target) -> tuple[Array, float]:
    """Mean of the data, and the trace of its covariance."""
    law = target.law
    spread = law.weights @ ((law.means - law.mean) ** 2).sum(axis=1)
    return law.mean, float(spread + law.weights @ law.spectra.sum(axis=1))


@measure(
    "weak_error",
    what="what N steps instead of 2 N change in E|x − mean|², relative to the data's variance",
    unit="1",
    exact=False,
    source="Giles 2008 (multilevel Monte Carlo)",
    applies=no_coupling,
)
def weak_error(target: Target, run: Run, samples: Samples) -> list[Value]:
    """E f(x_N) − E f(x_2N), f = |x − mean|²/tr Cov, from the same starts and Brownian paths.

    For a method of weak order p this is (1 − 2⁻ᵖ) of the error of N steps. The second row,
    `weak_error_gain`, is the factor by which the coupling lowers the variance, so the number of
    samples: the variance of the same difference from independent runs over that from coupled ones.
    """
    fine, weights = _pair(target, run)
    mean, total = _moments(target)
    model = target.model(run.prediction, run.sigma_data)
    n, sums = 0, np.zeros((3, 2))  # of the difference, the run and the halved run; and squares
    for c, normal in enumerate(samples.normals()):
        drawn = partial(_drawn, samples, c, len(normal))
        ends = (
            run.execute(model, run.initial(normal), partial(_combined, weights, drawn)),
            fine.execute(model, run.initial(normal), drawn),
        )
        coarse, halved = (((x - mean) ** 2).sum(axis=1) / total for x in ends)
        for row, f in zip(sums, (coarse - halved, coarse, halved), strict=True):
            row += f.sum(), (f**2).sum()
        n += len(normal)
    means = sums[:, 0] / n
    variances = np.maximum(sums[:, 1] / n - means**2, 0.0)
    reach = 1.96 * float(np.sqrt(variances[0] / n))
    value = float(means[0])
    gain = float((variances[1] + variances[2]) / max(variances[0], 1e-300))
    of = partial(Value, unit="1", source="discretisation", n=n)
    return [
        of("weak_error", value, low=value - reach, high=value + reach),
        of("weak_error_gain", gain),
    ]


def _drawn(samples: Samples, c: int, rows: int, k: int) -> Array:
    """The k-th draw of the halved run, chunk c: the same for all samplers."""
    return samples.generator(PATH, c, k).standard_normal((rows, samples.dim))


def _combined(weights: Array, drawn: Callable[[int], Array], k: int) -> Array:
    """The k-th draw of the run."""
    used = np.flatnonzero(weights[k])
    return np.asarray(sum(weights[k, i] * drawn(int(i)) for i in used))
