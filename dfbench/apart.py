"""A subject in a process of its own: what it does there reaches nothing here but its verdict."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from dfbench import examination, jsons
from dfbench.checks import CLAIMS
from dfbench.errors import Unusable
from dfbench.isolation import Ended, Isolated
from dfbench.outcome import Cause, Finding, SubjectReport, complete
from dfbench.reading import typed
from dfbench.subjects import Asked
from dfbench.surroundings import Defaults, Functions


class Apart:
    """A subject in a process that waits when it has made it.

    Args:
        name: of the subject.
        one, i: it is the i-th that `one` stands for.
        asked, claims, seed: see `dfbench.certify`.

    Raises:
        Unusable: there is no such subject.
    """

    def __init__(
        self, name: str, one: str, i: int, asked: Asked, claims: Sequence[str], seed: int
    ) -> None:
        self.name, self.asked, self.claims = name, asked, list(claims)
        self.start = time.perf_counter()
        self.told: dict[str, Finding] = {}
        self.ended: Ended | None = None
        arguments = (one, i, asked, self.claims, seed, examination.PATIENCE)
        self.isolated = Isolated(_work, arguments)

    def made(self) -> None:
        """Wait until the process has made the subject.

        Raises:
            Unusable: there is none.
        """
        self._next()

    def report(self) -> SubjectReport:
        """What is found; a process that ends before it has said all is a failure."""
        while self.ended is None:
            answer = self._next()
            if "report" not in answer:
                continue
            report = typed(SubjectReport, answer["report"], self.name)
            if not answer["replaced"]:
                return report
            why = f"it replaces {', '.join(answer['replaced'][:4])}: no check can be relied on"
            return replace(report, findings=self._stopped(why, "blocked"))
        cause: Cause = "timed out" if self.ended.hangs else "blocked"
        return SubjectReport(
            name=self.name,
            kind="sampler",
            config=dict(self.asked.config or {}),
            findings=self._stopped(str(self.ended), cause, self.told),
            seconds=time.perf_counter() - self.start,
            steps=tuple(self.asked.steps),
        )

    def close(self) -> None:
        """End the process."""
        self.isolated.close()

    def snippet(self, claim: str) -> str:
        """Python that does the same again."""
        options = "".join(f", {k}={v!r}" for k, v in self.asked.given.items())
        return f"import dfbench\nprint(dfbench.certify({self.name!r}{options}))\n"

    def _stopped(
        self, why: str, cause: Cause, told: dict[str, Finding] | None = None
    ) -> tuple[Finding, ...]:
        """The findings where something stopped the process; those told before may stay."""
        kept = {id: f for id, f in (told or {}).items() if not CLAIMS[id].of_the_run}
        return complete(
            [
                kept.get(id) or replace(claim, check=_always(claim, why, cause))(self)
                for id, claim in CLAIMS.items()
                if id in self.claims and claim.kind == "sampler"
            ]
        )

    def _next(self) -> dict[str, Any]:
        """The next answer; nothing where the process ended."""
        try:
            answer: dict[str, Any] = json.loads(self.isolated.receive())
        except Ended as error:
            self.ended = error
            return {}
        if "unusable" in answer:
            raise Unusable(answer["unusable"])
        if "ended" in answer:
            self.ended = Ended(answer["ended"], hangs=False)
        if "finding" in answer:
            finding = typed(Finding, answer["finding"], self.name)
            self.told[finding.claim] = finding
        return answer


def _always(claim: Any, why: str, cause: Cause) -> Callable[[Any], Finding]:
    return lambda _: examination.stopped(claim, why, cause)


def _work(
    send: Callable[[str], None],
    go: Callable[[], Any],
    one: str,
    i: int,
    asked: Asked,
    claims: list[str],
    seed: int,
    patience: float,
) -> None:
    """Certify one subject, in its process; tells each finding, and the report."""
    examination.PATIENCE = patience
    defaults, functions = Defaults(), Functions()
    try:
        sampler = asked.samplers(one)[i]
        changed = defaults.put_back()
    except BaseException as error:
        said = str(error) if isinstance(error, Unusable) else f"{one}: {error!r}"
        send(jsons.dumps({"unusable": said}))
        return
    send("{}")
    go()

    def tell(finding: Finding) -> None:
        send(jsons.dumps({"finding": finding}))

    try:
        report = examination.examine(sampler, claims, seed, tell, defaults)
    except BaseException as error:
        send(jsons.dumps({"ended": f"it raises {type(error).__name__}: {error}"}))
        return
    notes = [f"changes {each} when it is made" for each in changed]
    report = replace(report, notes=(*notes, *report.notes))
    send(jsons.dumps({"report": report, "replaced": functions.replaced()}))
