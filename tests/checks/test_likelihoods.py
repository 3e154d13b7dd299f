"""Log-likelihoods: right ones in many styles pass, wrong ones fail where they are wrong."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import dfbench
from dfbench.outcome import Finding, SubjectReport
from dfbench.subjects.facts import Facts
from dfbench.subjects.likelihood import gaussian
from dfbench.subjects.mixture_network import MixtureNetwork

FLOW = {"predicts": "velocity", "level": "flow-up"}


def certified(thing: Any, select: list[str] | None = None, **declare: Any) -> SubjectReport:
    declare = {"kind": "likelihood", **FLOW, **declare}
    (report,) = dfbench.certify(thing, declare=declare, select=select).subjects
    assert report.kind == "likelihood"
    return report


def failed(thing: Any, claim: str) -> dict[str, Finding]:
    return {f.claim: f for f in certified(thing, [claim]).findings if f.verdict == "fail"}


def normal(z: Any) -> Any:
    return -0.5 * (z**2 + math.log(2 * math.pi)).flatten(1).sum(1)


def probed(f: Callable[[Any], Any], z: Any, e: Any) -> tuple[Any, Any]:
    """f and the estimate e·∂f·e of its divergence."""
    with torch.enable_grad():
        z = z.detach().requires_grad_(True)
        out = f(z)
        (g,) = torch.autograd.grad((out * e).sum(), z)
    return out.detach(), (g * e).flatten(1).sum(1)


def hutchinson(model: Any, x: Any, steps: int, *, probe: Any = None, factor: float = -1.0) -> Any:
    """The midpoint rule from data to noise, with a normal probe."""
    e = torch.randn_like(x) if probe is None else probe(x)
    total, h = 0.0, 1 / steps
    for k in range(steps):
        t = 1 - k * h
        u, _ = probed(lambda z, t=t: model(z, t), x, e)
        u, div = probed(lambda z, t=t: model(z, t - h / 2), x - h / 2 * u, e)
        x, total = x - h * u, total + factor * h * div
    return normal(x) + total


def bits(net: Any, x: Any, n_steps: int) -> Any:
    """Of ε and a variance-preserving schedule, in bits a dimension, vectors alone, by vmap."""
    n, d = x.shape

    def rate(z: Any, t: float) -> Any:
        alpha, sigma = math.cos(t * math.pi / 2), math.sin(t * math.pi / 2)
        eps = net(z, t)
        return math.pi / 2 * (alpha * eps - sigma * (z - sigma * eps) / alpha)

    total = torch.zeros(n, dtype=x.dtype)
    low, high = 1e-3, 1 - 1e-3
    h = (high - low) / n_steps
    for k in range(n_steps):
        t = low + (k + 0.5) * h
        jacobian = torch.vmap(torch.func.jacrev(lambda z, t=t: rate(z[None], t)[0]))(x)
        total += h * jacobian.diagonal(dim1=1, dim2=2).sum(1)
        x = x + h * rate(x, t)
    return -(normal(x) + total) / (d * math.log(2))


class Adaptive:
    """torchdiffeq's adaptive method, signs for a probe."""

    def __init__(self, tolerance: float = 1e-6) -> None:
        self.tolerance = tolerance

    def __call__(self, model: Any, images: Any) -> dict[str, Any]:
        from torchdiffeq import odeint

        e = torch.randint_like(images, 2) * 2 - 1
        start = images, images.new_zeros(len(images))
        z, div = odeint(
            lambda t, s: probed(lambda z: model(x=z, t=t), s[0], e),
            start,
            images.new_tensor([1.0, 0.0]),
            rtol=self.tolerance,
            atol=self.tolerance,
        )
        return {"log_p": normal(z[-1]) + div[-1]}


RIGHT: dict[str, tuple[Any, dict[str, Any], str]] = {
    "a normal probe": (hutchinson, {}, ""),
    "bits, by vmap": (bits, {"predicts": "eps", "level": "cosine"}, "−log p in bits a dimension"),
    "adaptive": (Adaptive(), {}, ""),
}


@pytest.mark.slow(quick=1)
@pytest.mark.parametrize("what", RIGHT)
def test_a_right_one_passes(what: str) -> None:
    thing, declare, unit = RIGHT[what]
    report = certified(thing, **declare)
    assert report.verdict == "pass", [f for f in report.findings if f.verdict != "pass"]
    assert any("it returns " in note for note in report.notes) is bool(unit)
    assert all(unit in note for note in report.notes if "it returns" in note)


def other_sign(model: Any, x: Any, steps: int) -> Any:
    return hutchinson(model, x, steps, factor=1.0)


def forgotten(model: Any, x: Any, steps: int) -> Any:
    return hutchinson(model, x, steps, factor=0.0)


def halved(model: Any, x: Any, steps: int) -> Any:
    return hutchinson(model, x, steps, factor=-0.5)


def uniform_probe(model: Any, x: Any, steps: int) -> Any:
    return hutchinson(model, x, steps, probe=lambda x: 2 * torch.rand_like(x) - 1)


def of_the_data(model: Any, x: Any, steps: int) -> Any:
    """The prior is taken at the data."""
    return hutchinson(model, x, steps) + normal(x) - normal(_end(model, x, steps))


def _end(model: Any, x: Any, steps: int) -> Any:
    with torch.no_grad():
        for k in range(steps):
            x = x - model(x, 1 - (k + 0.5) / steps) / steps
    return x


def backwards(model: Any, x: Any, steps: int) -> Any:
    """The times run the other way."""
    return hutchinson(lambda z, t: model(z, 1 - t), x, steps)


def of_the_batch(model: Any, x: Any, steps: int) -> Any:
    return hutchinson(model, x, steps, probe=lambda x: torch.ones_like(x)).mean()


WRONG: dict[str, tuple[Any, str, str]] = {
    "the other sign": (other_sign, "likelihood-gaussian", "other sign"),
    "forgotten": (forgotten, "likelihood-gaussian", "missing"),
    "halved": (halved, "likelihood-gaussian", "halved"),
    "a uniform probe": (uniform_probe, "likelihood-gaussian", ""),
    "the prior of the data": (of_the_data, "likelihood-gaussian", "at the data"),
    "backwards": (backwards, "likelihood-mixture", ""),
    "one for the batch": (of_the_batch, "likelihood-runs", "no number for each"),
    "one probe, ones": (
        lambda model, x, steps: hutchinson(model, x, steps, probe=torch.ones_like),
        "likelihood-mixture",
        "",
    ),
}


@pytest.mark.slow(quick=2)
@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_one_fails(what: str) -> None:
    thing, claim, why = WRONG[what]
    found = failed(thing, claim)
    assert claim in found, found
    assert why in (found[claim].why or "")


def test_what_has_to_be_declared_is_said() -> None:
    (report,) = dfbench.certify(hutchinson, declare={"kind": "likelihood"}).subjects
    assert report.verdict == "inconclusive"
    assert all("`predicts` and `level`" in (f.why or "") for f in report.findings)


@pytest.mark.parametrize("t", [0.0, 0.3, 1.0])
def test_the_network_is_exact(t: float) -> None:
    """ε̂, x̂ and the score are the oracle's, at both ends, too."""
    mixture = gaussian()
    z = torch.randn(5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    score = torch.tensor(mixture.score(z.numpy(), 1 - t, t))
    v = (1 - t) ** 2 * torch.tensor(mixture.spectra[0]) + t**2
    x = torch.tensor(mixture.means[0])
    x = x + (1 - t) * torch.tensor(mixture.spectra[0]) / v * (z - (1 - t) * x)
    exact = {"score": score, "eps": -t * score, "x": x, "u": -t * score - x}
    for kind, value in exact.items():
        network = MixtureNetwork(mixture, Facts(predicts=kind, level="flow-down"), (6,))
        if kind != "score" or t > 0:
            assert abs(network(z, t) - value).max() < 1e-12


@pytest.mark.slow
def test_the_failure_is_shown_without_dfbench(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "import torch\n\n\ndef log_p(model, x, steps):\n"
        "    for k in range(steps):\n        x = x - model(x, 1 - (k + 0.5) / steps) / steps\n"
        "    return torch.distributions.Normal(0.0, 1.0).log_prob(x).flatten(1).sum(1)\n"
    )
    declare = {"kind": "likelihood", **FLOW}
    (report,) = dfbench.certify(f"{file}:log_p", declare=declare).subjects
    found = {f.claim: f for f in report.findings}["likelihood-gaussian"]
    assert found.why == "the divergence is missing"
    assert found.reproduce is not None
    assert "dfbench" not in found.reproduce
    ran = subprocess.run([sys.executable, "-c", found.reproduce], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    values = [eval(line[line.index("[") : line.index("]") + 1]) for line in _lines(ran.stdout)]
    assert abs(torch.tensor(values[0]) - torch.tensor(values[1])).max() > 1


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if "tensor" in line]
