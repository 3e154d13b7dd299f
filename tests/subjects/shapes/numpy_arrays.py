"""NumPy."""

import numpy as np

BUG = None


def sample(model, x, steps):
    for i in range(steps):
        v = np.asarray(model(x, np.full(len(x), 1 - i / steps)))
        x = np.asarray(x) - (0.9 * v if i == BUG else v) / steps
    return x
