"""An oracle for the oracle: the density of a diffused mixture in 60 digits, and nothing more.

Scores, posteriors and divergences are derived from it by differences at high precision, so they
share no formula with the package. `relative` measures a disagreement against the size of the truth.
"""

import mpmath as mp
import numpy as np
import pytest

from analytic import GaussianMixture

mp.mp.dps = 60
_STEP = mp.mpf(10) ** -18


class Exact:
    """log p(z) of one mixture at one level in mpmath, and what differences of it imply."""

    def __init__(self, mixture, alpha, sigma):
        self.d = mixture.dim
        self.alpha, self.sigma = mp.mpf(float(alpha)), mp.mpf(float(sigma))
        self.terms = []
        for k in range(mixture.size):
            basis = np.eye(self.d) if mixture.bases is None else mixture.bases[k]
            v = mp.matrix(basis.tolist())
            s = mp.diag([mp.mpf(float(x)) for x in mixture.spectra[k]])
            covariance = self.alpha**2 * (v * s * v.T) + self.sigma**2 * mp.eye(self.d)
            mean = self.alpha * mp.matrix(mixture.means[k].tolist())
            norm = -(self.d * mp.log(2 * mp.pi) + mp.log(mp.det(covariance))) / 2
            weight = mp.log(mp.mpf(float(mixture.weights[k])))
            self.terms.append((weight + norm, mean, covariance**-1))

    def log_p(self, z):
        total = mp.mpf(0)
        for constant, mean, precision in self.terms:
            apart = z - mean
            total += mp.exp(constant - (apart.T * precision * apart)[0] / 2)
        return mp.log(total)

    def _shift(self, z, *axes):
        out = z.copy()
        for axis, sign in axes:
            out[axis] += sign * self.step
        return out

    def fields(self, z):
        """log density, score, its Jacobian, E[x|z], E[eps|z], Cov[x|z] at one point, in float64."""
        z = mp.matrix([mp.mpf(float(x)) for x in z])
        smallest = min(mp.sqrt(self.sigma**2 + self.alpha**2 * mp.mpf(10) ** -12), mp.mpf(1))
        self.step = _STEP * smallest
        h, d = self.step, self.d
        up = [self.log_p(self._shift(z, (i, 1))) for i in range(d)]
        down = [self.log_p(self._shift(z, (i, -1))) for i in range(d)]
        centre = self.log_p(z)
        score = mp.matrix([(plus - minus) / (2 * h) for plus, minus in zip(up, down, strict=True)])
        hessian = mp.zeros(d)
        for i in range(d):
            hessian[i, i] = (up[i] + down[i] - 2 * centre) / h**2
            for j in range(i):
                corner = [
                    self.log_p(self._shift(z, (i, p), (j, q))) * p * q
                    for p in (1, -1)
                    for q in (1, -1)
                ]
                hessian[i, j] = hessian[j, i] = sum(corner) / (4 * h**2)
        mean = (z + self.sigma**2 * score) / self.alpha
        covariance = (self.sigma / self.alpha) ** 2 * (mp.eye(d) + self.sigma**2 * hessian)
        return {
            "log_density": float(centre),
            "score": _floats(score)[:, 0],
            "score_jacobian": _floats(hessian),
            "score_divergence": float(sum(hessian[i, i] for i in range(d))),
            "posterior_mean": _floats(mean)[:, 0],
            "posterior_eps": _floats(-self.sigma * score)[:, 0],
            "posterior_covariance": _floats(covariance),
        }


def _floats(matrix):
    rows = [[float(matrix[i, j]) for j in range(matrix.cols)] for i in range(matrix.rows)]
    return np.array(rows)


def relative_error(value, truth):
    truth = np.asarray(truth)
    return float(np.abs(np.asarray(value) - truth).max() / max(np.abs(truth).max(), 1e-14))


@pytest.fixture(scope="session")
def exact():
    return Exact


@pytest.fixture(scope="session")
def relative():
    return relative_error


@pytest.fixture
def rng():
    return np.random.default_rng(20240607)


def rotation(angle):
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s], [s, c]])


def named_mixtures():
    means = np.array([[-2.0, 1.0], [0.5, -1.5], [3.0, 2.0]])
    weights = [0.2, 0.5, 0.3]
    spectra = np.array([[0.3, 2.0], [1e-3, 0.7], [1.0, 0.0]])
    return {
        "isotropic": GaussianMixture.isotropic(weights, means, [0.5, 0.01, 2.0]),
        "diagonal": GaussianMixture.diagonal(weights, means, spectra),
        "full": GaussianMixture.full(
            weights,
            means,
            [rotation(k) @ np.diag(s) @ rotation(k).T for k, s in enumerate(spectra)],
        ),
        "points": GaussianMixture.points(means, weights),
        "line": GaussianMixture.isotropic([0.4, 0.6], [[-1.0], [2.0]], [0.3, 1.5]),
        "single": GaussianMixture.full([1.0], [[0.3, -0.2]], [[[2.0, 0.6], [0.6, 0.5]]]),
    }


@pytest.fixture(params=list(named_mixtures()))
def mixture(request):
    return named_mixtures()[request.param]


@pytest.fixture(scope="session")
def mixtures():
    return named_mixtures()
