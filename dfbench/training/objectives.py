"""The training loss: an unbiased estimate of ∫ w(λ) E|ε̂ − ε|² dλ, a number per row.

With λ drawn from a density q, z = α x + σ ε, and the squared error taken of the prediction m,

    w(λ)/(q(λ) c²(λ)) |m̂ − m|²,    |m̂ − m|² = c²(λ)|ε̂ − ε|²    (GAO; `predictions.mse_factor`)

so that every m has the same value and the same gradient, up to rounding. The score's is denoising
score matching (VIN). Without a target, and with the same gradient in expectation (HYV; Song et
al., arXiv 1905.07088, for the trace by random directions v of entries ±1):

    2 σ² w/q (tr ∇s + ½|s|²) = w/q (|ε̂ − ε|² − |ε|²) in expectation over ε.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dfbench.levels import Array, Function
from dfbench.losses import implicit_score_matching
from dfbench.predictions import affine, mse_factor, weights
from dfbench.schedules import Schedule, at_log_snr

Net = Callable[[Tensor, Tensor], Tensor]


def signs(like: Tensor, generator: torch.Generator) -> Tensor:
    """Directions of entries ±1 in the shape, dtype and device of a batch; `losses.signs`."""
    drawn = torch.randint(0, 2, like.shape, generator=generator, device=like.device)
    return (2 * drawn - 1).to(like.dtype)


@dataclass(frozen=True, eq=False)
class Levels:
    """A batch of levels in float64: λ, (α, σ) on the schedule's scale, and (α̇, σ̇) if asked for."""

    log_snr: Array
    alpha: Array
    sigma: Array
    rates: tuple[Array, Array] | None = None

    @classmethod
    def at(cls, schedule: Schedule, log_snr: Array, rates: bool = False) -> Levels:
        """The schedule's levels of these λ."""
        t = None
        if rates or schedule.scale is None:
            t = schedule.t_of_log_snr(log_snr)
        if schedule.scale is not None:
            alpha, sigma = at_log_snr(log_snr, schedule.scale)
        else:
            assert t is not None
            alpha, sigma = schedule.alpha(t), schedule.sigma(t)
        return cls(log_snr, alpha, sigma, schedule.rates(t) if rates and t is not None else None)

    def input_scale(self, sigma_data: float | None) -> Array:
        """1/√(α² s² + σ²), or 1 where the input is not normalised."""
        if sigma_data is None:
            return np.ones_like(self.alpha)
        return np.asarray(1 / np.hypot(self.alpha * sigma_data, self.sigma))


def as_rows(values: Any, like: Tensor) -> Tensor:
    """Numbers per row as a tensor (n,) of the dtype and device of `like`."""
    return torch.tensor(np.asarray(values), dtype=like.dtype).to(like.device)


def as_column(values: Any, like: Tensor) -> Tensor:
    """Numbers per row as a factor for `like`: shape (n, 1, …)."""
    return as_rows(values, like).reshape((-1,) + (1,) * (like.ndim - 1))


class Objective:
    """The loss of a network F(z/√(α² s² + σ²), λ).

    Args:
        prediction: what the network returns.
        loss: the prediction whose error is squared ("prediction": that one), "implicit" (exact
            trace) or "hutchinson".
        weighting: w(λ).
        schedule: of the levels.
        sigma_data: s; also of the "edm" prediction.
        normalise: whether the input is divided by √(α² s² + σ²).
    """

    def __init__(
        self,
        prediction: str,
        loss: str,
        weighting: Function,
        schedule: Schedule,
        sigma_data: float,
        normalise: bool = True,
    ) -> None:
        self.prediction, self.weighting, self.schedule = prediction, weighting, schedule
        self.loss = prediction if loss == "prediction" else loss
        self.sigma_data, self.normalise = sigma_data, normalise
        self.target = "score" if self.loss in ("implicit", "hutchinson") else self.loss
        self.rated = "velocity" in (self.prediction, self.target)

    def __call__(
        self, net: Net, x: Tensor, eps: Tensor, log_snr: Array, density: Array, probe: Any = None
    ) -> Tensor:
        """w/q |ε̂ − ε|² of every row, shape (n,).

        Args:
            net: the network, called as net(z, log_snr).
            x, eps: data and noise, shape (n, …).
            log_snr, density: λ and q(λ), shape (n,), float64.
            probe: directions of entries ±1 in the shape of x, for "hutchinson".
        """
        level = Levels.at(self.schedule, log_snr, self.rated)
        z = as_column(level.alpha, x) * x + as_column(level.sigma, x) * eps
        factor = self.weighting(log_snr) / density
        if self.loss in ("implicit", "hutchinson"):
            score, trace = self._trace(net, z, level, probe)
            each: Tensor = implicit_score_matching(score.flatten(1), trace)
            return as_rows(2 * factor * level.sigma**2, each) * each
        known: dict[str, Any] = {"rates": level.rates, "sigma_data": self.sigma_data}
        p, q = weights(self.target, level.alpha, level.sigma, **known)
        factor = factor / mse_factor("eps", self.target, level.alpha, level.sigma, **known)
        error = self.output(net, z, level) - as_column(p, x) * x - as_column(q, x) * eps
        rows: Tensor = (error * error).flatten(1).sum(1)
        return as_rows(factor, z) * rows

    def output(self, net: Net, z: Tensor, level: Levels) -> Tensor:
        """The target's prediction at z."""
        scale = level.input_scale(self.sigma_data if self.normalise else None)
        told = as_rows(level.log_snr, z)
        out = net(as_column(scale, z) * z, told).to(z.dtype)
        if self.target == self.prediction:
            return out
        c_z, c_m = affine(
            self.prediction,
            self.target,
            level.alpha,
            level.sigma,
            rates=level.rates,
            sigma_data=self.sigma_data,
        )
        return as_column(c_z, z) * z + as_column(c_m, z) * out

    def _trace(self, net: Net, z: Tensor, level: Levels, probe: Any) -> tuple[Tensor, Tensor]:
        """The score, and tr ∇s exactly or v'∇s v."""
        z = z.detach().requires_grad_()
        score = self.output(net, z, level)
        flat = score.flatten(1)

        def along(direction: Tensor) -> Tensor:
            (row,) = torch.autograd.grad(flat, z, direction, create_graph=True, retain_graph=True)
            return row.flatten(1)

        if self.loss == "hutchinson":
            v = probe.flatten(1)
            return score, (along(v) * v).sum(1)
        trace = torch.zeros_like(flat[:, 0])
        for i in range(flat.shape[1]):
            direction = torch.zeros_like(flat)
            direction[:, i] = 1
            trace = trace + along(direction)[:, i]
        return score, trace
