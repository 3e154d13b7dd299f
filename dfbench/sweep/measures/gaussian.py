"""Exact errors on Gaussian data, from the sampler's own coefficients: no sample is drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dfbench import wasserstein
from dfbench.sweep.measurement import Value
from dfbench.sweep.measures.measure import Applies, measure
from dfbench.sweep.samplers import Run
from dfbench.sweep.sampling import Samples
from dfbench.sweep.targets import Target

DIRECTIONS = 64  # of the spectral response, at most


def not_gaussian(target: Target, run: Run) -> str | None:
    """Why there is no law in closed form."""
    if target.spectrum is None:
        return "the data is not Gaussian"
    if target.network is not None:
        return "the model is not the exact one"
    return None if run.affine else "the sampler is not affine: it has no table"


def no_density(target: Target, run: Run) -> str | None:
    """Why the divergence of the densities is not finite."""
    if reason := not_gaussian(target, run):
        return reason
    assert target.spectrum is not None
    return None if target.spectrum.all() else "the data has directions without variance"


def _by_source(
    name: str, of: Callable[..., float], applies: Applies, *, what: str, unit: str, source: str
) -> None:
    """Register an error of the law: all errors together, none, and each source alone."""

    @measure(name, what=what, unit=unit, exact=True, source=source, applies=applies)
    def measured(target: Target, run: Run, samples: Samples) -> list[Value]:
        found = wasserstein.split(**_given(target, run), of=of)
        return [
            Value.exact(name, value, unit, source=s)
            for s, value in found.items()
            if s != "score" or target.learned is not None
        ]


_by_source(
    "w2",
    wasserstein.error,
    not_gaussian,
    what="Wasserstein-2 distance between the law of the samples and the data's",
    unit="of the data",
    source="PG",
)
_by_source(
    "kl",
    wasserstein.kl,
    no_density,
    what="Kullback-Leibler divergence of the law of the samples from the data's",
    unit="nat",
    source="PG; Gaussians in closed form",
)


@measure(
    "spectral_response",
    what="relative error of the standard deviation along directions of the data's spectrum",
    unit="1",
    exact=True,
    source="PG",
    applies=not_gaussian,
)
def spectral_response(target: Target, run: Run, samples: Samples) -> list[Value]:
    """std of the samples / std of the data − 1 by eigenvalue (`at`), for every different one, or
    64 of them evenly by rank; with all sources, and with discretisation alone."""
    assert target.spectrum is not None
    seen = np.unique(target.spectrum[target.spectrum > 0])[::-1]
    if len(seen) > DIRECTIONS:
        seen = seen[np.unique(np.geomspace(1, len(seen), DIRECTIONS).round().astype(int)) - 1]
    given = {**_given(target, run), "spectrum": seen, "mean": 0.0}
    if target.learned is not None:
        given["learned"] = np.interp(seen, *_rising(target.spectrum, target.learned))
        given["learned_mean"] = 0.0
    rows = []
    for source in ("all", "discretisation"):
        found = wasserstein.response(**given, on=wasserstein.CASES[source])
        rows += [
            Value.exact("spectral_response", r, "1", source=source, at=float(s), series=i)
            for i, (s, r) in enumerate(zip(seen, found, strict=True))
        ]
    return rows


def _given(target: Target, run: Run) -> dict[str, Any]:
    """What `dfbench.wasserstein` needs to know."""
    assert run.sampler is not None
    table, options = wasserstein.prepared(run.sampler, run.grid, **run.options)
    learned = {} if target.learned is None else {"learned": target.learned}
    return {
        "sampler": table,
        "grid": run.grid,
        "spectrum": target.spectrum,
        "mean": target.mean,
        "start": run.start,
        **learned,
        **options,
    }


def _rising(x: Any, y: Any) -> tuple[Any, Any]:
    order = np.argsort(x)
    return x[order], y[order]
