"""P1. The factor that makes the flow schedule variance preserving."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dfbench.literature.forms import on_both
from dfbench.literature.parts import within
from dfbench.literature.statement import printed
from dfbench.outcome import Finding
from dfbench.schedules import FlowMatching, Shifted
from dfbench.testing import floats

ScaleFactor = Callable[[float], float]


def power(exponent: float) -> ScaleFactor:
    """c(t) = [(1−t)² + t²]^(−exponent)."""
    return lambda t: ((1 - t) ** 2 + t**2) ** -exponent


@printed(
    "P1",
    r"c_t=\frac{1}{(1-t)^2+t^2}",
    title="Variance-preserving scaling of the flow schedule",
    source="GAO",
    holds=False,
    corrected=r"c_t=\frac{1}{\sqrt{(1-t)^2+t^2}}",
    where="at t = 0 and 1, and as a factor on α² and σ²; at t = ½ it gives α² + σ² = 2",
    subject=lambda: (power(1.0), power(0.5)),
    control=lambda size: (power(1.0), power(0.5 * (1 + size))),
    control_size=2e-10,
)
def check(pair: tuple[ScaleFactor, ScaleFactor]) -> Finding:
    """α² + σ² = 1 for (c (1 − t), c t), which are then the levels that a change of scale gives."""
    rescaled = Shifted(FlowMatching(), 1.0, "vp")

    @within(1e-12, "of √(α² + σ²)", "round-off in float64")
    def off(c: ScaleFactor, t: float) -> float:
        alpha, sigma = (c(t) * part for part in FlowMatching().level(t))
        level = rescaled.level(t)
        gaps = np.hypot(alpha, sigma) - 1, alpha - level.alpha, sigma - level.sigma
        return float(np.abs(gaps).max())

    return on_both(off, pair, holds=False, t=floats(0.0, 1.0))
