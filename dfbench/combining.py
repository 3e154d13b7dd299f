"""Weighted sums of arrays, NumPy or torch, in place and in memory that is used again.

A large array that is fresh costs as much in pages that the system has to hand out as in the
arithmetic that fills it. Most results of a run are used for a few steps, and then nobody refers to
them any more.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import blas

LARGE = 1 << 22  # bytes from which NumPy asks for large pages; below, allocators keep what they had
ALIGNED = 64  # bytes, what the widest registers load at once


def _references(memory: list[NDArray[np.uint8]]) -> list[int]:
    return [sys.getrefcount(owner) for owner in memory]


ALONE = _references([np.empty(0, np.uint8)])[0]  # of an array to which only its list refers


class Sums:
    """Σ weight · x over terms (weight, x), as arrays that are the caller's as long as it likes.

    The arrays may be of any kind that knows + and ·. Terms of weight zero are left out. Where
    kinds, dtypes or shapes do not agree, the types decide, as in plain arithmetic.

    Memory is used again when no array, view or graph refers to it: a large result is made in an
    array of bytes, which knows how many refer to it. It is let go of with this object.
    """

    def __init__(self) -> None:
        self._memory: list[NDArray[np.uint8]] = []

    def __call__(self, terms: list[tuple[float, Any]]) -> Any:
        """Σ weight · x, a new array."""
        (weight, x), *rest = [term for term in terms if term[0]] or terms[:1]
        if _alike(x, rest):
            if isinstance(x, np.ndarray):
                return self._of_numpy(weight, x, rest)
            if hasattr(x, "add_"):
                return self._of_torch(weight, x, rest)
        total = weight * x
        for factor, y in rest:
            total = total + factor * y
        return total

    def _of_numpy(self, weight: float, x: Any, rest: list[tuple[float, Any]]) -> Any:
        if x.dtype not in (np.float32, np.float64):
            total = x * weight
            for factor, y in rest:
                total += factor * y
            return total
        large = x.nbytes >= LARGE
        total = self._taken(x.nbytes).view(x.dtype).reshape(x.shape) if large else None
        total = np.multiply(x, weight, out=total)
        axpy = blas.saxpy if x.dtype == np.float32 else blas.daxpy
        for factor, y in rest:
            if total.flags.c_contiguous and y.flags.c_contiguous and 0 < total.size < 2**31:
                axpy(y.reshape(-1), total.reshape(-1), a=factor)  # one pass, nothing in between
            else:
                total += factor * y
        return total

    def _of_torch(self, weight: float, x: Any, rest: list[tuple[float, Any]]) -> Any:
        if x.device.type == "cpu":
            if x.nbytes >= LARGE and _plain([x, *(y for _, y in rest)]):
                import torch

                total = torch.from_numpy(self._taken(x.nbytes)).view(x.dtype).view(x.shape)
                torch.mul(x, weight, out=total)
            else:
                total = x * weight
        elif rest and x.itemsize >= 4 and x.is_contiguous() and rest[0][1].is_contiguous():
            # two terms in three passes; the weights are rounded to the type: not for half precision
            (factor, y), *rest = rest
            one = x.new_ones(1)
            total = x.reshape(-1, 1).addr(y.reshape(-1), one, beta=weight, alpha=factor)
            total = total.reshape(x.shape)
        else:
            total = x * weight
        for factor, y in rest:
            total.add_(y, alpha=factor)
        return total

    def _taken(self, size: int) -> NDArray[np.uint8]:
        """`size` bytes that nobody refers to."""
        counts = _references(self._memory)
        for owner, count in zip(self._memory, counts, strict=True):
            if count == ALONE and owner.size >= size + ALIGNED:
                break
        else:
            owner = np.empty(size + ALIGNED, np.uint8)
            self._memory.append(owner)
        begin = -owner.ctypes.data % ALIGNED
        return owner[begin : begin + size]


def _alike(x: Any, rest: list[tuple[float, Any]]) -> bool:
    """Whether all are arrays of one kind, dtype and shape."""
    if not getattr(x, "ndim", 0):
        return False
    kind, dtype, shape = type(x), x.dtype, x.shape
    return all(type(y) is kind and y.dtype == dtype and y.shape == shape for _, y in rest)


def _plain(arrays: list[Any]) -> bool:
    """Whether torch tensors are contiguous arrays in memory, of no graph."""
    import torch

    if torch.is_grad_enabled() and any(x.requires_grad for x in arrays):
        return False
    try:
        return all(x.is_contiguous() and x.data_ptr() for x in arrays)
    except RuntimeError:  # of a transformation, such as vmap: no memory of their own
        return False
