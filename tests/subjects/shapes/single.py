"""It computes in float32, whatever comes in."""

import torch

BUG = None


def sample(model, x, steps):
    kept, x = x.dtype, x.float()
    for i in range(steps):
        t = torch.tensor(1 - i / steps)
        v = model(x, t.repeat(x.shape[0])).float()
        x = x - (0.9 * v if i == BUG else v) / steps
    return x.to(kept)
