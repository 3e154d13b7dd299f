"""52. The gradient of an energy model's log-likelihood: data pull down, the model pushes up."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from analytic import GaussianMixture
from analytic.information import expectation
from dfbench.levels import Array
from dfbench.literature.c12_energy_score import Wells, wells
from dfbench.literature.calculus import derivative
from dfbench.literature.parts import within
from dfbench.literature.statement import row
from dfbench.outcome import Finding

# slopes ∇_θ f at the data (n, P), and their mean under the model (P,) → ∇_θ log p at the data
Gradient = Callable[[Array, Array], Array]


def two_phases(size: float = 0.0) -> Gradient:
    """−∇f + E ∇f; of a model that is sampled a part too often."""
    return lambda at_data, of_model: -at_data + (1 + size) * of_model


def slopes(well: Wells, x: Array) -> Array:
    """∇_θ of f(x) = −log Σ_k e^(d_k − |x − c_k|²/2w_k²), θ = (d, c, w), shape (n, K (2 + dim))."""
    depths, centres, widths = well
    apart = x[:, None] - centres
    square = (apart**2).sum(-1)
    exponent = depths - square / (2 * widths**2)
    share = np.exp(exponent - exponent.max(axis=1, keepdims=True))
    share /= share.sum(axis=1, keepdims=True)
    of_centres = -share[..., None] * apart / widths[:, None] ** 2
    parts = (-share, of_centres.reshape(len(x), -1), -share * square / widths**3)
    return np.concatenate(parts, axis=1)


def normalised(well: Wells) -> GaussianMixture:
    """p_θ = e^(−f)/Z: a well weighs its volume."""
    depths, centres, widths = well
    volume = depths + centres.shape[1] * np.log(widths)
    weight = np.exp(volume - volume.max())
    return GaussianMixture.isotropic(weight / weight.sum(), centres, widths**2)


def moved(well: Wells, along: Array, s: float) -> Wells:
    """The wells of θ + s e."""
    depths, centres, widths = well
    d, c, w = np.split(s * along, np.cumsum([depths.size, centres.size]))
    return depths + d, centres + c.reshape(centres.shape), widths + w


def integrable(well: Wells) -> bool:
    """On the line, or in the plane with widths that one rule resolves."""
    _, centres, widths = well
    even = bool(widths.max() < 2 * widths.min())
    return centres.shape[1] == 1 or (centres.shape[1] == 2 and even)


@within(
    1e-10,
    "of 1 + its size",
    "differences with h = w/100: ninth derivatives up to 10⁶/w⁹ give 2e-13, rounding 40 ε/h; "
    "quadrature to 1e-11",
)
def gap(gradient: Gradient, well: Wells) -> float:
    """−∇f(x) + E_{p_θ} ∇f against differences of log p_θ(x), which the oracle normalises."""
    _, centres, widths = well
    target, h = normalised(well), 0.01 * float(widths.min())
    reach = widths[:, None, None] * np.linspace(-2, 2, 3)[:, None]
    x = (centres[:, None] + reach).reshape(-1, centres.shape[1])
    here = target.log_density(x)

    def factor(along: Array, s: float) -> Array:
        """p_{θ + s e}(x)/p_θ(x), which is smoother than its logarithm."""
        return np.asarray(np.exp(normalised(moved(well, along, s)).log_density(x) - here))

    of_model = expectation(target, partial(slopes, well))
    axes = np.eye(of_model.size)
    truth = np.stack([derivative(partial(factor, axis), 0.0, h) for axis in axes], axis=1)
    found = gradient(slopes(well, x), of_model)
    return float((np.abs(found - truth) / (1 + np.abs(truth))).max())


@row(
    "52",
    r"p_\theta=\tfrac1{Z_\theta}e^{-f_\theta}:\quad\nabla_\theta\log p_\theta(x)=-\nabla_\theta "
    r"f_\theta(x)+\mathbb E_{x'\sim p_\theta}\nabla_\theta f_\theta(x')",
    title="Likelihood gradient of an energy model",
    source="HYV",
    condition="the mean is over the model itself, not over the data and not over a chain that has "
    "not reached it; ∫ and ∇ change places",
    subject=two_phases,
    control=two_phases,
    control_size=2e-9,
)
def check(gradient: Gradient) -> Finding:
    """Energies of up to three wells on the line and in the plane, in every parameter."""
    cases: dict[str, Any] = {"well": wells().filter(integrable)}
    return gap.for_all(gradient, examples=15, **cases)
