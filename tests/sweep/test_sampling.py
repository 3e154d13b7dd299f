"""Runs and samples: the law is the table's, random numbers are shared, costs are its own code's."""

from __future__ import annotations

import numpy as np
import pytest

from dfbench.levels import Level
from dfbench.samplers import METHODS
from dfbench.schedules import SCHEDULES, Cosine, LinearVP
from dfbench.sweep import costs, sampling, spacing
from dfbench.sweep.laws import TARGETS
from dfbench.sweep.samplers import reference
from dfbench.sweep.sampling import Samples
from dfbench.wasserstein import law


def run_of(name="ddim", n=6, **options):
    return reference(name, spacing.make("karras", LinearVP(), n), options)


@pytest.mark.slow(quick=3)
@pytest.mark.parametrize(
    ("name", "options"),
    [("ddim", {}), ("ddim", {"eta": 1.0}), ("heun", {}), ("dpmpp_sde", {}), ("unipc", {})],
)
def test_samples_have_the_law_of_the_table(name, options):
    target = TARGETS["eigenvalues"](values=[4.0, 1.0, 0.01])
    run = run_of(name, **options)
    n = 40_000
    x = Samples(target, run, 0, n).array()
    exact = law(run.sampler, run.grid, target.spectrum, **options)
    # five standard errors of a variance, and of a mean
    np.testing.assert_allclose(x.var(axis=0), exact.variance, rtol=5 * np.sqrt(2 / n))
    assert (np.abs(x.mean(axis=0)) < 5 * np.sqrt(exact.variance / n)).all()


def test_chunks_hold_all_samples_and_depend_on_size_alone():
    for n, dim in ((1, 1), (1000, 1), (1000, 3072), (7, 10**7)):
        rows = sampling.chunks(n, dim)
        assert sum(rows) == n
        assert max(rows) * dim <= max(sampling.CHUNK, dim)


def test_every_sampler_gets_the_same_random_numbers(monkeypatch):
    monkeypatch.setattr(sampling, "CHUNK", 64)
    target = TARGETS["isotropic"](dimension=3)
    one, two = (Samples(target, run_of(name), 5, 50) for name in ("ddim", "heun"))
    for a, b in zip(one.normals(), two.normals(), strict=True):
        np.testing.assert_array_equal(a, b)
    # the k-th draw is the same too: of DDPM on more steps, and of another ancestral sampler
    seen = []
    for run in (run_of("ddim", eta=1.0), run_of("euler_ancestral", 9)):
        samples, drawn = Samples(target, run, 5, 50), {}
        normal = samples._normal

        def record(*place, normal=normal, drawn=drawn):
            drawn[place] = normal(*place)
            return drawn[place]

        monkeypatch.setattr(samples, "_normal", record)
        samples.array()
        seen.append(drawn)
    shared = set(seen[0]) & set(seen[1])
    assert len(shared) > 10
    assert all((seen[0][place] == seen[1][place]).all() for place in shared)
    other = next(Samples(target, run_of(), 6, 50).normals())
    assert not np.allclose(other, next(one.normals()))


def test_samples_are_drawn_once_if_they_are_small_and_again_if_not(monkeypatch):
    target = TARGETS["isotropic"](dimension=2)
    calls = []
    run = run_of()
    execute = type(run).execute
    monkeypatch.setattr(type(run), "execute", lambda *a: calls.append(1) or execute(*a))
    samples = Samples(target, run, 0, 100)
    assert not calls  # nothing before it is asked for
    first = samples.array()
    samples.array()
    assert len(calls) == 1
    monkeypatch.setattr(sampling, "KEPT", 10)
    large = Samples(target, run, 0, 100)
    np.testing.assert_array_equal(large.array(), first)
    np.testing.assert_array_equal(large.array(), first)
    assert len(calls) == 3


def test_costs_are_counted_and_timed():
    # beside the state: the next state, the outputs that a step combines, a draw
    held = {"ddim": 2, "heun": 3, "rk4": 5, "dpm_solver_pp_multistep": 3}
    for name, arrays in held.items():
        run = run_of(name)
        asked: list[Level] = []

        def model(z, level, asked=asked):
            asked.append(level)
            return z

        run.execute(model, np.ones((2, 1)), None)
        assert len(asked) == run.nfe
        found = costs.outside(run)
        assert 0 < found["overhead_seconds"] < 10
        assert found["memory_bytes"] == 8e6 * arrays, name
    assert costs.outside(run_of("ddim", eta=1.0))["memory_bytes"] == 8e6 * 3


@pytest.mark.slow(quick=19)
@pytest.mark.parametrize("name", sorted(spacing.GRIDS))
@pytest.mark.parametrize("schedule", sorted(SCHEDULES))
def test_grids_have_their_ends_on_every_schedule(name, schedule):
    made = SCHEDULES[schedule]()
    for n in (1, 2, 9):
        grid = spacing.make(name, made, n)
        assert grid.n_steps == n
        assert (np.diff(grid.log_snr) > 0).all()
        low = max(spacing.ENDS[0], made.log_snr(1.0))
        high = min(spacing.ENDS[1], made.log_snr(0.0))
        assert grid.log_snr[[0, -1]] == pytest.approx([low, high], rel=1e-6)
        for level, t in zip(grid, grid.t, strict=True):
            assert level == pytest.approx(made.level(float(t)), rel=1e-12)


def test_grids_take_ends_in_time_and_go_to_clean_data():
    grid = spacing.make("uniform_t", Cosine(), 4, t=[1.0, 0.0])
    np.testing.assert_allclose(grid.t, [1, 0.75, 0.5, 0.25, 0], atol=1e-15)
    assert grid[0].alpha == pytest.approx(0, abs=1e-15)
    clean = spacing.make("karras", LinearVP(), 4, log_snr=[-5.0, 5.0], final_zero=True)
    assert clean[-1] == Level(1.0, 0.0)
    assert clean.n_steps == 4
    np.testing.assert_allclose(clean.log_snr[[0, 3]], [-5, 5], rtol=1e-9)
    ratio = clean.ratio[:4] ** (1 / 7)
    np.testing.assert_allclose(np.diff(ratio), np.diff(ratio)[0], rtol=1e-6)
    with pytest.raises(ValueError, match="reaches σ = 0"):
        spacing.make("karras", SCHEDULES["ddpm_linear"](), 4, final_zero=True)
    with pytest.raises(ValueError, match="needs ends"):
        spacing.make("karras", Cosine(), 4, t=[1.0, 0.0])


def test_third_parties_run_as_released():
    pytest.importorskip("diffusers")
    from dfbench.sweep import third_party

    target = TARGETS["isotropic"](dimension=3, variance=0.25)
    plain = third_party.run(
        third_party.subject("diffusers:DDIMScheduler", {"clip_sample": False}, {}), 7, None, "x"
    )
    assert (plain.nfe, plain.steps, plain.affine, plain.stochastic) == (7, 7, True, False)
    assert plain.start == 1.0
    ours = METHODS["ddim"].table(plain.grid, "eps")
    assert plain.table.compare(ours, 1e-5) is None
    # what clips has no table, and is run as it is; inside its range it does the same
    clipped = third_party.run(
        third_party.subject("diffusers:DDIMScheduler", {"clip_sample_range": 3.0}, {}), 7, None, "x"
    )
    assert not clipped.affine
    assert clipped.nfe == 7
    x, y = (Samples(target, run, 0, 200).array() for run in (plain, clipped))
    inside = np.abs(x).max(axis=1) < 1.0
    assert inside.sum() > 50
    np.testing.assert_allclose(x[inside], y[inside], atol=1e-5)
    # EDM's scheduler starts from σ_max: the state has the variance that its pipeline draws
    euler = third_party.run(
        third_party.subject("diffusers:EulerDiscreteScheduler", {}, {}), 7, None, "x"
    )
    assert euler.start == pytest.approx(1.0, abs=0.01)
    with pytest.raises(ValueError, match="not score"):
        third_party.run(third_party.subject("diffusers:DDIMScheduler", {}, {}), 7, "score", "x")


WASTEFUL = """
import torch
from diffusers import EulerDiscreteScheduler


class Wasteful(EulerDiscreteScheduler):
    def step(self, model_output, timestep, sample, generator=None, **options):
        torch.randn(sample.shape, generator=generator, dtype=sample.dtype)
        return super().step(model_output, timestep, sample, generator=generator, **options)
"""


def test_noise_that_is_drawn_and_not_used_makes_nothing_stochastic(tmp_path):
    """As diffusers 0.29 did: its Euler then seemed to forget the start, as an SDE does."""
    pytest.importorskip("diffusers")
    from dfbench.sweep import third_party

    (tmp_path / "wasteful.py").write_text(WASTEFUL)
    names = (f"{tmp_path}/wasteful.py:Wasteful", "diffusers:EulerDiscreteScheduler")
    ours, plain = (third_party.run(third_party.subject(n, {}, {}), 7, None, "x") for n in names)
    assert not ours.stochastic
    assert ours.table.n_draws == 0
    np.testing.assert_array_equal(ours.table.rows, plain.table.rows)


def test_a_stochastic_third_party_has_the_law_of_its_table():
    pytest.importorskip("diffusers")
    from dfbench.sweep import third_party

    target = TARGETS["eigenvalues"](values=[1.0, 0.1])
    for config in ({"clip_sample": False}, {"clip_sample_range": 50.0}):
        run = third_party.run(
            third_party.subject("diffusers:DDPMScheduler", config, {}), 10, None, "x"
        )
        assert run.stochastic
        x = Samples(target, run, 0, 20_000).array()
        plain = third_party.run(
            third_party.subject("diffusers:DDPMScheduler", {"clip_sample": False}, {}), 10, None, ""
        )
        exact = law(plain.sampler, plain.grid, target.spectrum, start=plain.start)
        np.testing.assert_allclose(x.var(axis=0), exact.variance, rtol=0.06)
