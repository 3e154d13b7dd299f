"""Functions beside the sampler: forward noising and training targets at the same levels."""

from __future__ import annotations

import math
from itertools import product, starmap
from typing import Any

import torch
from torch import Tensor

from dfbench.checks.cases import largest
from dfbench.checks.precision import TABLES
from dfbench.outcome import Finding, claim, fail, judge, skip
from dfbench.subjects.contract import Sampler
from dfbench.subjects.reference import MethodSampler, MethodSession

STEPS = 10


def _wrong_add_noise(size: float) -> Sampler:
    """Adds noise of the next level."""

    def spoil(run: MethodSession) -> None:
        def add_noise(x: Tensor, eps: Tensor, i: int) -> tuple[Tensor, Tensor]:
            alpha, sigma = run.grid[i]
            return alpha * x + (1 + size) * sigma * eps, alpha * x + sigma * eps

        run.companions = lambda: {"add_noise": add_noise}  # type: ignore[method-assign]

    return MethodSampler("ddim", spoil=spoil)


@claim(
    "companions",
    "add_noise, scale_noise and get_velocity use the levels of the sampler: α x + σ ε, α ε − σ x.",
    source="CLAIMS 1, 16",
    control=_wrong_add_noise,
    control_size=1e-2,
    harm="training",
)
def companions_check(subject: Sampler) -> Finding:
    """Each companion at every time of a run, and at one for each row, against its formula."""
    session = subject.session(STEPS)
    found = session.companions()
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

    return largest(starmap(held, product(found, range(session.grid.n_steps))))
