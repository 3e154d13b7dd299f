"""15. Conditional flow matching has the gradient of flow matching, in a real network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dfbench.literature import ROWS
from dfbench.literature.c14_denoising_score_matching_trained import compare
from dfbench.literature.gradients import biased_target
from dfbench.literature.trained import Lab, trained
from dfbench.losses import conditional_target
from dfbench.outcome import Finding


@trained(
    ROWS[15],
    r"\nabla_\theta\mathbb E_{x,\epsilon}\big|\hat u_\theta(z_t)-(\epsilon-x)\big|^2="
    r"\nabla_\theta\mathbb E_z\big|\hat u_\theta(z_t)-u_t(z_t)\big|^2",
    condition="both expectations exact: data of finitely many points, the noise by quadrature",
    subject=lambda: conditional_target,
    control=biased_target,
    control_size=1e-3,
)
def check(asked: Callable[..., Any], lab: Lab) -> Finding:
    """The trained network, as a velocity."""
    return compare(asked, lab, "u")
