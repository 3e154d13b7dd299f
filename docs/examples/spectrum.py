"""The spectrum of a data set: rows are samples, columns are numbers of each."""

import numpy as np

data = np.random.default_rng(0).normal(size=(1000, 16)) * np.geomspace(1.0, 0.1, 16)
spectrum = np.linalg.eigvalsh(np.cov(data, rowvar=False))[::-1]
np.save("spectrum.npy", spectrum)
print(spectrum.round(3))
