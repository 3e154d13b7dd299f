"""DDPM's loop over every fiftieth training step, its number of steps its own."""

import torch

BUG = None
abar = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), 0)


def p_sample_loop(eps_model, shape, generator=None):
    x = torch.randn(shape, generator=generator)
    for i, t in enumerate(reversed(range(0, 1000, 50))):
        a, p = abar[t], abar[t - 50] if t >= 50 else torch.ones(())
        beta = 1 - a / p
        eps = eps_model(x, t) * (0.9 if i == BUG else 1.0)
        x = (x - beta / (1 - a).sqrt() * eps) / (a / p).sqrt()
        if t:
            x = x + (beta * (1 - p) / (1 - a)).sqrt() * torch.randn(shape, generator=generator)
    return x
