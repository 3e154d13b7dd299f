"""A module of torch that holds the network; its `sample` is no `forward`."""

import torch
from torch import nn

BUG = None


class Flow(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    @torch.no_grad()
    def sample(self, n_images, steps=20):
        x = torch.randn(n_images, 3, 8, 8)
        for i in range(steps):
            v = self.model(x, torch.full((n_images,), 1 - i / steps))
            x = x - (0.9 * v if i == BUG else v) / steps
        return x
