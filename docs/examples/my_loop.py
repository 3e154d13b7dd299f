"""A flow sampler in three lines: Euler steps from noise at time 0 to data at time 1."""


def sample(model, x, steps):
    for i in range(steps):
        x = x + model(x, i / steps) / steps
    return x
