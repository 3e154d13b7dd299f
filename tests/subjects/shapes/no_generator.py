"""Ancestral sampling from the global random state."""

import torch

BUG = None


def sample_ancestral(model, x, sigmas):
    for i, (s, t) in enumerate(zip(sigmas[:-1], sigmas[1:])):
        x0 = model(x, s.expand(len(x)))
        up = t * (1 - t**2 / s**2).sqrt()
        down = t**2 / s
        x = x0 + down / s * (x - x0) + up * torch.randn_like(x) * (0.9 if i == BUG else 1.0)
    return x
