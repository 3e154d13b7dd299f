"""Networks: the state's shape, λ as the conditioning, a user's own."""

import numpy as np
import pytest
import torch
from torch import nn

from dfbench.errors import Unusable
from dfbench.training import models

IMAGE = (1, 8, 8)
MADE = {
    "mlp": ((2,), {"width": 8, "depth": 1}),
    "unet": (IMAGE, {"channels": (8, 16), "layers": 1, "groups": 4, "head": 8}),
    "dit": (IMAGE, {"layers": 1, "heads": 2, "head": 8}),
}


@pytest.mark.slow(quick=1)
@pytest.mark.parametrize("kind", sorted(MADE))
def test_networks_know_their_level(kind):
    if kind != "mlp":
        pytest.importorskip("diffusers")
    shape, options = MADE[kind]
    torch.manual_seed(0)
    module = models.KINDS[kind](shape, **options)
    for parameter in module.parameters():  # some begin at zero, and say nothing then
        nn.init.normal_(parameter, std=0.2)
    models.check(module, shape, torch.device("cpu"), torch.float32)
    z = torch.randn(1, *shape).expand(4, *shape)
    out = module.eval()(z, torch.tensor([-10.0, -9.9, 0.0, 10.0])).detach()
    assert out.shape == z.shape
    gaps = [float((out[i] - out[j]).abs().max()) for i, j in ((0, 1), (1, 2), (2, 3))]
    assert min(gaps) > 1e-4
    torch.testing.assert_close(out[:1], module(z[:1], torch.tensor([-10.0])).detach())
    # dropping labels in training must not change DiT, which has none
    if kind == "dit":
        torch.testing.assert_close(
            module.train()(z, torch.zeros(4))[:1], module(z, torch.zeros(4))[:1]
        )


@pytest.mark.parametrize(
    ("kind", "shape", "options", "told"),
    [
        ("mlp", (2,), {"depth": 0}, "depth must be at least 1"),
        ("unet", (2,), {}, "square images"),
        ("unet", (1, 8, 4), {}, "square images"),
        ("unet", (1, 6, 6), {"channels": (8, 8, 8)}, "halved 2 times"),
        ("unet", (1, 8, 8), {"channels": (12,), "groups": 8}, "multiples of groups"),
        ("unet", (1, 8, 8), {"attention": (True,)}, "as many entries"),
        ("dit", (1, 9, 9), {}, "multiple of patch"),
        ("user", (2,), {"name": "nothing"}, "NAME"),
    ],
)
def test_what_does_not_fit(kind, shape, options, told):
    with pytest.raises(ValueError, match=told):
        models.KINDS[kind](shape, **options)


USER = """
from torch import nn
import torch

class Net(nn.Module):
    def __init__(self, shape, width=4):
        super().__init__()
        self.inner = nn.Linear(shape[0] + 1, width)
        self.outer = nn.Linear(width, shape[0])

    def forward(self, z, log_snr):
        return self.outer(torch.tanh(self.inner(torch.cat([z, log_snr[:, None]], 1))))

def broken():
    raise RuntimeError("no luck")

def wrong_shape():
    return nn.Sequential()

instance = Net((3,))
number = lambda: 3
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "net.py"
    path.write_text(USER, encoding="utf-8")
    return str(path)


def test_a_users_module(file):
    made = models.user((2,), name=f"{file}:Net", width=7)
    assert made.inner.out_features == 7
    models.check(made, (2,), torch.device("cpu"), torch.float32)
    assert models.user((3,), name=f"{file}:instance").inner.in_features == 4


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Nothing", "has no Nothing"),
        ("broken", "RuntimeError: no luck"),
        ("number", "not a torch"),
    ],
)
def test_a_users_module_that_is_none(file, name, told):
    with pytest.raises(Unusable, match=told):
        models.user((2,), name=f"{file}:{name}")


def test_a_module_that_does_not_take_states(file):
    made = models.user((2,), name=f"{file}:instance")
    with pytest.raises(Unusable, match="raised RuntimeError"):
        models.check(made, (2,), torch.device("cpu"), torch.float32)
    flat = nn.Module()
    flat.forward = lambda z, told: z.flatten()
    with pytest.raises(Unusable, match="of the state's shape"):
        models.check(flat, (2,), torch.device("cpu"), torch.float32)


def test_fourier_features_tell_levels_apart():
    lam = torch.linspace(-20, 20, 401)
    features = models.Fourier(8)(lam).numpy()
    near = np.linalg.norm(np.diff(features, axis=0), axis=1)
    apart = np.linalg.norm(features[:, None] - features[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    assert near.min() > 0.05
    assert apart.min() > 0.05
