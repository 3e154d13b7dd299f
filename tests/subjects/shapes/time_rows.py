"""Flow matching from 0 to 1, a time for each row."""

import torch

BUG = None


@torch.no_grad()
def generate(net, z, num_steps):
    dt = 1 / num_steps
    for i in range(num_steps):
        t = torch.full((z.shape[0],), i * dt, dtype=z.dtype)
        z = z + dt * net(z, t) * (0.9 if i == BUG else 1.0)
    return z
