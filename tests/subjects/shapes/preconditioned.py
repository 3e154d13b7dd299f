"""The network sees states of unit variance and ¼ log σ, the loop keeps x + σ ε."""

import torch

BUG = None


def sample(model, x, steps):
    sigma = torch.exp(torch.linspace(4, -4, steps, dtype=torch.float64))
    sigma = torch.cat([sigma, torch.zeros(1, dtype=torch.float64)])
    for i in range(steps):
        d = model(x / (sigma[i] ** 2 + 1) ** 0.5, sigma[i].log() / 4)
        d = 0.9 * d if i == BUG else d
        x = x + (x - d) / sigma[i] * (sigma[i + 1] - sigma[i])
    return x
