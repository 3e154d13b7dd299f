"""26. A learned score is good where the data is dense; noise at several scales mends the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from analytic import GaussianMixture
from analytic.information import expectation
from dfbench.charts.drawing import curves, frame
from dfbench.levels import Array
from dfbench.literature.statement import largest, row, worst_of
from dfbench.losses import implicit_score_matching
from dfbench.outcome import Finding, judge

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Learner = Callable[[Array, float, Array], Array]  # points (n,), σ, places → score there
TARGET = GaussianMixture.isotropic([0.2, 0.8], [[-5.0], [5.0]], [1.0, 1.0])  # NCSN's, on a line
PLACES = np.linspace(-7.0, 7.0, 57)
CENTRES = np.linspace(-15.0, 15.0, 61)
WIDTH, RIDGE = 0.75, 1e-4
SCALES = (0.0, 1.0, 2.0, 4.0, 8.0)
SAMPLES, REPLICAS = 1000, 16
NODE, MASS = np.polynomial.hermite_e.hermegauss(21)


def bumps(z: Array) -> tuple[Array, Array]:
    """Gaussian bumps of width ¾ every ½, (n, 61), and their derivatives."""
    u = (z[:, None] - CENTRES) / WIDTH
    phi = np.exp(-(u**2) / 2)
    return phi, -u / WIDTH * phi


def least_squares(slope: float = 1.0) -> Learner:
    """s = θ·φ with the least E[s' + ½ s²] over the noised points: θ = −(E φφ' + ridge)⁻¹ E φ'.

    The same θ minimises the denoising loss; its expectation over the noise is a quadrature. The
    class acts on z/√(1 + σ²), as a network does whose input is normalised.
    """

    def learn(points: Array, sigma: float, places: Array) -> Array:
        node, mass = (NODE, MASS / MASS.sum()) if sigma else (np.zeros(1), np.ones(1))
        size = np.sqrt(1 + sigma**2)
        z = (points[:, None] + sigma * node).reshape(-1) / size
        weight = np.tile(mass / len(points), len(points))
        phi, derivative = bumps(z)
        gram = phi.T @ (weight[:, None] * phi) + RIDGE * np.eye(len(CENTRES))
        theta = -np.linalg.solve(gram, slope * (weight @ derivative))
        return np.asarray(bumps(places / size)[0] @ theta / size)

    return learn


def slope_left(learn: Learner, sigma: float) -> float:
    """Of the package's loss along every bump at what was learned, of the size of its terms.

    With the ridge: ∂/∂θ_i E[tr ∇s + ½|s|²] = −ridge θ_i/(1 + σ²) at the least loss.
    """
    points = TARGET.sample(SAMPLES, np.random.default_rng(260))[:, 0]
    node, mass = (NODE, MASS / MASS.sum()) if sigma else (np.zeros(1), np.ones(1))
    size, z = np.sqrt(1 + sigma**2), (points[:, None] + sigma * node).reshape(-1)
    weight = np.tile(mass / len(points), len(points))
    theta = np.linalg.solve(bumps(CENTRES)[0], size * learn(points, sigma, size * CENTRES))
    s, (phi, derivative) = learn(points, sigma, z), bumps(z / size)
    phi, derivative = phi / size, derivative / size**2
    # the divergence of s itself drops out of the difference
    up, down = (
        np.array(
            [
                weight @ implicit_score_matching((s + k * phi[:, i])[:, None], k * derivative[:, i])
                for i in range(len(CENTRES))
            ]
        )
        for k in (1, -1)
    )
    terms = np.abs(weight @ derivative).max()
    return float(np.abs((up - down) / 2 + RIDGE * theta / size**2).max() / terms)


def errors(learn: Learner, sigma: float, samples: int = SAMPLES) -> Array:
    """Rms over training sets of ŝ − s at the places, in units of 1/√(1 + σ²)."""
    rng = np.random.default_rng(26)
    true = TARGET.score(PLACES[:, None], 1.0, sigma)[:, 0]
    squares = [
        (learn(TARGET.sample(samples, rng)[:, 0], sigma, PLACES) - true) ** 2
        for _ in range(REPLICAS)
    ]
    return np.asarray(np.sqrt(np.mean(squares, axis=0) * (1 + sigma**2)))


def predicted(places: Array, samples: int) -> Array:
    """The rms error to first order in 1/n, without noise: bias² + φ' A⁻¹ Σ A⁻¹ φ / n.

    A = E φφ', and Σ is the covariance of φ' + φ φ'θ, whose mean is zero at the best θ.
    """

    def moments(z: Array) -> Array:
        phi, derivative = bumps(z[:, 0])
        return np.concatenate([derivative[:, None], phi[:, :, None] * phi[:, None]], axis=1)

    mean = expectation(TARGET, moments)
    gram = mean[1:] + RIDGE * np.eye(len(CENTRES))
    theta = -np.linalg.solve(gram, mean[0])

    def spread(z: Array) -> Array:
        phi, derivative = bumps(z[:, 0])
        g = derivative + phi * (phi @ theta)[:, None] + RIDGE * theta
        return np.asarray(g[:, :, None] * g[:, None])

    sigma, (phi, _) = expectation(TARGET, spread), bumps(places)
    bias = phi @ theta - TARGET.score(places[:, None])[:, 0]
    pull = np.linalg.solve(gram, phi.T)
    return np.asarray(np.sqrt(bias**2 + ((sigma @ pull) * pull).sum(0) / samples))


def figure(finding: Finding) -> Figure:
    """Score error against density, without noise for several sizes of the set, and with noise."""
    series = finding.series or {}
    y = "rms error of the score · √(1 + σ²)"
    fig, (left, right) = frame("density p(x)", y, panels=2, yscale="log")
    curves(left, series, "density", [n for n in series if n.startswith("n =")], ["."], ms=5)
    curves(right, series, "x", [n for n in series if n.startswith("σ =")])
    left.set_xscale("log")
    right.set(xlabel="place x", ylabel="")
    return fig


@row(
    "26",
    r"\mathbb E|\hat s(x)-\nabla\log p(x)|^2\ \text{large where}\ n\,p(x)\ \text{is small};\qquad"
    r"\sigma\,|\hat s_\sigma-\nabla\log p_\sigma|\ \text{small at every}\ x\ "
    r"\text{for}\ \sigma\gtrsim\text{the gap}",
    title="A learned score where data is rare",
    source="NCSN",
    condition="finitely many points and a class of functions that tells places apart; the best "
    "score in the class is in closed form, no training",
    subject=least_squares,
    control=lambda size: least_squares(1 + size),
    control_size=5e-9,
    figure=figure,
)
def check(learn: Learner) -> Finding:
    """Dense: |x ∓ 5| < 1. Rare: between the modes, |x| < 1.5."""
    density = np.exp(TARGET.log_density(PLACES[:, None]))
    dense, rare = np.abs(PLACES - 5) < 1, np.abs(PLACES) < 1.5

    def rms(values: Array, where: Any) -> float:
        return float(np.sqrt(np.mean(values[where] ** 2)))

    by_scale = {sigma: errors(learn, sigma) for sigma in SCALES}
    by_size = {n: errors(learn, 0.0, n) for n in (250, 4000)} | {SAMPLES: by_scale[0.0]}
    at = {sigma: (rms(e, dense), rms(e, rare)) for sigma, e in by_scale.items()}
    enough = density * SAMPLES > 10  # tens of points within reach
    slope = np.polyfit(np.log(density[enough]), np.log(by_scale[0.0][enough]), 1)[0]
    theory = rms(predicted(PLACES, SAMPLES), dense)
    found = worst_of(
        judge(
            largest(slope_left(learn, sigma) for sigma in (0.0, 1.0)),
            1e-10,
            unit="of the slope's terms",
            derivation="round-off in float64, through a matrix of condition 10³",
        ),
        judge(
            abs(np.log(at[0.0][0] / theory)),
            0.4,
            unit="log of a ratio",
            derivation="five standard errors of 16 training sets at five independent places",
        ),
        judge(
            5 * at[0.0][0] / at[0.0][1],
            1.0,
            unit="5 × error where dense / where rare",
            derivation="five times worse where data is rare",
        ),
        judge(
            at[8.0][1] / at[0.0][0],
            1.0,
            unit="error where rare at σ = 8 / where dense at 0",
            derivation="noise as wide as the gap makes the rare "
            "places as good as the dense ones were",
        ),
    )
    series: dict[str, Any] = {"x": PLACES.tolist(), "density": density.tolist()}
    series |= {f"n = {n}": by_size[n].tolist() for n in sorted(by_size)}
    series |= {f"σ = {sigma:g}": by_scale[sigma].tolist() for sigma in SCALES}
    quantities = {
        "slope of log error over log density": float(slope),
        "rms error where dense, σ = 0, predicted": theory,
    }
    for sigma, (good, poor) in at.items():
        quantities |= {
            f"rms error where dense, σ = {sigma:g}": good,
            f"rms error where rare, σ = {sigma:g}": poor,
        }
    return replace(found, quantities=quantities, series=series)
