"""Calls of tables, their grids, and of the reference methods that make them."""

# ruff: noqa: E501

from __future__ import annotations

from typing import Any

import numpy as np

from analytic import GaussianMixture
from dfbench import table, trajectories, wasserstein
from dfbench.levels import Grid, Level, grid_of
from dfbench.samplers import METHODS
from dfbench.samplers.method import named
from dfbench.subjects.reference import default_grid
from dfbench.trajectories import Paths
from tests.fuzz.call import Call, made


def _kind(value: Any) -> str:
    """Of an option of a method, by its default."""
    return "number" if isinstance(value, bool | int | float) else "word"


#: Options that take a sequence or a function, too.
SEVERAL = ("tau", "c_skip", "c_out", "sigma_min", "variance", "epsilon")


def _options(name: str) -> dict[str, tuple[str, Any]]:
    return {
        option: ("word" if option in SEVERAL else _kind(default), default)
        for option, default in METHODS[name].defaults.items()
    }


def _taken(name: str) -> bool:
    try:
        METHODS[name].table(default_grid(3), "x")
    except ValueError:  # in need of times, or of a level that is not clean
        return False
    return name != "annealed_langevin"  # a hundred evaluations a level


def _calls() -> list[Call]:
    mixture = GaussianMixture.isotropic([0.4, 0.6], [[-1.0, 0.0], [1.0, 0.5]], [0.2, 0.3])
    grid, level = default_grid(4), Level(0.8, 0.6)
    ddim, ddpm = METHODS["ddim"].table(grid, "x"), METHODS["ddpm"].table(grid, "eps")
    z, spectrum, zeros = np.array([[0.1, 0.2], [0.3, -0.4]]), np.array([0.5, 2.0]), np.zeros(2)
    number, array, word, thing, function = "number", "array", "word", "thing", "function"
    asked = {"sampler": (thing, ddim), "grid": (thing, grid), "spectrum": (array, spectrum)}
    known = {"mean": (array, zeros), "start": (array, None), "learned": (array, None),
             "learned_mean": (array, None), "eta": (number, None)}  # fmt: skip
    sources = known | {"on": (thing, ("truncation",))}
    every = known | {
        "on": (thing, wasserstein.SOURCES),
        "learned": (array, spectrum),
        "learned_mean": (array, zeros),
        "start": (array, 1.0),
    }
    shape = (4, 3, 2)
    paths = Paths(np.cumsum(np.ones((5, 3, 2)), 0), grid)
    law = ddim.law(spectrum)
    run = {"model": (function, lambda z, level: 0 * z), "z": ("data", z)}
    return made([
        ("Table", table.Table,
         {"rows": (array, ddim.rows), "levels": (thing, ddim.levels), "prediction": (word, "x"),
          "noise_cov": (array, None), "sigma_data": (number, None), "start": (thing, None)}),
        ("Table with draws", table.Table,
         {"rows": (array, ddpm.rows), "levels": (thing, ddpm.levels),
          "noise_cov": (array, np.eye(ddpm.n_draws))}),
        ("Table.law", ddim.law,
         {"variance": (array, spectrum), "mean": (array, zeros), "start_variance": (array, None),
          "start_mean": (array, None)}),
        ("Table.response", ddim.response, {"variance": (array, spectrum)}),
        ("Table.sensitivity", ddpm.sensitivity, {"variance": (array, spectrum)}),
        ("Table.slope", ddim.slope, {"level": (thing, level), "variance": (array, spectrum)}),
        ("Table.slopes", ddim.slopes, {"variance": (array, spectrum)}),
        ("Table.convert", ddim.convert, {"prediction": (word, "eps")}),
        ("Table.weights", ddim.weights, {"prediction": (word, "eps")}),
        ("Table.affine", ddim.affine, {"source": (word, "eps"), "target": (word, "x"), "level": (thing, level)}),
        ("Table.rescaled", ddim.rescaled, {"factors": (array, np.ones(5))}),
        ("Table.on_levels", ddim.on_levels, {"levels": (thing, ddim.levels)}),
        ("Table.until", ddim.until, {"j": (number, 2)}),
        ("Table.steps", ddim.steps, {"negligible": (number, 0.0)}),
        ("Table.normal_draws", ddpm.normal_draws, {"negligible": (number, 0.0)}),
        ("Table.gaps", ddim.gaps, {"expected": (thing, ddim)}),
        ("Table.compare", ddim.compare, {"expected": (thing, METHODS["euler"].table(grid, "x")), "tolerance": (array, None)}),
        ("Table.compare within", ddim.compare, {"expected": (thing, ddim), "tolerance": (array, 1e-9)}),
        ("Table.run", ddim.run, run),
        ("Table.drawn", lambda normals: METHODS["dpmpp_sde"].table(grid, "x").drawn(normals)(0), {"normals": (function, lambda k: np.ones(2))}),
        ("Law.wasserstein", law.wasserstein, {"mean": (array, zeros), "variance": (array, spectrum)}),
        ("table.relative", table.relative, {"variance": (array, spectrum), "truth": (array, spectrum)}),
        ("Grid", Grid,
         {"alpha": (array, grid.alpha), "sigma": (array, grid.sigma), "t": (array, None), "schedule": (thing, None)}),
        ("Grid.from_ratios", Grid.from_ratios, {"ratios": (array, [3.0, 1.0])}),
        ("Grid.scaled", grid.scaled, {"factors": (array, np.ones(5))}),
        ("levels.grid_of", grid_of, {"levels": (thing, [level, level])}),
        ("samplers.named", named, {"method": (word, "ddim")}),
        ("Method.table", METHODS["ddim"].table,
         {"grid": (thing, grid), "prediction": (word, "x"), "sigma_data": (number, None)}),
        ("Method.evaluations", METHODS["ddim"].evaluations, {"grid": (thing, grid), "prediction": (word, "x")}),
        *((f"METHODS.{name}", METHODS[name].table,
           {"grid": (thing, grid), "prediction": (word, "x")}
           | _options(name))
          for name in sorted(METHODS) if _taken(name)),
        *((f"METHODS.{name}.traits_of", METHODS[name].traits_of,
           _options(name))
          for name in sorted(METHODS) if METHODS[name].defaults),
        ("wasserstein.error", wasserstein.error, asked | sources),
        ("wasserstein.kl", wasserstein.kl, asked | sources),
        ("wasserstein.response", wasserstein.response, asked | sources),
        ("wasserstein.law", wasserstein.law, asked | every),
        ("wasserstein.split", wasserstein.split, asked | known),
        ("wasserstein.prepared", wasserstein.prepared, {"sampler": (thing, "ddim"), "grid": (thing, grid), "eta": (number, 0.0)}),
        ("wasserstein.errors", lambda **given: wasserstein.errors(**given).w2.to_numpy(),
         {"samplers": (thing, {"a": "ddim"}), "grids": (thing, {4: grid}), "spectrum": (array, spectrum)}),
        ("trajectories.straightness", trajectories.straightness,
         {"paths": (array, np.cumsum(np.ones(shape), 0)), "t": (array, np.linspace(1, 0, 4))}),
        ("trajectories.exact_trajectory", trajectories.exact_trajectory,
         {"target": (thing, mixture), "grid": (thing, grid), "z": (array, z)}),
        ("trajectories.exact_trajectory drawn", trajectories.exact_trajectory,
         {"target": (thing, mixture), "grid": (thing, grid), "n": (number, 3), "rng": ("rng", np.random.default_rng(0))}),
        ("trajectories.trajectory", trajectories.trajectory,
         {"sampler": (thing, "ddim"), "target": (thing, mixture), "grid": (thing, grid),
          "prediction": (word, "x"), "z": (array, z)}),
        ("Paths.rescaled", paths.rescaled, {"factors": (array, np.ones(5))}),
    ])  # fmt: skip


CALLS = _calls()
