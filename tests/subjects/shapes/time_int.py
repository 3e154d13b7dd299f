"""DDIM on a table of training steps, the time a Python int."""

import torch

BUG = None
abar = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), 0)


def sample(model, x, steps):
    ts = torch.linspace(999, 0, steps).long().tolist()
    for i, t in enumerate(ts):
        a = abar[t]
        b = abar[ts[i + 1]] if i + 1 < steps else torch.ones(())
        eps = model(x, t)
        if i == BUG:
            eps = 0.9 * eps
        x0 = (x - (1 - a).sqrt() * eps) / a.sqrt()
        x = b.sqrt() * x0 + (1 - b).sqrt() * eps
    return x
