"""The checks on trial: every control must fail, known-good subjects must pass.

And how small a defect each check can see, by bisection on the size of its control's defect.
"""

from __future__ import annotations

from typing import Any

from dfbench.certification import examine
from dfbench.checks import CLAIMS
from dfbench.outcome import Claim
from dfbench.progress import Progress, quiet
from dfbench.subjects.reference import MethodSampler

#: Subjects that must pass everything, one of every family.
GOOD: tuple[tuple[str, dict[str, Any]], ...] = (
    ("ddim", {}),
    ("ddim", {"eta": 1.0}),
    ("ddpm", {}),
    ("euler", {}),
    ("heun", {}),
    ("flow_matching", {"solver": "midpoint"}),
    ("dpm_solver_pp_multistep", {}),
    ("sde_dpm_solver_pp", {}),
    ("dpm2", {}),
    ("lms", {}),
    ("deis", {}),
    ("unipc", {}),
    ("sa_solver", {}),
    ("euler_ancestral", {}),
)


def self_test(progress: Progress = quiet) -> dict[str, Any]:
    """Run all controls and all good subjects.

    Returns:
        "verdict": "pass" or "fail"; "controls": per claim whether its control failed as it must,
        its size, and the smallest defect that fails (relative; None where it has no size);
        "good": per subject whether it passed and what did not.
    """
    total, done = len(CLAIMS) + len(GOOD), 0
    controls: dict[str, Any] = {}
    for claim in CLAIMS.values():
        caught = _fails(claim, claim.control_size)
        controls[claim.id] = {
            "caught": caught,
            "size": claim.control_size,
            "smallest": _smallest(claim) if caught and claim.sized else None,
        }
        done += 1
        progress(f"control of {claim.id}", done, total)
    good: dict[str, Any] = {}
    for name, options in GOOD:
        subject = MethodSampler(name, options)
        report = examine(subject)
        wrong = {
            f.claim: f.why or f.where or f.comparison
            for f in report.findings
            if f.verdict not in ("pass", "skip")
        }
        label = name + (f" {options}" if options else "")
        good[label] = {"passed": not wrong, "problems": "; ".join(map(": ".join, wrong.items()))}
        done += 1
        progress(label, done, total)
    passed = all(c["caught"] for c in controls.values()) and all(g["passed"] for g in good.values())
    return {
        "verdict": "pass" if passed else "fail",
        "controls": [{"claim": name, **found} for name, found in controls.items()],
        "good": [{"subject": name, **found} for name, found in good.items()],
    }


def _fails(claim: Claim, size: float) -> bool:
    return claim(claim.control(size)).verdict == "fail"


def _smallest(claim: Claim) -> float:
    """The smallest caught defect, to a factor of two, halving from the control's size."""
    size = claim.control_size
    while size > 1e-15 and _fails(claim, size / 2):
        size /= 2
    return size
