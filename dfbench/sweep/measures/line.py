"""Exact laws on the line, by quadrature of the sampler's transitions: no sample is drawn."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from analytic import GaussianMixture
from dfbench.levels import Array
from dfbench.line import NODES, LineLaw, Transition, output_law, transitions
from dfbench.sweep.measurement import Value
from dfbench.sweep.measures.measure import measure
from dfbench.sweep.measures.reference import start_variance
from dfbench.sweep.samplers import Run
from dfbench.sweep.sampling import Samples
from dfbench.sweep.targets import Target


def no_quadrature(target: Target, run: Run) -> str | None:
    """Why the law of the output is not a matter of quadrature."""
    if target.dim != 1:
        return "the data is not on the line"
    if target.law.singular:
        return "a component is a point: the data has no density"
    try:
        _chain(target, run)
    except ValueError as error:
        return str(error)
    return None


def _chain(target: Target, run: Run) -> list[Transition]:
    model = target.model(run.prediction, run.sigma_data)
    if run.affine:
        return transitions(run.table, model)
    if run.stochastic:
        raise ValueError("it is not affine and draws noise: its transitions are not known")

    def through(z: Array) -> Array:
        return run.execute(model, z[:, None], lambda k: z[:, None])[:, 0]

    return [Transition(through, 0.0)]


@lru_cache(maxsize=2)
def _laws(target: Target, run: Run) -> tuple[LineLaw, LineLaw]:
    """The law of the output with half the nodes, and with all of them."""
    chain, start = _chain(target, run), start_variance(run)
    return output_law(chain, start, NODES // 2), output_law(chain, start, NODES)


def _by_quadrature(
    name: str,
    of: Callable[[LineLaw, GaussianMixture], float],
    *,
    what: str,
    unit: str,
    source: str,
) -> None:
    """Register a distance of laws on the line.

    It is of second order: what is left is about a third of the difference that twice the nodes
    make; all of it is the interval.
    """

    @measure(name, what=what, unit=unit, exact=True, source=source, applies=no_quadrature)
    def measured(target: Target, run: Run, samples: Samples) -> list[Value]:
        coarse, fine = (of(law, target.law) for law in _laws(target, run))
        gap = abs(fine - coarse)
        return [Value(name, fine, unit, low=max(fine - gap, 0.0), high=fine + gap)]


_by_quadrature(
    "w2_1d",
    LineLaw.wasserstein,
    what="Wasserstein-2 distance on the line, by quadrature; the interval is the numerical error",
    unit="of the data",
    source="Villani 2003, theorem 2.18 (quantile coupling)",
)
_by_quadrature(
    "total_variation_1d",
    LineLaw.total_variation,
    what="total variation distance on the line, by quadrature; the interval is the numerical error",
    unit="1",
    source="half the L1 distance of the densities",
)
