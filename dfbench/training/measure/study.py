"""All measures of one trained network, as tidy tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

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


class Measured:
    """Everything that can be said of a network and its data.

    With the law known, and Gaussian noise that is independent of the data: excess loss, score
    error by density, law of samples, likelihoods. Without, or with another source or coupling,
    where the network's target is not the truth's: distances of samples to held-out data. Images
    are kept to be looked at.

    Attributes:
        tables: by name.
        headline: the numbers to say first, each with its meaning.
        images: the first samples, where they are images.

    Args:
        network: in float64 where its law is known and small.
        seed: of all draws.
        progress: told (what, done, in all) before each part.
    """

    def __init__(self, network: Trained, seed: int = 0, progress: Progress = quiet) -> None:
        self.network, self.seed = network, seed
        self.low, self.high = network.log_snr_range
        self.tables: dict[str, DataFrame] = {}
        self.headline: dict[str, float] = {}
        self.images: Array | None = None
        truth = network.data.truth if network.config.gaussian else None
        parts: dict[str, Callable[[], None]] = {"held-out distances": self._held_out}
        if truth is not None:
            self.truth, self.small = truth, truth.dim <= LARGE
            parts = {"excess loss": self._excess, "law of samples": self._law}
            if self.small:
                parts["score error by density"] = self._density
                parts["likelihoods"] = self._likelihood
        for i, (name, part) in enumerate(parts.items()):
            progress(name, i, len(parts))
            part()

    def _rng(self, part: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, part])

    def _excess(self) -> None:
        low, high, n = max(self.low, -10.0), min(self.high, 10.0), 4096 if self.small else 128
        excess = excess_loss(self.network, self.truth, self._rng(1), low=low, high=high, n=n)
        self.tables["excess"] = excess.table()
        f = excess.fraction
        self.headline |= {
            "excess loss / irreducible loss, flow-matching weighting": f.value,
            "its 95 % interval, low": f.low,
            "its 95 % interval, high": f.high,
        }

    def _density(self) -> None:
        """At levels that the network was trained for."""
        rng, levels = self._rng(2), (6.0, 3.0, 0.0, -3.0)
        within = [lam for lam in levels if self.low <= lam <= self.high]
        known = within or [(self.low + self.high) / 2]
        self.tables["score_by_density"] = score_error_by_density(
            self.network, self.truth, rng, log_snrs=known, n=8192
        )

    def _law(self) -> None:
        """Distances to the exact law through samplers, beside the exact score in the same."""
        import pandas as pd

        last = Level(*at_log_snr(self.high))
        n, names = (2000, None) if self.small else (128, ("sliced_w2",))
        law = ExactLaw(self.truth.diffused(*last), n, self._rng(3), names=names)
        models = {"network": self.network.as_prediction("x")}
        if self.small:
            models["exact score"] = exact_model(self.truth, "x")
        rows: list[dict[str, Any]] = []
        for label, method, options, counts in RUNS if self.small else RUNS[:1]:
            for steps in counts:
                grid = regular(self.low, self.high, steps)
                table = METHODS[method].table(grid, "x", **options)
                for model, field_ in models.items():
                    z, *draws = self._rng(4).standard_normal((1 + table.n_draws, n, self.truth.dim))
                    end = np.asarray(table.run(field_, z, draws.__getitem__))
                    about = {"sampler": label, "steps": steps, "nfe": table.nfe, "score": model}
                    for metric, floor in law.floors.items():
                        near = law.distance(metric, end)
                        found = {"value": near.value, "low": near.low, "high": near.high}
                        floors = {"floor": floor.mean, "floor_high": floor.high, "n": n}
                        rows.append(about | {"metric": metric} | found | floors)
                    if model == "network" and (label, steps) == (RUNS[0][0], counts[-1]):
                        exact = self.truth.sample(n, self._rng(7))
                        self._keep(end, exact)
        self.tables["law"] = pd.DataFrame(rows)
        of_network = [r for r in rows if r["score"] == "network" and r["metric"] == "sliced_w2"]
        best = min(of_network, key=lambda row: float(row["value"]))
        name = f"best sampler ({best['sampler']}, {best['nfe']} evaluations)"
        self.headline |= {
            f"sliced W₂ to the exact law, {name}": float(best["value"]),
            "sliced W₂ of as many exact samples": law.floor,
        }

    def _keep(self, samples: Array, exact: Array) -> None:
        """The samples: points of few coordinates as a table, images as they are."""
        import pandas as pd

        if len(self.network.shape) == 3:
            self.images = samples[:64].reshape(-1, *self.network.shape)
        elif samples.shape[1] <= 8:
            names = [f"x{i + 1}" for i in range(samples.shape[1])]
            both = [
                pd.DataFrame(rows, columns=names).assign(of=of)
                for rows, of in ((samples, "network"), (exact, "exact"))
            ]
            self.tables["samples"] = pd.concat(both, ignore_index=True)

    def _likelihood(self) -> None:
        """log p̂ through the flow against log p, at a level where the data has a density."""
        import pandas as pd

        rng, lam = self._rng(5), min(6.0, self.high)
        level = Level(*at_log_snr(lam))
        exact_trace = self.truth.dim <= 8
        n = 200 if exact_trace else 50
        z = self.truth.sample_diffused(n, *level, rng)
        given = log_likelihood(
            self.network,
            z,
            start=lam,
            stop=self.low,
            steps=80,
            divergence="exact" if exact_trace else "hutchinson",
            rng=rng,
        )
        exact = self.truth.log_density(z, *level)
        self.tables["likelihood"] = pd.DataFrame({"exact": exact, "network": given.log_density})
        gap = exact - given.log_density
        self.headline |= {
            "log p − log p̂ over data, nats (mean)": float(gap.mean()),
            "its standard error": float(gap.std(ddof=1) / n**0.5),
        }

    def _held_out(self) -> None:
        data, rng = self.network.data, self._rng(6)
        n = min(1000, max(2 * len(data.held_out), 64))
        z = rng.standard_normal((n, self.network.dim))
        source = source_of(self.network.config)
        if source is not None:
            z = rng.choice(source.held_out, n).reshape(n, -1).astype(float)
        table = METHODS["dpm_solver_pp_multistep"].table(regular(self.low, self.high, 50), "x")
        samples = np.asarray(table.run(self.network.as_prediction("x"), z))
        self._keep(samples, data.train.reshape(len(data.train), -1)[:n].astype(float))
        self.tables["held_out"] = distances(samples, data.train, data.held_out, rng)
        rows = self.tables["held_out"].set_index("metric")
        for name in ("energy distance", "sliced W₂"):
            row = rows.loc[name]
            self.headline |= {
                f"{name} of samples to held-out data": float(row["value"]),
                f"{name} of training data to held-out data (floor)": float(row["floor"]),
                f"{name} of a Gaussian to held-out data": float(row["gaussian"]),
            }
