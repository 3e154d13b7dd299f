"""9. The forward SDE is the limit of its discrete chain, to first order in the step."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from dfbench.charts.drawing import lines
from dfbench.levels import Array
from dfbench.literature.parts import decided, within
from dfbench.literature.statement import largest, row
from dfbench.outcome import Finding
from dfbench.schedules import DiscreteSchedule, LinearVP, Schedule
from dfbench.testing import floats, schedules

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DiscreteChain = Callable[[int, float, float], DiscreteSchedule]  # steps, β_min, β_max
STEPS = 4096


def ddpm_chain(drift: float = 1.0) -> DiscreteChain:
    """DDPM's table with β_n = β(t_n)/N, each β taken `drift` times."""
    return lambda n, low, high: DiscreteSchedule.linear(n, drift * low / n, drift * high / n)


def log_signal_error(chain: DiscreteChain, n: int, low: float, high: float) -> float:
    """log ᾱ_N of the chain less log α² of the SDE at t = 1."""
    end = chain(n, low, high).alphas_cumprod[-1]
    return float(np.log(end)) - 2 * float(np.log(LinearVP(low, high).alpha(1.0)))


def first_order(low: float, high: float) -> float:
    """c in log ᾱ_N = log α² + c/N + O(1/N²): −½ ∫ β², from log(1 − β/N) = −β/N − β²/2N² …"""
    return -(low**2 + low * high + high**2) / 6


@within(
    2.0,
    "β_max/N, relative",
    "the next term, ∫ β³/3N² and the trapezoid's Δβ²/12N², is at most β_max/N of ½ ∫ β²/N; ×2",
)
def constant_gap(chain: DiscreteChain, low: float, high: float) -> float:
    """How far N (log ᾱ_N − log α²) is from its limit c, relative, in units of β_max/N.

    At N and at 2N: so chains of different lengths agree to first order too, by c/2N.
    """
    gaps = []
    for n in (STEPS, 2 * STEPS):
        relative = n * log_signal_error(chain, n, low, high) / first_order(low, high) - 1
        gaps.append(abs(relative) * n / high)
    return largest(*gaps)


@within(1e-14, "of 1", "rounding over 64 steps")
def variance_gap(chain: DiscreteChain, low: float, high: float) -> float:
    """z_n = √(1−β_n) z_{n−1} + √β_n ξ run through: its variance is 1 − ᾱ_n, exactly."""
    table = chain(64, low, high).alphas_cumprod
    keep = table / np.append(1.0, table[:-1])  # 1 − β_n
    variance, worst = 0.0, 0.0
    for kept, bar in zip(keep, table, strict=True):
        variance = kept * variance + (1 - kept)
        worst = largest(worst, abs(variance - (1 - bar)))
    return worst


def euler_chain(schedule: Schedule, n: int) -> Array:
    """(α, σ²) after n Euler–Maruyama steps of dz = f z dt + g dw from t = 0.1 to 0.9."""
    h, t = 0.8 / n, 0.1 + 0.8 * np.arange(n) / n
    keep = 1 + h * schedule.f(t)
    after = np.append(np.cumprod(keep[::-1])[::-1], 1.0)
    alpha, sigma = schedule.level(0.1)
    noise = h * (schedule.g2(t) * after[1:] ** 2).sum()
    return np.array([alpha * after[0], sigma**2 * after[0] ** 2 + noise])


@within(0.05, "order", "c₂/(2 N c₁ log 2) at N = 4096, c₂/c₁ up to 10² where rates are 20")
def order_gap(schedule: Schedule) -> float:
    """|measured order − 1| of that chain, from N to 2N steps."""
    level = schedule.level(0.9)
    truth = np.array([level.alpha, level.sigma**2])
    size = [float(np.linalg.norm(euler_chain(schedule, n) / truth - 1)) for n in (STEPS, 2 * STEPS)]
    return abs(float(np.log2(size[0] / size[1])) - 1)


def figure(finding: Finding) -> Figure:
    """The error of both chains against the number of steps."""
    styles = ("o-", "s-", "--")
    return lines(
        finding, "steps N", "relative error of α²", styles=styles, xscale="log", yscale="log"
    )


@row(
    "9",
    r"z_n=\sqrt{1-\beta_n}\,z_{n-1}+\sqrt{\beta_n}\,\xi,\ \beta_n=\beta(t_n)/N:\quad "
    r"\log\bar\alpha_N=-\int_0^1\!\beta\,dt-\frac1{2N}\int_0^1\!\beta^2dt+O(N^{-2})",
    title="Chain to SDE",
    source="SU",
    condition="β(t) is kept and β_n = β(t_n)/N; the control keeps another β",
    subject=ddpm_chain,
    control=lambda size: ddpm_chain(1 + size),
    control_size=1e-6,
    figure=figure,
)
def check(chain: DiscreteChain) -> Finding:
    """The first-order term of DDPM's chain; the order of Euler–Maruyama on any schedule."""
    betas: dict[str, Any] = {"low": floats(0.05, 1.0), "high": floats(1.0, 20.0)}
    parts = {
        "first-order term: error / (β_max/N)": constant_gap.for_all(chain, **betas),
        "ᾱ + variance − 1": variance_gap.for_all(chain, examples=10, **betas),
        "order of Euler–Maruyama − 1": order_gap.for_all(examples=25, schedule=schedules()),
    }
    lost = float(np.expm1(log_signal_error(chain, 1000, 0.1, 20.0)))
    return decided(parts, {"relative error of α² at DDPM's N = 1000": lost}, _picture(chain))


def _picture(chain: DiscreteChain) -> dict[str, list[float]]:
    steps = [2**k for k in range(6, 15)]
    schedule = LinearVP()
    euler = [abs(float(euler_chain(schedule, n)[0] / schedule.alpha(0.9)) ** 2 - 1) for n in steps]
    ddpm = [abs(float(np.expm1(log_signal_error(chain, n, 0.1, 20.0)))) for n in steps]
    slope = [-first_order(0.1, 20.0) / n for n in steps]
    return {
        "steps": [float(n) for n in steps],
        "DDPM's chain, t = 1": ddpm,
        "Euler–Maruyama, t = 0.9": euler,
        "½ ∫ β² dt / N": slope,
    }
