"""19. Training does not see a scaling of (α, σ), if the network's input is scaled back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from analytic import GaussianMixture
from dfbench.levels import Array, Level
from dfbench.literature.parts import within
from dfbench.literature.statement import largest_of, row, worst_of
from dfbench.losses import expected_loss
from dfbench.outcome import Finding
from dfbench.schedules import FlowMatching, Schedule
from dfbench.testing import Field, fields, floats, mixtures, schedules
from dfbench.weightings import effective_weighting

PLANE = GaussianMixture.isotropic([0.4, 0.6], [[-1.0, 0.2], [0.8, 0.9]], [0.3, 0.8])
NETWORK = Field((0.3, -0.5, 0.2, 0.1))
#: The power of c that a prediction takes from the scale (α, σ) → c (α, σ).
POWER = {"eps": 0, "x": 0, "u": 0, "v": 1, "score": -1}

Scaling = Callable[[float], float]  # c → factor at the network's input


def inverse(c: float) -> float:
    """1/c."""
    return 1 / c


@within(1e-10, "of the loss", "quadrature to 1e-11 on both sides")
def loss(
    scaling: Scaling,
    target: GaussianMixture,
    schedule: Schedule,
    t: float,
    c: float,
    kind: str,
    network: Field,
) -> float:
    """Of one network, under a schedule and under its multiple; c² that of v, 1/c² of the score."""
    before, after = schedule.level(t), schedule.scaled(lambda s: c + 0 * s).level(t)
    size = np.hypot(*before)

    def plain(z: Array, _: Level) -> Array:
        return network(z / size)

    def scaled(z: Array, level: Level) -> Array:
        return c ** POWER[kind] * plain(scaling(c) * z, level)

    one = expected_loss(plain, target, kind, before)
    return abs(expected_loss(scaled, target, kind, after) / (c ** (2 * POWER[kind]) * one) - 1)


@within(1e-10, "of the weight", "round-off in float64")
def weighting(schedule: Schedule, t: float, c: float, kind: str) -> float:
    """w is unchanged, but for c² where the target is v and 1/c² where it is the score."""
    other = schedule.scaled(lambda t: c * np.exp(t), lambda t: c * np.exp(t))
    lam = np.array([schedule.log_snr(t)])
    factor = (c * np.exp(t)) ** (2 * POWER[kind])
    both = [effective_weighting(kind, each)(lam)[0] for each in (schedule, other)]
    return float(abs(both[1] / (factor * both[0]) - 1))


@row(
    "19",
    r"\mathbb E\left|F_\theta(z/c_t,t)-m\right|^2_{(c\alpha,c\sigma)}"
    r"=\mathbb E\left|F_\theta(z,t)-m\right|^2_{(\alpha,\sigma)}",
    title="Invariance to scaling",
    source="GAO",
    condition="the target does not scale with the levels (ε, x, u); a loss in v is multiplied by "
    "c², one in the score by 1/c², that is, reweighted",
    subject=lambda: inverse,
    control=lambda size: lambda c: c ** -(1 - size),
    control_size=1e-7,
)
def check(scaling: Scaling) -> Finding:
    """The loss of one network, and the weighting, under a schedule and under its multiple."""
    kinds = st.sampled_from(sorted(POWER))
    scales = st.one_of(floats(0.2, 0.8), floats(1.25, 5.0))
    cases: dict[str, Any] = {
        "schedule": schedules(),
        "t": floats(0.1, 0.9),
        "c": scales,
        "kind": kinds,
    }
    found = worst_of(
        loss.for_all(scaling, examples=25, target=mixtures(dim=1), network=fields(), **cases),
        largest_of(
            {
                kind: loss(scaling, PLANE, FlowMatching(), 0.4, 2.5, kind, NETWORK)
                for kind in ("eps", "v", "score")
            },
            loss.bound,
            unit=loss.unit,
            derivation=loss.derivation,
        ),
        weighting.for_all(**cases),
    )
    example = GaussianMixture.points([[-1.0], [1.0]])
    field = Field((0.0, 0.5, 0.5, 0.0))
    levels = Level(0.6, 0.8), Level(1.2, 1.6)
    losses = [expected_loss(lambda z, _: field(z), example, "eps", each) for each in levels]
    return replace(
        found,
        quantities={
            "loss without the inverse scaling, c = 2": losses[1],
            "loss at c = 1": losses[0],
        },
    )
