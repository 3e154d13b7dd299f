"""Distances of samples to the exact law, with intervals and the floor of exact samples.

Each takes the samples as they come and says three things: the value; where it would lie were the
run repeated (95 %); and what as many exact samples would get. Directions and the draws behind the
floors are the same for every sampler and seed. What each sees: `analytic.distances`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from analytic import GaussianMixture
from analytic.distances import (
    MMD,
    Distance,
    EnergyDistance,
    KernelStein,
    ModeWeights,
    Rosenblatt,
    SlicedWasserstein,
)
from dfbench.sweep.measurement import Value
from dfbench.sweep.measures.measure import measure
from dfbench.sweep.samplers import Run
from dfbench.sweep.sampling import Samples
from dfbench.sweep.targets import Target

DIRECTIONS = 32  # of the sliced distance
BASES = 1 << 28  # K² d³ of components with bases of their own


def _singular(law: GaussianMixture) -> str | None:
    return "a covariance is singular: the data has no density" if law.singular else None


def _one_mode(law: GaussianMixture) -> str | None:
    return "the data is a single component" if law.size < 2 else None


def _many_quantiles(law: GaussianMixture) -> str | None:
    atoms = not law.spectra.any()
    if law.size > 512 and not atoms:
        return f"exact quantiles of {law.size} components take too long"
    return None


def _many_pairs(law: GaussianMixture) -> str | None:
    if law.bases is not None and law.size**2 * law.dim**3 > BASES:
        return "components with bases of their own: their pairs take too long"
    return None


def _sampled(
    name: str,
    make: Callable[[GaussianMixture], Distance],
    why: Callable[[GaussianMixture], str | None],
    *,
    what: str,
    unit: str,
    source: str,
) -> None:
    """Register a distance to the exact law: its value, its interval and its floor."""

    @measure(
        name,
        what=what,
        unit=unit,
        exact=False,
        source=source,
        applies=lambda target, run: why(target.law),
    )
    def measured(target: Target, run: Run, samples: Samples) -> list[Value]:
        n, kept = samples.n, target.kept
        distance: Distance = kept.of(name, lambda: make(target.law))
        floor = kept.of((name, n), lambda: distance.floor(n, _generator(name)))
        tally = distance.tally()
        for chunk in samples:
            tally.add(chunk)
        found = tally.estimate()
        return [
            Value(
                name,
                found.value,
                distance.unit,
                low=found.low,
                high=found.high,
                floor=floor.mean,
                floor_high=floor.high,
                n=found.n,
            )
        ]


def _generator(name: str) -> np.random.Generator:
    """The same for every sampler, seed and worker."""
    return np.random.default_rng(list(name.encode()))


_sampled(
    "sliced_w2",
    lambda law: SlicedWasserstein(law, DIRECTIONS, _generator("directions")),
    _many_quantiles,
    what="sliced Wasserstein-2 distance to the exact quantiles of 32 random projections",
    unit="data",
    source="Bonneel et al. 2015; interval: del Barrio and Loubes 2019",
)
_sampled(
    "mmd",
    MMD,
    _many_pairs,
    what="maximum mean discrepancy with Gaussian kernels, their mean over the data exact",
    unit="1",
    source="Gretton et al. 2012",
)
_sampled(
    "energy_distance",
    EnergyDistance,
    _many_pairs,
    what="energy distance, mean distances to the data exact",
    unit="data^(1/2)",
    source="Szekely and Rizzo 2013",
)
_sampled(
    "ksd",
    KernelStein,
    _singular,
    what="kernel Stein discrepancy with the exact score; hardly sees the weights of far modes",
    unit="data^(-3/2)",
    source="Gorham and Mackey 2017",
)
_sampled(
    "mode_weights",
    ModeWeights,
    _one_mode,
    what="probability mass on the wrong modes, by mean posterior probabilities",
    unit="1",
    source="SU (posterior weights)",
)
_sampled(
    "rosenblatt",
    lambda law: Rosenblatt(law, rng=_generator("directions")),
    _singular,
    what="largest error of a conditional probability, in at most 8 directions",
    unit="1",
    source="Rosenblatt 1952",
)
