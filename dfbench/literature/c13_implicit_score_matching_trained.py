"""13. Implicit score matching has the gradient of explicit score matching, in a real network."""

from __future__ import annotations

from typing import Any

import numpy as np

from dfbench.levels import Array, Level
from dfbench.literature import ROWS
from dfbench.literature.gradients import gradient, plane, relative
from dfbench.literature.statement import largest_of
from dfbench.literature.trained import Lab, Trainable, planar, trained
from dfbench.outcome import Finding
from dfbench.schedules import at_log_snr

LOG_SNRS = (-2.0, 0.0, 2.0)


def gradients(
    network: Trainable, lab: Lab, level: Level, slope: float
) -> tuple[Array, Array, Array]:
    """∇θ of E[slope · tr ∇s + ½|s|²], of E ½|s − ∇log p|², and of E ½|s|² alone."""
    import torch

    points, mass = plane(lab.truth.diffused(*level))
    z = torch.as_tensor(points).requires_grad_()
    weight = torch.as_tensor(mass)
    s = network.as_prediction("score")(z, level)
    trace: Any = 0.0
    for i in range(2):
        (row,) = torch.autograd.grad(s[:, i].sum(), z, create_graph=True)
        trace = trace + row[:, i]
    true = torch.as_tensor(lab.truth.score(points, *level))
    half = 0.5 * (s**2).sum(1)
    implicit = gradient(network, (weight * (slope * trace + half)).sum(), keep=True)
    size = gradient(network, (weight * half).sum(), keep=True)
    explicit = gradient(network, (weight * 0.5 * ((s - true) ** 2).sum(1)).sum())
    return implicit, explicit, size


@trained(
    ROWS[13],
    r"\nabla_\theta\mathbb E\big[\operatorname{tr}\nabla s_\theta+\tfrac12|s_\theta|^2\big]="
    r"\nabla_\theta\tfrac12\mathbb E|s_\theta-\nabla\log p|^2",
    condition="a smooth network; the law at a level with noise, so that boundary terms vanish",
    subject=lambda: 1.0,
    control=lambda size: 1.0 + size,
    control_size=1e-3,
)
def check(slope: float, lab: Lab) -> Finding:
    """Both gradients by quadrature over the plane, at three levels."""
    planar(lab)
    network = lab.network()
    gaps, quantities = {}, {}
    for lam in LOG_SNRS:
        level, at = Level(*at_log_snr(lam)), f"λ = {lam:+g}"
        implicit, explicit, size = gradients(network, lab, level, slope)
        gaps[at] = quantities[f"gap of the gradients, {at}"] = relative(implicit, explicit, size)
        quantities[f"gradient left after training / of ½|s|² alone, {at}"] = float(
            np.linalg.norm(explicit) / np.linalg.norm(size)
        )
    return largest_of(
        gaps,
        1e-8,
        unit="of the gradient of E ½|s|²",
        derivation="trapezoidal rule, 128 nodes an axis: converged to 1e-10",
        quantities=quantities,
    )
