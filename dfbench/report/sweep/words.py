"""The results in sentences: who wins where, by how much, and what stands out."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from dfbench.report.sweep import ranking
from dfbench.report.sweep.data import SEPARATOR, runs
from dfbench.report.sweep.ranking import Contest, Order
from dfbench.wording import factor, listed, number

if TYPE_CHECKING:
    from pandas import DataFrame

#: How metrics are written.
NAMES = {
    "w2": "W₂ to the data",
    "w2_1d": "W₂ to the data",
    "kl": "KL divergence (nats)",
    "sliced_w2": "sliced W₂",
    "mmd": "MMD",
    "ksd": "kernel Stein discrepancy",
    "strong_error": "RMS distance to the exact flow",
    "energy_distance": "energy distance",
    "total_variation_1d": "total variation",
}
FEW = 3  # names in a sentence
LIMITS = 1.2  # times the discretisation error: what limits a run
SURE = 0.5  # half an interval of an order that is worth a word
RISES = 1.02  # an error that grows by less is not worth a word


def headline(found: list[Contest]) -> str:
    """The outcome in one line."""
    if not found:
        return "Nothing to compare: a target and budget need two samplers"
    wins = Counter(each.winner for each in found if each.winner)
    tied = len(found) - sum(wins.values())
    if not wins:
        return f"All {len(found)} comparisons are tied"
    name, most = wins.most_common(1)[0]
    also = [other for other, n in wins.items() if n == most and other != name]
    verb = "are each best" if also else "is best"
    tail = f"; {tied} {'is' if tied == 1 else 'are'} tied" if tied else ""
    return f"{listed([name, *also])} {verb} in {most} of {len(found)} comparisons{tail}"


def by_target(found: list[Contest]) -> list[tuple[str, list[str]]]:
    """Of every target a sentence for each range of budgets with the same best."""
    sentences = []
    for target, contests in groupby(found, key=lambda each: each.target):
        parts = [
            _sentence(list(group))
            for _, group in groupby(contests, key=lambda c: {r.config for r in c.best})
        ]
        sentences.append((target, parts))
    return sentences


def _sentence(group: list[Contest]) -> str:
    first, last = group[0], group[-1]
    where = str(first.budget) if first is last else f"{first.budget}–{last.budget}"
    values = [c.results[0].value for c in group]
    size = number(values[0]) if first is last else f"{number(values[0])} → {number(values[-1])}"
    heads = [each.config for each in first.best]
    if first.winner is None and len(heads) > FEW:  # who, whatever the schedule and grid
        heads = list(dict.fromkeys(each.sampler for each in first.best))
    if all(all(r.in_noise for r in c.best) for c in group):
        return f"{where}: {listed(heads)}: no further off than exact samples ({size})"
    leads = [c.lead for c in group if c.lead is not None]
    ahead = ""
    if leads:
        low, high = factor(min(leads)), factor(max(leads))
        times = low if low == high else f"{low}–{high}"
        followers = listed(list(dict.fromkeys(c.next.config for c in group if c.next)), 2)
        ahead = f"; next {followers}, × {times}"
    tied = " tied" if len(heads) > 1 else ""
    return f"{where}: {listed(heads)}{tied}, {size}{ahead}"


def remarks(
    rows: DataFrame, table: DataFrame, found: list[Contest], orders: list[Order]
) -> list[str]:
    """What a reader may not expect, of all measurements and the `table` of errors."""
    return [*_same(table), *_rising(table), *_limited(rows, found), *_orders(orders)]


def _rising(table: DataFrame) -> list[str]:
    """Errors that are surely larger with more evaluations."""
    columns = ["target", "config", "nfe", "value", "low", "high"]
    after = table.sort_values(["target", "config", "nfe"])[columns]
    before = after.groupby(["target", "config"], sort=False)[["nfe", "value", "high"]].shift()
    rises = (after.low > before.high) & (after.value > RISES * before.value)
    if not rises.any():
        return []
    cases = after.assign(few=before.nfe, ratio=after.value / before.value)[rises]
    worst = cases.loc[cases.ratio.idxmax()]
    config, target, ratio = str(worst.config), str(worst.target), float(worst.ratio)
    few, many = int(worst.few), int(worst.nfe)
    names = list(dict.fromkeys(cases.config.astype(str)))
    return [
        f"More evaluations are not always better: the error of {listed(names)} grows somewhere as "
        f"evaluations rise, most of all that of {config} on {target}, {factor(ratio)} times "
        f"from {few} to {many} evaluations."
    ]


def _limited(rows: DataFrame, found: list[Contest]) -> list[str]:
    """Targets on which the best run is limited by something that more steps do not mend."""
    table = runs(rows[rows.metric == "w2"])
    said = []
    for target, contests in groupby(found, key=lambda each: each.target):
        last = list(contests)[-1]
        best = last.results[0]
        mine = table[
            (table.target == target) & (table.config == best.config) & (table.nfe == best.nfe)
        ]
        alone = dict(zip(mine.source, mine.value, strict=True))
        steps = alone.get("discretisation")
        others = {k: v for k, v in alone.items() if k in ("initialisation", "truncation", "score")}
        if steps is None or not others:
            continue
        name, value = max(others.items(), key=lambda item: item[1])
        if value > LIMITS * steps:
            said.append((target, name, value, steps, best))
    if not said:
        return []
    target, name, value, steps, best = max(said, key=lambda each: each[2] / max(each[3], 1e-300))
    times = f"{factor(value / steps)} times " if steps > 0 else ""
    where = "on " + listed([each[0] for each in said])
    return [
        f"At the largest budget the best run is no longer limited by its steps {where}: on "
        f"{target}, {name} alone is {number(value)}, {times}the discretisation error of "
        f"{best.config}."
    ]


def _orders(orders: list[Order]) -> list[str]:
    """Orders that are surely not what the method's paper says."""
    sure = [o for o in orders if o.declared and o.width < SURE]
    low = [o for o in sure if o.order + o.width < (o.declared or 0) - 0.3]
    high = [o for o in sure if o.order - o.width > (o.declared or 0) + 0.3]
    said = []
    if low:
        each = min(low, key=lambda o: o.order - (o.declared or 0))
        said.append(
            f"Below the declared order on the study's own grids: {listed(_names(low))}; for "
            f"instance {each.config} on {each.target}, {each.order:.2f} ± {each.width:.2f} for "
            f"{each.declared:g}."
        )
    if high:
        said.append(
            f"Above the declared order: {listed(_names(high))} "
            "(on Gaussian data error terms can cancel)."
        )
    return said


def _names(orders: list[Order]) -> list[str]:
    return list(dict.fromkeys(o.config for o in orders))


def _same(table: DataFrame) -> list[str]:
    """Methods of different names whose exact errors are the same everywhere."""
    exact = table[~table.sampled.astype(bool)]
    if exact.empty:
        return []
    wide = exact.pivot_table(index=["target", "nfe"], columns="config", values="value")
    values, names = wide.to_numpy(float), [str(name) for name in wide]
    methods = exact.groupby("config").method.first().to_dict()
    pairs: dict[str, list[str]] = {}
    taken: set[str] = set()
    for i, one in enumerate(names):
        for j in range(i + 1, len(names)):
            both = np.isfinite(values[:, i]) & np.isfinite(values[:, j])
            other = names[j]
            if other in taken or both.sum() < 4 or methods[one] == methods[other]:
                continue
            if np.allclose(values[both, i], values[both, j], rtol=ranking.ROUNDING, atol=0):
                pairs.setdefault(one, []).append(other)
                taken.add(other)
    groups: dict[tuple[str, ...], list[str]] = {}
    for one, others in pairs.items():
        if one not in taken:
            parts = [name.partition(SEPARATOR) for name in [one, *others]]
            samplers = tuple(dict.fromkeys(sampler for sampler, _, _ in parts))
            if len(samplers) > 1:
                groups.setdefault(samplers, []).append(parts[0][2])
    said = []
    for samplers, where in groups.items():
        runs_on: dict[str, set[str]] = {}
        for name in names:
            sampler, _, variant = name.partition(SEPARATOR)
            runs_on.setdefault(sampler, set()).add(variant)
        shared = set.intersection(*(runs_on[sampler] for sampler in samplers))
        only = "" if shared <= set(where) else f" on {listed(where)}"
        said.append(
            f"{listed(samplers, 6)} are one method{only}: their errors agree to rounding "
            "wherever they spend the same evaluations."
        )
    return said


def metric(name: str) -> str:
    """A metric as it is written."""
    return NAMES.get(name, name.replace("_", " "))
