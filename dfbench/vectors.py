"""Test vectors: numbers that code in any language is held to, and numbers that it must miss.

A case says what is given, what comes out, to which tolerance, and which mistakes it would catch. A
case that is not `valid` holds what comes out of one of these mistakes: code that gives its numbers
has it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dfbench import environment
from dfbench.grids import exponential, karras, leading, linspace, trailing
from dfbench.levels import Grid, Level
from dfbench.predictions import affine
from dfbench.samplers import METHODS
from dfbench.schedules import SCHEDULES
from dfbench.weightings import WEIGHTINGS

SCHEMA = "dfbench.vectors/1"
TOLERANCE = 1e-10  # relative, of float64 by another order of operations
TIMES = (0.001, 0.1, 0.37, 0.5, 0.8, 0.999)
LEVELS = (Level(0.6, 0.8), Level(0.9, 0.1), Level(1.0, 3.0), Level(0.25, 0.75))
KINDS = ("eps", "x", "v", "u", "score")
STEPS = 4  # of the tables


@dataclass(frozen=True)
class Case:
    """One vector.

    Attributes:
        group: levels, grids, conversions, tables or weightings.
        id: unique.
        given, expected: numbers, lists and names.
        catches: mistakes that it tells; of an invalid case, the one that its numbers come of.
        valid: the numbers are right.
    """

    group: str
    id: str
    given: dict[str, Any]
    expected: dict[str, Any]
    catches: tuple[str, ...]
    valid: bool = True
    tolerance: float = TOLERANCE

    JSON = "group id valid given expected tolerance catches"


@dataclass(frozen=True)
class Vectors:
    """All cases, and with what they were made."""

    cases: tuple[Case, ...]
    environment: dict[str, Any] = field(default_factory=dict)
    schema = SCHEMA

    JSON = "schema environment cases"


def vectors() -> Vectors:
    """The vectors of this version."""
    groups = (_levels, _grids, _conversions, _tables, _weightings)
    return Vectors(tuple(case for made in groups for case in made()), environment.describe())


def _levels() -> Iterator[Case]:
    for name, made in SCHEDULES.items():
        schedule = made()
        times = list(TIMES)
        alpha, sigma = ([float(f(t)) for t in times] for f in (schedule.alpha, schedule.sigma))
        given = {"schedule": name, "t": times}
        catches = (
            "β or its integral is another",
            "σ² in the place of σ",
            "time runs the other way",
        )
        yield Case("levels", f"levels/{name}", given, {"alpha": alpha, "sigma": sigma}, catches)
        squared = {"alpha": alpha, "sigma": [s**2 for s in sigma]}
        wrong = ("σ² in the place of σ",)
        yield Case("levels", f"levels/{name}/σ²", given, squared, wrong, valid=False)
        back = [float(schedule.alpha(1 - t)) for t in times]
        ahead = [float(schedule.sigma(1 - t)) for t in times]
        wrong = ("time runs the other way",)
        reversed_ = {"alpha": back, "sigma": ahead}
        yield Case("levels", f"levels/{name}/time", given, reversed_, wrong, valid=False)


def _grids() -> Iterator[Case]:
    for n in (1, 10, 13):
        for rho in (7.0, 3.0):
            given = {"spacing": "karras", "sigma_max": 80.0, "sigma_min": 0.002, "n": n, "rho": rho}
            if n == 1:
                continue
            right = {"sigma": karras(80.0, 0.002, n, rho).sigma.tolist()}
            catches = ("ρ and 1/ρ", "n − 1 and n in the ramp", "no last zero")
            yield Case("grids", f"grids/karras/{n}/{rho:g}", given, right, catches)
            ramp = np.linspace(80.0 ** (1 / rho), 0.002 ** (1 / rho), n + 1)[:-1] ** rho
            off = {"sigma": [*ramp.tolist(), 0.0]}
            wrong = ("n − 1 and n in the ramp",)
            yield Case("grids", f"grids/karras/{n}/{rho:g}/ramp", given, off, wrong, valid=False)
        if n > 1:
            given = {"spacing": "exponential", "sigma_max": 80.0, "sigma_min": 0.002, "n": n}
            right = {"sigma": exponential(80.0, 0.002, n).sigma.tolist()}
            yield Case("grids", f"grids/exponential/{n}", given, right, ("uniform in σ",))
        for spacing, made in (("leading", leading), ("trailing", trailing), ("linspace", linspace)):
            given = {"spacing": spacing, "n_train": 1000, "n": n}
            right = {"indices": [float(i) for i in made(1000, n)]}
            catches = ("off by one", "rounded down where it is rounded", "the last step first")
            yield Case("grids", f"grids/{spacing}/{n}", given, right, catches)
            off = {"indices": [i + 1 for i in right["indices"]]}
            yield Case("grids", f"grids/{spacing}/{n}/+1", given, off, ("off by one",), valid=False)


def _conversions() -> Iterator[Case]:
    z, m = 0.7, -1.3
    for level in LEVELS:
        for source in KINDS:
            for target in KINDS:
                if source == target:
                    continue
                c_z, c_m = (float(c) for c in affine(source, target, *level))
                name = f"conversions/{source}-{target}/{level.alpha:g}-{level.sigma:g}"
                given = {
                    "from": source,
                    "to": target,
                    "alpha": level.alpha,
                    "sigma": level.sigma,
                    "z": z,
                    "m": m,
                }
                right = {"m": c_z * z + c_m * m, "c_z": c_z, "c_m": c_m}
                catches = ("α and σ swapped", "the other sign", "variance preserving for any level")
                yield Case("conversions", name, given, right, catches)
                off = {"m": -right["m"], "c_z": -c_z, "c_m": -c_m}
                wrong = ("the other sign",)
                yield Case("conversions", f"{name}/sign", given, off, wrong, valid=False)


def _tables() -> Iterator[Case]:
    ratio = np.geomspace(10.0, 0.1, STEPS + 1)
    alpha = 1 / np.hypot(1, ratio)
    grid = Grid(alpha, ratio * alpha)
    for name, method in METHODS.items():
        try:
            table = method.table(grid, "eps")
        except (ValueError, ZeroDivisionError):  # it takes a schedule, or options
            continue
        if table.nfe > 8 * STEPS:
            continue
        given = {
            "method": name,
            "source": method.source,
            "prediction": "eps",
            "alpha": grid.alpha.tolist(),
            "sigma": grid.sigma.tolist(),
        }
        right: dict[str, Any] = {
            "evaluations": table.nfe,
            "draws": table.n_draws,
            # of z_T, of every output, of every draw: for the states that the network sees, and last
            # for the sample
            "rows": table.rows.tolist(),
            "levels": [list(level) for level in table.levels],
        }
        if table.noise_cov is not None:
            right["covariance"] = table.noise_cov.tolist()
        catches = ("a coefficient", "evaluated at another level", "a noise of another size")
        yield Case("tables", f"tables/{name}", given, right, catches)
        rows = table.rows.copy()
        rows[-1] *= 1.01
        off = {**right, "rows": rows.tolist()}
        yield Case("tables", f"tables/{name}/1%", given, off, ("a coefficient",), valid=False)


def _weightings() -> Iterator[Case]:
    lam = [-8.0, -2.0, 0.0, 1.0, 6.0]
    for name, made in WEIGHTINGS.items():
        right = {"weight": [float(w) for w in made()(lam)]}
        given = {"weighting": name, "formula": made.formula, "log_snr": lam}
        catches = ("λ and λ/2", "SNR and its root", "the density of λ left out")
        yield Case("weightings", f"weightings/{name}", given, right, catches)
        halved = {"weight": [float(w) for w in made()(np.array(lam) / 2)]}
        if not math.isclose(halved["weight"][0], right["weight"][0], rel_tol=1e-6):
            wrong = ("λ and λ/2",)
            yield Case("weightings", f"weightings/{name}/half", given, halved, wrong, valid=False)
