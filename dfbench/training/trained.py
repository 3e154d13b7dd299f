"""A trained network as every other layer takes one: `trained(z, level)`.

It may be called at a level of any scale: the network is asked at the level of its own schedule
that has the same λ, with the state scaled there, and what it returns is scaled back (GAO; CLAIMS
19 and 31).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dfbench.errors import Unusable
from dfbench.levels import Array, Level
from dfbench.loading import trusted
from dfbench.predictions import affine
from dfbench.schedules import Schedule
from dfbench.training import checkpoint, models
from dfbench.training import config as configuration
from dfbench.training import data as datasets
from dfbench.training.config import Config
from dfbench.training.data import Dataset
from dfbench.training.mixtures import Shape
from dfbench.training.objectives import Levels, as_column, as_rows


class Trained:
    """A network with what it was trained for.

    Attributes:
        config: the study.
        schedule: its levels are the network's own.
        prediction: what the network returns.
        module: the network F(z, λ) with the averaged weights, in evaluation mode.
        sigma_data: the data's standard deviation, by which the input is normalised.
        shape: of a point.
        log_snr_range: (lowest, highest) λ of training. Beyond it, the network is told the end.
    """

    def __init__(self, config: Config, module: nn.Module, sigma_data: float, shape: Shape) -> None:
        self.config, self.module, self.sigma_data, self.shape = config, module, sigma_data, shape
        self.prediction: str = config.objective.prediction
        self.schedule = schedule_of(config)
        low, high = config.levels.options["low"], config.levels.options["high"]
        self.log_snr_range: tuple[float, float] = (float(low), float(high))
        self._data: Dataset | None = None
        module.eval().requires_grad_(False)

    @classmethod
    def load(cls, folder: str | Path, *, trust: bool = False) -> Trained:
        """The network of a folder of `dfbench train`, on the CPU, as far as it was trained.

        Args:
            trust: whether a network that is code of a user's (the kind "user") may run; so does
                DFBENCH_TRUST=1 in the environment.

        Raises:
            Unusable: there is none, or its files cannot be read, or it is code without `trust`.
        """
        folder = Path(folder)
        config = configuration.read(checkpoint.config_file(folder))
        if config.model.kind == "user" and not (trust or trusted()):
            raise Unusable(
                f"{folder}: its network is code, {config.model.options['name']}, that would run "
                "here; if you trust it, say --trust"
            )
        state = checkpoint.load(folder)
        with checkpoint.fitting():
            shape = tuple(state["shape"])
            module = config.model.build(models.KINDS, "model", shape)
            module.load_state_dict(state["ema"])
            sigma_data = float(state["sigma_data"])
        dtype = torch.float64 if config.loop.precision == "float64" else torch.float32
        return cls(config, module.to(dtype=dtype), sigma_data, shape)

    @property
    def data(self) -> Dataset:
        """The study's data, made anew."""
        if self._data is None:
            self._data = data_of(self.config)
        return self._data

    @property
    def dim(self) -> int:
        """Number of elements of a point."""
        return int(np.prod(self.shape))

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights."""
        return next(self.module.parameters()).dtype

    @property
    def device(self) -> torch.device:
        """Of the weights."""
        return next(self.module.parameters()).device

    def to(self, *, dtype: torch.dtype | None = None, device: Any = None) -> Trained:
        """This network, moved."""
        self.module.to(device=device, dtype=dtype)
        return self

    def __call__(self, z: Any, level: Level | tuple[Any, Any]) -> Any:
        """The network's prediction at a state and its level.

        Args:
            z: NumPy array or torch tensor, (n, d) or (n, c, h, w); points of images may be flat.
            level: (α, σ), numbers or one per row.

        Returns:
            Of z's kind and shape; of float64 for arrays, of z's dtype for tensors.

        Raises:
            ValueError: velocity at a level that is not of the network's own schedule.
        """
        state = z if isinstance(z, Tensor) else torch.as_tensor(np.asarray(z, dtype=np.float64))
        state = state.reshape(len(state), *self.shape)
        out = self._evaluate(state, *level).reshape(z.shape)
        return out if isinstance(z, Tensor) else out.detach().cpu().numpy().astype(np.float64)

    def _evaluate(self, z: Tensor, alpha: Any, sigma: Any) -> Tensor:
        """In the network's dtype inside, in z's outside; gradients pass."""
        alpha, sigma = (np.broadcast_to(np.asarray(a, np.float64), len(z)) for a in (alpha, sigma))
        with np.errstate(divide="ignore"):
            log_snr = 2 * (np.log(alpha) - np.log(sigma))
        low, high = self._ends()
        within = np.clip(log_snr, low, high)
        own = Levels.at(self.schedule, within)
        # beyond the schedule's ends, the larger of α and σ still says what the scale is
        larger = alpha >= sigma
        scale = np.where(larger, own.alpha, own.sigma) / np.where(larger, alpha, sigma)
        normalise = self.sigma_data if self.config.loop.normalise else None
        factor = Levels(within, scale * alpha, scale * sigma).input_scale(normalise) * scale
        told = np.clip(log_snr, *self.log_snr_range)
        inside = z.to(self.device, self.dtype)
        out: Tensor = self.module(as_column(factor, inside) * inside, as_rows(told, inside))
        return (as_column(self._back(scale), inside) * out).to(z.device, z.dtype)

    def _ends(self) -> tuple[float, float]:
        """λ of the schedule's two ends."""
        return self.schedule.log_snr(1.0), self.schedule.log_snr(0.0)

    def _back(self, scale: Array) -> Array:
        """What a prediction at the network's own level c (α, σ) is multiplied by at (α, σ)."""
        if self.prediction == "v":  # α ε − σ x
            return 1 / scale
        if self.prediction == "score":  # −ε/σ
            return scale
        if self.prediction == "velocity" and np.abs(scale - 1).max() > 1e-6:
            raise ValueError(
                "the network predicts the velocity of its own schedule: ask it at that schedule's "
                "levels, or use as_prediction"
            )
        return np.ones_like(scale)

    def as_prediction(self, kind: str) -> Callable[[Any, Any], Any]:
        """The network used as another prediction: `network(z, level)` of any level.

        A network that predicts the velocity is first read as x and ε on its own schedule.
        """

        def network(z: Any, level: Any) -> Any:
            alpha, sigma = level
            if self.prediction == "velocity" != kind:
                return self._from_velocity(z, kind, alpha, sigma)
            c_z, c_m = affine(self.prediction, kind, alpha, sigma, sigma_data=self.sigma_data)
            return _column(c_z, z) * z + _column(c_m, z) * self(z, level)

        return self if kind == self.prediction else network

    def _from_velocity(self, z: Any, kind: str, alpha: Any, sigma: Any) -> Any:
        log_snr = 2 * (np.log(np.asarray(alpha, float)) - np.log(np.asarray(sigma, float)))
        own = Levels.at(self.schedule, np.atleast_1d(log_snr), rates=True)
        c = own.alpha / alpha
        m = self(_column(c, z) * z, (own.alpha, own.sigma))
        parts = []
        for part in ("x", "eps"):
            c_z, c_m = affine("velocity", part, own.alpha, own.sigma, rates=own.rates)
            parts.append(_column(c_z * c, z) * z + _column(c_m, z) * m)
        if kind in ("x", "denoised"):
            return parts[0]
        from dfbench.predictions import weights

        p, q = weights(kind, alpha, sigma, sigma_data=self.sigma_data)
        return _column(p, z) * parts[0] + _column(q, z) * parts[1]


def schedule_of(config: Config) -> Schedule:
    """The study's schedule.

    Raises:
        Unusable: its range of λ does not contain that of the study's levels.
    """
    from dfbench.schedules import SCHEDULES

    made: Schedule = config.objective.schedule.build(SCHEDULES, "objective.schedule")
    low, high = made.log_snr(1.0), made.log_snr(0.0)
    for name in ("low", "high"):
        value = config.levels.options[name]
        if not low <= value <= high:
            raise Unusable(
                f"[levels] {name} = {value:g} is not on the schedule "
                f"{config.objective.schedule.kind}, whose λ goes from {low:.4g} to {high:.4g}"
            )
    return made


def data_of(config: Config) -> Dataset:
    """The study's data."""
    made: Dataset = config.data.build(datasets.KINDS, "data", config.seed)
    return made


def source_of(config: Config) -> Dataset | None:
    """What flows to the study's data; None for standard normal noise."""
    if config.source is None:
        return None
    made: Dataset = config.source.build(datasets.KINDS, "source", config.seed + 1)
    return made


def _column(values: Any, z: Any) -> Any:
    """Numbers, or numbers per row, as a factor for z."""
    if isinstance(z, Tensor):
        return as_column(np.broadcast_to(np.asarray(values, np.float64), len(z)), z)
    return np.asarray(values, dtype=np.float64).reshape((-1,) + (1,) * (z.ndim - 1))
