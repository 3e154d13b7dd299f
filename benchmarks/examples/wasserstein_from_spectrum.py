"""The table of exact Wasserstein errors of Pierret and Galerne (ICML 2025) for any spectrum.

    python wasserstein_from_spectrum.py                    scikit-learn's digits
    python wasserstein_from_spectrum.py eigenvalues.npy    a spectrum of one's own

A column's label is what the table calls NFE; the grids behind it are those of the released code,
N points, N/4 for RK4. The evaluations really spent are printed beside the errors.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

from dfbench.grids import uniform_t
from dfbench.schedules import LinearVP
from dfbench.wasserstein import SCHEMES, errors

LABELS, STOPS = (50, 250, 500, 1000), (1e-5, 1e-4, 1e-3)
STARTS = {
    "truncation+discretisation": "W2 from p_T",
    "initialisation+truncation+discretisation": "W2 from N(0, I)",
}


def digits() -> np.ndarray:
    """Eigenvalues of the covariance of scikit-learn's digits, pixels in [−1, 1]."""
    from sklearn.datasets import load_digits

    values = np.linalg.eigvalsh(np.cov(load_digits().data.T / 8 - 1))
    return np.maximum(values, 0.0)


def table(spectrum: np.ndarray, labels: tuple[int, ...] = LABELS) -> pd.DataFrame:
    """W2 to the data and evaluations spent: a row a scheme and an ε, a column a label."""
    found = []
    for name, scheme in SCHEMES.items():
        points = {n: n // 4 if name == "RK4" else n for n in labels}
        grids = {
            (n, stop): uniform_t(LinearVP(), points[n] - 1, 1.0, stop)
            for n in labels
            for stop in STOPS
        }
        cases = [on.split("+") for on in STARTS]
        found.append(errors({name: scheme}, grids, spectrum, cases=cases))
    rows = pd.concat(found)
    rows["label"], rows["epsilon"] = zip(*rows.pop("grid"), strict=True)
    rows["start"] = rows.on.map(STARTS)
    index = ["sampler", "epsilon"]
    w2 = rows.pivot(index=index, columns=["start", "label"], values="w2")
    nfe = rows.groupby([*index, "label"]).nfe.first().unstack()
    return w2.join(pd.concat({"evaluations": nfe}, axis=1)).loc[list(SCHEMES)]


if __name__ == "__main__":
    spectrum = np.load(sys.argv[1]) if sys.argv[1:] else digits()
    print(table(spectrum).to_string(float_format="%.2g"))
