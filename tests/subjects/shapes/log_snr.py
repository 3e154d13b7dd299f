"""The network is told λ, a row each, and returns the clean data."""

import math

import torch

BUG = None


def log_snr(u, low=-10.0, high=10.0):
    end = math.atan(math.exp(-high / 2))
    begin = math.atan(math.exp(-low / 2)) - end
    return -2 * torch.log(torch.tan(begin * u + end))


def sample(denoise_fn, z, num_steps):
    u = torch.linspace(1, 0, num_steps + 1, dtype=torch.float64)
    for i, (lt, ls) in enumerate(zip(log_snr(u[:-1]), log_snr(u[1:]))):
        x = denoise_fn(z, lt.expand(len(z))) * (0.9 if i == BUG else 1.0)
        eps = (z - torch.sigmoid(lt).sqrt() * x) / torch.sigmoid(-lt).sqrt()
        z = torch.sigmoid(ls).sqrt() * x + torch.sigmoid(-ls).sqrt() * eps
    return x  # what the network says at the last level
