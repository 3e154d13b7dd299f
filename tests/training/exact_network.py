"""A network that is exact but for a planted error: the posterior of a mixture, in torch."""

from __future__ import annotations

import numpy as np
import torch

from analytic import GaussianMixture
from dfbench.predictions import affine
from dfbench.schedules import FlowMatching

RING = GaussianMixture.isotropic(
    np.full(4, 0.25), [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]], np.full(4, 0.04)
)


class ExactNetwork:
    """ε̂ = E[ε|z] + planted(z, λ) for an isotropic mixture, as any prediction; autograd works."""

    schedule = FlowMatching()

    def __init__(self, truth=RING, prediction="eps", planted=None):
        self.truth, self.prediction, self.planted = truth, prediction, planted

    def __call__(self, z, level):
        alpha, sigma = level
        state = torch.as_tensor(z, dtype=torch.float64)
        means = torch.as_tensor(self.truth.means)
        v = torch.as_tensor(alpha**2 * self.truth.spectra[:, 0] + sigma**2)
        away = state[:, None] - alpha * means
        log_r = torch.as_tensor(np.log(self.truth.weights)) - 0.5 * (
            (away**2).sum(-1) / v + means.shape[1] * torch.log(v)
        )
        eps = (torch.softmax(log_r, 1)[..., None] * (sigma * away / v[:, None])).sum(1)
        if self.planted is not None:
            eps = eps + self.planted(state, level.log_snr)
        c_z, c_m = affine("eps", self.prediction, alpha, sigma)
        m = c_z * state + c_m * eps
        return m if isinstance(z, torch.Tensor) else m.detach().numpy()
