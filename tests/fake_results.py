"""Result tables made by hand and by closed forms: small ones that follow the bench's columns.

The Gaussian target's errors are real (`dfbench.wasserstein`); the mixture's are drawn about a known
truth, with intervals and a noise floor.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from dfbench import wasserstein
from dfbench.grids import regular
from dfbench.samplers import METHODS
from dfbench.sweep.measurement import COLUMNS

SPECTRUM = 4.0 * np.arange(1, 25) ** -1.5
SAMPLERS = {
    "DDIM": ("dfbench:ddim", {}),
    "DDIM η=0.5": ("dfbench:ddim", {"eta": 0.5}),
    "DDPM": ("dfbench:ddim", {"eta": 1.0}),
    "DPM-Solver++ 2M": ("dfbench:dpm_solver_pp_multistep", {"order": 2}),
    "Heun": ("dfbench:heun", {}),
    "Euler of the field": ("dfbench:euler", {}),
    "UniPC": ("dfbench:unipc", {}),
}
STEPS = (5, 8, 12, 20, 32, 50)


def row(**known: object) -> dict[str, object]:
    """A row with every column of the bench."""
    base: dict[str, object] = {
        "study": "fake",
        "cell": "0" * 8,
        "target": "power law",
        "dimension": 24,
        "version": "0.1.0",
        "schedule": "cosine",
        "grid": "regular",
        "prediction": "eps",
        "seed": 0,
        "status": "ok",
        "source": "all",
        "unit": "of the data",
    }
    unknown = set(known) - set(COLUMNS)
    assert not unknown, unknown
    return dict.fromkeys(COLUMNS) | base | known


@cache
def gaussian() -> tuple[dict[str, object], ...]:
    """Exact W2 by source, and the response, of a few samplers on a power law."""
    rows = []
    for label, (method, options) in SAMPLERS.items():
        for n in STEPS:
            grid = regular(-8.0, 12.0, n)
            name = method.partition(":")[2]
            nfe = METHODS[name].evaluations(grid, **options)
            known = {
                "sampler": label,
                "method": method,
                "options": json.dumps(options),
                "steps": n,
                "nfe": nfe,
                "budget": f"{n} steps",
                "cell": f"{label}{n}",
            }
            for source, value in wasserstein.split(name, grid, SPECTRUM, **options).items():
                if source != "score":
                    rows.append(
                        row(**known, metric="w2", source=source, value=value, low=value, high=value)
                    )
            for at, value in zip(
                SPECTRUM, wasserstein.response(name, grid, SPECTRUM, **options), strict=True
            ):
                rows.append(
                    row(
                        **known,
                        metric="spectral_response",
                        at=at,
                        value=value,
                        low=value,
                        high=value,
                        unit="relative",
                    )
                )
    return tuple(rows)


def sampled(seed: int = 0, seeds: int = 3) -> list[dict[str, object]]:
    """Sliced W2 on a mixture: order 1 or 2 plus what exact samples get, with noise."""
    rng, rows = np.random.default_rng(seed), []
    floor, noise = 0.02, 0.002
    for i, (label, (method, options)) in enumerate(SAMPLERS.items()):
        for n in STEPS:
            for each in range(seeds):
                truth = floor + (0.8 / n if i < 3 else (3.0 + i) / n**2)
                value = truth + noise * rng.standard_normal()
                rows.append(
                    row(
                        target="mixture",
                        dimension=2,
                        sampler=label,
                        method=method,
                        steps=n,
                        options=json.dumps(options),
                        nfe=n,
                        budget=f"{n} steps",
                        seed=each,
                        cell=f"m{label}{n}{each}",
                        metric="sliced_w2",
                        value=value,
                        low=value - 2 * noise,
                        high=value + 2 * noise,
                        floor=floor,
                        floor_high=floor + 2 * noise,
                        n=10_000,
                    )
                )
    return rows


def paths() -> list[dict[str, object]]:
    """Two trajectories of one run on a line."""
    return [
        row(
            target="two modes",
            dimension=1,
            sampler="DDIM",
            method="dfbench:ddim",
            options="{}",
            steps=8,
            nfe=8,
            budget="8 steps",
            cell="p",
            metric="path",
            at=lam,
            series=i,
            value=(-1) ** i * (1 - np.exp(-(lam + 8) / 6)),
            n=None,
        )
        for i in (0, 1)
        for lam in np.linspace(-8, 8, 9)
    ]


def failures() -> list[dict[str, object]]:
    """Two cells that failed, one of them with text that wants escaping."""
    return [
        row(
            target="power law",
            sampler="broken",
            method="user.py:Broken",
            options="{}",
            steps=n,
            nfe=None,
            budget=f"{n} steps",
            cell=f"f{n}",
            status="failed",
            source=None,
            why=f"ValueError: <script>alert({n})</script> & no",
        )
        for n in (5, 8)
    ]


def table() -> pd.DataFrame:
    """All of it."""
    return pd.DataFrame([*gaussian(), *sampled(), *paths(), *failures()])


def write(path: Path, rows: pd.DataFrame | None = None, version: str = "0.1.0") -> Path:
    """A directory as the bench leaves it."""
    path.mkdir(parents=True, exist_ok=True)
    rows = table() if rows is None else rows
    rows.to_parquet(path / "measurements.parquet")
    costs = rows.drop_duplicates("cell")[["cell", "target", "sampler", "nfe"]].copy()
    costs["seconds"], costs["overhead_seconds"], costs["memory_bytes"] = 0.01, 1e-4, 16_000_000
    costs.to_parquet(path / "costs.parquet")
    environment = {"dfbench": version, "python": "3.12", "cpus": 2, "packages": {"numpy": "2.4.1"}}
    (path / "environment.json").write_text(json.dumps(environment), "utf-8")
    (path / "study.toml").write_text('name = "fake"\n', "utf-8")
    return path
