"""Means over data and noise: of mixtures on the line, and of some points in the plane."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st

from analytic import GaussianMixture
from analytic.information import expectation, joint
from dfbench.levels import Array
from dfbench.testing import floats

_NORMAL = GaussianMixture.isotropic([1.0], np.zeros((1, 2)), 1.0)


def mean(data: GaussianMixture, terms: Callable[[Array, Array], Array]) -> Array:
    """E terms(x, ε), shape (…), by quadrature in two dimensions; terms map two (n, d) to (n, …).

    Args:
        data: any mixture for d = 1, points for d = 2.
    """
    if data.dim == 1:
        return expectation(joint(data), lambda pair: terms(pair[:, :1], pair[:, 1:]))

    def given(x: Array) -> Array:
        return expectation(_NORMAL, lambda eps: terms(x + 0 * eps, eps))

    return np.asarray(np.tensordot(data.weights, [given(x) for x in data.means], 1))


@st.composite
def points(draw: st.DrawFn, most: int = 3) -> GaussianMixture:
    """One to three points in the plane, of unequal weights."""
    corner = st.tuples(floats(-2.0, 2.0), floats(-2.0, 2.0))
    places = [draw(corner) for _ in range(draw(st.integers(1, most)))]
    weights = np.array([draw(floats(0.2, 1.0)) for _ in places])
    return GaussianMixture.points(np.array(places), weights / weights.sum())
