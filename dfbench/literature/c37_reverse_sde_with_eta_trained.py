"""37. The reverse SDE through a trained network: one law for every η."""

from __future__ import annotations

from dfbench.grids import uniform_t
from dfbench.literature import ROWS
from dfbench.literature.c37_reverse_sde_with_eta import Reverse, euler_maruyama
from dfbench.literature.one_law import distances, of_every
from dfbench.literature.trained import Lab, trained
from dfbench.outcome import Finding
from dfbench.schedules import Cosine

ETAS = (0.0, 0.5, 1.0, 1.5)
STEPS = (25, 50, 100, 200)
ENDS = (0.99, 0.03)


@trained(
    ROWS[37],
    r"dz=\big(fz-\tfrac12(1+\eta^2)g^2\hat s\big)dt+\eta g\,dw:\quad\text{one law for every }\eta",
    condition="small steps, and a network whose error is small: an SDE forgets old errors and "
    "makes new ones, so that laws of a wrong score differ",
    subject=euler_maruyama,
    control=lambda size: euler_maruyama(-size),
    control_size=1.0,
    figure=distances,
)
def check(reverse: Reverse, lab: Lab) -> Finding:
    """Sliced W₂ between samples and the exact law at the last level, cosine schedule."""
    return of_every(
        "η =",
        ETAS,
        STEPS,
        reverse,
        lambda n: uniform_t(Cosine(), n, *ENDS),
        lab.network().as_prediction("eps"),
        lab,
        37,
    )
