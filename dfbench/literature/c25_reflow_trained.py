"""25. Reflow: pairs from a trained sampler straighten the path and mend the single step."""

from __future__ import annotations

from functools import partial

from dfbench.literature import ROWS
from dfbench.literature.c24_couplings_trained import LEVELS, compare, draw_pair
from dfbench.literature.trained import Lab, trained
from dfbench.outcome import Finding

NAMES = ("before reflow", "after reflow")


@trained(
    ROWS[25],
    r"(\epsilon,x)\to(\epsilon,T(\epsilon)):\quad\text{straighter, no dearer, and one step lands "
    r"where many did}",
    condition="the pairs are those of a deterministic sampler; the law of the samples is that of "
    "the first network, errors and all",
    subject=lambda: True,
    control=lambda size: False,
    control_size=1.0,
    figure=partial(draw_pair, NAMES),
)
def check(paired: bool, lab: Lab) -> Finding:
    """A network of the flow, and one trained on its noise and samples; or on pairs drawn anew."""
    first = {"prediction": "u", "pairs": {"kind": "independent"}, "levels": LEVELS}
    base = lab.network(**first)
    if paired:
        pairs = {"kind": "reflow", "run": str(lab.where(**first)), "method": "heun", "steps": 30}
    else:
        pairs = {"kind": "independent"}
    after = lab.network(prediction="u", pairs=pairs, levels=LEVELS)
    bounds = {
        "straightness": 0.3,
        "transport cost": 1.03,
        "sliced W₂ of one step": 0.5,
        "one step from fifty (rms)": 0.5,
    }
    return compare(base, after, lab, bounds, NAMES)
