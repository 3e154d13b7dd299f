"""17. The same weighting gives the same gradient whatever the prediction, in a real network."""

from __future__ import annotations

import numpy as np

from dfbench.levels import Array, Level
from dfbench.literature import ROWS
from dfbench.literature.c16_conversions_and_mse_factors import Factor
from dfbench.literature.gradients import gradient, relative
from dfbench.literature.statement import largest_of
from dfbench.literature.trained import Lab, Trainable, pairs, trained
from dfbench.losses import conditional_target
from dfbench.outcome import Finding
from dfbench.predictions import mse_factor
from dfbench.schedules import at_log_snr
from dfbench.weightings import WEIGHTINGS

KINDS = ("eps", "x", "v", "u", "score")
NAMES = ("eps_cosine", "elbo", "flow_matching", "sd3", "edm", "sigmoid", "p2", "min_snr")
LAM = np.linspace(-7.0, 7.0, 15)
BATCH = 32


def slopes(network: Trainable, lab: Lab, kind: str, factor: Factor) -> Array:
    """∇θ of E w/c² |m̂ − m|² at every λ, (L, parameters), with w = 1, on the same draws."""
    import torch

    rng, found = np.random.default_rng(17), []
    for lam in LAM:
        level = Level(*at_log_snr(float(lam)))
        x, eps = pairs(lab, BATCH, rng)
        z = level.alpha * x + level.sigma * eps
        asked = torch.as_tensor(conditional_target(kind, x, eps, level))
        error = network.as_prediction(kind)(torch.as_tensor(z), level) - asked
        loss = (error**2).sum(1).mean() / factor("eps", kind, *level)
        found.append(gradient(network, loss))
    return np.array(found)


@trained(
    ROWS[17],
    r"\nabla_\theta\frac{w(\lambda)}{c_m^2(\lambda)}\mathbb E|\hat m-m|^2=\nabla_\theta\,w(\lambda)"
    r"\,\mathbb E|\hat\epsilon-\epsilon|^2\quad\text{for }m=x,v,u,\nabla\log p",
    title="Every loss is a weighting",
    condition="the same draws; the factor is that of the prediction whose error is squared",
    subject=lambda: mse_factor,
    control=lambda size: lambda s, t, *level: mse_factor(s, t, *level) ** (1 + size),
    control_size=1e-6,
)
def check(factor: Factor, lab: Lab) -> Finding:
    """Gradients of one network under eight weightings, in float64."""
    network = lab.network()
    by_kind = {kind: slopes(network, lab, kind, factor) for kind in KINDS}
    quantities, largest = {}, {}
    for name in NAMES:
        w = WEIGHTINGS[name]()(LAM)
        base = w @ by_kind["eps"]
        size = np.sqrt(w**2 @ (by_kind["eps"] ** 2).sum(1))
        gaps = {kind: relative(w @ by_kind[kind], base) for kind in KINDS[1:]}
        worst = max(gaps, key=lambda kind: gaps[kind])
        largest[f"{name}, squared error of {worst}"] = gaps[worst]
        quantities[f"gap of the gradients, weighting {name}"] = gaps[worst]
        quantities[f"gradient of all λ together / of each apart, weighting {name}"] = float(
            np.linalg.norm(base) / size
        )
    return largest_of(
        largest,
        1e-9,
        unit="of the gradient",
        derivation="round-off in float64, times the cancellation of z in x = (z − σ ε)/α, up to "
        "e^3.5",
        quantities=quantities,
    )
