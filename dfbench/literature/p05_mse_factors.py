"""P5. The factors between the errors of predictions."""

from __future__ import annotations

from collections.abc import Callable
from math import exp

from dfbench.levels import Level
from dfbench.literature.forms import on_both
from dfbench.literature.parts import within
from dfbench.literature.statement import largest, printed
from dfbench.outcome import Finding
from dfbench.predictions import mse_factor
from dfbench.testing import levels

Factors = Callable[[Level], dict[str, float]]


def factors(size: float = 0.0) -> Factors:
    """|m̂ − m|²/|ε̂ − ε|² as printed; the defect is in the exponent of u's."""

    def form(level: Level) -> dict[str, float]:
        lam = level.log_snr
        return {
            "x": exp(-lam),
            "v": level.alpha**2 * (exp(-lam) + 1) ** 2,
            "u": (exp(-lam / 2 * (1 + size)) + 1) ** 2,
        }

    return form


@printed(
    "P5",
    r"\lVert\hat x-x\rVert^2=e^{-\lambda}\lVert\hat\epsilon-\epsilon\rVert^2,\quad"
    r"\lVert\hat v-v\rVert^2=\alpha^2(e^{-\lambda}+1)^2\lVert\hat\epsilon-\epsilon\rVert^2,\quad"
    r"\lVert\hat u-u\rVert^2=(e^{-\lambda/2}+1)^2\lVert\hat\epsilon-\epsilon\rVert^2",
    title="MSE factors of the predictions",
    source="GAO",
    holds=True,
    corrected=r"\text{as printed}",
    where="at every level with α > 0, on any scale of (α, σ), for u = ε − x",
    subject=lambda: (factors(), factors()),
    control=lambda size: (factors(size), factors(size)),
    control_size=2e-10,
)
def check(pair: tuple[Factors, Factors]) -> Finding:
    """From the definitions with ε̂ = ε + 1 at one z, and from the package's conversions."""

    @within(1e-12, "relative", "round-off in float64")
    def off(form: Factors, level: Level) -> float:
        alpha, sigma = level
        x = -sigma / alpha  # x̂ − x: z = α x̂ + σ ε̂ does not move
        change = {"x": x, "v": alpha - sigma * x, "u": 1 - x}
        return largest(
            abs(value / other - 1)
            for kind, value in form(level).items()
            for other in (change[kind] ** 2, mse_factor("eps", kind, alpha, sigma))
        )

    return on_both(off, pair, holds=True, level=levels())
