"""Is a run that starts in the middle, as image to image makes it, the rest of a run?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from dfbench.checks.bookkeeping import bookkeeping, told_level
from dfbench.checks.cases import if_defined
from dfbench.checks.identity import identity
from dfbench.checks.landing import landing
from dfbench.errors import Unsupported
from dfbench.levels import Level
from dfbench.outcome import Finding, claim, deciding, fail, skip
from dfbench.subjects.contract import Sampler
from dfbench.subjects.reference import Defect, MethodSampler

#: How a user says where a run starts, and what is asked of it then.
WAYS = {"times": "the later times are passed", "index": "set_begin_index"}
ASKED = {
    "bookkeeping": bookkeeping,
    "told-level": told_level,
    "landing": landing,
    "identity": identity,
}
STEPS = (1, 2, 3, 5, 10, 25)


class _Restarts(MethodSampler):
    """Right as a whole; started in the middle, it tells the model another level."""

    size = 0.0

    def begun(self, by: str) -> Sampler:
        told = Defect(told=lambda level, j: Level(level.alpha, level.sigma * (1 + self.size)))
        return MethodSampler("ddim", defect=told)


def _restarts(size: float) -> Sampler:
    made = _Restarts("ddim")
    made.size = size
    return made


@claim(
    "middle",
    "A run that starts in the middle, as image to image makes it (the later times passed, or the "
    "first step told by `set_begin_index`), keeps its books, lands where a whole run lands, and is "
    "the published method on the levels that are left.",
    source="DESIGN: any protocol",
    control=_restarts,
    control_size=1e-1,
    harm="img2img",
    formula="what bookkeeping, told-level, landing and identity measure, of runs without their "
    "first two fifths",
    remedy="Count steps from where the run begins: look at step indices, at histories of past "
    "outputs, and at levels found by value.",
)
def middle_check(subject: Sampler) -> Finding:
    """What holds of whole runs, asked of runs that leave out the first two fifths."""
    return deciding(_asked(subject), skip("no run of it starts in the middle", "not asked"))


def _asked(subject: Sampler) -> Iterator[Finding]:
    right = {
        id: ask for id, ask in ASKED.items() if if_defined(ask, subject, STEPS).verdict == "pass"
    }
    for by, said in WAYS.items():
        try:
            begun = subject.begun(by)
        except Unsupported:
            continue
        for id, ask in right.items():
            finding = ask(begun, STEPS)
            if finding.cause == "blocked":  # whole runs do not break
                yield fail(f"{said}: {finding.reason}")
            elif finding.verdict != "skip":
                where = f"{said}, {id}: {finding.where or finding.why}"
                yield replace(finding, where=where if finding.verdict != "pass" else None)
