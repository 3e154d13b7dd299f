"""JAX: a loop of lax, whose network is asked in every step all the same."""

import jax

BUG = None


def sample(model, x, steps):
    def body(i, x):
        v = model(x, i / steps)
        factor = 0.9 if i == BUG else 1.0
        return x + factor * v / steps

    return jax.lax.fori_loop(0, steps, body, x)
