"""JAX: compiled steps, and keys that are split."""

import jax
import jax.numpy as jnp

BUG = None


@jax.jit
def one(x, x0, s, t, xi):
    up = t * jnp.sqrt(1 - t**2 / s**2)
    return x0 + t**2 / s**2 * (x - x0) + up * xi


def sample(model, x, sigmas, key):
    for i in range(len(sigmas) - 1):
        key, sub = jax.random.split(key)
        s, t = sigmas[i], sigmas[i + 1]
        x0 = model(x, jnp.full(x.shape[0], s))
        x = one(x, x0, s, t, jax.random.normal(sub, x.shape) * (0.9 if i == BUG else 1.0))
    return x
