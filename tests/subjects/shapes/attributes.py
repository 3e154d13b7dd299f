"""Network and levels are globals of the module."""

import torch

BUG = None
model = None
sigmas = torch.cat([torch.logspace(1.5, -2, 12, dtype=torch.float64), torch.zeros(1)])


def run(x):
    for i, (s, t) in enumerate(zip(sigmas[:-1], sigmas[1:])):
        eps = (x - model(x, s)) / s
        x = x + (t - s) * (0.9 * eps if i == BUG else eps)
    return x
