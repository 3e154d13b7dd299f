"""P2. The weighted loss and the sign of dλ/dt."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dfbench.levels import Array
from dfbench.literature.calculus import gauss_legendre
from dfbench.literature.forms import on_both
from dfbench.literature.parts import within
from dfbench.literature.statement import printed
from dfbench.outcome import Finding
from dfbench.schedules import Schedule
from dfbench.testing import floats, schedules

Rate = Callable[[Schedule, Array], Array]
START, STOP = 0.05, 0.95


def rate(factor: float) -> Rate:
    """factor · dλ/dt."""
    return lambda schedule, t: factor * schedule.log_snr_dot(t)


@printed(
    "P2",
    r"\mathcal L_w=\mathbb E_{t\sim U(0,1),\,\epsilon}\Big[w(\lambda_t)\,\frac{d\lambda}{dt}\,"
    r"\lVert\hat\epsilon-\epsilon\rVert^2\Big],\quad w>0",
    title="The weighted loss",
    source="GAO",
    holds=False,
    corrected=r"\mathcal L_w=\mathbb E_{t,\epsilon}\Big[w(\lambda_t)\Big(-\frac{d\lambda}{dt}\Big)"
    r"\lVert\hat\epsilon-\epsilon\rVert^2\Big]",
    where="with time from noise (0) to data (1); with t = 0 data, λ falls and a loss with w > 0 "
    "would be negative. KG writes −dλ/dt, and ½ in front, which changes no minimiser",
    subject=lambda: (rate(1.0), rate(-1.0)),
    control=lambda size: (rate(1.0), rate(-1.0 - size)),
    control_size=6e-11,
)
def check(pair: tuple[Rate, Rate]) -> Finding:
    """Against ∫ w |ε̂−ε|² dλ from λ_min to λ_max for N(0, s) and w = 1, which is a closed form.

    The best ε̂ leaves E|ε̂−ε|² = sigmoid(λ + log s), whose integral is log(1 + s e^λ).
    """
    t, weights = gauss_legendre(80, START, STOP)

    @within(1e-12, "relative", "Gauss–Legendre with 80 nodes: below round-off here")
    def off(form: Rate, schedule: Schedule, variance: float) -> float:
        left = variance * np.exp(schedule.log_snr(t))
        loss = weights @ (form(schedule, t) * left / (1 + left))
        ends = np.array([schedule.log_snr(START), schedule.log_snr(STOP)]) + np.log(variance)
        high, low = np.logaddexp(0, ends)
        return float(abs(loss / (high - low) - 1))

    return on_both(off, pair, holds=False, schedule=schedules(), variance=floats(0.1, 10.0))
