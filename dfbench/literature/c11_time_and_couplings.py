"""11. The same identities with noise at either end of time, and from one mixture to another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st

from analytic import CoupledMixtures, GaussianMixture
from dfbench.charts.drawing import curves, frame
from dfbench.levels import Array
from dfbench.literature.parts import decided, within
from dfbench.literature.statement import largest, row
from dfbench.literature.transport import BOUND, DERIVATION, Motion
from dfbench.outcome import Finding
from dfbench.predictions import convert
from dfbench.schedules import Schedule
from dfbench.testing import couplings, floats, mixtures, schedules

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AlphaBeta = tuple[Callable[[float], float], ...]  # α, β, α̇, β̇ as functions of t

PATHS: dict[str, AlphaBeta] = {
    "linear": (lambda t: 1 - t, lambda t: t, lambda t: -1.0, lambda t: 1.0),
    "noise at 0": (lambda t: t, lambda t: 1 - t, lambda t: 1.0, lambda t: -1.0),
    "trigonometric": (
        lambda t: float(np.cos(np.pi * t / 2)),
        lambda t: float(np.sin(np.pi * t / 2)),
        lambda t: float(-np.pi / 2 * np.sin(np.pi * t / 2)),
        lambda t: float(np.pi / 2 * np.cos(np.pi * t / 2)),
    ),
}


@dataclass(frozen=True)
class TwoSided:
    """The velocity of z = α x + β y, as the package has it.

    Attributes:
        other_end: factor on the rate of y; 1 is right.
        reversed_sign: sign of the velocity when time is reversed; −1 is right.
    """

    other_end: float = 1.0
    reversed_sign: float = -1.0

    def velocity(self, law: CoupledMixtures, path: AlphaBeta, t: float, z: Array) -> Array:
        alpha, beta, alpha_dot, beta_dot = (float(c(t)) for c in path)
        return law.velocity(z, alpha, beta, alpha_dot, self.other_end * beta_dot)


def moving(law: CoupledMixtures, path: AlphaBeta, t: float) -> Motion:
    """p_t of z = α_t x + β_t y, and where to look at it."""
    now = law.marginal(path[0](t), path[1](t))
    length = float(np.sqrt(now.spectra.min()))
    ends = law.marginal(1, 0).means, law.marginal(0, 1).means
    reach = 3 + max(float(np.abs(m).max()) for m in ends)
    pace = reach * (abs(path[2](t)) + abs(path[3](t))) / length
    steps = np.outer([-1.5, 0.1, 1.2], np.arange(1, law.dim + 1) / law.dim)
    z = (now.means[:, None] + steps * np.sqrt(now.spectra)[:, None]).reshape(-1, law.dim)
    return Motion(
        lambda s, y: np.exp(law.log_density(y, path[0](s), path[1](s))), t, z, length, 1 / pace
    )


@within(BOUND, "of the largest term", DERIVATION)
def residual(field: TwoSided, law: CoupledMixtures, path: str, t: float, noise: float) -> float:
    """Continuity of u, and Fokker–Planck of the SDE u + ½ ε² s with noise ε."""
    motion, chosen = moving(law, PATHS[path], t), PATHS[path]

    def drift(eps2: float) -> Callable[[Array], Array]:
        return lambda z: (
            field.velocity(law, chosen, t, z)
            + 0.5 * eps2 * law.score(z, chosen[0](t), chosen[1](t))
        )

    return largest(motion.residual(drift(eps2), eps2) for eps2 in (0.0, noise**2))


@within(1e-12, "of the terms added", "rounding of exponents up to 10², and of 1 − t")
def diffusion_gap(field: TwoSided, target: GaussianMixture, schedule: Schedule, t: float) -> float:
    """y ~ N(0, I), independent: diffusion's velocity, and minus it where noise is at time 0."""
    normal = GaussianMixture.isotropic([1.0], np.zeros((1, target.dim)), 1.0)
    law, (alpha, sigma) = CoupledMixtures(target, normal), schedule.level(t)
    rates = schedule.rates(t)
    z = alpha * target.means + sigma * np.linspace(-1, 1, target.dim)
    x = target.posterior_mean(z, alpha, sigma)
    u = np.asarray(convert(x, z, "x", "velocity", alpha, sigma, rates=rates))
    forward: AlphaBeta = (schedule.alpha, schedule.sigma, schedule.alpha_dot, schedule.sigma_dot)
    backward: AlphaBeta = (
        lambda s: schedule.alpha(1 - s),
        lambda s: schedule.sigma(1 - s),
        lambda s: -schedule.alpha_dot(1 - s),
        lambda s: -schedule.sigma_dot(1 - s),
    )
    gaps = [
        np.abs(field.velocity(law, forward, t, z) - u).max(),
        np.abs(field.velocity(law, backward, 1 - t, z) - field.reversed_sign * u).max(),
    ]
    size = 4 * abs(rates[0]) + abs(rates[1]) * (1 + np.abs(z).max() / sigma)
    return float(largest(*gaps) / size)


def figure(finding: Finding) -> Figure:
    """A mixture that becomes another, uncoupled and with its components paired."""
    series = finding.series or {}
    fig, axes = frame("state z", "density pₜ(z)", panels=2, ylim=(0, 1.25))
    for axis, which in zip(axes, ("independent", "paired"), strict=True):
        names = {n: n.removeprefix(f"{which}, ") for n in series if n.startswith(which)}
        curves(axis, series, "z", names)
        axis.set_title(which)
    return fig


@row(
    "11",
    r"z_t=\alpha_tx+\beta_ty,\ (x,y)\sim\pi:\quad u_t=\dot\alpha_t\mathbb E[x|z]"
    r"+\dot\beta_t\mathbb E[y|z],\quad \partial_tp_t+\operatorname{div}(p_tu_t)=0;\qquad "
    r"t\mapsto1-t:\ u\mapsto-u",
    title="Time conventions and couplings",
    source="HE, ALB",
    condition="any coupling of x and y; z_t has a density. The control takes a wrong rate of y",
    subject=TwoSided,
    control=lambda size: TwoSided(1 + size),
    control_size=6e-8,
    figure=figure,
)
def check(field: TwoSided) -> Finding:
    """Differences of the density for coupled mixtures; diffusion is the case y ~ N(0, I)."""
    times = floats(0.1, 0.9)
    parts = {
        "residual, continuity": residual.for_all(
            field,
            examples=20,
            law=couplings(),
            path=st.sampled_from(sorted(PATHS)),
            t=times,
            noise=floats(0.0, 2.0),
        ),
        "y ~ N(0, I) against the diffusion path": diffusion_gap.for_all(
            field,
            examples=30,
            target=mixtures(max_components=2, smallest=0.2),
            schedule=schedules(),
            t=times,
        ),
    }
    return decided(parts, series=_picture())


def _picture() -> dict[str, list[float]]:
    x = GaussianMixture.isotropic([0.5, 0.5], [[-2.0], [1.0]], 0.1)
    y = GaussianMixture.isotropic([0.5, 0.5], [[-1.0], [2.0]], 0.1)
    z = np.linspace(-3.5, 3.5, 141)
    series = {"z": z.tolist()}
    for name, pi in (("independent", None), ("paired", 0.5 * np.eye(2))):
        law = CoupledMixtures(x, y, pi)
        for t in (0.0, 0.5, 1.0):
            density = np.exp(law.log_density(z[:, None], 1 - t, t))
            series[f"{name}, t = {t:g}"] = density.tolist()
    return series
