"""Halved steps and coupled noise: the coarse run keeps its law, the difference little variance."""

import numpy as np
import pytest

from dfbench.grids import karras, uniform_log_snr, uniform_t
from dfbench.schedules import Cosine
from dfbench.sweep.laws import TARGETS
from dfbench.sweep.measures import MEASURES, weak
from dfbench.sweep.refinement import coupling, halved, refined
from dfbench.sweep.samplers import reference
from dfbench.sweep.sampling import Samples

TARGET = TARGETS["power_law"](6)
GRID = uniform_log_snr(Cosine(), 10, -7.0, 9.0)
NOISY = ("ddpm", "reverse_sde", "sa_solver", "dpm2_ancestral")


@pytest.mark.parametrize(
    "grid", [GRID, uniform_t(Cosine(), 5), karras(80.0, 0.002, 6)], ids=["lambda", "t", "karras"]
)
def test_a_halved_grid_has_the_levels_between(grid):
    fine = halved(grid)
    assert fine.n_steps == 2 * grid.n_steps
    assert np.array_equal(fine.alpha[::2], grid.alpha)
    assert np.array_equal(fine.sigma[::2], grid.sigma)
    assert (np.diff(fine.log_snr[np.isfinite(fine.log_snr)]) > 0).all()
    if grid.schedule is not None:
        assert fine.schedule is grid.schedule
        assert fine.alpha == pytest.approx(grid.schedule.alpha(fine.t), abs=1e-12)
    finite = np.isfinite(grid.log_snr[:-1]) & np.isfinite(grid.log_snr[1:])
    middle = 0.5 * (grid.log_snr[:-1] + grid.log_snr[1:])
    assert fine.log_snr[1::2][finite] == pytest.approx(middle[finite], abs=1e-6)


def test_halving_a_uniform_grid_is_the_uniform_grid_of_twice_the_steps():
    twice = uniform_log_snr(Cosine(), 20, -7.0, 9.0)
    assert halved(GRID).log_snr == pytest.approx(twice.log_snr, abs=1e-9)


@pytest.mark.parametrize("method", NOISY)
def test_coarse_draws_stay_independent_standard_normals(method):
    run = reference(method, GRID, {}, "x")
    fine = refined(run)
    rows = coupling(run.table, fine.table, 1.0)
    assert rows.shape == (run.table.n_draws, fine.table.n_draws)
    assert rows @ rows.T == pytest.approx(np.eye(len(rows)), abs=1e-12)
    assert np.count_nonzero(rows, axis=1).max() == 2


@pytest.mark.slow(quick=3)
@pytest.mark.parametrize("method", ["ddim", "heun", *NOISY])
def test_the_difference_is_the_exact_one_with_a_fraction_of_the_variance(method):
    run = reference(method, GRID, {}, "x")
    total = TARGET.spectrum.sum()
    laws = [
        r.table.law(TARGET.spectrum, start_variance=1.0, start_mean=0.0)
        for r in (run, refined(run))
    ]
    truth = (laws[0].variance.sum() - laws[1].variance.sum()) / total
    found, gain = MEASURES["weak_error"](TARGET, run, Samples(TARGET, run, 3, 4000))
    assert abs(found.value - truth) < 2 * (found.high - found.value)
    assert abs(1.5 * truth - found.value) > 2 * (found.high - found.value)
    assert gain.value > 5


def test_without_the_coupling_nothing_is_gained(monkeypatch):
    run = reference("ddpm", GRID, {}, "x")

    def apart(target, run):
        fine = refined(run)
        weights = np.zeros((run.table.n_draws, fine.table.n_draws))
        weights[np.arange(len(weights)), np.arange(len(weights))[::-1] * 2 % 19] = 1.0
        return fine, weights

    monkeypatch.setattr(weak, "_pair", apart)
    _, gain = MEASURES["weak_error"](TARGET, run, Samples(TARGET, run, 3, 4000))
    assert gain.value < 3


def test_what_cannot_be_coupled_says_why():
    reasons = {
        "dpmpp_sde": "increments of a path",
        "edm": "its halves do not",
    }
    for method, words in reasons.items():
        run = reference(method, GRID, {"s_churn": 4.0} if method == "edm" else {}, "x")
        assert words in MEASURES["weak_error"].applies(TARGET, run)
