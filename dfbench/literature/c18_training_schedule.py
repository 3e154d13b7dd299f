"""18. The training schedule does not change the loss, only the variance of its estimate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st

from analytic import GaussianMixture
from analytic.information import eps_mmse
from dfbench.charts.drawing import frame
from dfbench.charts.look import COLOURS
from dfbench.levels import Array
from dfbench.literature.calculus import gauss_legendre
from dfbench.literature.parts import within
from dfbench.literature.statement import row, worst_of
from dfbench.outcome import Finding, judge
from dfbench.schedules import VE, Cosine, FlowMatching, LinearVP, Schedule
from dfbench.testing import schedules, spectra
from dfbench.training.noise_levels import AdaptiveLevels, Setting
from dfbench.weightings import WEIGHTINGS, EDMWeighting, Weighting, log_snr_density

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Density = Callable[[Schedule, Array], Array]  # of λ_t for uniform t


def broken(size: float) -> Density:
    """The factor |dλ/dt| is not quite divided out."""
    return lambda schedule, lam: log_snr_density(schedule, lam) ** (1 - size)


UNIFORM = 0.01  # draws of the adaptive density that do not adapt
nodes = partial(gauss_legendre, 16, panels=8)


def error(spectrum: Array, lam: Array) -> Array:
    """M₂(λ) = E|ε̂ − ε|² of the exact network for Gaussian data."""
    data = GaussianMixture.spectral([1.0], np.zeros((1, len(spectrum))), spectrum[None], None)
    return eps_mmse(data, lam)


def fourth(spectrum: Array, lam: Array) -> Array:
    """M₄(λ) = E|ε̂ − ε|⁴: the error is Gaussian, M₄ = M₂² + 2 Σ v_i²."""
    v = 1 / (1 + np.exp(-lam)[:, None] / spectrum)
    return np.asarray(v.sum(-1) ** 2 + 2 * (v**2).sum(-1))


def variances(spectrum: Array, weight: Weighting, low: float, high: float) -> dict[str, float]:
    """Var/L² of one draw of w(λ)|ε̂ − ε|²/p(λ) for λ ~ p, by the training density p."""
    lam, panel = nodes(low, high)
    w, m2, m4 = weight(lam), error(spectrum, lam), fourth(spectrum, lam)
    loss = panel @ (w * m2)
    fixed = {
        "cosine": Cosine(),
        "flow matching": FlowMatching(),
        "linear VP": LinearVP(),
        "linear in λ (VE)": VE(np.exp(-high / 2), np.exp(-low / 2)),
    }
    densities = {name: log_snr_density(schedule, lam) for name, schedule in fixed.items()}
    densities |= {"adaptive, p ∝ w M₂": w * m2, "least, p ∝ w √M₄": w * np.sqrt(m4)}
    second = {name: panel @ p * (panel @ (w**2 * m4 / p)) for name, p in densities.items()}
    return {name: float(value / loss**2 - 1) for name, value in second.items()}


def learned(spectrum: Array, weight: Weighting, low: float, high: float) -> AdaptiveLevels:
    """The package's adaptive density after 300 batches of 256 errors of the exact network."""
    rng = np.random.default_rng(18)
    setting = Setting(Cosine(), weight, float(np.sqrt(spectrum.mean())))
    levels = AdaptiveLevels(setting, low=low, high=high, bins=50, decay=0.9, uniform=UNIFORM)
    for _ in range(300):
        lam, _ = levels.draw(rng.random(256))
        v = 1 / (1 + np.exp(-lam)[:, None] / spectrum)
        levels.update(lam, weight(lam) * (v * rng.standard_normal(v.shape) ** 2).sum(-1))
    return levels


def adapts(spectrum: Array, weight: Weighting, low: float, high: float) -> Finding:
    """E of the square of a draw at the learnt density, over that at p ∝ w M₂, minus one.

    With M₂ and M₄ of the error in closed form, over each bin of the density by quadrature.
    """
    lam, panel = gauss_legendre(8, low, high, panels=50)
    w, m2, m4 = weight(lam), error(spectrum, lam), fourth(spectrum, lam)
    levels = learned(spectrum, weight, low, high)
    density = levels.mass[levels.bin(lam)] * 50 / (high - low)
    goal = (panel @ (w * m2)) * (panel @ (w * m4 / m2))
    return judge(
        float(panel @ (w**2 * m4 / density) / goal - 1),
        0.03,
        unit="of the second moment of a draw",
        derivation=f"{UNIFORM:.0%} of draws stays uniform; averages of bins over about 19 batches, "
        "of five draws each, are known to a tenth, which costs its square; bins are 0.4 wide",
    )


def figure(finding: Finding) -> Figure:
    """The variance of the estimate, by training schedule."""
    import seaborn as sns

    series = finding.series or {}
    fig, (axis,) = frame("variance of one draw / loss²", "")
    values = [value[0] for value in series.values()]
    sns.barplot(x=values, y=list(series), ax=axis, color=COLOURS[0], saturation=1)
    return fig


@row(
    "18",
    r"\mathbb E_t\!\left[\frac{w(\lambda_t)}{p(\lambda_t)}|\hat\epsilon-\epsilon|^2\right]"
    r"=\int_{\lambda_{\min}}^{\lambda_{\max}}w\,\mathbb E|\hat\epsilon-\epsilon|^2d\lambda,\qquad"
    r"\min_p\operatorname{Var}\text{ at }p\propto w\,\sqrt{\mathbb E|\hat\epsilon-\epsilon|^4}",
    title="Training schedule",
    source="KG, GAO",
    condition="same λ_min and λ_max, p > 0 between them. KG's adaptive p ∝ w E|ε̂ − ε|² is the "
    "best one only where E|·|⁴/(E|·|²)² does not depend on λ",
    subject=lambda: log_snr_density,
    control=broken,
    control_size=3e-7,
    figure=figure,
)
def check(density: Density) -> Finding:
    """The loss under any schedule, and that no schedule's estimate varies less than the best."""

    @within(1e-8, "of the loss", "128 Gauss–Legendre nodes")
    def loss(schedule: Schedule, spectrum: Array, weight: str) -> float:
        low, high = max(-4.0, schedule.log_snr(1.0)), min(4.0, schedule.log_snr(0.0))
        w = WEIGHTINGS[weight]()
        lam, panel = nodes(low, high)
        true = panel @ (w(lam) * error(spectrum, lam))
        first, last = schedule.t_of_log_snr(high), schedule.t_of_log_snr(low)
        t, panel = nodes(first, last)
        lam = np.asarray(schedule.log_snr(t))
        value = panel @ (w(lam) / density(schedule, lam) * error(spectrum, lam))
        return float(abs(value / true - 1))

    @within(1e-12, derivation="Cauchy–Schwarz; round-off")
    def excess(spectrum: Array, weight: str) -> float:
        """Least variance over that of each other density, minus one."""
        found = variances(spectrum, WEIGHTINGS[weight](), -6.0, 6.0)
        least = found.pop("least, p ∝ w √M₄")
        return (1 + least) / (1 + min(found.values())) - 1

    smooth = st.sampled_from(["elbo", "flow_matching", "sd3", "edm", "sigmoid", "indi"])
    found = worst_of(
        loss.for_all(schedule=schedules(), spectrum=spectra(), weight=smooth),
        excess.for_all(spectrum=spectra(), weight=smooth),
    )
    # A spectrum like that of images, in which the variance falls with frequency squared.
    image = 1 / np.arange(1, 65) ** 2.0
    edm = EDMWeighting(sigma_data=float(np.sqrt(image.mean())))
    by = variances(image, edm, -10.0, 10.0)
    learnt = adapts(image, edm, -10.0, 10.0)
    found = worst_of(found, learnt)
    adaptive = by["adaptive, p ∝ w M₂"]
    fixed = {name: value for name, value in by.items() if " ∝ " not in name}
    return replace(
        found,
        quantities={f"variance / loss², {name}": value for name, value in by.items()}
        | {"the package's adaptive density, excess of the second moment": learnt.measured or 0.0}
        | {
            f"factor by which adapting lowers the variance, from {name}": value / adaptive
            for name, value in fixed.items()
        },
        series={name: [value] for name, value in by.items()},
    )
