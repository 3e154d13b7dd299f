"""Training losses: right ones of many styles pass and are named, wrong ones fail where they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import dfbench
from dfbench import cli
from dfbench.outcome import Finding, SubjectReport
from dfbench.subjects import resolve
from dfbench.subjects.loss import LossSubject

abar = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), 0)


def rows(values: torch.Tensor) -> torch.Tensor:
    return values.view(-1, 1, 1, 1)


# Right ones ---------------------------------------------------------------------------------------


def simple(model: Any, x0: torch.Tensor) -> torch.Tensor:
    t = torch.randint(0, 1000, (x0.shape[0],), device=x0.device).long()
    noise = torch.randn_like(x0)
    a = rows(abar[t])
    return F.mse_loss(model(a.sqrt() * x0 + (1 - a).sqrt() * noise, t), noise)


def v_with_min_snr(unet: Any, latents: torch.Tensor) -> torch.Tensor:
    bsz = latents.shape[0]
    timesteps = torch.randint(0, len(abar), (bsz,))
    noise = torch.randn(latents.shape)
    a = rows(abar[timesteps])
    noisy = a.sqrt() * latents + (1 - a).sqrt() * noise
    target = a.sqrt() * noise - (1 - a).sqrt() * latents
    snr = abar[timesteps] / (1 - abar[timesteps])
    weight = torch.minimum(snr, torch.full_like(snr, 5.0)) / (snr + 1)
    loss = F.mse_loss(unet(noisy, timesteps), target, reduction="none")
    return (loss.mean(dim=list(range(1, loss.ndim))) * weight).mean()


def data(model: Any, batch: torch.Tensor) -> dict[str, torch.Tensor]:
    t = torch.rand(len(batch), dtype=torch.float64)
    eps = torch.randn(batch.shape)
    alpha, sigma = rows(torch.cos(t * torch.pi / 2)), rows(torch.sin(t * torch.pi / 2))
    return {"loss": (model(x=alpha * batch + sigma * eps, t=t) - batch).square().mean()}


class EDMLoss:
    def __init__(self, p_mean: float = -1.2, p_std: float = 1.2, sigma_data: float = 0.5) -> None:
        self.p_mean, self.p_std, self.sigma_data = p_mean, p_std, sigma_data

    def __call__(self, net: Any, images: torch.Tensor) -> torch.Tensor:
        rnd = torch.randn([images.shape[0], 1, 1, 1], device=images.device)
        sigma = (rnd * self.p_std + self.p_mean).exp()
        weight = (sigma**2 + self.sigma_data**2) / (sigma * self.sigma_data) ** 2
        n = torch.randn_like(images) * sigma
        return weight * ((net(images + n, sigma) - images) ** 2)


def flow(model: Any, x1: torch.Tensor) -> torch.Tensor:
    x0 = torch.randn_like(x1)
    t = torch.rand(x1.shape[0]).to(x1)
    xt = rows(1 - t) * x0 + rows(t) * x1
    return torch.mean((model(t, xt) - (x1 - x0)) ** 2)


def sd3(transformer: Any, x: torch.Tensor) -> torch.Tensor:
    u = torch.normal(mean=0.0, std=1.0, size=(x.shape[0],))
    sigma = torch.sigmoid(u)
    noise = torch.randn_like(x)
    pred = transformer(rows(1 - sigma) * x + rows(sigma) * noise, sigma * 1000)
    return torch.mean(((pred.float() - (noise - x)) ** 2).reshape(x.shape[0], -1), 1).mean()


def given(model: Any, x: torch.Tensor, t: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    z = rows(1 - t) * x + rows(t) * noise
    return ((model(z, t) - (noise - x)) ** 2).flatten(1).sum(1)


def score(model: Any, x: torch.Tensor) -> torch.Tensor:
    sigma = 0.01 * (50 / 0.01) ** rows(torch.rand(len(x), dtype=torch.float64))
    z = torch.randn_like(x)
    s = model(x + sigma * z, sigma)
    return ((s * sigma + z) ** 2).sum((1, 2, 3)).mean()


def images(model: Any, img: torch.Tensor) -> torch.Tensor:
    return flow(model, 2 * img - 1)


#: loss → what is to be read: what the network returns, what times mean, the weighting.
RIGHT: dict[Any, tuple[str, str, str]] = {
    simple: ("eps", "ddpm-linear", "simple"),
    v_with_min_snr: ("v", "ddpm-linear", ""),
    data: ("x", "cosine", ""),
    EDMLoss: ("x", "sigma", "edm"),
    flow: ("-u", "flow-up", "flow_matching"),
    sd3: ("u", "flow-down × T", "sd3"),
    given: ("u", "flow-down", ""),
    score: ("score", "sigma", ""),
    images: ("-u", "flow-up", "it takes data as 0.5 x + 0.5"),
}


def certified(thing: Any, **options: Any) -> SubjectReport:
    (report,) = dfbench.certify(thing, **options).subjects
    return report


def failed(thing: Any, **options: Any) -> dict[str, Finding]:
    report = certified(thing, **options)
    assert report.kind == "loss"
    return {f.claim: f for f in report.findings if f.verdict == "fail"}


@pytest.mark.parametrize("loss", RIGHT, ids=lambda each: each.__name__)
def test_a_right_loss_passes_and_is_read(loss: Any) -> None:
    returns, level, weighting = RIGHT[loss]
    declare = {"level": "flow-down", "kind": "loss"} if loss is given else None
    report = (
        certified(loss, declare=declare)
        if declare is None
        else certified(dfbench.sampler(**declare)(loss))
    )
    assert report.kind == "loss"
    assert report.verdict == "pass", report.findings
    said = " ".join(report.notes)
    assert f"the network is to return {returns}" in said
    if not declare:
        assert f"times mean {level!r}" in said
    assert weighting in said


def test_the_weight_is_the_one_in_the_code() -> None:
    (subject,) = resolve(v_with_min_snr)
    assert isinstance(subject, LossSubject)
    reading = subject.read()
    snr = abar[reading.time.astype(int)].numpy() / (1 - abar[reading.time.astype(int)].numpy())
    expected = np.minimum(snr, 5) / (snr + 1)
    assert reading.weight / reading.weight[0] == pytest.approx(expected / expected[0], rel=1e-6)


# Wrong ones ---------------------------------------------------------------------------------------


def no_root(model: Any, x: torch.Tensor) -> torch.Tensor:
    t = torch.randint(0, 1000, (len(x),))
    noise = torch.randn_like(x)
    a = rows(abar[t])
    return F.mse_loss(model(a.sqrt() * x + (1 - a) * noise, t), noise)


def told_the_next(model: Any, x: torch.Tensor) -> torch.Tensor:
    t = torch.randint(0, 999, (len(x),))
    noise = torch.randn_like(x)
    a = rows(abar[t + 1])
    return F.mse_loss(model(a.sqrt() * x + (1 - a).sqrt() * noise, t), noise)


def other_sign(model: Any, x: torch.Tensor) -> torch.Tensor:
    noise, t = torch.randn_like(x), torch.rand(len(x), dtype=x.dtype)
    return F.mse_loss(model(rows(1 - t) * x + rows(t) * noise, t), x - noise)


def v_the_other_way(model: Any, x: torch.Tensor) -> torch.Tensor:
    t = torch.randint(0, 1000, (len(x),))
    noise, a = torch.randn_like(x), rows(abar[t])
    target = (1 - a).sqrt() * noise - a.sqrt() * x
    return F.mse_loss(model(a.sqrt() * x + (1 - a).sqrt() * noise, t), target)


def weight_of_the_wrong_shape(model: Any, x: torch.Tensor) -> torch.Tensor:
    t = torch.rand(len(x), dtype=x.dtype)
    noise = torch.randn_like(x)
    each = ((model(rows(1 - t) * x + rows(t) * noise, t) - (noise - x)) ** 2).mean((1, 2, 3))
    return (rows(1 + t) * each).mean()


def never_the_last(model: Any, x: torch.Tensor) -> torch.Tensor:
    t = torch.randint(0, 999, (len(x),))
    noise, a = torch.randn_like(x), rows(abar[t])
    return F.mse_loss(model(a.sqrt() * x + (1 - a).sqrt() * noise, t), noise)


def one_noise_for_all_channels(model: Any, x: torch.Tensor) -> torch.Tensor:
    t = torch.rand(len(x), dtype=x.dtype)
    noise = torch.randn_like(x[:, :1]).expand_as(x)
    return F.mse_loss(model(rows(1 - t) * x + rows(t) * noise, t), noise - x)


def one_time_for_all(model: Any, x: torch.Tensor) -> torch.Tensor:
    t = torch.rand(1, dtype=x.dtype).expand(len(x))
    noise = torch.randn_like(x)
    return F.mse_loss(model(rows(1 - t) * x + rows(t) * noise, t), noise - x)


def absolute(model: Any, x: torch.Tensor) -> torch.Tensor:
    t = torch.rand(len(x), dtype=x.dtype)
    noise = torch.randn_like(x)
    return F.l1_loss(model(rows(1 - t) * x + rows(t) * noise, t), noise - x)


def less_noise(model: Any, x: torch.Tensor) -> torch.Tensor:
    t = torch.rand(len(x), dtype=x.dtype)
    noise = torch.randn_like(x)
    return F.mse_loss(model(rows(1 - t) * x + 0.9 * rows(t) * noise, t), noise - x)


def detached(model: Any, x: torch.Tensor) -> torch.Tensor:
    t = torch.rand(len(x), dtype=x.dtype)
    noise = torch.randn_like(x)
    return F.mse_loss(model(rows(1 - t) * x + rows(t) * noise, t).detach(), noise - x)


def centred(model: Any, x: torch.Tensor) -> torch.Tensor:
    t = torch.rand(len(x), dtype=x.dtype)
    noise = torch.randn_like(x)
    target = noise - x
    return F.mse_loss(model(rows(1 - t) * x + rows(t) * noise, t), target - target.mean())


def masked(model: Any, x: torch.Tensor) -> torch.Tensor:
    t = torch.rand(len(x), dtype=x.dtype)
    noise = torch.randn_like(x)
    off = (model(rows(1 - t) * x + rows(t) * noise, t) - (noise - x)) ** 2
    off[:, 0] *= 0.5
    return off.mean()


FLOW = {"kind": "loss", "predicts": "u", "level": "flow-down"}
DDPM = {"kind": "loss", "predicts": "eps", "level": "ddpm-linear"}

#: loss → what its owner says of it, and the claim that sees it.
WRONG: dict[Any, tuple[dict[str, Any], str]] = {
    no_root: (DDPM, "loss-noise"),
    told_the_next: (DDPM, "loss-noise"),
    other_sign: (FLOW, "loss-target"),
    v_the_other_way: ({**DDPM, "predicts": "v"}, "loss-target"),
    weight_of_the_wrong_shape: (FLOW, "loss-rows"),
    never_the_last: (DDPM, "loss-times"),
    one_noise_for_all_channels: (FLOW, "loss-noise"),
    one_time_for_all: (FLOW, "loss-times"),
    absolute: (FLOW, "loss-target"),
    less_noise: (FLOW, "loss-noise"),
    detached: (FLOW, "loss-runs"),
    centred: (FLOW, "loss-target"),
    masked: (FLOW, "loss-weight"),
}


@pytest.mark.parametrize("loss", WRONG, ids=lambda each: each.__name__)
def test_a_wrong_loss_fails_where_it_is_wrong(loss: Any) -> None:
    declare, claim = WRONG[loss]
    found = failed(dfbench.sampler(**declare)(loss))
    assert claim in found, found
    assert found[claim].harm == "training"


def test_what_is_wrong_is_said() -> None:
    found = failed(dfbench.sampler(**FLOW)(other_sign))["loss-target"]
    assert found.why == "the target is that of a network that returns -u"
    assert "least at" in str(found.where)


def test_a_weighting_that_is_declared_is_held_to() -> None:
    right = dfbench.sampler(**FLOW, weighting="flow_matching")
    assert certified(right(lambda model, x: -other_sign_of(model, x))).verdict == "pass"
    found = failed(dfbench.sampler(kind="loss", weighting="flow_matching")(sd3_like))
    assert list(found) == ["loss-weight"]
    assert "sd3" in str(found["loss-weight"].why)


def other_sign_of(model: Any, x: torch.Tensor) -> torch.Tensor:
    noise, t = torch.randn_like(x), torch.rand(len(x), dtype=x.dtype)
    return -F.mse_loss(model(rows(1 - t) * x + rows(t) * noise, t), noise - x)


def sd3_like(model: Any, x: torch.Tensor) -> torch.Tensor:
    return sd3(model, x)


FILE = """
import torch

def loss(model, x):
    t = torch.rand(len(x), dtype=x.dtype)
    noise, s = torch.randn_like(x), t.view(-1, 1, 1, 1)
    return ((model((1 - s) * x + s * noise, t) - (noise - x)) ** 2).mean()
"""


def to_half_of_each(model: Any, x: torch.Tensor) -> torch.Tensor:
    """Flow matching to 0.5 x + 0.5 ε: the target of no kind."""
    t, eps = torch.rand(len(x)), torch.randn_like(x)
    m = model((1 - rows(t)) * x + rows(t) * eps, t)
    return ((m - 0.5 * (x + eps)) ** 2).mean()


def test_a_target_of_no_kind_is_never_green() -> None:
    report = certified(to_half_of_each)
    (target,) = (f for f in report.findings if f.claim == "loss-target")
    assert target.verdict == "inconclusive"
    assert report.verdict == "inconclusive"


def test_a_loss_of_a_file(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.py").write_text(FILE, encoding="utf-8")
    assert cli.main(["certify", f"{tmp_path / 'mine.py'}:loss"]) == 0
    assert "its weighting is v_cosine or flow_matching" in capsys.readouterr().err
