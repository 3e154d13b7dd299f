"""What a claim is, and what comes of holding subjects to it: findings and certificates."""

from dfbench.outcome.certificate import Certificate, SubjectReport
from dfbench.outcome.claim import Claim, broken, claim, decorator
from dfbench.outcome.coverage import Coverage, Purpose, complete
from dfbench.outcome.expected import Expected
from dfbench.outcome.finding import (
    Cause,
    Finding,
    Harm,
    Sense,
    Verdict,
    deciding,
    fail,
    inconclusive,
    judge,
    skip,
    worst,
)

__all__ = [
    "Cause",
    "Certificate",
    "Claim",
    "Coverage",
    "Expected",
    "Finding",
    "Harm",
    "Purpose",
    "Sense",
    "SubjectReport",
    "Verdict",
    "broken",
    "claim",
    "complete",
    "deciding",
    "decorator",
    "fail",
    "inconclusive",
    "judge",
    "skip",
    "worst",
]
