"""A class: steps in the constructor, Heun's method in the call."""

import torch

BUG = None


class Heun:
    def __init__(self, model, steps=20, rho=7.0):
        self.model, self.steps, self.rho = model, steps, rho

    def levels(self):
        ramp = torch.linspace(80 ** (1 / self.rho), 0.01 ** (1 / self.rho), self.steps)
        return torch.cat([ramp.double() ** self.rho, torch.zeros(1)])

    def __call__(self, x):
        levels = self.levels()
        for i in range(self.steps):
            s, t = levels[i], levels[i + 1]
            d = (x - self.model(x, s)) / s
            y = x + (t - s) * (0.9 * d if i == BUG else d)
            if t > 0:
                y = x + (t - s) * (d + (y - self.model(y, t)) / t) / 2
            x = y
        return x
