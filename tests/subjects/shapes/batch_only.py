"""A class that is told how many images to make."""

import torch

BUG = None
abar = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), 0)


class Diffusion:
    def __init__(self, model):
        self.model = model

    @torch.no_grad()
    def sample(self, batch_size, steps=20):
        x = torch.randn(batch_size, 3, 8, 8)
        ts = torch.linspace(999, 0, steps).long().tolist()
        for i, t in enumerate(ts):
            a = abar[t]
            b = abar[ts[i + 1]] if i + 1 < steps else torch.ones(())
            e = self.model(x, torch.full((batch_size,), t))
            e = 0.9 * e if i == BUG else e
            x = b.sqrt() * (x - (1 - a).sqrt() * e) / a.sqrt() + (1 - b).sqrt() * e
        return x
