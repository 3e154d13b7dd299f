"""3. The continuity equation and the Fokker–Planck equation of the path."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from analytic import GaussianMixture
from dfbench.charts.drawing import lines
from dfbench.exact import exact_model
from dfbench.levels import Array
from dfbench.literature.parts import decided, within
from dfbench.literature.statement import row
from dfbench.literature.transport import BOUND, DERIVATION, diffusing
from dfbench.outcome import Finding
from dfbench.predictions import convert
from dfbench.schedules import LinearVP, Schedule
from dfbench.testing import floats, mixtures, schedules

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Fields:
    """What moves p_t: the velocity of the flow, and drift and diffusion of the SDE.

    Attributes:
        velocity, diffusion: factors on u_t and g_t²; 1 is right.
    """

    velocity: float = 1.0
    diffusion: float = 1.0

    def u(self, target: GaussianMixture, schedule: Schedule, t: float, z: Array) -> Array:
        """α̇ E[x|z] + σ̇ E[ε|z], from the prediction of ε."""
        level = schedule.level(t)
        eps = exact_model(target, "eps")(z, level)
        u = convert(eps, z, "eps", "velocity", *level, rates=schedule.rates(t))
        return self.velocity * np.asarray(u)

    def sde(self, schedule: Schedule, t: float) -> tuple[float, float]:
        """(f, g²)."""
        return float(schedule.f(t)), self.diffusion * float(schedule.g2(t))


settled = within(BOUND, "of the largest term", DERIVATION)


@settled
def continuity(fields: Fields, target: GaussianMixture, schedule: Schedule, t: float) -> float:
    """∂_t p + div(p u), in units of the largest term."""
    return diffusing(target, schedule, t).residual(lambda z: fields.u(target, schedule, t, z))


@settled
def fokker_planck(fields: Fields, target: GaussianMixture, schedule: Schedule, t: float) -> float:
    """∂_t p + div(p f z) − ½ g² Δp, in units of the largest term."""
    f, g2 = fields.sde(schedule, t)
    return diffusing(target, schedule, t).residual(lambda z: f * z, g2)


def figure(finding: Finding) -> Figure:
    """∂_t p and what should cancel it, for the velocity and for two that are not it."""
    return lines(
        finding, "state z", "∂ₜp and −div(p u)  (1/time/length)", styles=["-", "--", ":", "-."]
    )


@row(
    "3",
    r"\partial_t p_t+\operatorname{div}(p_t u_t)=0,\qquad "
    r"\partial_t p_t=-\operatorname{div}(p_t f_t z)+\tfrac12 g_t^2\,\Delta p_t",
    title="Continuity and Fokker–Planck",
    source="HE",
    condition="u_t, f_t and g_t are those of the path; a wrong field leaves a residual",
    subject=Fields,
    control=lambda size: Fields(1 + size, 1 + size),
    control_size=6e-8,
    figure=figure,
)
def check(fields: Fields) -> Finding:
    """Differences of the density in t and z; velocity, f and g² as the package gives them."""
    cases: dict[str, Any] = {
        "target": mixtures(max_components=2, smallest=0.2),
        "schedule": schedules(),
        "t": floats(0.1, 0.9),
    }
    parts = {
        "residual, continuity": continuity.for_all(fields, examples=20, **cases),
        "residual, Fokker–Planck": fokker_planck.for_all(fields, examples=20, **cases),
    }
    target = GaussianMixture.isotropic([0.4, 0.6], [[-1.5], [1.0]], [0.1, 0.2])
    wrong = {
        "½ g² s without ½": _wrong(target, 2.0)[0],
        "score left out": _wrong(target, 0.0)[0],
        "score with the wrong sign": _wrong(target, -1.0)[0],
    }
    return decided(parts, wrong, _picture(fields, target))


_SCHEDULE, _TIME = LinearVP(), 0.3


def _wrong(target: GaussianMixture, share: float, points: int = 0) -> tuple[float, Array]:
    """Residual, and −div(p u) on a line, of the field f z − ½ share g² s."""
    motion = diffusing(target, _SCHEDULE, _TIME)
    f, g2 = float(_SCHEDULE.f(_TIME)), float(_SCHEDULE.g2(_TIME))
    score = exact_model(target, "score")

    def field(z: Array) -> Array:
        return np.asarray(f * z - 0.5 * share * g2 * score(z, _SCHEDULE.level(_TIME)))

    line = replace(motion, z=np.linspace(-4, 4, points)[:, None]) if points else motion
    return motion.residual(field), -line.outflow(field)


def _picture(fields: Fields, target: GaussianMixture) -> dict[str, list[float]]:
    z = np.linspace(-4, 4, 161)[:, None]
    motion = replace(diffusing(target, _SCHEDULE, _TIME), z=z)
    right = -motion.outflow(lambda y: fields.u(target, _SCHEDULE, _TIME, y))
    return {
        "z": z[:, 0].tolist(),
        "∂ₜp": motion.change.tolist(),
        "−div(p u)": right.tolist(),
        "without the score": _wrong(target, 0.0, 161)[1].tolist(),
        "without ½": _wrong(target, 2.0, 161)[1].tolist(),
    }
