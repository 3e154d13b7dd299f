"""All measures of one trained network, as tidy tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from analytic import GaussianMixture
from dfbench.exact import exact_model
from dfbench.grids import regular
from dfbench.levels import Array, Level
from dfbench.progress import Progress, quiet
from dfbench.samplers import METHODS
from dfbench.schedules import at_log_snr
from dfbench.training.measure.density import score_error_by_density
from dfbench.training.measure.excess import excess_loss
from dfbench.training.measure.held_out import distances
from dfbench.training.measure.law import ExactLaw
from dfbench.training.measure.likelihood import log_likelihood
from dfbench.training.trained import source_of

if TYPE_CHECKING:
    from pandas import DataFrame

    from dfbench.training.trained import Trained


#: Samplers through which the law of samples is looked at: name, method, options, steps.
RUNS: tuple[tuple[str, str, dict[str, Any], tuple[int, ...]], ...] = (
    ("DDIM", "ddim", {}, (10, 20, 50, 100)),
    ("DPM-Solver++ 2M", "dpm_solver_pp_multistep", {}, (10, 20, 50)),
    ("Heun", "edm", {}, (5, 10, 25)),
    ("DDPM", "ddpm", {}, (20, 50, 100, 200)),
)
LARGE = 100  #: dimensions beyond which less is measured


@dataclass
class Measured:
    """Tables by name, and the numbers to say first (each with its meaning)."""

    tables: dict[str, DataFrame] = field(default_factory=dict)
    headline: dict[str, float] = field(default_factory=dict)
    images: Array | None = None


def measure(network: Trained, seed: int = 0, progress: Progress = quiet) -> Measured:
    """Everything that can be said of a network and its data.

    With the law known, and Gaussian noise that is independent of the data: excess loss, score
    error by density, law of samples, likelihoods. Without, or with another source or coupling,
    where the network's target is not the truth's: distances of samples to held-out data. Images
    are kept to be looked at.

    Args:
        network: in float64 where its law is known and small.
        seed: of all draws.
        progress: told (what, done, in all) before each part.
    """
    found, data = Measured(), network.data
    low, high = network.log_snr_range
    parts: list[tuple[str, Callable[[], None]]] = []
    if data.truth is not None and network.config.gaussian:
        truth = data.truth
        parts += [
            ("excess loss", lambda: _excess(found, network, truth, seed, low, high)),
            ("law of samples", lambda: _law(found, network, truth, seed, low, high)),
        ]
        if truth.dim <= LARGE:
            parts += [
                (
                    "score error by density",
                    lambda: _density(found, network, truth, seed, low, high),
                ),
                ("likelihoods", lambda: _likelihood(found, network, truth, seed, low, high)),
            ]
    else:
        parts.append(("held-out distances", lambda: _held_out(found, network, seed, low, high)))
    for i, (name, part) in enumerate(parts):
        progress(name, i, len(parts))
        part()
    return found


def _excess(
    found: Measured, network: Trained, truth: GaussianMixture, seed: int, low: float, high: float
) -> None:
    rng = np.random.default_rng([seed, 1])
    n = 4096 if truth.dim <= LARGE else 128
    excess = excess_loss(network, truth, rng, low=max(low, -10.0), high=min(high, 10.0), n=n)
    found.tables["excess"] = excess.table()
    f = excess.fraction
    found.headline |= {
        "excess loss / irreducible loss, flow-matching weighting": f.value,
        "its 95 % interval, low": f.low,
        "its 95 % interval, high": f.high,
    }


def _density(
    found: Measured, network: Trained, truth: GaussianMixture, seed: int, low: float, high: float
) -> None:
    """At levels that the network was trained for."""
    rng, levels = np.random.default_rng([seed, 2]), (6.0, 3.0, 0.0, -3.0)
    known = [lam for lam in levels if low <= lam <= high] or [(low + high) / 2]
    found.tables["score_by_density"] = score_error_by_density(
        network, truth, rng, log_snrs=known, n=8192
    )


def _law(
    found: Measured, network: Trained, truth: GaussianMixture, seed: int, low: float, high: float
) -> None:
    """Distances to the exact law through several samplers, beside the exact score in the same."""
    import pandas as pd

    last = Level(*at_log_snr(high))
    small = truth.dim <= LARGE
    n = 2000 if small else 128
    law = ExactLaw(
        truth.diffused(*last),
        n,
        np.random.default_rng([seed, 3]),
        names=None if small else ("sliced_w2",),
    )
    models = {"network": network.as_prediction("x")}
    if small:
        models["exact score"] = exact_model(truth, "x")
    rows: list[dict[str, Any]] = []
    for label, method, options, counts in RUNS if small else RUNS[:1]:
        for steps in counts:
            grid = regular(low, high, steps)
            table = METHODS[method].table(grid, "x", **options)
            for model, field_ in models.items():
                z, *draws = np.random.default_rng([seed, 4]).standard_normal(
                    (1 + table.n_draws, n, truth.dim)
                )
                end = np.asarray(table.run(field_, z, draws.__getitem__))
                about = {"sampler": label, "steps": steps, "nfe": table.nfe, "score": model}
                for metric, floor in law.floors.items():
                    near = law.distance(metric, end)
                    rows.append(
                        about
                        | {
                            "metric": metric,
                            "value": near.value,
                            "low": near.low,
                            "high": near.high,
                            "floor": floor.mean,
                            "floor_high": floor.high,
                            "n": n,
                        }
                    )
                if model == "network" and (label, steps) == (RUNS[0][0], counts[-1]):
                    exact = truth.sample(n, np.random.default_rng([seed, 7]))
                    _keep(found, network, end, exact)
    found.tables["law"] = pd.DataFrame(rows)
    of_network = [r for r in rows if r["score"] == "network" and r["metric"] == "sliced_w2"]
    best = min(of_network, key=lambda row: float(row["value"]))
    name = f"best sampler ({best['sampler']}, {best['nfe']} evaluations)"
    found.headline |= {
        f"sliced W₂ to the exact law, {name}": float(best["value"]),
        "sliced W₂ of as many exact samples": law.floor,
    }


def _keep(found: Measured, network: Trained, samples: Array, exact: Array) -> None:
    """The samples: points of few coordinates as a table, images as they are."""
    import pandas as pd

    if len(network.shape) == 3:
        found.images = samples[:64].reshape(-1, *network.shape)
    elif samples.shape[1] <= 8:
        names = [f"x{i + 1}" for i in range(samples.shape[1])]
        both = [
            pd.DataFrame(rows, columns=names).assign(of=of)
            for rows, of in ((samples, "network"), (exact, "exact"))
        ]
        found.tables["samples"] = pd.concat(both, ignore_index=True)


def _likelihood(
    found: Measured, network: Trained, truth: GaussianMixture, seed: int, low: float, high: float
) -> None:
    """log p̂ through the flow against log p, at a level where the data has a density."""
    import pandas as pd

    rng, lam = np.random.default_rng([seed, 5]), min(6.0, high)
    level = Level(*at_log_snr(lam))
    exact_trace = truth.dim <= 8
    n = 200 if exact_trace else 50
    z = truth.sample_diffused(n, *level, rng)
    given = log_likelihood(
        network,
        z,
        start=lam,
        stop=low,
        steps=80,
        divergence="exact" if exact_trace else "hutchinson",
        rng=rng,
    )
    table = pd.DataFrame({"exact": truth.log_density(z, *level), "network": given.log_density})
    found.tables["likelihood"] = table
    gap = table.exact - table.network
    found.headline |= {
        "log p − log p̂ over data, nats (mean)": float(gap.mean()),
        "its standard error": float(gap.std() / n**0.5),
    }


def _held_out(found: Measured, network: Trained, seed: int, low: float, high: float) -> None:
    data, rng = network.data, np.random.default_rng([seed, 6])
    n = min(1000, max(2 * len(data.held_out), 64))
    z = rng.standard_normal((n, network.dim))
    source = source_of(network.config)
    if source is not None:
        z = rng.choice(source.held_out, n).reshape(n, -1).astype(float)
    table = METHODS["dpm_solver_pp_multistep"].table(regular(low, high, 50), "x")
    samples = np.asarray(table.run(network.as_prediction("x"), z))
    _keep(found, network, samples, data.train.reshape(len(data.train), -1)[:n].astype(float))
    found.tables["held_out"] = distances(samples, data.train, data.held_out, rng)
    rows = found.tables["held_out"].set_index("metric")
    for name in ("energy distance", "sliced W₂"):
        row = rows.loc[name]
        found.headline |= {
            f"{name} of samples to held-out data": float(row["value"]),
            f"{name} of training data to held-out data (floor)": float(row["floor"]),
            f"{name} of a Gaussian to held-out data": float(row["gaussian"]),
        }
