"""The randomness of a run: who draws what, and something else in its place.

Gaussian draws are replaced at torch's dispatcher, the increments of torchsde's Brownian paths at
its classes, which whoever draws from them has imported before the run.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

_GAUSSIAN = ("randn", "randn_like", "normal", "normal_")
_RANDOM = (
    "rand",
    "rand_like",
    "randint",
    "randint_like",
    "randperm",
    "bernoulli",
    "bernoulli_",
    "uniform_",
    "exponential_",
    "random_",
    "multinomial",
)
WATCHED = {getattr(torch.ops.aten, name): name for name in (*_GAUSSIAN, *_RANDOM, "_to_copy")}


class GaussianDraws(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Hands every Gaussian draw made inside to a function, which returns what to use instead.

    Args:
        replace: (operation, standard normal drawn, from the caller's generator?) → tensor.
        generator: the caller's.
        widen: batch size of tensors that are kept in float64 when cast to float32, so that a
            sampler that computes in float32 shows its coefficients all the same; 0 for none.

    Attributes:
        other: names of the other random operations met.
        narrowed: a cast was suppressed.
    """

    def __init__(
        self,
        replace: Callable[[str, torch.Tensor, bool], torch.Tensor],
        generator: torch.Generator | None,
        widen: int = 0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.replace, self.generator, self.widen = replace, generator, widen
        self.other: list[str] = []
        self.narrowed = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = WATCHED.get(func.overloadpacket)
        if name is None:
            return func(*args, **kwargs)
        if self.widen and name == "_to_copy" and kwargs.get("dtype") == torch.float32:
            source = args[0]
            if source.dtype == torch.float64 and source.shape[:1] == (self.widen,):
                self.narrowed = True
                kwargs = {**kwargs, "dtype": torch.float64}
        out = func(*args, **kwargs)
        if name in _RANDOM:
            self.other.append(name)
        if name not in _GAUSSIAN:
            return out
        # the dispatcher wraps generators anew, so they are told apart by their seed
        seeded = self.generator is not None and any(
            isinstance(g, torch.Generator) and g.initial_seed() == self.generator.initial_seed()
            for g in (*args, *kwargs.values())
        )
        mean: Any = 0.0
        std: Any = 1.0
        if name.startswith("normal"):
            given = args[1:3] if name == "normal_" else args[:2]
            mean = given[0] if given else kwargs.get("mean", 0.0)
            std = given[1] if len(given) > 1 else kwargs.get("std", 1.0)
        draw = self.replace(name, (out - mean) / std if name.startswith("normal") else out, seeded)
        if name.startswith("normal"):
            draw = draw * std + mean
        into = args[0] if name == "normal_" else kwargs.get("out")
        return draw if into is None else into.copy_(draw)


@contextlib.contextmanager
def brownian_paths(replacement: Callable[[Any], Any]) -> Iterator[None]:
    """torchsde's classes of Brownian paths, each replaced by what is made of it."""
    torchsde: Any = sys.modules.get("torchsde")
    names = ("BrownianInterval", "BrownianTree", "BrownianPath") if torchsde else ()
    kept = {name: getattr(torchsde, name) for name in names}
    try:
        for name, path in kept.items():
            setattr(torchsde, name, replacement(path))
        yield
    finally:
        for name, path in kept.items():
            setattr(torchsde, name, path)


class _Aside:
    """Whether what is drawn now belongs to no run that is watched."""

    now = False


@contextlib.contextmanager
def aside() -> Iterator[None]:
    """Nobody watches what is drawn inside, and the global random state stays as it was."""
    before, _Aside.now = _Aside.now, True
    try:
        with preserved_random_state(), _disable_current_modes():
            yield
    finally:
        _Aside.now = before


def watched() -> bool:
    """Whether draws belong to the run that is watched."""
    return not _Aside.now


@contextlib.contextmanager
def preserved_random_state() -> Iterator[None]:
    """Leaves torch's and NumPy's global random state as it was."""
    state, legacy = torch.get_rng_state(), np.random.get_state()  # noqa: NPY002
    try:
        yield
    finally:
        torch.set_rng_state(state)
        np.random.set_state(legacy)  # noqa: NPY002
