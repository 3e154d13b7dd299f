"""What a wrong coefficient does to the samples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dfbench.levels import Array
from dfbench.outcome import Finding
from dfbench.outcome.finding import AT_ANY_SCALE, AT_ONE
from dfbench.readout import Reading
from dfbench.subjects.contract import Reference
from dfbench.table import Table

VARIANCES = np.geomspace(1e-4, 1e4, 33)  # of data, per direction


def effect(table: Table, reference: Table) -> dict[str, float]:
    """How far the law of the samples is from that of a reference, in per cent.

    The Wasserstein-2 distance on Gaussian data whose mean is one deviation from 0, of that
    deviation (of √(α² v + σ²), where the run lands at another level): for v = 1, and the largest
    over `VARIANCES`.
    """

    def law(of: Table, variance: Array) -> tuple[Array, Array]:
        alpha, sigma = of.levels[-1]
        found = of.law(variance, np.sqrt(variance))
        size = np.sqrt(alpha**2 * variance + sigma**2)
        return found.mean / size, np.sqrt(found.variance) / size

    def off(variance: Array) -> float:
        (mean, std), (its_mean, its_std) = law(table, variance), law(reference, variance)
        return 100 * float(np.hypot(mean - its_mean, std - its_std).max())

    return {AT_ONE: off(np.ones(1)), AT_ANY_SCALE: off(VARIANCES)}


def with_effect(finding: Finding, table: Table, right: Reference | Reading | None) -> Finding:
    """A failure with its effect on the law, where there is a table of what is right."""
    if finding.verdict != "fail" or right is None:
        return finding
    try:
        found = effect(table, right.table)
    except (ValueError, ZeroDivisionError):  # it does not exist on these levels
        return finding
    found = {name: size for name, size in found.items() if not np.isnan(size)}
    return replace(finding, quantities={**(finding.quantities or {}), **found} or None)
