"""What was found of a trained network, written into its folder beside the network.

DIR/training.json                  the summary (`dfbench.training.results`): adds headline, data,
                                   measured_seconds, verdict and findings, a claim each
DIR/results/NAME.csv, .parquet     a tidy table each: excess, score_by_density, law, claims, …
DIR/figures/NAME.svg (.png)        the figures of the page
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfbench.files import write_with
from dfbench.progress import Progress, quiet
from dfbench.report.literature.serial import outcome as outcome_to_dict

if TYPE_CHECKING:
    from pandas import DataFrame

    from dfbench.literature.run import Claims
    from dfbench.training.trained import Trained


def complete(folder: str | Path, progress: Progress = quiet) -> str:
    """Measure the network of a folder, hold it to its study's claims, and write what was found.

    Args:
        folder: of `dfbench.training.study.run`.
        progress: told (what, done, in all).

    Returns:
        The verdict: the worst of the claims, "pass" where there are none.

    Raises:
        Unusable: there is no trained network in the folder, or it asks for unknown claims.
        OSError: a file cannot be written.
    """
    from dfbench.literature.lab import StudyLab, ready
    from dfbench.literature.run import check_claims, named
    from dfbench.training import results
    from dfbench.training.measure.study import LARGE, Measured
    from dfbench.training.trained import Trained

    folder, start = Path(folder), time.perf_counter()
    trained = Trained.load(folder, trust=True)  # it has just been trained here
    ids = wanted(trained.config.claims)
    named(ids, trained=True)
    exact = trained.data.truth is not None and trained.dim <= LARGE
    network = ready(trained) if exact else trained
    measured = Measured(network, trained.config.seed, progress)
    for name, table in measured.tables.items():
        results.save_table(folder, name, table)
    if measured.images is not None:
        _save_images(folder, measured.images)
    seconds = {"measuring": time.perf_counter() - start}
    claims = None
    if ids is None or ids:
        lab = StudyLab(trained.config, folder, steps=trained.config.claim_steps, progress=progress)
        claims = check_claims(ids, lab=lab, progress=progress)
        results.save_table(folder, "claims", _table(claims))
        seconds["claims"] = claims.seconds
    verdict = claims.verdict if claims else "pass"
    results.update(
        folder,
        headline=measured.headline,
        data=_described(trained),
        measured_seconds=seconds,
        verdict=verdict,
        findings=[outcome_to_dict(each) for each in claims.outcomes] if claims else [],
    )
    _draw(folder)
    return verdict


def wanted(claims: tuple[str, ...]) -> list[str] | None:
    """The claims a study asks for, as `named` takes them: None for all."""
    return None if claims == ("all",) else list(claims)


def _described(trained: Trained) -> dict[str, Any]:
    data = trained.data
    return {
        "name": data.name,
        "shape": list(data.shape),
        "training": "drawn anew for every batch" if data.fresh else len(data.train),
        "held out": len(data.held_out),
        "truth": None if data.truth is None else str(data.truth),
        "parameters": sum(p.numel() for p in trained.module.parameters()),
    }


def _table(claims: Claims) -> DataFrame:
    """A row a claim."""
    import pandas as pd

    return pd.DataFrame(
        {
            "claim": o.claim.id,
            "title": o.claim.title,
            "verdict": o.verdict,
            "measured": o.finding.measured,
            "bound": o.finding.bound,
            "unit": o.finding.unit,
            "control": o.control.verdict,
            "control_measured": o.control.measured,
            "seconds": o.finding.seconds + o.control.seconds,
        }
        for o in claims.outcomes
    )


def _save_images(folder: Path, images: Any) -> None:
    import numpy as np

    def whole(path: Path) -> None:
        with path.open("wb") as file:
            np.save(file, images.astype(np.float32))

    write_with(folder / "results" / "images.npy", whole)


def _draw(folder: Path) -> None:
    """The figures of the page, as files."""
    from dfbench.charts.files import save
    from dfbench.report.training.figures import figures

    (folder / "figures").mkdir(exist_ok=True)
    for name, draw in figures(folder).items():
        save(draw, folder / "figures" / name, "png" if name == "images" else "svg")
