"""The checks on trial: every control must fail, known-good subjects must pass.

And the power of each: how many of the controls' defects it notices, its own and those of others,
and how small a defect it can see, by bisection on the size of its own.
"""

from __future__ import annotations

from typing import Any

from dfbench.checks import CLAIMS
from dfbench.examination import examine
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
        "verdict": "pass" or "fail"; "defects": how many there are, one of each control;
        "controls": per claim whether its control failed as it must, its size, the smallest defect
        that fails (relative; None where it has no size), how many defects it notices, and which
        claims notice its own; "good": per subject whether it passed and what did not.
    """
    total, done = len(CLAIMS) + len(GOOD), 0
    controls: dict[str, Any] = {}
    for claim in CLAIMS.values():
        seen_by = _seen_by(claim)
        caught = claim.id in seen_by
        controls[claim.id] = {
            "caught": caught,
            "size": claim.control_size,
            "smallest": smallest(claim) if caught and claim.sized else None,
            "notices": 0,
            "seen_by": seen_by,
        }
        done += 1
        progress(f"control of {claim.id}", done, total)
    for found in controls.values():
        for name in found["seen_by"]:
            controls[name]["notices"] += 1
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
        "defects": len(controls),
        "controls": [{"claim": name, **found} for name, found in controls.items()],
        "good": [{"subject": name, **found} for name, found in good.items()],
    }


def _fails(claim: Claim, size: float) -> bool:
    return claim(claim.control(size)).verdict == "fail"


def _seen_by(claim: Claim) -> list[str]:
    """The claims that the defect of a claim's control fails, itself asked of a fresh one."""
    broken = claim.control(claim.control_size)
    alike = [each for each in CLAIMS.values() if each.kind == claim.kind and each is not claim]
    others = [each.id for each in alike if _notices(each, broken)]
    itself = [claim.id] if _fails(claim, claim.control_size) else []
    return [id for id in CLAIMS if id in (*itself, *others)]


def _notices(claim: Claim, subject: Any) -> bool:
    """Whether a claim fails on a subject that was broken for another."""
    try:
        return claim(subject).verdict == "fail"
    except Exception:  # its check is not made for this: it says nothing
        return False


def smallest(claim: Claim) -> float:
    """The smallest caught defect, to a factor of two: down from the control's size by factors of
    32 as long as it is caught, then by halves."""
    size = claim.control_size
    for factor in (32, 2):
        while size > 1e-15 and _fails(claim, size / factor):
            size /= factor
    return size
