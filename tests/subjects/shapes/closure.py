"""A closure over a schedule of one's own, which is no formula that is known."""

import math

BUG = None


def alpha_sigma(t):
    """A cosine schedule that is cut at both ends."""
    angle = 0.02 + t * (math.pi / 2 - 0.06)
    return math.cos(angle), math.sin(angle)


def make(schedule):
    def sample(model, x, steps):
        for i in range(steps):
            (a, s), (b, r) = schedule(1 - i / steps), schedule(1 - (i + 1) / steps)
            v = model(x, 1 - i / steps)
            v = 0.9 * v if i == BUG else v
            x0, eps = a * x - s * v, s * x + a * v
            x = b * x0 + r * eps
        return x

    return sample


sample = make(alpha_sigma)
sample.dfbench = {"predicts": "v", "level": alpha_sigma, "lands": 0.0}
