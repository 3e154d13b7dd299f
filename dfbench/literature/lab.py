"""Trains the networks that claims ask for, and keeps them in the study's folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch

from analytic import GaussianMixture
from dfbench.errors import Unsupported
from dfbench.progress import Progress, quiet
from dfbench.training.config import Config, as_table, parse
from dfbench.training.loop import train
from dfbench.training.trained import Trained

BATCH = 256  #: rows of a batch of a variation

#: Changes by a short name: what claims ask for, merged into the study's own table.
SHORT: dict[str, tuple[str, ...]] = {
    "prediction": ("objective", "prediction"),
    "loss": ("objective", "loss"),
    "weighting": ("objective", "weighting"),
    "schedule": ("objective", "schedule"),
    "steps": ("loop", "steps"),
    "batch": ("loop", "batch"),
}


class StudyLab:
    """The networks of one study: its own, and variations of it that are trained for fewer steps.

    Every variation has a folder `networks/KEY` of its own, KEY a hash of its configuration, and
    is trained once; what was interrupted goes on.

    Args:
        config: of the study.
        folder: of the study; its own network is there.
        steps: of a variation.
        progress: told (what, steps done, steps in all).
    """

    def __init__(
        self,
        config: Config,
        folder: str | Path,
        *,
        steps: int = 1500,
        progress: Progress = quiet,
    ) -> None:
        self.config, self.folder, self.steps, self.progress = config, Path(folder), steps, progress
        self._known: dict[Path, Trained] = {}
        self._truth: GaussianMixture | None = None

    @property
    def truth(self) -> GaussianMixture:
        """The law of the data.

        Raises:
            Unsupported: nobody knows it.
        """
        if self._truth is None:
            self._truth = self.network().data.truth
        if self._truth is None:
            raise Unsupported("nobody knows the law of these data")
        return self._truth

    @property
    def dim(self) -> int:
        """Elements of a point."""
        return self.network().dim

    def network(self, **changes: Any) -> Trained:
        """The study's network, or one with these changes, in float64, with gradients.

        Args:
            changes: tables of the configuration, or a key of `SHORT`; merged into the study's.
        """
        folder, config = self.where(**changes), self.config
        if changes:
            config = self._varied(changes)
        if folder not in self._known:
            trained = train(config, folder, self._told(changes))
            self._known[folder] = ready(trained)
        return self._known[folder]

    def where(self, **changes: Any) -> Path:
        """The folder of a network."""
        if not changes:
            return self.folder
        text = json.dumps(as_table(self._varied(changes)), sort_keys=True, default=str)
        return self.folder / "networks" / hashlib.sha256(text.encode()).hexdigest()[:12]

    def _varied(self, changes: Mapping[str, Any]) -> Config:
        table = as_table(self.config)
        table["loop"] |= {"steps": self.steps, "batch": BATCH, "log_every": 100}
        table["loop"] |= {"checkpoint_every": 500, "warmup": min(200, self.steps // 5)}
        table |= {"title": "", "claims": [], "claim_steps": 1}
        for name, value in changes.items():
            path = SHORT.get(name, (name,))
            inner: dict[str, Any] = table
            for key in path[:-1]:
                inner[key] = dict(inner[key])
                inner = inner[key]
            old = inner.get(path[-1])
            if isinstance(old, Mapping) and isinstance(value, Mapping) and "kind" not in value:
                value = {**old, **value}
            inner[path[-1]] = value
        return parse(table)

    def _told(self, changes: Mapping[str, Any]) -> Progress:
        tell, name = self.progress, ", ".join(f"{k} {_brief(v)}" for k, v in changes.items())
        return lambda what, done, total: tell(f"training {name}: {what}", done, total)


def ready(trained: Trained) -> Trained:
    """A copy in float64 on the CPU whose weights take gradients."""
    network = Trained(
        trained.config, deepcopy(trained.module), trained.sigma_data, trained.shape
    ).to(dtype=torch.float64, device="cpu")
    network.module.requires_grad_(True)
    return network


def _brief(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(str(each) for each in value.values())
    return str(value)
