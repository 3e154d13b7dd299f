"""Guidance: the network is asked about two copies at once."""

import torch

BUG = None


def sample(model, x, num_steps, guidance=3.0):
    for i in range(num_steps):
        t = 1 - i / num_steps
        u, c = model(torch.cat([x, x]), torch.full((2 * len(x),), t)).chunk(2)
        v = u + guidance * (c - u)
        x = x - (0.9 * v if i == BUG else v) / num_steps
    return x
