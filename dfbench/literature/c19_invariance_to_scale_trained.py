"""19. Training is invariant to the scale of (α, σ), given the inverse scaling at the input."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import numpy as np

from dfbench.levels import Array
from dfbench.literature import ROWS
from dfbench.literature.gradients import relative
from dfbench.literature.statement import largest_of
from dfbench.literature.trained import Lab, pairs, trained
from dfbench.outcome import Finding
from dfbench.schedules import at_log_snr

STEPS, BATCH = 60, 64
Multiple = Callable[[Array], Array]  # λ → c
SCALES: dict[str, Multiple] = {
    "variance exploding": lambda lam: 1 / at_log_snr(lam)[0],
    "flow matching": lambda lam: 1 / np.sum(at_log_snr(lam), axis=0),
    "waves": lambda lam: 2 + np.sin(lam),
}


def trained_further(lab: Lab, scale: Multiple, undo: Multiple) -> Array:
    """Parameters after more steps of Adam on ε at levels c(α, σ), the input divided by `undo`."""
    import torch

    module, rng = deepcopy(lab.network().module), np.random.default_rng(19)
    optimiser = torch.optim.Adam(module.parameters(), lr=1e-3)
    for _ in range(STEPS):
        lam = rng.uniform(-6, 6, BATCH)
        alpha, sigma = (scale(lam) * part for part in at_log_snr(lam))
        x, eps = pairs(lab, BATCH, rng)
        z = (alpha[:, None] * x + sigma[:, None] * eps) / undo(lam)[:, None]
        out = module(torch.as_tensor(z), torch.as_tensor(lam))
        loss = ((out - torch.as_tensor(eps)) ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return np.concatenate([p.detach().numpy().reshape(-1) for p in module.parameters()])


@trained(
    ROWS[19],
    r"(\alpha,\sigma)\to c\,(\alpha,\sigma),\ F(z,\lambda)\to F(z/c,\lambda)\;\Rightarrow\;"
    r"\theta_k\text{ unchanged at every step }k",
    title="Invariant to scale",
    condition="the input is divided by the same c; the network returns ε (x, u), which have no "
    "scale; the same draws",
    subject=lambda: lambda scale: scale,
    control=lambda size: lambda scale: lambda lam: scale(lam) ** (1 - size),
    control_size=1e-3,
)
def check(inverse: Callable[[Multiple], Multiple], lab: Lab) -> Finding:
    """Sixty steps of Adam on the study's network, on its own scale and on three others."""
    one: Multiple = np.ones_like
    start = lab.network()
    begin = np.concatenate([p.detach().numpy().reshape(-1) for p in start.module.parameters()])
    base = trained_further(lab, one, one)
    gaps = {
        name: relative(trained_further(lab, scale, inverse(scale)), base, base - begin)
        for name, scale in SCALES.items()
    }
    return largest_of(
        gaps,
        1e-6,
        unit="of the change of the weights",
        derivation="round-off in float64, which 60 steps of Adam amplify: it divides by the "
        "gradient's size",
        quantities={"change of the weights in these steps": relative(base, begin)}
        | {f"gap of the weights, {name}": gap for name, gap in gaps.items()},
    )
