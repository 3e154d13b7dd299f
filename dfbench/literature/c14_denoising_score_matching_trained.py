"""14. Denoising score matching has the gradient of explicit score matching, in a real network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dfbench.levels import Level
from dfbench.literature import ROWS
from dfbench.literature.gradients import biased_target, conditional_and_marginal, relative
from dfbench.literature.statement import largest_of
from dfbench.literature.trained import Lab, planar, trained
from dfbench.losses import conditional_target
from dfbench.outcome import Finding
from dfbench.schedules import at_log_snr

LOG_SNRS = (-2.0, 0.0, 2.0)
POINTS = 8


def compare(asked: Callable[..., Any], lab: Lab, kind: str) -> Finding:
    """The two gradients of one prediction for data of a few points, at three levels."""
    points = planar(lab).sample(POINTS, np.random.default_rng(14))
    network, gaps = lab.network(), {}
    for lam in LOG_SNRS:
        level = Level(*at_log_snr(lam))
        both = conditional_and_marginal(network, points, kind, level, asked)
        gaps[f"λ = {lam:+g}"] = relative(*both)
    return largest_of(
        gaps,
        1e-8,
        unit="of the gradient",
        derivation="trapezoidal rule over ε, nodes σ/6 apart: converged to 1e-10",
        quantities={f"gap of the gradients, {at}": gap for at, gap in gaps.items()},
    )


@trained(
    ROWS[14],
    r"\nabla_\theta\mathbb E_{x,\epsilon}\big|s_\theta(z)+\epsilon/\sigma\big|^2="
    r"\nabla_\theta\mathbb E_z\big|s_\theta(z)-\nabla\log p(z)\big|^2",
    condition="both expectations exact: data of finitely many points, the noise by quadrature",
    subject=lambda: conditional_target,
    control=biased_target,
    control_size=1e-3,
)
def check(asked: Callable[..., Any], lab: Lab) -> Finding:
    """The trained network, as a score."""
    return compare(asked, lab, "score")
