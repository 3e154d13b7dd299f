"""What is asked of a velocity with somebody's integrator: the end, the interval, the tolerance."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from dfbench.checks.cases import judge_entries
from dfbench.errors import SubjectError
from dfbench.outcome import Finding, claim, judge, skip
from dfbench.subjects.integrator import STEPS, IntegratorSubject

SOURCE = "Dormand & Prince 1980; HE; CLAIMS 27"
ASKED = (1e-5, 1e-6)  # small enough for what holds in the limit
#: How much the flow spreads an error on its way between two modes, and the size of a state.
GROWS = 10.0
FLOOR = 1e-9  # of the exact flow, and of float64 over some hundred steps
OWN = 2e-2  # of a run whose tolerance nobody can say


def _mine(
    *,
    short: float = 0.0,
    beyond: float = 0.0,
    loose: float = 0.0,
    lost: int = 0,
) -> IntegratorSubject:
    """Heun's method with Euler's embedded, and steps by their difference, with a defect."""

    def integrate(model: Any, x: torch.Tensor, rtol: float = 1e-4, atol: float = 1e-4) -> Any:
        t, h, end = 0.0, 1e-2, 1.0 - short
        tolerance = 1e-2 if loose else atol
        while t < end - 1e-12:
            h = min(h, end - t)
            first = model(x, t + beyond)
            second = model(x + h * first, t + h + beyond)
            error = float((h * (second - first) / 2).abs().max())
            if error <= tolerance + rtol * float(x.abs().min()):
                x, t = x + h * (first + second) / 2, t + h
            h *= min(2.0, max(0.3, 0.9 * math.sqrt(tolerance / max(error, 1e-300))))
        return x + (math.nan if lost else 0.0)

    claims = {"kind": "integrator", "predicts": "velocity", "level": "flow-up"}
    return IntegratorSubject(integrate, "dfbench:adaptive Heun", claims=claims)


@claim(
    "integrator-runs",
    "From states come states, finite and of their dtype.",
    source=SOURCE,
    control=lambda size: _mine(lost=1),
    control_size=1.0,
    sized=False,
    kind="integrator",
    of_the_run=True,
    core="the run",
    formula="the number of runs (float64, float32, several starts) whose end is not finite or of "
    "another dtype",
    remedy="Look at the first step size and at the division by the error estimate, which may be 0.",
)
def runs_check(subject: IntegratorSubject) -> Finding:
    """Eight states of three dimensions, in float64 and in float32."""
    details: dict[str, Any] = {"unit": "runs that break", "derivation": "none may"}
    z = subject.starts()
    for dtype in (torch.float64, torch.float32):
        try:
            end = subject.run(z, subject.usual, dtype=dtype).end
        except SubjectError as error:
            harm = None if dtype == torch.float64 else "interface"
            failing = {"why": str(error), "where": str(dtype)[6:]}
            return judge(1, 0, failing=failing, harm=harm, **details)
        if not bool(end.isfinite().all()):
            failing = {"why": "the end is not finite", "where": str(dtype)[6:]}
            return judge(1, 0, failing=failing, **details)
        if end.dtype != dtype:
            why = f"returns {str(end.dtype)[6:]} for {str(dtype)[6:]}"
            return judge(1, 0, failing={"why": why}, harm="interface", **details)
    return judge(0, 0, **details)


@claim(
    "integrator-landing",
    "A constant velocity carries the state as far as the last time is from the first.",
    source=SOURCE,
    control=lambda size: _mine(short=size),
    control_size=1e-3,
    kind="integrator",
    core="the landing",
    formula="|∫ dt − (t₁ − t₀)| under a velocity of 1, of the interval",
    remedy="Shorten the last step to end at the last time, or interpolate to it.",
)
def landing_check(subject: IntegratorSubject) -> Finding:
    """Every consistent method is exact here, whatever its steps."""
    first, last = subject.ends
    if subject.facts.prediction not in ("u", "velocity"):
        return skip("its network returns no velocity", "not asked")
    value = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    z = subject.starts()
    end = subject.run(z, subject.usual, constant=value).end
    scale = subject.facts.T if str(subject.facts.level).endswith("× T") else 1.0
    gone = ((end - torch.tensor(z)) / value).mean() * scale
    return judge(
        float(abs(gone - (last - first))) / abs(last - first),
        1e-6,
        unit="of the interval",
        derivation="float32 times",
        failing={
            "where": f"ends after {float(gone):.6g}, should be {last - first:g}",
            "counterexample": {"velocity": value.tolist(), "gone": float(gone)},
        },
    )


@claim(
    "integrator-interval",
    "The network is told no time outside of the interval.",
    source="DESIGN: what a network was trained on",
    control=lambda size: _mine(beyond=size),
    control_size=1e-2,
    kind="integrator",
    harm="interface",
    formula="how far the times told to the network reach beyond [t₀, t₁], of the interval",
    remedy="Limit the last step to the interval; do not step past it and interpolate back; "
    'torchdiffeq: `options={"step_t": times[-1:]}`.',
)
def interval_check(subject: IntegratorSubject) -> Finding:
    """Every time that it is told in a run."""
    first, last = subject.ends
    low, high = sorted((first, last))
    told = subject.run(subject.starts(), subject.usual).told
    off = np.maximum(np.maximum(low - told, told - high), 0.0) / (high - low)
    j = int(off.argmax())
    return judge(
        float(off[j]),
        1e-6,
        unit="of the interval, beyond it",
        derivation="float32 times",
        failing={
            "where": f"evaluation {j + 1} of {len(told)}: time {told[j]:.6g}, of "
            f"[{low:g}, {high:g}]",
            "why": "a last step goes past the end, which is then interpolated: a network that was "
            "trained on the interval is asked where it knows nothing"
            if off[j] < 1 and (off > 0).sum() < len(off)
            else "the times are not those of the interval",
            "counterexample": {"time": float(told[j])},
        },
    )


@claim(
    "integrator-error",
    "Every state of a batch ends where the exact flow does, within the tolerance.",
    source=SOURCE,
    control=lambda size: _mine(loose=1.0),
    control_size=1.0,
    sized=False,
    kind="integrator",
    core="the error",
    formula="max ‖z(t₁) − z*(t₁)‖ at tolerances 10⁻⁵ and 10⁻⁶, z* the exact flow of two modes",
    remedy="Hand rtol and atol on to the integrator, estimate the error per element and not over "
    "the batch's mean, and give up rather than accept a step at the smallest size.",
)
def error_check(subject: IntegratorSubject) -> Finding:
    """Eight states under the exact network of two modes, at tolerances 1e-5 and 1e-6."""
    z = subject.starts()
    exact = subject.exact(z)

    def off(tolerance: float | None, steps: int = STEPS) -> tuple[float, int]:
        ran = subject.run(z, tolerance, steps=steps)
        return float(abs(ran.end.numpy() - exact).max()), len(ran.told)

    if not subject.tolerances:
        if "steps" not in subject.entry.roles:
            size, _ = off(None)
            return judge(size, OWN, unit="of the states", derivation="a tolerance of its own")
        few, many = (off(None, n)[0] for n in (STEPS, 4 * STEPS))
        return judge(
            many / max(few, FLOOR),
            0.5,
            unit="of the error at a quarter of the steps",
            derivation="first order: a quarter",
            where=f"{4 * STEPS} steps: {many:.3g}",
        )
    found = [off(t) for t in ASKED]
    errors = np.array([size for size, _ in found])
    bounds = np.array([GROWS * n * t + FLOOR for t, (_, n) in zip(ASKED, found, strict=True)])
    return judge_entries(
        errors,
        bounds,
        where=lambda j: f"tolerance {ASKED[j]:g}, {found[j][1]} evaluations",
        unit="of the states",
        derivation=f"{GROWS:g} × the tolerance × evaluations: no step errs by more than it",
        series={"tolerance": [*ASKED], "error": errors.tolist()},
    )
