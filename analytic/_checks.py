"""Validation shared by the package: every public function refuses bad input with one clear line."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

# Squares of products of levels and data are formed everywhere; inside this range none overflows.
SMALLEST, LARGEST = 1e-70, 1e70

MOST = 10**12  # of anything that is counted


def finite(name: str, value: ArrayLike, *, copy: bool = True) -> Array:
    """`value` as a float64 array; complex, non-numeric, NaN and infinite input is refused.

    Without `copy` it may be the array given: to be read before the caller gets it back.
    """
    try:
        raw = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} must be real numbers in rows of one length") from error
    if raw.dtype.kind not in "fiub":
        raise ValueError(f"{name} must be real numbers, got dtype {raw.dtype}")
    array = raw.astype(np.float64, copy=copy)
    size = np.maximum(array.max(), -array.min()) if array.size else 0.0  # NaN stays
    if not np.isfinite(size):
        raise ValueError(f"{name} must be finite, got NaN or infinity")
    if size > LARGEST:
        raise ValueError(f"{name} must be at most {LARGEST} in size")
    return array


def points(z: ArrayLike, dim: int, name: str = "z") -> tuple[Array, bool]:
    """`z` as (n, dim), and whether it came as a single point (dim,)."""
    array = finite(name, z, copy=False)
    if array.shape == (dim,):
        return array[None], True
    if array.ndim != 2 or array.shape[1] != dim:
        raise ValueError(f"{name} must have shape (n, {dim}) or ({dim},), got {array.shape}")
    return array, False


def per_row(name: str, value: ArrayLike, rows: int) -> Array:
    """A number or one number per row, as shape (1,) or (rows,)."""
    array = finite(name, value)
    if array.shape not in ((), (rows,)):
        raise ValueError(
            f"{name} must be a number or one number per row ({rows},), got shape {array.shape}"
        )
    return array.reshape(-1)


def levels(alpha: ArrayLike, sigma: ArrayLike, rows: int) -> tuple[Array, Array]:
    """Levels (alpha, sigma), each (1,) or (rows,): not negative, and not both zero."""
    a, s = per_row("alpha", alpha, rows), per_row("sigma", sigma, rows)
    for name, value in (("alpha", a), ("sigma", s)):
        if ((value != 0) & ((value < SMALLEST) | (value > LARGEST))).any():
            raise ValueError(f"{name} must be zero or within [{SMALLEST}, {LARGEST}]")
    if ((a == 0) & (s == 0)).any():
        raise ValueError("alpha and sigma are both zero: such a state carries nothing")
    return a, s


def level(name: str, pair: tuple[float, float]) -> tuple[float, float]:
    """One level given as a pair (alpha, sigma)."""
    array = finite(name, pair)
    if array.shape != (2,):
        raise ValueError(f"{name} must be a pair (alpha, sigma), got shape {array.shape}")
    alpha, sigma = levels(array[0], array[1], 1)
    return float(alpha[0]), float(sigma[0])


def spectral(name: str, covariance: ArrayLike) -> tuple[Array, Array]:
    """Eigenvalues (..., d) and eigenvectors (..., d, d) of positive semi-definite matrices.

    An eigenvalue is resolved to about `d * 2.2e-16` of the largest; what lies below is zero.
    """
    matrix = finite(name, covariance)
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2] or not matrix.size:
        raise ValueError(f"{name} must be square matrices (..., d, d), got shape {matrix.shape}")
    transposed = np.swapaxes(matrix, -1, -2)
    scale = np.abs(matrix).max(axis=(-1, -2), keepdims=True)
    if (np.abs(matrix - transposed) > 1e-10 * scale).any():
        raise ValueError(f"{name} must be symmetric")
    values, vectors = np.linalg.eigh(0.5 * (matrix + transposed))
    largest = np.abs(values).max(axis=-1, keepdims=True)
    if (values < -1e-10 * largest).any():
        raise ValueError(f"{name} must be positive semi-definite")
    resolved = values > matrix.shape[-1] * np.finfo(np.float64).eps * largest
    return np.where(resolved, values, 0.0), vectors


def generator(rng: np.random.Generator) -> np.random.Generator:
    """A NumPy generator, never a seed or None: draws are the caller's to reproduce."""
    if not isinstance(rng, np.random.Generator):
        raise ValueError(f"rng must be a numpy.random.Generator, got {type(rng).__name__}")
    return rng


def count(name: str, value: int) -> int:
    """A number of draws: an integer, not negative."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise ValueError(f"{name} must be an integer >= 0, got {type(value).__name__}")
    if value < 0:
        raise ValueError(f"{name} must be an integer >= 0, got {str(value)[:20]}")
    if value > MOST:
        raise ValueError(f"{name} must be at most {MOST}")
    return int(value)


def number(name: str, value: ArrayLike) -> float:
    """One finite number."""
    array = finite(name, value)
    if array.ndim:
        raise ValueError(f"{name} must be one number, got shape {array.shape}")
    return float(array)


def mixture(value: object) -> None:
    """A mixture, by what it can say of itself: this module comes before its class."""
    if isinstance(value, type) or not hasattr(value, "responsibilities"):
        raise TypeError(f"mixture must be a GaussianMixture, got {type(value).__name__}")
