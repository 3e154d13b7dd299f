"""1. The Gaussian path: diffusing a mixture gives a mixture."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from analytic import GaussianMixture
from dfbench.charts.drawing import lines
from dfbench.levels import Level
from dfbench.literature.parts import decided, within
from dfbench.literature.posterior import joint
from dfbench.literature.statement import largest, row
from dfbench.outcome import Finding
from dfbench.schedules import FlowMatching
from dfbench.testing import levels, mixtures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Diffuse = Callable[[GaussianMixture, Level], GaussianMixture]  # the law of z = α x + σ ε

_WAVES = np.array([-1.5, -0.4, 0.2, 0.9])  # per standard deviation of z


def diffuse(noise: float = 1.0) -> Diffuse:
    """The package's law of z, with σ² taken `noise` times."""
    return lambda p, level: p.diffused(level.alpha, level.sigma * noise**0.5)


@within(1e-12, "of the largest density", "rounding of exponents up to 10², ε · 10²")
def quadrature_gap(law: Diffuse, target: GaussianMixture, level: Level) -> float:
    """|p(z) − ∫ p(x) N(z; αx, σ²) dx| in units of the largest density of one component."""
    z = level.alpha * np.linspace(-3, 3, 7) + level.sigma * np.array([0, 1, -2, 1, 2, -1, 0])
    found = law(target, level)
    gap = np.exp(found.log_density(z[:, None])) - joint(target, level, z)[1].sum(axis=1)
    return float(np.abs(gap).max() * np.sqrt(2 * np.pi * found.spectra.min()))


@within(1e-13, "of φ(0) = 1", "rounding of phases up to 10²: ε · 10²")
def characteristic_gap(law: Diffuse, target: GaussianMixture, level: Level) -> float:
    """φ_z(k) against φ_x(αk) e^(−σ²|k|²/2), in any dimension: x and ε are independent."""

    def phi(p: GaussianMixture, k: np.ndarray) -> complex:
        spread = np.exp(1j * p.means @ k - 0.5 * (k**2 * p.spectra).sum(1))  # axes are eigenvectors
        return complex(p.weights @ spread)

    found, worst = law(target, level), 0.0
    unit = 1 / np.sqrt(np.trace(found.covariance))
    for wave in _WAVES:
        k = wave * unit * np.arange(1, target.dim + 1)
        noise = np.exp(-0.5 * level.sigma**2 * k @ k)
        worst = largest(worst, abs(phi(found, k) - phi(target, level.alpha * k) * noise))
    return worst


def figure(finding: Finding) -> Figure:
    """A mixture on its way to noise."""
    return lines(finding, "state z", "density pₜ(z)")


@row(
    "1",
    r"z_t=\alpha_t x+\sigma_t\varepsilon,\ x\sim\sum_k w_k\mathcal N(\mu_k,\Sigma_k)\ \Rightarrow\ "
    r"z_t\sim\sum_k w_k\,\mathcal N(\alpha_t\mu_k,\ \alpha_t^2\Sigma_k+\sigma_t^2 I)",
    title="Gaussian path",
    source="HE, SU",
    condition="x and ε are independent; the control adds noise of another variance",
    subject=diffuse,
    control=lambda size: diffuse(1 + size),
    control_size=5e-10,
    figure=figure,
)
def check(law: Diffuse) -> Finding:
    """By quadrature in one dimension, by characteristic functions in up to three."""
    parts = {
        "density against quadrature, 1D": quadrature_gap.for_all(
            law, target=mixtures(dim=1), level=levels(-8.0, 8.0)
        ),
        "characteristic function, any dimension": characteristic_gap.for_all(
            law, target=mixtures(), level=levels()
        ),
    }
    return decided(parts, series=_picture(law))


def _picture(law: Diffuse) -> dict[str, list[float]]:
    target = GaussianMixture.isotropic([0.3, 0.7], [[-1.5], [1.0]], [0.02, 0.1])
    z = np.linspace(-3, 3, 241)
    series = {"z": z.tolist()}
    for t in (0.0, 0.2, 0.5, 1.0):
        p = law(target, FlowMatching().level(t))
        series[f"t = {t:g}"] = np.exp(p.log_density(z[:, None])).tolist()
    return series
