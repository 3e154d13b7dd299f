"""P9. The reverse SDE and the probability-flow ODE."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from analytic import GaussianMixture
from dfbench.literature.calculus import derivative
from dfbench.literature.forms import on_both
from dfbench.literature.parts import within
from dfbench.literature.statement import printed
from dfbench.outcome import Finding
from dfbench.schedules import FunctionSchedule, Schedule
from dfbench.testing import floats, mixtures, schedules

StepWeights = Callable[[float], tuple[float, float]]  # noise on? → (weight of g² s, weight of g²)
POINTS = np.linspace(-2.0, 2.0, 5)[:, None]


def drift(size: float = 0.0) -> StepWeights:
    """The weights of g² ∇log p in the SDE (noise 1) and in the ODE (noise 0)."""
    return lambda noise: ((0.5 + 0.5 * noise) * (1 + size), noise)


@within(1e-10, "of the terms", "eight-neighbour differences: h⁸ times the ninth derivative")
def residual(
    form: StepWeights,
    target: GaussianMixture,
    schedule: Schedule,
    t: float,
    noise: float,
    direction: float = -1.0,
) -> float:
    """∂_τ log p + div b + b·s − ½ g² (div s + |s|²) for dz = b dτ + g dw with τ = direction · t.

    b is direction · (f z − c g² s); relative to the sum of the terms' sizes.
    """
    f, g2 = float(schedule.f(t)), float(schedule.g2(t))
    level = schedule.level(t)
    s, div_s = target.score(POINTS, *level)[:, 0], target.score_divergence(POINTS, *level)
    weight, spread = form(noise)

    def log_p(u: float) -> np.ndarray:
        return target.log_density(POINTS, *schedule.level(u))

    change = direction * derivative(log_p, t, 2e-3)
    b = direction * (f * POINTS[:, 0] - weight * g2 * s)
    div_b = direction * (f - weight * g2 * div_s)
    flow = div_b + b * s
    diffusion = -0.5 * spread * g2 * (div_s + s**2)
    size = np.abs(change) + np.abs(flow) + np.abs(diffusion) + abs(f)
    return float((np.abs(change + flow + diffusion) / size).max())


@printed(
    "P9",
    r"dx=[f_t(x)-g_t^2\nabla\log p_t(x)]dt+g_tdw,\qquad "
    r"dx=[f_t(x)-\tfrac12g_t^2\nabla\log p_t(x)]dt",
    title="Reverse SDE and probability-flow ODE",
    source="SU; SDE",
    holds=True,
    corrected=r"\text{as printed, with }dt<0\text{ and }w\text{ a Brownian motion in reverse time}",
    where="the SDE only if time runs from noise to data, dt < 0, with noise g √|dt|; run forwards "
    "it spreads the data. The ODE holds either way",
    subject=lambda: (drift(), drift()),
    control=lambda size: (drift(size), drift(size)),
    control_size=1e-9,
)
def check(pair: tuple[StepWeights, StepWeights]) -> Finding:
    """The Fokker–Planck equation of each, on mixtures."""
    one = GaussianMixture.isotropic([1.0], [[0.0]], 1.0)
    flow = FunctionSchedule(lambda t: 1 - t, lambda t: t)
    forwards = {
        f"{name} run forwards": residual(pair[0], one, flow, 0.5, noise, direction=1.0)
        for name, noise in (("SDE", 1.0), ("ODE", 0.0))
    }
    return on_both(
        residual,
        pair,
        holds=True,
        examples=60,
        quantities=forwards,
        target=mixtures(1, smallest=0.3),
        schedule=schedules(),
        t=floats(0.2, 0.8),
        noise=floats(0.0, 1.0).map(round),
    )
