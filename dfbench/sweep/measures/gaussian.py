"""Exact errors on Gaussian data, from the sampler's own coefficients: no sample is drawn."""

from __future__ import annotations

from dfbench import wasserstein
from dfbench.sweep.measurement import Value
from dfbench.sweep.measures.base import measure
from dfbench.sweep.samplers import Run
from dfbench.sweep.sampling import Samples
from dfbench.sweep.targets import Target


def not_gaussian(target: Target, run: Run) -> str | None:
    """Why there is no law in closed form."""
    if target.spectrum is None:
        return "the data is not Gaussian"
    if target.network is not None:
        return "the model is not the exact one"
    return None if run.affine else "the sampler is not affine: it has no table"


@measure(
    "w2",
    what="Wasserstein-2 distance between the law of the samples and the data's",
    unit="of the data",
    exact=True,
    source="PG",
    applies=not_gaussian,
)
def w2(target: Target, run: Run, samples: Samples) -> list[Value]:
    """All errors together, none, and each source alone."""
    assert target.spectrum is not None
    assert run.sampler is not None
    found = wasserstein.split(
        run.sampler, run.grid, target.spectrum, mean=target.mean, start=run.start, **run.options
    )
    if target.learned is None:
        found.pop("score")
    return [Value.exact("w2", value, "of the data", source=on) for on, value in found.items()]
