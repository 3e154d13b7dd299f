"""A study from its configuration to its results: what `dfbench train` does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from dfbench import environment
from dfbench.progress import Progress, quiet
from dfbench.training import checkpoint, loop, results, throughput
from dfbench.training import config as configuration
from dfbench.training.config import Config
from dfbench.training.trained import Trained


def run(
    config: Config,
    folder: str | Path,
    progress: Progress = quiet,
    *,
    command: str = "",
    profile: bool = False,
) -> Trained:
    """Train, and write down the speed and what it was reached with.

    Args:
        config: the study.
        folder: of the results; goes on with a run that is not finished.
        progress: as in `loop.train`.
        command: for the summary.
        profile: also write where a step's time goes, the table "profile".

    Raises:
        as `loop.train`.
    """
    folder = Path(folder)
    before = _seconds(folder)
    trained = loop.train(config, folder, progress)
    if not loop.main_process():
        return trained
    if _seconds(folder) == before and "throughput" in results.load(folder) and not profile:
        return trained  # it was finished already
    trainer = loop.Trainer(config, alone=True)
    trainer.load(checkpoint.load(folder))
    rows = checkpoint.load_log(folder, config.loop.steps)
    known: dict[str, Any] = {"command": command, "seconds": rows[-1]["seconds"]}
    results.update(
        folder,
        title=config.title,
        config=configuration.as_table(config),
        environment=environment.describe(seed=config.seed, **known),
        throughput=throughput.throughput(trainer, rows),
    )
    results.save_table(folder, "log", pd.DataFrame(rows))
    if profile:
        results.save_table(folder, "profile", throughput.profile(trainer))
    return trained


def _seconds(folder: Path) -> float | None:
    """Training time so far."""
    if not checkpoint.log_file(folder).is_file():
        return None
    rows = checkpoint.load_log(folder, 1 << 62)
    return rows[-1]["seconds"] if rows else None
