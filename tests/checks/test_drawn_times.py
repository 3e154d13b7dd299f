"""What draws times: right ones in many styles pass, wrong ones fail where they are wrong."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

import dfbench
from dfbench.errors import Unusable
from dfbench.outcome import Finding, SubjectReport
from dfbench.subjects.densities import DENSITIES, below, density_of


def certified(thing: Any, **declare: Any) -> SubjectReport:
    (report,) = dfbench.certify(thing, declare={"kind": "times", **declare}).subjects
    assert report.kind == "times"
    return report


def failed(thing: Any, **declare: Any) -> dict[str, Finding]:
    return {f.claim: f for f in certified(thing, **declare).findings if f.verdict == "fail"}


def uniform(batch_size: int) -> Any:
    return torch.rand(batch_size)


def normal(batch_size: int, generator: Any = None) -> Any:
    return 1000 * torch.sigmoid(0.5 + 1.5 * torch.randn(batch_size, generator=generator))


def strata(n: int) -> Any:
    """Low-discrepancy times: one draw for all (VDM)."""
    return (torch.arange(n) / n + torch.rand(1)) % 1


def steps(x: Any) -> Any:
    return torch.randint(0, 1000, (x.shape[0],), device=x.device)


def of_a_library(shape: Any) -> Any:
    return torch.distributions.Beta(1.0, 1.0).sample(shape)


class Edm:
    """σ of EDM."""

    def sample(self, n: int) -> Any:
        return (torch.randn([n, 1, 1, 1]) * 1.2 - 1.2).exp()


RIGHT: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "uniform": (uniform, "uniform(0, 1)", {}),
    "falling": (lambda n: 1 - torch.rand(n), "uniform(0, 1)", {}),
    "logit-normal": (normal, "logit-normal(0.5, 1.5)", {"span": [0, 1000]}),
    "steps": (steps, "steps(1000)", {}),
    "EDM": (Edm(), "log-normal(-1.2, 1.2)", {}),
    "strata": (strata, "", {"density": "uniform"}),
    "Beta": (of_a_library, "", {"density": "uniform"}),
}


@pytest.mark.parametrize("what", RIGHT)
def test_a_right_one_passes(what: str) -> None:
    thing, density, declare = RIGHT[what]
    report = certified(thing, **declare)
    assert report.verdict == "pass", [f for f in report.findings if f.verdict != "pass"]
    assert any(f"its density is {density} " in note for note in report.notes) is bool(density)


def shared(n: int) -> Any:
    return torch.rand(1).expand(n)


def seeded(n: int) -> Any:
    torch.manual_seed(0)
    return torch.rand(n)


def deaf(n: int, generator: Any = None) -> Any:
    return torch.rand(n)


WRONG: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "no last step": (lambda n: torch.randint(0, 999, (n,)), "times-density", {"density": "steps"}),
    "no first step": (
        lambda n: torch.randint(1, 1000, (n,)),
        "times-density",
        {"density": "steps"},
    ),
    "rounded": (
        lambda n: (torch.rand(n) * 999).round(),  # both ends half as often
        "times-density",
        {"density": "steps"},
    ),
    "variance for deviation": (
        lambda n: torch.sigmoid(1.5**0.5 * torch.randn(n)),
        "times-density",
        {"density": "logit-normal(0, 1.5)"},
    ),
    "the other end": (
        lambda n: torch.sigmoid(torch.randn(n) - 0.5),
        "times-density",
        {"density": "logit-normal(0.5, 1)"},
    ),
    "cut off": (lambda n: 0.98 * torch.rand(n) + 0.02, "times-density", {"density": "uniform"}),
    "clamped": (
        lambda n: torch.randn(n).sigmoid().clamp(0.05, 0.95),
        "times-density",
        {"density": "logit-normal"},
    ),
    "another density": (
        lambda n: torch.distributions.Beta(1.0, 1.2).sample((n,)),
        "times-density",
        {"density": "uniform"},
    ),
    "beyond": (lambda n: 1000 * torch.rand(n), "times-run", {"span": [0, 1]}),
    "shared": (shared, "times-rows", {"density": "uniform"}),
    "seeded": (seeded, "times-seeds", {"density": "uniform"}),
    "deaf": (deaf, "times-seeds", {"density": "uniform"}),
    "one too few": (lambda n: torch.rand(n - 1), "times-run", {"density": "uniform"}),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_one_fails(what: str) -> None:
    thing, claim, declare = WRONG[what]
    found = failed(thing, **declare)
    assert claim in found, found


@pytest.mark.parametrize("scheme", ["logit_normal", "mode"])
def test_those_of_diffusers(scheme: str) -> None:
    pytest.importorskip("diffusers")
    from diffusers.training_utils import compute_density_for_timestep_sampling

    numbers = {"logit_mean": 0.0, "logit_std": 1.0, "mode_scale": 1.29}
    density = {"logit_normal": "logit-normal(0, 1)", "mode": "mode(1.29)"}[scheme]
    (report,) = dfbench.certify(
        compute_density_for_timestep_sampling,
        call={"weighting_scheme": scheme, **numbers},
        declare={"kind": "times", "density": density},
    ).subjects
    assert report.verdict == "pass", [f for f in report.findings if f.verdict != "pass"]


@pytest.mark.parametrize("name", DENSITIES)
def test_quantiles_and_probabilities_are_inverse(name: str) -> None:
    numbers = {"log-uniform": "(0.1, 10)", "split-log-normal": "(0, 1, 2)"}.get(name, "")
    quantile = density_of(name + numbers)
    u = np.linspace(0.005, 0.995, 100)
    low, high = below(quantile, quantile(u))
    if quantile(u)[0] > quantile(u)[-1]:
        u = 1 - u
    assert (low - 1e-4 <= u).all()
    assert (u <= high + 1e-4).all()


def test_cosmap_is_that_of_sd3() -> None:
    """Its density is 2/(π − 2π t + 2π t²) (arXiv 2403.03206, section 3.1)."""
    t, h = np.linspace(0.1, 0.9, 9), 1e-2
    (up, _), (down, _) = (below(density_of("cosmap"), t + d) for d in (h, -h))
    exact = 2 / (math.pi - 2 * math.pi * t + 2 * math.pi * t**2)
    assert abs((up - down) / (2 * h) - exact).max() < 5e-3


def test_a_density_that_there_is_not_is_a_line() -> None:
    with pytest.raises(Unusable, match="no density 'logit'"):
        certified(uniform, density="logit")
    with pytest.raises(Unusable, match="log-uniform"):
        certified(uniform, density="log-uniform(1)")
