"""Training from start to end: it learns, resumes to the same weights, and stops at nonsense."""

import numpy as np
import pytest
import torch

from analytic.information import eps_mmse
from dfbench.errors import Unusable
from dfbench.training import checkpoint, config, loop
from dfbench.training.trained import Trained

TINY = {
    "data": {"kind": "mixture", "name": "ring-2d", "held_out": 100},
    "model": {"kind": "mlp", "width": 16, "depth": 1},
    "loop": {"steps": 40, "batch": 32, "warmup": 5, "log_every": 5, "checkpoint_every": 10},
}


def study(**changes):
    return config.parse(TINY | {"loop": TINY["loop"] | changes})


@pytest.mark.slow
def test_the_loss_falls_to_what_cannot_be_reduced(tmp_path):
    data = {"kind": "mixture", "name": "two-1d", "held_out": 100}
    size = {"steps": 300, "batch": 128, "learning_rate": 5e-3}
    wide = {"kind": "mlp", "width": 32, "depth": 2}
    made = config.parse(TINY | {"data": data, "model": wide, "loop": TINY["loop"] | size})
    trained = loop.train(made, tmp_path)
    rows = checkpoint.load_log(tmp_path, 300)
    assert [row["step"] for row in rows] == list(range(5, 301, 5))
    lam = np.linspace(-10, 10, 101)
    least = np.trapezoid(np.exp(-lam / 2) / 2 * eps_mmse(trained.data.truth, lam), lam)
    excess = np.array([row["loss"] for row in rows]) - least
    assert excess[-10:].mean() < 0.3 * excess[0]
    assert excess[-10:].mean() > -0.05


@pytest.mark.slow(quick=4)
@pytest.mark.parametrize("prediction", ["eps", "x", "v", "u", "edm", "velocity"])
def test_a_network_comes_back_as_it_was_trained(tmp_path, prediction):
    made = config.parse(TINY | {"objective": {"prediction": prediction}})
    trained = loop.train(made, tmp_path)
    loaded = Trained.load(tmp_path)
    z = np.random.default_rng(0).standard_normal((5, 2))
    level = trained.schedule.level(0.4)
    np.testing.assert_array_equal(loaded(z, level), trained(z, level))
    assert loaded(z, level).dtype == np.float64
    assert loaded(torch.as_tensor(z), level).dtype == torch.float64
    x, eps = (trained.as_prediction(kind)(z, level) for kind in ("x", "eps"))
    np.testing.assert_allclose(level.alpha * x + level.sigma * eps, z, atol=1e-6)


def test_another_study_in_the_folder_is_refused(tmp_path):
    loop.train(study(steps=10), tmp_path)
    with pytest.raises(Unusable, match=r"loop\.steps"):
        loop.train(study(steps=20), tmp_path)
