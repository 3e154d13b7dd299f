"""A trained network at any level, scale and prediction."""

import numpy as np
import pytest
import torch
from torch import nn

from dfbench.grids import regular
from dfbench.predictions import convert
from dfbench.schedules import SCHEDULES
from dfbench.training import config, models
from dfbench.training.trained import Trained
from dfbench.trajectories import trajectory

KINDS = ("eps", "x", "v", "u", "velocity", "score", "denoised", "edm")


def network(prediction, schedule="flow_matching", **loop):
    """Not trained: any function of (z, λ) will do."""
    study = config.parse(
        {
            "data": "mixture",
            "objective": {"prediction": prediction, "schedule": schedule},
            "model": {"kind": "mlp", "width": 16, "depth": 1},
            "loop": loop,
            "levels": {"kind": "uniform", "low": -7.0, "high": 7.0},
        }
    )
    torch.manual_seed(0)
    module = study.model.build(models.KINDS, "model", (2,))
    nn.init.normal_(module.stop.weight)
    return Trained(study, module, 0.8, (2,)).to(dtype=torch.float64)


Z = np.random.default_rng(0).standard_normal((6, 2))


@pytest.mark.parametrize("schedule", ["flow_matching", "cosine", "linear_vp"])
@pytest.mark.parametrize("prediction", KINDS)
def test_any_prediction_at_any_scale_is_the_same_network(prediction, schedule):
    """x̂ and ε̂ at c (α, σ) and c z are those at (α, σ) and z: to rounding, times the conversion."""
    trained = network(prediction, schedule)
    level = trained.schedule.level(0.4)
    alpha, sigma = level
    x, eps = (trained.as_prediction(kind)(Z, level) for kind in ("x", "eps"))
    np.testing.assert_allclose(alpha * x + sigma * eps, Z, atol=1e-9)
    for c in (0.3, 1 / alpha, 5.0):
        scaled = (c * alpha, c * sigma)
        for kind, expected in (("x", x), ("eps", eps)):
            found = trained.as_prediction(kind)(c * Z, scaled)
            np.testing.assert_allclose(found, expected, atol=1e-9)
        if prediction != "velocity":
            own = convert(trained(c * Z, scaled), c * Z, prediction, "x", *scaled, sigma_data=0.8)
            np.testing.assert_allclose(own, x, atol=1e-9)
    # the control: another λ is another output
    assert np.abs(trained.as_prediction("x")(Z, trained.schedule.level(0.5)) - x).max() > 1e-4


def test_velocity_is_of_its_own_schedule():
    trained = network("velocity")
    with pytest.raises(ValueError, match="its own schedule"):
        trained(Z, (0.8, 0.6))


def test_levels_per_row_and_kinds_of_arrays():
    trained = network("v")
    levels = [trained.schedule.level(t) for t in (0.1, 0.3, 0.5, 0.6, 0.8, 0.9)]
    alpha, sigma = (np.array(part) for part in zip(*levels, strict=True))
    rows = trained(Z, (alpha, sigma))
    for i, level in enumerate(levels):
        np.testing.assert_allclose(rows[i], trained(Z[i : i + 1], level)[0], rtol=1e-12)
    tensor = torch.as_tensor(Z).requires_grad_()
    out = trained(tensor, levels[0])
    out.sum().backward()
    assert tensor.grad.abs().max() > 0
    single = trained(torch.as_tensor(Z, dtype=torch.float32), levels[0])
    assert single.dtype == torch.float32


@pytest.mark.parametrize("prediction", ["x", "v", "u", "edm"])
def test_both_ends_and_beyond_are_legal(prediction):
    """Beyond the λ of training the network is told the end; at α = 0 and σ = 0 it answers."""
    trained = network(prediction)
    for level in ((0.0, 1.0), (1.0, 0.0), (1e-9, 1.0), (1.0, 1e-9)):
        assert np.isfinite(trained(Z, level)).all()
    near = trained(Z, (1e-12, 1.0))
    np.testing.assert_allclose(trained(Z, (0.0, 1.0)), near, atol=1e-9)


@pytest.mark.parametrize("prediction", ["eps", "v", "u"])
def test_samplers_take_it(prediction):
    """DDIM on another scale than the network's: the same samples (CLAIMS 31)."""
    trained, grid = network(prediction), regular(-6.0, 6.0, 10)
    start = grid[0].sigma * Z
    one = trajectory("ddim", trained, grid, prediction=prediction, z=start).samples
    c = np.linspace(0.5, 3.0, len(grid))
    other = trajectory("ddim", trained, grid.scaled(c), prediction=prediction, z=c[0] * start)
    np.testing.assert_allclose(other.samples / c[-1], one, atol=1e-9)


def test_the_input_can_come_as_it_is():
    """Without normalisation the network is given the state on its own schedule's scale."""
    seen = []

    class Spy(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1, dtype=torch.float64))

        def forward(self, z, log_snr):
            seen.append((z, log_snr))
            return z + self.weight

    for normalise in (True, False):
        trained = network("x", "ve", normalise=normalise)
        trained.module = Spy()
        trained(Z, (0.5, 1.0))  # VE has α = 1: the state there is 2 z, at σ = 2
        scale = 1 / np.hypot(0.8, 2.0) if normalise else 1.0
        np.testing.assert_allclose(seen[-1][0].numpy(), 2 * Z * scale)
        np.testing.assert_allclose(seen[-1][1].numpy(), 2 * np.log(0.5))
    assert "ve" in SCHEDULES
