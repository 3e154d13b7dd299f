"""Flow matching whose network is told thousandths."""

import torch

BUG = None


def sample(transformer, latents, num_inference_steps):
    sigmas = torch.linspace(1.0, 0.0, num_inference_steps + 1, dtype=torch.float64)
    for i, (s, s_next) in enumerate(zip(sigmas[:-1], sigmas[1:])):
        v = transformer(latents, s * 1000)
        latents = latents + (s_next - s) * (0.9 * v if i == BUG else v)
    return latents
