"""Weighted sums: the values, and that memory is used again only when nobody refers to it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from dfbench import combining
from dfbench.combining import Sums

KINDS = ("float32", "float64", "float16", "bfloat16")


@pytest.fixture(autouse=True)
def small_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(combining, "LARGE", 64)


def of(library: str, values: np.ndarray) -> Any:
    return torch.tensor(values) if library == "torch" else values.copy()


def changed(library: str, sums: Sums, state: Any, times: int = 4) -> None:
    """As many sums of this size as there would have to be for its memory to be taken."""
    for _ in range(times):
        sums([(2.0, state), (1.0, state)])


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("kept", ["array", "view", "reshaped view"])
def test_what_is_held_is_not_written_to(library: str, kept: str) -> None:
    sums, x = Sums(), of(library, np.arange(64.0).reshape(8, 8))
    state = sums([(1.0, x), (0.5, x)])
    held = {"array": state, "view": state[1:3], "reshaped view": state.T.reshape(4, 16)[2]}[kept]
    before = np.array(held)
    del state
    changed(library, sums, x)
    assert (np.array(held) == before).all()


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_what_nobody_holds_is_used_again(library: str) -> None:
    sums, x = Sums(), of(library, np.arange(64.0))
    state = sums([(1.0, x), (0.5, x)])
    for _ in range(20):
        state = sums([(0.5, state), (0.5, x)])
    assert len(sums._memory) == 2  # the state, and the one that is made of it
    every = [sums([(0.5, state), (0.5, x)]) for _ in range(5)]
    assert len(sums._memory) == 6  # control: what is held counts
    assert all(np.array_equal(np.array(one), np.array(every[0])) for one in every)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [3, 16, 1000])
def test_values_of_torch(kind: str, size: int) -> None:
    dtype = getattr(torch, kind)
    draw = torch.Generator().manual_seed(size)
    xs = [torch.randn(size, generator=draw, dtype=torch.float64).to(dtype) for _ in range(4)]
    weights = [0.3, -1.7, 0.0, 0.9]
    found = Sums()(list(zip(weights, xs, strict=True)))
    exact = sum(w * x.double() for w, x in zip(weights, xs, strict=True))
    size_of = sum(abs(w) * x.double().abs() for w, x in zip(weights, xs, strict=True))
    assert found.dtype == dtype
    assert ((found.double() - exact).abs() <= 4 * torch.finfo(dtype).eps * size_of).all()


@pytest.mark.parametrize("kind", ["float32", "float64", "float16"])
@pytest.mark.parametrize("order", ["C", "F", "strided"])
def test_values_of_numpy(kind: str, order: str) -> None:
    rng = np.random.default_rng(0)
    xs = [rng.standard_normal((12, 14)).astype(kind) for _ in range(3)]
    if order == "F":
        xs = [np.asfortranarray(x) for x in xs]
    elif order == "strided":
        xs = [x[::2] for x in xs]
    found = Sums()([(0.3, xs[0]), (-1.7, xs[1]), (0.9, xs[2])])
    exact = 0.3 * xs[0].astype(float) - 1.7 * xs[1].astype(float) + 0.9 * xs[2].astype(float)
    bound = 4 * np.finfo(kind).eps * (np.abs(np.stack(xs).astype(float)).sum(0) * 1.7)
    assert found.dtype == kind
    assert (np.abs(found - exact) <= bound).all()


def test_graphs_are_kept() -> None:
    """Under autograd every sum is a node of its own, and nothing is written in place."""
    x = torch.full((64,), 2.0, requires_grad=True)
    sums = Sums()
    state = sums([(1.0, x), (1.0, x)])
    state = sums([(3.0, state * state), (1.0, x)])
    (slope,) = torch.autograd.grad(state.sum(), x)
    assert torch.equal(slope, 3 * 8 * x.detach() + 1)


def test_a_graph_that_saved_a_state_holds_it() -> None:
    sums, w = Sums(), torch.tensor(1.0, requires_grad=True)
    x = torch.arange(64.0)
    state = sums([(1.0, x), (1.0, x)])  # nothing to differentiate: memory that is used again
    loss = (w * state).sum()  # the product keeps the state
    del state
    changed("torch", sums, x)
    (slope,) = torch.autograd.grad(loss, w)
    assert slope == 2 * x.sum()


def test_under_vmap() -> None:
    x = torch.arange(128.0).reshape(2, 64)
    found = torch.vmap(lambda row: Sums()([(2.0, row), (0.5, row)]))(x)
    assert torch.equal(found, 2.5 * x)
