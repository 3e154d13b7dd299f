"""7. Noise with the drift that makes up for it leaves every marginal as it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.integrate import solve_ivp

from analytic import GaussianMixture
from dfbench.charts.drawing import lines
from dfbench.grids import uniform_t
from dfbench.levels import Array
from dfbench.literature.parts import decided, within
from dfbench.literature.statement import largest, row
from dfbench.literature.transport import BOUND, DERIVATION, diffusing
from dfbench.outcome import Finding
from dfbench.samplers import METHODS
from dfbench.schedules import LinearVP, Schedule
from dfbench.testing import floats, mixtures, schedules, spectra

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Extension:
    """The reverse SDE dz = (u − ½ ε² s) dt + ε dw, as its sampler takes a step of it.

    Attributes:
        score: share of the term ½ ε² s that is kept; 1 is right, 0 leaves it out.
    """

    score: float = 1.0

    def at(self, schedule: Schedule, t: float, epsilon: float) -> tuple[float, float, float]:
        """(c_z, c_s, ε²) with drift c_z z + c_s s: read from the table of one step."""
        grid = uniform_t(schedule, 1, t, t - 0.05)
        method, dt = METHODS["interpolant_sde"], -0.05
        flow, sde = (method.table(grid, "score", epsilon=e).rows[-1] / dt for e in (0.0, epsilon))
        fresh = sde[2] if len(sde) > 2 else 0.0
        c_s = flow[1] + self.score * (sde[1] - flow[1])
        return float(sde[0] - 1 / dt), float(c_s), float(fresh**2 * abs(dt))


@within(BOUND, "of the largest term", DERIVATION)
def residual(
    sde: Extension, target: GaussianMixture, schedule: Schedule, t: float, epsilon: float
) -> float:
    """Fokker–Planck of the SDE run backwards, and of its forward counterpart u + ½ ε² s."""
    motion, level = diffusing(target, schedule, t), schedule.level(t)
    c_z, c_s, eps2 = sde.at(schedule, t, epsilon)

    def drift(forward: float) -> float:
        return motion.residual(
            lambda z: c_z * z + (c_s + forward * eps2) * target.score(z, *level),
            eps2 if forward else -eps2,
        )

    return largest(drift(0.0), drift(1.0))


@within(1e-13, "of the terms added", "rounding of a step of 1/20 divided by it: 20 V · 4 ε, ×10")
def variance_gap(
    sde: Extension, variance: Array, schedule: Schedule, t: float, epsilon: float
) -> float:
    """V̇ = 2 k V − ε² with k the slope of the drift, against d/dt (α² s + σ²): exact."""
    (alpha, sigma), (alpha_dot, sigma_dot) = schedule.level(t), schedule.rates(t)
    v = alpha**2 * variance + sigma**2
    c_z, c_s, eps2 = sde.at(schedule, t, epsilon)
    found = 2 * (c_z - c_s / v) * v - eps2
    truth = 2 * (alpha * alpha_dot * variance + sigma * sigma_dot)
    return float((np.abs(found - truth) / (40 * v + 2 * abs(c_s) + eps2)).max())


def figure(finding: Finding) -> Figure:
    """The variance on the way to data, with and without the score term."""
    return lines(
        finding, "time t (1 is noise)", "variance of z", styles=["-", ":", "--", "-."], xlim=(1, 0)
    )


@row(
    "7",
    r"dz=\big(u_t\mp\tfrac12\epsilon_t^2 s_t\big)dt+\epsilon_t\,dw\ \text{has the marginals of}\ "
    r"dz=u_t\,dt,\quad\text{any }\epsilon_t\ge0",
    title="SDE extension",
    source="HE, ALB",
    condition="− in reverse and + in forward time, and the law starts as the marginal; leaving out "
    "the score term spreads it",
    subject=Extension,
    control=lambda size: Extension(1 - size),
    control_size=6e-8,
    figure=figure,
)
def check(sde: Extension) -> Finding:
    """Fokker–Planck for mixtures, the exact equation of the variance for Gaussians."""
    cases: dict[str, Any] = {
        "schedule": schedules(),
        "t": floats(0.1, 0.9),
        "epsilon": floats(0.0, 5.0),
    }
    parts = {
        "residual, Fokker–Planck": residual.for_all(
            sde, examples=20, target=mixtures(max_components=2, smallest=0.2), **cases
        ),
        "variance of a Gaussian, relative error": variance_gap.for_all(
            sde, variance=spectra(), **cases
        ),
    }
    series, spread = _picture(sde)
    return decided(parts, spread, series)


def _picture(sde: Extension) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Variance of data N(0, 0.25) from t = 0.95 to 0.06, solved, for ε = 2."""
    schedule, epsilon, data = LinearVP(), 2.0, 0.25
    t = np.linspace(0.95, 0.06, 60)
    marginal = schedule.alpha(t) ** 2 * data + schedule.sigma(t) ** 2

    def solve(kept: float) -> Array:
        def rate(s: float, v: Array) -> Array:
            now = schedule.alpha(s) ** 2 * data + schedule.sigma(s) ** 2
            c_z, c_s, eps2 = Extension(kept).at(schedule, s, epsilon)
            return 2 * (c_z - c_s / now) * v - eps2

        path = solve_ivp(rate, (t[0], t[-1]), marginal[:1], t_eval=t, rtol=1e-6, atol=1e-9)
        return np.asarray(path.y[0])

    kept, half, dropped = solve(sde.score), solve(0.5), solve(0.0)
    series = {
        "t": t.tolist(),
        "marginal": marginal.tolist(),
        "with ½ ε² s": kept.tolist(),
        "with half of it": half.tolist(),
        "without": dropped.tolist(),
    }
    found = {
        f"variance at t = {t[-1]:g}, marginal": marginal[-1],
        f"variance at t = {t[-1]:g}, score left out": dropped[-1],
    }
    return series, {name: float(value) for name, value in found.items()}
