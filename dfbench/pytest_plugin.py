"""The same checks as pytest items: one for each subject and claim.

import dfbench

@dfbench.parametrize_with_checks(["diffusers:DDIMScheduler", "my_package:MySampler"])
def test_samplers(subject, check):
    check(subject)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from dfbench.outcome.coverage import DECISIVE, HARMS, Purpose, complete, known_purpose
from dfbench.outcome.expected import predictions
from dfbench.report import labels

if TYPE_CHECKING:
    from dfbench.outcome import Claim, Finding
    from dfbench.subjects.contract import Depth


@dataclass(frozen=True)
class Check:
    """A claim to call on a subject: passes, fails, skips or fails as expected, for pytest."""

    claim: Claim
    purpose: Purpose = "all"

    def __call__(self, subject: Any) -> None:
        """Hold the subject to the claim.

        A declared failure, within its size, is an xfail, and strict: should the claim hold, the
        test fails. An inconclusive finding fails too, since nothing was shown, and so does a core
        question that could not be asked. What the purpose does not ask for is skipped.
        """
        __tracebackhide__ = True
        finding = self._found(subject)
        if finding.harm is not None and finding.harm not in DECISIVE[self.purpose]:
            touched = f"it touches {HARMS[finding.harm]}: {finding.verdict}"
            pytest.skip(f"not asked for ({self.purpose}); {touched}")
        if finding.verdict == "skip":
            pytest.skip(finding.why or "does not apply")
        if finding.verdict != "pass":
            if finding.expected:
                pytest.xfail(finding.expected)
            fail(finding)
        if finding.cause == "unneeded":
            pytest.fail(finding.why or "", pytrace=False)

    def _found(self, subject: Any) -> Finding:
        """The finding; where it could not be asked, what stands in for it is asked as well."""
        from dfbench.checks import CLAIMS

        finding = self.claim(subject)
        if finding.cause != "not asked" or not self.claim.core:
            return finding
        others = (each for each in CLAIMS.values() if each.core == self.claim.core)
        return complete([finding, *(each(subject) for each in others if each != self.claim)])[0]


def fail(finding: Finding) -> NoReturn:
    """Fail the test with the finding's text."""
    __tracebackhide__ = True
    raise AssertionError(labels.text(finding))


def parametrize_with_checks(
    subjects: Any,
    *,
    config: Mapping[str, Any] | None = None,
    call: Mapping[str, Any] | None = None,
    configs: str = "default",
    steps: Sequence[int] = (),
    declare: Mapping[str, Any] | None = None,
    select: Sequence[str] | None = None,
    expected_failures: Mapping[str, Any] | None = None,
    purpose: Purpose = "all",
    depth: Depth = "quick",
) -> Callable[[Any], Any]:
    """Parametrise a test with every check that its subjects are held to.

    Args:
        subjects: names as on the command line ("LIBRARY:NAME", "path/to/file.py:NAME"), objects,
            or a list of either.
        config, call: arguments of the constructor, and of the sampling call.
        configs: "default" or "all" configurations of a library's subjects.
        steps, declare: as in `certify`.
        select: claims to check; by default, all.
        expected_failures: beside those that the subjects declare themselves, as for
            `dfbench.certify`: claim → reason, (reason, size) or table.
        purpose, depth: what has to be right, and how much is asked, as for `dfbench.certify`.

    Returns:
        A decorator for a test of the arguments `subject` and `check`.

    Raises:
        Unusable: a subject cannot be certified, or a claim does not exist.
    """
    from dfbench.checks import CLAIMS, selected
    from dfbench.subjects import Asked

    wanted = list(CLAIMS) if select is None else list(select)
    selected(wanted)
    expected = predictions(expected_failures, CLAIMS)
    made, called = dict(config or {}), dict(call or {})
    asked = Asked(made, called, configs, steps, dict(declare or {}), expected, depth)
    specs = list(subjects) if isinstance(subjects, list | tuple) else [subjects]
    items = [
        pytest.param(
            subject,
            Check(CLAIMS[name], known_purpose(purpose)),
            id=f"{labels.label(subject)}-{name}",
        )
        for spec in specs
        for subject in asked.samplers(spec)
        for name in wanted
        if CLAIMS[name].kind == subject.kind
    ]
    return pytest.mark.parametrize(("subject", "check"), items)
