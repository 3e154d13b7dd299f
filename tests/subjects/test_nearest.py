"""Every certificate says which published method it is, or how far it is from the nearest."""

from __future__ import annotations

import pytest

import dfbench
from dfbench import jsons
from dfbench.subjects.nearest import identified
from dfbench.subjects.reference import Defect, MethodSampler


@pytest.mark.parametrize(
    ("method", "options"),
    [("heun", {}), ("dpm_solver_pp_multistep", {"order": 2}), ("lms", {"order": 4}), ("pndm", {})],
)
def test_a_method_is_itself(method: str, options: dict[str, object]) -> None:
    found = identified(MethodSampler(method, options=options))
    assert found["method"].startswith(f"{method}(")
    assert found["distance"] < 1e-12
    assert found["steps"] == 10


@pytest.mark.parametrize("size", [1e-2, 1e-1])
def test_a_wrong_weight_is_so_far_off(size: float) -> None:
    defect = Defect(output=lambda m, j: m * (1 + size) if j == 4 else m)
    found = identified(MethodSampler("ddim", defect=defect))
    assert found["method"].startswith(("ddim", "euler"))
    assert 0.1 * size < found["distance"] < 10 * size


def test_the_certificate_says_it() -> None:
    certificate = dfbench.certify(MethodSampler("heun"), select=["affine", "identity"])
    (report,) = certificate.subjects
    assert report.identity.startswith("coefficients of heun() to ")
    assert "heun()" in jsons.dumps(certificate)
    (other,) = dfbench.certify(MethodSampler("heun"), select=["affine"]).subjects
    assert other.identity == ""


def test_a_released_scheduler_is_the_method_it_is_held_to() -> None:
    pytest.importorskip("diffusers")
    (report,) = dfbench.certify("diffusers:DDPMScheduler", select=["identity"]).subjects
    assert report.nearest["method"] == "ddpm(variance='beta_tilde')"
    assert report.nearest["distance"] < 1e-4
