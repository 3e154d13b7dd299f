"""Images in [0, 1] come out."""

BUG = None


def sample(model, x, steps):
    for i in range(steps):
        v = model(x, i / steps)
        x = x + (0.9 * v if i == BUG else v) / steps
    return x * 0.5 + 0.5
