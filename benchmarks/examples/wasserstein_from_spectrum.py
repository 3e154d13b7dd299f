"""The table of exact Wasserstein errors of Pierret and Galerne (ICML 2025) for any spectrum.

    python wasserstein_from_spectrum.py                    scikit-learn's digits
    python wasserstein_from_spectrum.py eigenvalues.npy    a spectrum of one's own
"""

from __future__ import annotations

import sys

import numpy as np
from pandas import DataFrame

from dfbench.grids import uniform_t
from dfbench.schedules import LinearVP
from dfbench.wasserstein import SCHEMES, errors

POINTS, STOPS = (50, 250, 500, 1000), (1e-5, 1e-4, 1e-3)
EXACT_START = ("truncation", "discretisation")
NORMAL_START = ("initialisation", *EXACT_START)


def digits() -> np.ndarray:
    """Eigenvalues of the covariance of scikit-learn's digits, pixels in [−1, 1]."""
    from sklearn.datasets import load_digits

    values = np.linalg.eigvalsh(np.cov(load_digits().data.T / 8 - 1))
    return np.maximum(values, 0.0)


def table(spectrum: np.ndarray, points: tuple[int, ...] = POINTS) -> DataFrame:
    """W2 to the data: a row a scheme and an ε, a column a number of grid points and a start."""
    grids = {(n, stop): uniform_t(LinearVP(), n - 1, 1.0, stop) for n in points for stop in STOPS}
    rows = errors(SCHEMES, grids, spectrum, cases=(EXACT_START, NORMAL_START))
    rows["points"], rows["epsilon"] = zip(*rows.pop("grid"), strict=True)
    rows["start"] = rows.on.str.contains("init").map({True: "N(0,I)", False: "p_T"})
    return rows.pivot(index=["sampler", "epsilon"], columns=["points", "start"],
                      values=["w2", "nfe"]).loc[list(SCHEMES)]  # fmt: skip


if __name__ == "__main__":
    spectrum = np.load(sys.argv[1]) if sys.argv[1:] else digits()
    print(table(spectrum).to_string(float_format="%.2g"))
