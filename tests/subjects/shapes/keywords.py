"""The network takes keywords only, as in flow_matching."""

import torch

BUG = None


def sample(velocity_model, x_init, time_grid):
    x = x_init
    for i, (a, b) in enumerate(zip(time_grid[:-1], time_grid[1:])):
        v = velocity_model(x=x, t=torch.full((len(x),), a.item(), dtype=x.dtype))
        x = x + (b - a) * (0.9 * v if i == BUG else v)
    return x
