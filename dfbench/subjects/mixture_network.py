"""A network that is exact for a Gaussian mixture, and that gradients go through, in any style."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from analytic import GaussianMixture
from dfbench.levels import Array
from dfbench.subjects import foreign
from dfbench.subjects.facts import Facts
from dfbench.subjects.network import Network

STEP = 1e-6  # of the time, in which rates are differences: to 1e-10 of smooth levels


def rates(facts: Facts, times: Array) -> tuple[Array, Array]:
    """(α̇, σ̇) of the levels that times mean, by differences, of time in units of the whole.

    At an end of the times, of three levels on its one side.

    Raises:
        ValueError: a time has no level.
    """
    scale = facts.T if str(facts.level).endswith("× T") else 1.0
    found = []
    for t in map(float, times):

        def at(steps: float, t: float = t) -> Array:
            return np.array(facts.at(t + steps * STEP * scale))

        try:
            found.append((at(1) - at(-1)) / (2 * STEP))
        except ValueError:
            try:
                found.append((-3 * at(0) + 4 * at(1) - at(2)) / (2 * STEP))
            except ValueError:
                found.append((3 * at(0) - 4 * at(-1) + at(-2)) / (2 * STEP))
    made = np.array(found)
    return made[:, 0], made[:, 1]


class MixtureNetwork(Network):
    """What a perfect network returns, of the kind and at the levels of some facts.

    Args:
        mixture: of the data, with covariances along the axes.
        facts: what it returns, and what its times mean.
        shape: of a data point.

    Attributes:
        told: the times that it was told, in order.
    """

    def __init__(self, mixture: GaussianMixture, facts: Facts, shape: tuple[int, ...]) -> None:
        super().__init__(self._answer, (1, *shape))
        self.mixture, self.facts = mixture, facts
        self.told: list[float] = []

    def _is_state(self, value: Any) -> bool:
        rank = len(self.shape) - 1
        return (
            foreign.kind_of(value) is not None
            and tuple(value.shape)[max(value.ndim - rank, 0) :] == self.shape[1:]
        )

    def _once(self, state: torch.Tensor) -> tuple[torch.Tensor, int]:
        return state, 1

    def _answer(self, z: torch.Tensor, time: float) -> torch.Tensor:
        self.told.append(time)
        level = self.facts.at(time)
        flat = z.reshape(*z.shape[: z.ndim - len(self.shape) + 1], -1)
        x, score = fields(self.mixture, flat, *level)
        # integrators ask beyond the ends, too, where the formulas go on
        kind, (alpha, sigma) = self.facts.prediction, level
        if kind == "score":
            out = score
        else:
            a, b = rates(self.facts, np.array([time])) if kind == "velocity" else (0.0, 0.0)
            p, q = {
                "eps": (0.0, 1.0),
                "x": (1.0, 0.0),
                "v": (-sigma, alpha),
                "u": (-1.0, 1.0),
                "velocity": (float(np.squeeze(a)), float(np.squeeze(b))),
            }[kind]
            out = p * x - q * sigma * score
        found: torch.Tensor = self.facts.sign(out).reshape(z.shape)
        return found


def fields(
    mixture: GaussianMixture, z: torch.Tensor, alpha: float, sigma: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """E[x|z] and ∇ log p(z) of states (…, d), in closed form at σ = 0, too."""

    def kept(values: Array) -> torch.Tensor:
        return torch.tensor(values, dtype=z.dtype, device=z.device)

    means, spectra = kept(mixture.means), kept(mixture.spectra)
    variance = alpha**2 * spectra + sigma**2
    away = z.unsqueeze(-2) - alpha * means
    logits = kept(np.log(mixture.weights)) - 0.5 * (away**2 / variance + variance.log()).sum(-1)
    r = torch.softmax(logits, -1).unsqueeze(-1)
    return (r * (means + alpha * spectra / variance * away)).sum(-2), -(r * away / variance).sum(-2)
