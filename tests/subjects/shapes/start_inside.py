"""It draws its start by itself, and looks at its noise schedule by σ."""

import torch

BUG = None


def sample(denoiser, shape, n_steps, generator=None):
    sigmas = torch.cat([torch.logspace(1.5, -2, n_steps, dtype=torch.float64), torch.zeros(1)])
    x = sigmas[0] * torch.randn(shape, generator=generator, dtype=torch.float64)
    for i in range(n_steps):
        d = (x - denoiser(x, sigmas[i])) / sigmas[i]
        x = x + (sigmas[i + 1] - sigmas[i]) * (0.9 * d if i == BUG else d)
    return x
