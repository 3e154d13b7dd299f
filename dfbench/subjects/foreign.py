"""Arrays of NumPy and of JAX, and their draws, for code that computes with them."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import torch

Arrays = Literal["torch", "numpy", "jax"]


def kind_of(value: Any) -> Arrays | None:
    """Whose array something is; None: of none of them."""
    if isinstance(value, torch.Tensor):
        return "torch"
    if isinstance(value, np.ndarray):
        return "numpy"
    jax: Any = sys.modules.get("jax")
    return "jax" if jax is not None and isinstance(value, jax.Array) else None


def tensor(value: Any) -> torch.Tensor:
    """The numbers of an array as a tensor."""
    if isinstance(value, torch.Tensor):
        return value
    return torch.from_numpy(np.array(value))  # a copy: JAX's cannot be written to


def given(value: Any, arrays: Arrays) -> Any:
    """A tensor as an array; anything else as it is."""
    if arrays == "torch" or not isinstance(value, torch.Tensor):
        return value
    plain = value.detach().numpy()
    if arrays == "numpy":
        return plain
    jax: Any = importlib.import_module("jax")
    return jax.numpy.asarray(plain)


def source(generator: Any, arrays: Arrays) -> Any:
    """What a caller hands over for the random numbers."""
    if arrays == "torch":
        return generator
    if arrays == "numpy":
        return NumpyDraws(generator)
    jax: Any = importlib.import_module("jax")
    return jax.random.key(0)


@contextlib.contextmanager
def watched(arrays: Arrays, generator: Any, dtype: torch.dtype) -> Iterator[None]:
    """Normal draws are torch's, which are watched; JAX runs as it is written, in double.

    Args:
        dtype: of the state, which is that of JAX's draws where nobody asks for another.
    """
    if arrays == "torch":
        yield
    elif arrays == "numpy":
        with _numpy(generator):
            yield
    else:
        with _jax(generator, dtype):
            yield


@contextlib.contextmanager
def _numpy(generator: Any) -> Iterator[None]:
    kept = {name: getattr(np.random, name) for name in ("randn", "standard_normal", "normal")}
    fake = NumpyDraws(generator)
    np.random.randn = lambda *shape: fake.standard_normal(shape)
    np.random.standard_normal = lambda size=None: fake.standard_normal(size)
    np.random.normal = fake.normal
    try:
        yield
    finally:
        for name, function in kept.items():
            setattr(np.random, name, function)


@contextlib.contextmanager
def _jax(generator: Any, usual: torch.dtype) -> Iterator[None]:
    jax: Any = importlib.import_module("jax")

    def normal(key: Any, shape: Any = (), dtype: Any = None, **_: Any) -> Any:
        drawn = torch.randn(tuple(shape), generator=generator, dtype=torch.float64).to(usual)
        return jax.numpy.asarray(drawn.numpy(), dtype=dtype)

    before, double = jax.random.normal, jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    jax.random.normal = normal
    try:
        with jax.disable_jit():  # loops of lax run step by step, and the network is really asked
            yield
    finally:
        jax.random.normal = before
        jax.config.update("jax_enable_x64", double)


class NumpyDraws:
    """Stands for a `numpy.random.Generator` whose normal draws are torch's."""

    def __init__(self, generator: torch.Generator | None) -> None:
        self.generator = generator

    def standard_normal(self, size: Any = None, dtype: Any = float, out: Any = None) -> Any:
        shape = () if size is None else (size,) if isinstance(size, int) else tuple(size)
        drawn = torch.randn(shape, generator=self.generator, dtype=torch.float64).numpy()
        return float(drawn) if size is None else drawn

    def normal(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        return loc + scale * self.standard_normal(size)
