"""Two directories of results or two certificates, and what explains a change of results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfbench import wording
from dfbench.errors import Unusable
from dfbench.outcome import Certificate
from dfbench.outcome import certificate as certificates
from dfbench.progress import Progress, quiet
from dfbench.report import labels
from dfbench.report.compare.findings import FindingChange, finding_changes
from dfbench.sweep.compare import KEY, Change, Changes, difference

if TYPE_CHECKING:
    from pandas import DataFrame

    from dfbench.report.sweep.data import Results


#: Claims that tell which coefficient or level of a method is not what it should be.
TELLING = ["affine", "bookkeeping", "identity", "counts", "told-level", "landing", "noise"]
#: Methods that are certified where no certificates were given, those that changed most.
CERTIFIED = 6


@dataclass(frozen=True)
class Moved:
    """A sampler whose results changed.

    Attributes:
        sampler, method: as in the results.
        changes: largest first, one of those that differ only in eigenvalue, mode or path.
        versions: of the library, old and new.
        explained: what the checks say: a line each.
    """

    sampler: str
    method: str
    changes: list[Change]
    versions: tuple[str, str]
    explained: list[str]


@dataclass(frozen=True)
class Comparison:
    """What changed from `old` to `new`.

    Attributes:
        names: of what was compared.
        results: of two directories; None for two certificates.
        moved: samplers with changed results, the largest change first.
        findings: changed outcomes of claims.
        environments: what differs between the two, name → (old, new).
        checked: how explanations were looked for.
    """

    names: tuple[str, str]
    results: Changes | None
    moved: list[Moved]
    findings: list[FindingChange]
    environments: dict[str, tuple[str, str]] = field(default_factory=dict)
    checked: str = ""


def compare(
    old: Path, new: Path, certificates: Sequence[Path] = (), *, progress: Progress = quiet
) -> Comparison:
    """Compare two directories of results or two certificates.

    Args:
        old, new: what is compared.
        certificates: old and new, or none: of the library whose results are compared. Without
            them, methods that changed are certified as they are installed now.
        progress: called as (name, done, total).

    Raises:
        Unusable: one of each, a damaged file, or a number of certificates that is not 0 or 2.
    """
    from dfbench.report.sweep.data import load, recognise

    for path in (old, new, *certificates):
        if not path.exists():
            raise Unusable(f"{path}: no such file or directory")
    if len(certificates) not in (0, 2):
        raise Unusable("name two certificates that may explain a change, OLD's and NEW's, or none")
    names = (_name(old, new), _name(new, old))
    if recognise(old) != recognise(new):
        raise Unusable("--compare takes two directories of `dfbench bench`, or two certificates")
    if not recognise(old):
        pair = _certificate(old), _certificate(new)
        environments = _environments([pair[0].environment], [pair[1].environment])
        return Comparison(names, None, [], finding_changes(*pair), environments)
    results = load([old]), load([new])
    found = difference(*(_averaged(each) for each in results))
    findings: list[FindingChange] = []
    if certificates:
        findings = finding_changes(*(_certificate(path) for path in certificates))
        checked = "by the outcomes of claims that differ between the two certificates"
    else:
        checked = "by certifying the methods that changed as they are installed now"
    moved = _moved(found, results, findings if certificates else None, progress)
    environments = _environments(results[0].environment, results[1].environment)
    return Comparison(names, found, moved, findings, environments, checked)


def _name(path: Path, other: Path) -> str:
    """The last part of a path, with as much in front as tells it from the other."""
    mine, theirs = path.resolve().parts, other.resolve().parts
    for k in range(1, max(len(mine), len(theirs)) + 1):
        if mine[-k:] != theirs[-k:]:
            return "/".join(mine[-k:])
    return path.name


def _certificate(path: Path) -> Certificate:
    from dfbench.report.kinds import certificate_files

    return certificates.merge(map(certificates.load, certificate_files(path)))


def _averaged(results: Results) -> DataFrame:
    """A row a measurement over all seeds, and a row a failed cell."""
    import pandas as pd

    from dfbench.report.sweep.data import runs

    rows = results.rows.copy()
    rows["at"] = [float(f"{x:.9g}") for x in rows["at"]]
    found = runs(rows, list(KEY))
    counts = rows.groupby(list(KEY), dropna=False).agg(n=("n", "sum"), nfe=("nfe", "first"))
    found = found.merge(counts.reset_index(), on=list(KEY))
    found["n"] = found.n.where(found.sampled)
    found["status"] = "ok"
    return pd.concat([found, results.failed[[*KEY, "status", "why"]]], ignore_index=True)


def _moved(
    found: Changes,
    results: tuple[Results, Results],
    findings: list[FindingChange] | None,
    progress: Progress,
) -> list[Moved]:
    """Changes by sampler, each with what explains it."""
    by: dict[tuple[str, str, str], dict[tuple[Any, ...], Change]] = {}
    for change in found.changes:  # largest first
        where = change.where
        key = (where["sampler"], where["method"], where["options"])
        about = tuple(where[name] for name in KEY if name not in ("at", "series"))
        by.setdefault(key, {}).setdefault(about, change)
    made = []
    for i, ((sampler, method, options), changes) in enumerate(by.items()):
        versions = tuple(_version(each, sampler, method) for each in results)
        if findings is not None:
            said = [f"{c.claim}: {c.words}" for c in findings if about_method(c.subject, method)]
            said = said or ["no claim changed its outcome on this method"]
        elif i < CERTIFIED:
            progress(method, i, min(len(by), CERTIFIED))
            said = certified(method, options, versions[1])
        else:
            said = []
        made.append(
            Moved(sampler, method, list(changes.values()), (versions[0], versions[1]), said)
        )
    return made


def about_method(subject: str, method: str) -> bool:
    """Whether a certificate's subject is a method of the results, in any configuration."""
    name = method.rpartition(":")[2]
    return name in subject.replace("(", " ").replace(":", " ").replace(",", " ").split()


def certified(method: str, options: str, version: str) -> list[str]:
    """What fails on a method as it is installed now; a remark where that says nothing of `version`.

    With the method's options where the certification takes them, else on its defaults.
    """
    import json

    from dfbench import certify

    try:
        given = json.loads(options or "{}")
        settings = given if isinstance(given, dict) else {}
    except ValueError:
        settings = {}
    constructor = settings.get("config", settings if "call" not in settings else {})
    calls = settings.get("call", {})
    for config, call in ((constructor, calls), (None, None)):
        try:
            report = certify(
                method, config=config or None, call=call or None, select=TELLING, workers=1
            ).subjects[0]
        except Unusable as error:
            reason = str(error)
            continue
        if report.version != version:
            here, wanted = report.version or "unknown", version or "unknown"
            return [f"installed is version {here}, not {wanted}: its checks do not tell"]
        wrong = [
            f"{f.claim}: fails, {wording.shorten(f.where or f.why or labels.evidence(f), 200)}"
            for f in report.findings
            if f.verdict == "fail"
        ]
        on = "" if config or call or not settings else " (with default options)"
        return wrong or [
            f"{', '.join(f.claim for f in report.findings if f.verdict == 'pass')} "
            f"pass{on}: the method is as published"
        ]
    return [f"could not be certified here: {reason}"]


def _version(results: Results, sampler: str, method: str) -> str:
    rows = results.rows
    found = rows[(rows.sampler == sampler) & (rows.method == method)].version
    return str(found.iloc[0]) if len(found) else ""


def _environments(
    old: list[dict[str, Any]], new: list[dict[str, Any]]
) -> dict[str, tuple[str, str]]:
    """What differs, packages one by one."""
    before, after = _flat(old), _flat(new)
    names = dict.fromkeys([*before, *after])
    pairs = {name: (before.get(name, "–"), after.get(name, "–")) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _flat(environments: list[dict[str, Any]]) -> dict[str, str]:
    known: dict[str, str] = {}
    for environment in environments:
        for name, value in environment.items():
            if isinstance(value, dict):
                known |= {str(key): str(each) for key, each in value.items()}
            elif name not in ("command", "seconds"):
                known[name] = str(value)
    return known
