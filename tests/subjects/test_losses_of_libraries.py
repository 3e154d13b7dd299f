"""EDM and azula in other libraries: right as released, and seen when not."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest
import torch

import dfbench
from dfbench.subjects import resolve

DENOISING = "denoising_diffusion_pytorch"
HAVE = find_spec(DENOISING) and find_spec("azula")
pytestmark = pytest.mark.skipif(not HAVE, reason="they are not installed")


def failed(name: str) -> list[str]:
    (report,) = dfbench.certify(name).subjects
    return [f.claim for f in report.findings if f.verdict == "fail" and not f.expected]


def elucidated() -> Any:
    resolve(f"{DENOISING}:loss_edm")  # what it imports and does not need may be missing
    from denoising_diffusion_pytorch.elucidated_diffusion import ElucidatedDiffusion

    return ElucidatedDiffusion


@pytest.mark.parametrize(
    "name",
    [
        *(f"{DENOISING}:loss_{n}" for n in ("edm", "continuous_cosine", "continuous_v")),
        *("azula:loss_simple", "azula:loss_karras"),
    ],
)
def test_a_loss_is_right(name: str) -> None:
    assert failed(name) == []


@pytest.mark.slow
def test_wrong_weights_and_preconditioning_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    cls = elucidated()
    with monkeypatch.context() as patched:  # σ² + σ_data² without the denominator
        patched.setattr(cls, "loss_weight", lambda self, sigma: sigma**2 + self.sigma_data**2)
        assert "loss-weight" in failed(f"{DENOISING}:loss_edm")
    with monkeypatch.context() as patched:  # without σ
        patched.setattr(cls, "c_out", lambda self, s: (s**2 + self.sigma_data**2) ** -0.5)
        assert "loss-target" in failed(f"{DENOISING}:loss_edm")
        (report,) = dfbench.certify(f"{DENOISING}:edm_heun", select=["bookkeeping"]).subjects
        assert report.verdict != "pass"
    with monkeypatch.context() as patched:  # another density of σ
        patched.setattr(cls, "noise_distribution", lambda self, n: torch.randn(n).exp())
        assert failed(f"{DENOISING}:loss_edm") != []


def test_a_time_that_is_told_wrongly_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve("azula:loss_simple")
    from azula import denoise

    right = denoise.SimpleDenoiser.forward

    def off(self: Any, x_t: torch.Tensor, t: torch.Tensor, **given: Any) -> Any:
        return right(self, x_t, 0.9 * t, **given)

    monkeypatch.setattr(denoise.SimpleDenoiser, "forward", off)
    assert "loss-noise" in failed("azula:loss_simple")
