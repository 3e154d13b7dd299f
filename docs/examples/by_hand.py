"""The Wasserstein-2 distance of DDIM's samples to Gaussian data, by evaluations."""

import numpy as np

from dfbench.grids import karras
from dfbench.samplers import METHODS

spectrum = np.geomspace(1e-4, 1e2, 50)
for n in (10, 20, 40):
    table = METHODS["ddim"].table(karras(80.0, 0.002, n), "x")
    distance = table.law(variance=spectrum).wasserstein(0.0, spectrum)
    print(f"{table.nfe} evaluations: {np.sqrt((distance**2).sum()):.4f}")
