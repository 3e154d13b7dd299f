"""49. A DDIM step and forward noising back to where it began leave p_λ unchanged, in law only."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from analytic import GaussianMixture
from analytic.information import expectation
from dfbench.exact import exact_model
from dfbench.levels import Array, Level, grid_of
from dfbench.literature.limits import WAVES, limit
from dfbench.literature.parts import decided, within
from dfbench.literature.statement import row
from dfbench.outcome import Finding
from dfbench.samplers import METHODS
from dfbench.samplers.method import Output
from dfbench.testing import floats, levels, mixtures

LENGTHS = 0.2 / np.array([1.0, 1.5, 2.0, 3.0, 4.0, 6.0])  # of the step, in λ

# data, the level, the one stepped to, states (n, d) → those before the noise, and its deviation
StepAndBack = Callable[[GaussianMixture, Level, Level, Array], tuple[Array, float]]


def step_and_back(size: float = 0.0) -> StepAndBack:
    """The package's DDIM from t to s, then (α_t/α_s) z_s + √(σ_t² − (α_t/α_s)² σ_s²) ξ; of a
    noise too large by a part."""

    def taken(target: GaussianMixture, t: Level, s: Level, z: Array) -> tuple[Array, float]:
        network = exact_model(target, "x")

        def model(z: Array, level: Level) -> Output:
            return Output(network(z, level), z, level, "x")

        reached = METHODS["ddim"](model, z, grid_of([t, s]), lambda *_: 0.0)
        back = t.alpha / s.alpha
        noise = np.sqrt((t.sigma - back * s.sigma) * (t.sigma + back * s.sigma))
        return np.asarray(back * reached), float((1 + size) * noise)

    return taken


def waves(dim: int) -> Array:
    """Vectors ω (w, d) of the test functions e^{iω·z}."""
    directions = np.array([[1.0, 0.0], [0.6, 0.8]])[:dim, :dim]
    return np.concatenate([w * directions for w in WAVES])


@within(
    1e-7,
    "of the rate at which the noise alone changes it",
    "the limit of six lengths Δ ≤ 0.2: what is left is (Δ/2)⁶ of derivatives of order one; "
    "quadrature to 1e-11 over Δ",
)
def rates(taken: StepAndBack, target: GaussianMixture, t: Level, scale: float) -> float:
    """(E e^{iω·z'} − E e^{iω·z})/Δ → 0, so that the law changes by O(Δ²) alone; and for the
    samples E|z' − z|²/Δ → d σ_t², which is not zero."""
    width = float(np.sqrt(t.alpha**2 * target.spectra.min() + t.sigma**2))
    omega = waves(target.dim) / width
    square = (omega**2).sum(axis=1)

    def changes(length: float) -> Array:
        s = Level(scale * t.alpha, scale * t.sigma * np.exp(-length / 2))

        def terms(z: Array) -> Array:
            moved, noise = taken(target, t, s, z)
            faded = np.exp(-0.5 * noise**2 * square)
            wave = (np.exp(1j * moved @ omega.T) * faded - np.exp(1j * z @ omega.T)) / square
            apart = ((moved - z) ** 2).sum(1) + target.dim * noise**2
            ones = np.full(len(z), width**2)  # what the quadrature's tolerance is relative to
            return np.concatenate([wave.real, wave.imag, np.stack([apart, ones], 1)], 1)

        return np.asarray(expectation(target.diffused(*t), terms)[:-1] / length)

    found = limit([1 / length for length in LENGTHS], [changes(length) for length in LENGTHS])
    found[-1] -= target.dim * t.sigma**2
    return float(np.abs(found).max() / (0.5 * t.sigma**2))


@row(
    "49",
    r"z'=\text{noising}_{\lambda+\Delta\to\lambda}\circ\text{DDIM}_{\lambda\to\lambda+\Delta}(z):"
    r"\quad z'\sim p_\lambda+O(\Delta^2),\qquad\tfrac1\Delta\mathbb E|z'-z|^2\to d\,\sigma_t^2",
    title="A step and noise back",
    source="GAO",
    condition="the exact network; the noise is what forward noising adds. In law, not sample by "
    "sample: the samples move by √Δ",
    subject=step_and_back,
    control=step_and_back,
    control_size=2e-6,
)
def check(taken: StepAndBack) -> Finding:
    """Mixtures on the line and in the plane, any level, any scale of the level stepped to."""
    parts = {
        f"rate of change in {name}": rates.for_all(
            taken,
            examples=examples,
            target=mixtures(dim=dim, smallest=0.3),
            t=levels(-4.0, 3.0),
            scale=floats(0.5, 2.0),
        )
        for name, dim, examples in (("one dimension", 1, 10), ("two dimensions", 2, 3))
    }
    return decided(parts)
