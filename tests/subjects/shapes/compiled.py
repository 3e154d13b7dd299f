"""A compiled loop."""

import torch

BUG = None


@torch.compile
def sample(model, x, steps):
    for i in range(steps):
        v = model(x, 1 - i / steps)
        x = x - (0.9 * v if i == BUG else v) / steps
    return x
