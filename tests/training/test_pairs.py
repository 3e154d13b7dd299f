"""Couplings and batches: marginals are kept, costs fall, and a step is a function of its number."""

import numpy as np
import pytest
import torch

from dfbench.errors import Unusable
from dfbench.training import config, loop, pairs
from dfbench.training.data import Dataset, mixture
from dfbench.training.reflow import reflow_pairs

CPU = torch.device("cpu")


def samples(n=64, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, 2)), rng.standard_normal((n, 2)) + rng.choice([-2, 2], (n, 1))


def cost(noise, data, index):
    return ((noise - data[index]) ** 2).sum(1).mean()


def test_minibatch_ot_keeps_the_data_and_lowers_the_cost():
    noise, data = samples()
    rng = np.random.default_rng(1)
    index = pairs.minibatch_ot(size=32)(noise, data, rng)
    assert sorted(index) == list(range(64))
    assert cost(noise, data, index) < 0.8 * cost(noise, data, np.arange(64))
    assert sorted(pairs.minibatch_ot(size=48)(noise, data, rng)) == list(range(64))
    smaller = pairs.minibatch_ot(size=8)(noise, data, rng)
    assert cost(noise, data, index) < cost(noise, data, smaller)


@pytest.mark.slow
def test_entropic_ot_lies_between_the_optimal_and_the_independent():
    noise, data = samples()
    exact = cost(noise, data, pairs.minibatch_ot(size=64)(noise, data, None))
    apart = ((noise[:, None] - data[None]) ** 2).sum(-1).mean()
    costs = []
    for regularisation in (0.01, 0.3, 100.0):
        plan = pairs.entropic_plan(noise, data, regularisation)
        np.testing.assert_allclose(plan.sum(0), 1 / 64, rtol=1e-3)
        np.testing.assert_allclose(plan.sum(1), 1 / 64, rtol=1e-3)
        costs.append((plan * ((noise[:, None] - data[None]) ** 2).sum(-1)).sum())
    assert exact <= costs[0] < 1.05 * exact
    assert costs[0] < costs[1] < costs[2]
    assert costs[2] == pytest.approx(apart, rel=0.01)


@pytest.mark.slow
def test_draws_from_the_entropic_plan_follow_it():
    """Over 400 drawings each data point comes as often as the plan says, within five errors."""
    noise, data = samples(16)
    plan, couple = pairs.entropic_plan(noise, data, 0.3), pairs.entropic_ot(regularisation=0.3)
    rng = np.random.default_rng(2)
    found = np.zeros((16, 16))
    for _ in range(400):
        found[np.arange(16), couple(noise, data, rng)] += 1 / 400
    p = plan * 16
    assert (np.abs(found - p) <= 5 * np.sqrt(p * (1 - p) / 400) + 1e-3).all()
    assert np.abs(found.sum(0) - 1).max() < 0.6
    assert np.abs(found - 1 / 16).max() > 0.1  # the control: it is not the independent coupling


def batches(coupling=None, seed=0, source=None, count=100):
    data = mixture(0, name="ring-2d", count=count, held_out=50)
    return pairs.Batches(data, source, coupling, seed, CPU, torch.float32), data


def test_a_step_is_a_function_of_its_number():
    one, _ = batches()
    other, _ = batches()
    for step in (3, 0, 7):  # in any order
        for a, b in zip(one.at(16, step), other.at(16, step), strict=True):
            assert torch.equal(a, b)
    assert not torch.equal(one.at(16, 3)[1], one.at(16, 4)[1])
    assert not torch.equal(one.at(16, 3)[1], batches(seed=1)[0].at(16, 3)[1])
    assert not torch.equal(one.at(16, 3, 0, 2)[1], one.at(16, 3, 1, 2)[1])


@pytest.mark.parametrize("world", [1, 2])
def test_every_point_comes_once_an_epoch(world):
    made, data = batches()
    steps = 100 // (25 * world)
    epochs = []
    for epoch in range(2):
        rows = [
            made.at(25, epoch * steps + step, rank, world)[0]
            for step in range(steps)
            for rank in range(world)
        ]
        epochs.append(torch.cat(rows).numpy())
    for rows in epochs:
        np.testing.assert_array_equal(np.unique(rows, axis=0), np.unique(data.train, axis=0))
    assert not np.array_equal(*epochs)
    across = made.at(150, 0)[0]  # more than an epoch
    assert len(across) == 150
    assert len(np.unique(across.numpy(), axis=0)) == 100


def test_a_coupled_batch_keeps_its_points():
    plain, coupled = batches()[0], batches(pairs.minibatch_ot())[0]
    (x, eps), (y, other) = plain.at(64, 5), coupled.at(64, 5)
    assert torch.equal(eps, other)
    assert not torch.equal(x, y)
    assert ((y - eps) ** 2).mean() < ((x - eps) ** 2).mean()
    np.testing.assert_array_equal(np.sort(x.numpy(), 0), np.sort(y.numpy(), 0))


def test_another_source():
    source = Dataset("points", np.full((5, 2), 3.0, np.float32), np.zeros((1, 2), np.float32))
    made, _ = batches(source=source)
    assert (made.at(8, 0)[1] == 3.0).all()
    study = config.parse(
        {
            "data": "mixture",
            "source": {"kind": "mixture", "name": "uneven-2d"},
            "objective": {"prediction": "u"},
            "model": {"kind": "mlp", "width": 8, "depth": 1},
            "loop": {"steps": 2, "batch": 8},
        }
    )
    x, eps = loop.Trainer(study).batches.at(4000, 0)
    assert 0.9 < float(eps.std()) < 1.1
    assert not torch.equal(x, eps)
    with pytest.raises(Unusable, match="shape"):
        loop.Trainer(
            config.parse({"data": "mixture", "source": {"kind": "mixture", "name": "two-1d"}})
        )


def test_reflow_pairs_noise_with_what_the_sampler_makes_of_it(tmp_path):
    base = {
        "data": {"kind": "mixture", "held_out": 50},
        "model": {"kind": "mlp", "width": 32, "depth": 2},
        "objective": {"prediction": "u"},
        "loop": {"steps": 300, "batch": 128, "learning_rate": 5e-3, "warmup": 10},
    }
    trained = loop.train(config.parse(base), tmp_path)
    plan = pairs.reflow(run=tmp_path, steps=10, count=300)
    noise, data = reflow_pairs(plan, 0)
    assert noise.shape == data.shape == (300, 2)
    apart = np.random.default_rng(0).permutation(300)
    assert cost(noise, data, np.arange(300)) < 0.7 * cost(noise, data, apart)
    assert abs(float((data**2).mean()) - 1) < 0.3  # the law of the data, roughly
    pair = {"kind": "reflow", "run": str(tmp_path), "steps": 10, "count": 300}
    trainer = loop.Trainer(config.parse(base | {"pairs": pair}))
    x, eps = trainer.batches.at(300, 0)
    order = np.lexsort(eps.numpy().T), np.lexsort(noise.T)
    np.testing.assert_array_equal(x.numpy()[order[0]], data[order[1]])
    with pytest.raises(Unusable, match="draws noise"):
        reflow_pairs(pairs.reflow(run=tmp_path, method="ddpm"), 0)
    with pytest.raises(Unusable, match="no method 'none'"):
        reflow_pairs(pairs.reflow(run=tmp_path, method="none"), 0)
    with pytest.raises(Unusable, match="no such file"):
        reflow_pairs(pairs.reflow(run=tmp_path / "nothing"), 0)
    assert trained.dim == 2
