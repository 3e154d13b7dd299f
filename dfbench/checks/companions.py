"""Functions beside the sampler: forward noising and training targets at the same levels."""

from __future__ import annotations

import math
from functools import partial
from itertools import product, starmap
from typing import Any

import torch
from torch import Tensor

from dfbench.checks.cases import largest
from dfbench.checks.precision import TABLES
from dfbench.outcome import Finding, claim, fail, judge, skip
from dfbench.subjects.contract import Companion, Sampler
from dfbench.subjects.reference import MethodSampler, MethodSession

STEPS = 10
MIDDLE = 4  # the step at which half precision is looked at
HALF = 2.0**-11  # unit round-off of float16
IN_A_RUN = ("with a begin index", "in the middle of a run")


def _wrong_add_noise(size: float, name: str = "add_noise") -> Sampler:
    """Adds noise of the next level."""

    def spoil(run: MethodSession) -> None:
        def add_noise(x: Tensor, eps: Tensor, i: int) -> tuple[Tensor, Tensor]:
            alpha, sigma = run.grid[i]
            return alpha * x + (1 + size) * sigma * eps, alpha * x + sigma * eps

        run.companions = lambda: {name: add_noise}  # type: ignore[method-assign]

    return MethodSampler("ddim", spoil=spoil)


@claim(
    "companions",
    "add_noise, scale_noise and get_velocity use the levels of the sampler: α x + σ ε, α ε − σ x.",
    source="CLAIMS 1, 16",
    control=_wrong_add_noise,
    control_size=1e-2,
    harm="training",
    formula="max |add_noise(x, ε, t) − (α_t x + σ_t ε)| relative to its size, and the same of "
    "get_velocity",
    remedy="Take α and σ of noising from the tables that the steps use, in the dtype of the data, "
    "with one time for each row.",
)
def companions_check(subject: Sampler) -> Finding:
    """Each companion at every time of a run, and at one for each row, against its formula."""
    return _held(subject, in_a_run=False)


@claim(
    "noising",
    "In a run that was told where it begins, and in the middle of one, add_noise and scale_noise "
    "use the level of the step that comes next: α x + σ ε.",
    source="CLAIMS 1; DESIGN: any protocol",
    control=partial(_wrong_add_noise, name="add_noise in the middle of a run"),
    control_size=1e-2,
    harm="img2img",
    formula="the same as `companions`, at every step of a run that has begun or was told where it "
    "begins",
    remedy="Use the level of the step that comes next, not that of the first step or of the last "
    "one taken; leave what you are given as it is.",
)
def noising_check(subject: Sampler) -> Finding:
    """What image to image and inpainting call, at every step of a run, against its formula."""
    return _held(subject, in_a_run=True)


def _held(subject: Sampler, in_a_run: bool) -> Finding:
    """Those of one of the two kinds."""
    session = subject.session(STEPS)
    found = {
        name: companion
        for name, companion in session.companions().items()
        if any(name.endswith(end) for end in IN_A_RUN) == in_a_run
    }
    if not found:
        return skip("has no companions")
    source = torch.Generator().manual_seed(3)
    x, eps = torch.randn((2, 3, 1, 2, 2), generator=source, dtype=torch.float64)
    given = x.clone(), eps.clone()

    def held(name: str, i: int) -> Finding:
        where, at = f"{name} at time {i} of {STEPS}", {"steps": STEPS, "step": i}
        try:
            value, expected = found[name](x, eps, i)
        except Exception as error:
            why = f"raises {type(error).__name__}: {error}"
            raised: dict[str, Any] = {"measured": math.inf, "bound": 0.0, "unit": "errors raised"}
            return fail(why, where=where, concerns=name, counterexample=at, **raised)
        if not (torch.equal(x, given[0]) and torch.equal(eps, given[1])):
            x.copy_(given[0])
            eps.copy_(given[1])
            changed: dict[str, Any] = {"measured": 1.0, "bound": 0.0, "unit": "changed arguments"}
            why = "changes what it is given"
            return fail(why, where=where, concerns=name, counterexample=at, **changed)
        if value.shape != expected.shape:
            return judge(
                1.0,
                0.0,
                unit="changed shape",
                where=f"{where}: {tuple(x.shape)} goes in, {tuple(value.shape)} comes out",
                counterexample=at,
                concerns=name,
            )
        size = max(1.0, float(expected.abs().max()))
        return judge(
            float((value - expected).abs().max()) / size,
            64 * TABLES,
            unit="relative",
            derivation="64 u, tables in float32",
            failing={"where": where, "counterexample": at, "concerns": name},
        )

    finding = largest(starmap(held, product(found, range(session.grid.n_steps))))
    if finding.verdict != "pass":
        return finding
    return largest([finding, *(_in_half(found[name], name, x, eps) for name in found)])


def _in_half(companion: Companion, name: str, x: Tensor, eps: Tensor) -> Finding:
    """The same of half-precision data: to its rounding, and half precision."""
    value, _ = companion(x.half(), eps.half(), MIDDLE)
    _, expected = companion(x.half().double(), eps.half().double(), MIDDLE)
    details: dict[str, Any] = {
        "failing": {
            "where": f"{name} in half precision at time {MIDDLE} of {STEPS}",
            "counterexample": {"steps": STEPS, "step": MIDDLE, "dtype": "float16"},
            "concerns": name,
        }
    }
    if value.dtype != torch.float16:
        said = "float16 in, float16 out"
        return judge(1.0, 0.0, unit="changed dtype", derivation=said, **details)
    size = max(1.0, float(expected.abs().max()))
    return judge(
        float((value.double() - expected).abs().max()) / size,
        8 * HALF,
        unit="relative",
        derivation="8 u of half precision: α x, σ ε, their levels and their sum are rounded",
        **details,
    )
