"""Row 44: directions that are no independent signs are seen in Hutchinson's estimate."""

import numpy as np
import pytest

from dfbench.literature import c44_likelihood as c44


def of_signs(shape, rng):
    return rng.choice([-1.0, 1.0], size=shape)


WRONG = {
    "{−1, 0, 1}, whose v vᵀ is ⅔ I": lambda shape, rng: rng.integers(-1, 2, shape) * 1.0,
    "one sign a row": lambda shape, rng: np.broadcast_to(of_signs((shape[0], 1), rng), shape),
    "one direction for all": lambda shape, rng: np.broadcast_to(of_signs(shape[1:], rng), shape),
    "normal, of another variance": lambda shape, rng: rng.standard_normal(shape),
}


def test_the_packages_own_are_independent_signs():
    assert c44.estimated(c44.Likelihood()).verdict == "pass"


@pytest.mark.parametrize("name", WRONG)
def test_others_are_seen(name):
    assert c44.estimated(c44.Likelihood(signs=WRONG[name])).verdict == "fail"
