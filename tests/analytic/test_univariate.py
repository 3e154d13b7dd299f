"""Distribution functions and quantiles of one-dimensional mixtures, tails included."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytic import GaussianMixture

PROBABILITIES = [1e-300, 1e-20, 1e-3, 0.25, 0.5, 0.9, 1 - 1e-3, 1 - 1e-15]


def exact_cdf(mixture, x):
    x = mp.mpf(float(x))
    total, whole = mp.mpf(0), mp.fsum(mixture.weights.tolist())  # which is not 1 to the last digit
    for w, m, s in zip(mixture.weights, mixture.means[:, 0], mixture.spectra[:, 0], strict=True):
        total += (
            mp.mpf(float(w)) / whole * mp.ncdf((x - mp.mpf(float(m))) / mp.sqrt(mp.mpf(float(s))))
        )
    return total


def exact_quantile(mixture, p, guess):
    """Bisection in 60 digits around the value under test."""
    p, reach = mp.mpf(float(p)), mp.mpf(10) ** -9 * (1 + abs(mp.mpf(float(guess))))
    low, high = mp.mpf(float(guess)) - reach, mp.mpf(float(guess)) + reach
    assert exact_cdf(mixture, low) < p < exact_cdf(mixture, high)
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if exact_cdf(mixture, middle) < p else (low, middle)
    return high


LAWS = {
    "one": GaussianMixture.isotropic([1.0], [[0.7]], 2.0),
    "two": GaussianMixture.isotropic([0.3, 0.7], [[-3.0], [2.0]], [0.5, 0.01]),
    "scales": GaussianMixture.isotropic([0.4, 0.6], [[1.0], [2.0]], [1e-12, 1e12]),
    "far": GaussianMixture.isotropic([0.4, 0.6], [[-1e8], [1e8]], [1.0, 4.0]),
}


@pytest.mark.parametrize("name", LAWS)
def test_quantile_to_rounding_against_60_digits(name):
    mixture = LAWS[name]
    values = mixture.quantile(PROBABILITIES)
    assert (np.diff(values) > 0).all()
    widths = np.sqrt(mixture.spectra[:, 0])
    for p, x in zip(PROBABILITIES, values, strict=True):
        truth = float(exact_quantile(mixture, p, x))
        # A rounding of p moves x by eps p / density; a rounding of x is eps |x|.
        density = np.exp(mixture.log_density([x]))
        bound = 1e-14 * abs(truth) + 8 * 2.3e-16 * min(p, 1 - p) / max(density, 1e-305)
        assert abs(x - truth) <= bound, (p, x, truth)
        moved = truth + 1e-6 * widths.min()  # the control: a millionth of a width off is too much
        if bound < 1e-7 * widths.min():
            assert abs(moved - truth) > bound


@pytest.mark.parametrize("name", LAWS)
def test_cdf_keeps_relative_accuracy_in_the_lower_tail(name):
    mixture = LAWS[name]
    for x in mixture.quantile(PROBABILITIES[:4]):
        truth = exact_cdf(mixture, x)
        # The argument of the normal law is rounded once; at u deviations that costs u^2 eps.
        assert mixture.cdf(x) == pytest.approx(float(truth), rel=2e-12)
    low = mixture.quantile(1e-20)
    assert 1 - (1 - mixture.cdf(low)) == 0  # the control: one minus the other tail has nothing left


@given(
    p=st.floats(1e-12, 1 - 1e-12),
    means=st.lists(st.floats(-10, 10), min_size=1, max_size=4),
    log_s=st.floats(-6, 4),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_quantile_and_cdf_are_inverse(p, means, log_s):
    size = len(means)
    mixture = GaussianMixture.isotropic(
        np.full(size, 1 / size), np.array(means)[:, None], 10.0 ** (log_s - np.arange(size))
    )
    x = mixture.quantile(p)
    # cdf(x) changes by density * ulp(x) between neighbouring floats.
    slack = np.exp(mixture.log_density(x[None])) * 4 * np.spacing(abs(float(x)) + 1e-300)
    assert abs(mixture.cdf(x) - p) <= 1e-14 + slack
    assert abs(mixture.cdf(x + 0.1 * np.sqrt(10.0**log_s)) - p) > 0 or p > 1 - 1e-9


def test_atoms_and_zero_weights():
    mixture = GaussianMixture.points([[-1.0], [2.0], [7.0]], [0.25, 0.75, 0.0])
    assert mixture.cdf([-1.1, -1.0, 1.9, 2.0]).tolist() == [0.0, 0.25, 0.25, 1.0]
    assert mixture.quantile([0.1, 0.25, 0.2500001, 0.999]).tolist() == [-1.0, -1.0, 2.0, 2.0]
    mixed = GaussianMixture.isotropic([0.5, 0.5], [[0.0], [0.0]], [0.0, 1.0])
    assert mixed.quantile([0.3, 0.5, 0.7]).tolist() == [0.0, 0.0, 0.0]
    assert mixed.quantile(0.2) == pytest.approx(
        float(mp.sqrt(2) * mp.erfinv(2 * 0.4 - 1)), rel=1e-13
    )


def test_shapes_follow_the_argument():
    mixture = LAWS["two"]
    assert mixture.cdf(0.3).shape == ()
    assert mixture.quantile(np.full((2, 3), 0.4)).shape == (2, 3)
    assert mixture.quantile([]).shape == (0,)
