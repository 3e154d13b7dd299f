"""Figures that are a strip a configuration: spectral responses, and the four errors apart."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from dfbench.report.figures import heat
from dfbench.report.svg import axis, tick_text
from dfbench.report.sweep import ranking
from dfbench.report.sweep.charts import Chart, csv_text
from dfbench.report.sweep.data import runs
from dfbench.wording import number

if TYPE_CHECKING:
    from pandas import DataFrame

SOURCES = ("initialisation", "truncation", "discretisation", "score")


def _only(group: DataFrame, target: str, only: Mapping[str, list[str]] | None) -> DataFrame:
    """The configurations of a target that are shown; all where none is named."""
    named = (only or {}).get(target)
    return group[group.config.isin(named)] if named else group


# Spectral response --------------------------------------------------------------------------------


def responses(
    rows: DataFrame, only: Mapping[str, list[str]] | None = None, columns: int = 17
) -> list[Chart]:
    """A chart a target, a strip a configuration: relative error of the output's standard deviation.

    Left to right the eigenvalue grows, top to bottom the evaluations do.

    Args:
        only: target → configurations that are shown; by default, all.
        columns: at most; each is the largest error of its neighbourhood.
    """
    chosen = rows[(rows.metric == "spectral_response") & rows["at"].notna()]
    chosen = chosen[chosen.source.isin(["all", ""])]
    found = []
    for target, group in chosen.groupby("target", sort=False):
        group = _only(group, str(target), only)
        table = runs(group, ["config", "nfe", "at"])
        strips, data = [], []
        for config, each in table.groupby("config", sort=False):
            wide = each.pivot_table(index="nfe", columns="at", values="value", aggfunc="mean")
            at, values = wide.columns.to_numpy(float), wide.to_numpy(float)
            at, values = _pooled(at, values, columns)
            size = np.where(np.isnan(values), math.inf, np.abs(values))
            picture = heat([[float(x) for x in row] for row in size])
            worst = int(np.argmax(size[-1]))
            words = (
                f"{number(100 * size[-1][worst])} % at {number(float(at[worst]))}, "
                f"{int(wide.index[-1])} evaluations"
            )
            strips.append((str(config), picture, words))
            data += [
                (config, int(n), float(a), float(v))
                for n, row in zip(wide.index, values, strict=True)
                for a, v in zip(at, row, strict=True)
            ]
        csv = csv_text(["config", "nfe", "eigenvalue", "relative_error_of_std"], data)
        low, high = (number(float(each)) for each in (table["at"].min(), table["at"].max()))
        caption = f"eigenvalues from {low} to {high}"
        found.append(
            Chart(f"response {target}", Markup(""), str(target), csv, tuple(strips), caption)
        )
    return found


def _pooled(at: np.ndarray, values: np.ndarray, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """At most that many columns: of each neighbourhood the largest error and where it is."""
    parts = np.array_split(np.arange(len(at)), min(columns, len(at)))
    kept, where = [], []
    for part in parts:
        block = np.abs(values[:, part])
        best = np.argmax(np.where(np.isnan(block), math.inf, block), axis=1)
        kept.append(values[np.arange(len(values)), part[best]])
        where.append(at[part[len(part) // 2]])
    return np.array(where), np.array(kept).T


# Four errors --------------------------------------------------------------------------------------


def splits(
    rows: DataFrame, budget: int | None = None, only: Mapping[str, list[str]] | None = None
) -> list[Chart]:
    """A chart a target, a strip a configuration: each source of error alone, on a log axis.

    Args:
        only: as of `responses`.
        budget: evaluations; the runs with most of them within it. By default, the middle one.
    """
    chosen = rows[(rows.metric == "w2") & rows.source.isin([*SOURCES, "all"])]
    asked = ranking.budgets(rows)
    budget = budget or (asked[len(asked) // 2] if asked else None)
    if chosen.empty or budget is None:
        return []
    table = runs(chosen[chosen.nfe.notna() & (chosen.nfe <= budget)])
    found = []
    for target, group in table.groupby("target", sort=False):
        group = _only(group, str(target), only)
        wide = group.pivot_table(index=["config", "nfe"], columns="source", values="value")
        wide = wide.reset_index().sort_values("nfe").groupby("config").tail(1)
        if "all" not in wide or not set(SOURCES) & set(wide):
            continue
        wide = wide.sort_values("all")
        names = [name for name in (*SOURCES, "all") if name in wide]
        drawn = wide[names].to_numpy(float)
        drawn = drawn[np.isfinite(drawn) & (drawn > 0)]
        if not len(drawn):
            continue
        low = max(float(drawn.min()), 1e-4 * float(np.median(drawn)), 1e-12)
        scale = axis("", [low, float(drawn.max()) * 1.2], True, 6)
        strips = [
            (str(row["config"]), _dots(row, names, scale), _largest(row))
            for _, row in wide.iterrows()
        ]
        strips.insert(0, ("", _scale(scale), ""))
        data = csv_text(
            ["config", "nfe", *names], wide[["config", "nfe", *names]].itertuples(index=False)
        )
        found.append(
            Chart(
                f"split {target}",
                Markup(""),
                str(target),
                data,
                tuple(strips),
                f"runs with at most {budget} evaluations",
            )
        )
    return found


STRIP = 240


def _dots(row: Any, names: list[str], scale: Any) -> Markup:
    """Sources as coloured dots, all together as an upright bar."""
    shapes = "".join(f"M{round(STRIP * scale.at(t))} 0v14" for t in scale.ticks)
    parts = f'<path class=grid d="{shapes}"/>'
    for name in names:
        value = float(row[name])
        if not (math.isfinite(value) and value > 0):
            continue
        at = round(STRIP * min(max(scale.at(max(value, scale.low)), 0.0), 1.0))
        if name == "all":
            parts += f'<path class=claimed d="M{at} 1v12"/>'
        else:
            parts += (
                f'<circle class="d{SOURCES.index(name)}" cx={at} cy=7 r=4 >'
                f"<title>{name} {number(value)}</title></circle>"
            )
    return Markup(f'<svg viewBox="0 0 {STRIP} 14" aria-hidden=true>{parts}</svg>')


def _scale(scale: Any) -> Markup:
    text = "".join(
        f"<text x={round(STRIP * scale.at(t))} y=11>{tick_text(t)}</text>" for t in scale.ticks
    )
    return Markup(f'<svg class=ticks viewBox="0 0 {STRIP} 14" aria-hidden=true>{text}</svg>')


def _largest(row: Any) -> str:
    """The total, and which source alone is the largest."""
    known = {name: float(row[name]) for name in SOURCES if name in row and row[name] > 0}
    if not known:
        return number(float(row["all"]))
    most = max(known, key=lambda name: known[name])
    return f"{number(float(row['all']))} at {int(row['nfe'])}: mostly {most}"
