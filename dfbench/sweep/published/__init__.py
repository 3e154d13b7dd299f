"""Printed tables by the name of the study that reproduces them.

A study of that name, the shipped one or a user's with the spectrum that the paper used, is shown
side by side with what is printed. The numbers are copied from where `Source.where` says, digit by
digit; a number counts as reproduced if it rounds to what is printed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dfbench.published.rule import rounds_to
from dfbench.published.spectra import PrintedNumber, table

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True)
class Source:
    """Where a table was printed.

    Attributes:
        title: of the paper or page.
        where: the place in it that the numbers were read from.
        setting: what has to be the same for the numbers to be.
        remark: what the study does not have, or has differently.
    """

    title: str
    where: str
    setting: str
    remark: str


@dataclass(frozen=True)
class BesidePrinted:
    """A printed number beside the computed one.

    Attributes:
        nfe: evaluations really spent; None in the continuous-time limit.
    """

    printed: PrintedNumber
    computed: float
    nfe: int | None

    @property
    def difference(self) -> float:
        return self.computed - self.printed.value

    @property
    def reproduced(self) -> bool:
        """Whether the computed value rounds to the printed one (a tie rounds either way)."""
        return rounds_to(self.computed, self.printed.value, self.printed.half)

    @property
    def mislabelled(self) -> bool:
        """Whether the evaluations spent are not what the column says, by more than a tenth."""
        label = self.printed.label
        return label is not None and self.nfe is not None and abs(self.nfe / label - 1) > 0.1


PUBLISHED: dict[str, Source] = {
    "pierret_galerne": Source(
        "Pierret and Galerne, Diffusion models for Gaussian distributions: Exact solutions and "
        "Wasserstein errors, ICML 2025, arXiv 2405.14250",
        "the table that the authors' released notebook prints (code/Gaussian_diffusion_W2.ipynb, "
        "commit 0a0463756c311546b60ecdd0b8110e0189922806), which it says is Table 2",
        "the Gaussian fitted to CIFAR-10, given by the eigenvalues of its covariance; VP-SDE with "
        "β from 0.05 to 10, N points evenly from T = 1 to ε",
        "The shipped study has another spectrum of 3072 eigenvalues, found so that every number of "
        "the table comes out: it shows that schemes and grids are theirs, and is not CIFAR-10's. "
        "With the authors' eigenvalues in its place the comparison is independent.",
    ),
}


def side_by_side(name: str, rows: DataFrame) -> list[BesidePrinted]:
    """What a study of this name found beside what is printed; numbers it has not are left out.

    Args:
        rows: measurements of the study: samplers and grids by the table's scheme and ε; exact W2
            of all sources ("N_0"), and of truncation alone (p_T in continuous time).
    """
    exact = rows[(rows.metric == "w2") & rows.steps.notna()]
    found: dict[tuple[str, str, int, str], tuple[float, int]] = {}
    limits: dict[tuple[str, str], float] = {}
    for row in exact[["sampler", "grid", "steps", "source", "value", "nfe"]].itertuples():
        key = str(row.sampler), str(row.grid)
        if row.source == "all":
            found[*key, int(row.steps), "N_0"] = float(row.value), int(row.nfe)
        elif row.source == "truncation":
            limits[key] = float(row.value)
    lines = []
    for each in table(name):
        key = each.scheme, each.epsilon
        if each.points is None:
            if each.start == "p_T" and key in limits and each.value > 0:
                lines.append(BesidePrinted(each, limits[key], None))
        elif (*key, each.points - 1, each.start) in found and math.isfinite(each.value):
            lines.append(BesidePrinted(each, *found[*key, each.points - 1, each.start]))
    return lines
