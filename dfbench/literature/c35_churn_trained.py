"""35. Churn through a trained network: any fraction of each step undone, one law."""

from __future__ import annotations

from dfbench.grids import regular
from dfbench.literature import ROWS
from dfbench.literature.c35_churn import Churn, churn
from dfbench.literature.one_law import distances, of_every
from dfbench.literature.trained import Lab, trained
from dfbench.outcome import Finding

CHURNS = (0.0, 0.3, 0.5, 0.8)
STEPS = (10, 20, 40, 80)
ENDS = (-9.0, 6.0)


@trained(
    ROWS[35],
    r"\text{noising}_{\lambda+\frac{\Delta}{1-c}\to\lambda+\Delta}\circ"
    r"\text{DDIM}_{\lambda\to\lambda+\frac{\Delta}{1-c}}:\quad\text{one law for every }c",
    condition="enough steps, and a network whose error is small: what is left of both is in the "
    "bound; the noise put back is what forward noising adds",
    subject=churn,
    control=lambda size: churn(1.0 + size),
    control_size=1.5,
    figure=lambda finding: distances(
        finding, {"churn 0": "churn 0 (DDIM)", "churn 0.5": "churn 0.5 (DDPM)"}
    ),
)
def check(churned: Churn, lab: Lab) -> Finding:
    """Sliced W₂ between samples and the exact law at the last level."""
    return of_every(
        "churn",
        CHURNS,
        STEPS,
        churned,
        lambda n: regular(*ENDS, n),
        lab.network().as_prediction("x"),
        lab,
        35,
    )
