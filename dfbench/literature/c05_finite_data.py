"""5. With finitely many points the best denoiser is the softmax-weighted mean over all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st
from scipy.special import softmax

from analytic import GaussianMixture
from dfbench.charts.drawing import lines
from dfbench.exact import exact_model
from dfbench.levels import Array, Level
from dfbench.literature.parts import within
from dfbench.literature.statement import largest, row, worst_of
from dfbench.outcome import Finding
from dfbench.schedules import at_log_snr
from dfbench.testing import floats, levels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Denoiser = Callable[[Array, Array, Level], Array]  # points (K, d), states z (n, d) → (n, d)


def of_mixture(first: float = 1.0) -> Denoiser:
    """x̂ of the mixture with zero covariances, the first point counted `first` times."""

    def denoise(points: Array, z: Array, level: Level) -> Array:
        w = np.append(first, np.ones(len(points) - 1))
        return exact_model(GaussianMixture.points(points, w / w.sum()), "x")(z, level)

    return denoise


def over_all(points: Array, z: Array, level: Level, keep: int | None = None) -> Array:
    """Σ_i x_i softmax_i(−|z − α x_i|²/2σ²), over the `keep` nearest points only if given."""
    square = ((z[:, None] - level.alpha * points) ** 2).sum(-1)
    if keep is not None:
        square = np.where(square <= np.sort(square)[:, keep - 1, None], square, np.inf)
    return np.asarray(softmax(-square / (2 * level.sigma**2), axis=1) @ points)


@within(1e-14, "of the points · (1 + |z|²/σ²)", "rounding of the exponents: 10² ε")
def gap(denoise: Denoiser, points: Array, level: Level, seed: int) -> float:
    """The mixture against the softmax, at states that the points diffuse to."""
    rng = np.random.default_rng(seed)
    z = level.alpha * points + level.sigma * rng.standard_normal(points.shape)
    # An exponent |z|²/2σ² rounds to ε times itself, and moves x̂ by that share of the points.
    size = np.abs(points).max() * (1 + (np.abs(z).max() / level.sigma) ** 2)
    return float(np.abs(denoise(points, z, level) - over_all(points, z, level)).max() / (size or 1))


@within(1e-12, "of the points", "rounding of the exponents, up to 10⁴ at λ = 6: ε · 10⁴")
def slope_of_loss(denoise: Denoiser, points: Array, level: Level) -> float:
    """d/dh E|D(z) + h φ(z) − x|² at h = 0 for some φ: zero for each, where D is the minimiser.

    The mean over the points is a sum, that over ε the trapezoid rule, exact to rounding.
    """
    eps = np.arange(-9, 9, 0.05)
    weight = np.exp(-0.5 * eps**2) * 0.05 / np.sqrt(2 * np.pi)
    z = level.alpha * points + level.sigma * eps  # (K, m) from points (K, 1)
    error = denoise(points, z.reshape(-1, 1), level).reshape(z.shape) - points
    y = z / np.hypot(*level)
    tests = (np.ones_like(y), y, np.cos(y), np.exp(-(y**2)))
    size = np.abs(points).max() or 1.0
    return float(largest(abs((error * phi @ weight).mean()) for phi in tests) / size)


def figure(finding: Finding) -> Figure:
    """What is lost when only the nearest points are averaged."""
    return lines(
        finding, "log-SNR λ", "error of x̂ (rms, per unit of data)", yscale="log", ylim=(1e-6, 3)
    )


def _cloud(d: int) -> st.SearchStrategy[Array]:
    point = st.lists(floats(-2, 2).map(lambda v: round(v, 6)), min_size=d, max_size=d)
    return st.lists(point, min_size=2, max_size=6).map(np.array)


@row(
    "5",
    r"\operatorname{argmin}_D\sum_i\mathbb E_\varepsilon|D(\alpha x_i+\sigma\varepsilon)-x_i|^2"
    r"=\sum_i x_i\,\operatorname{softmax}_i\!\Big(-\frac{|z-\alpha x_i|^2}{2\sigma^2}\Big)",
    title="Finitely many points",
    source="SU",
    condition="the sum is over all points, with their weights; the control counts one more",
    subject=of_mixture,
    control=lambda size: of_mixture(1 + size),
    control_size=6e-12,
    figure=figure,
)
def check(denoise: Denoiser) -> Finding:
    """The mixture against the softmax in three dimensions, and against the loss itself in one."""
    same = gap.for_all(denoise, points=_cloud(3), level=levels(), seed=st.integers(0, 99))
    least = slope_of_loss.for_all(denoise, points=_cloud(1), level=levels(-6.0, 6.0))
    series = _picture(denoise)
    at = int(np.argmin(np.abs(np.array(series["log-SNR"]))))
    found = {f"{name}, at log-SNR 0": series[name][at] for name in list(series)[1:]}
    return worst_of(same, least, quantities=found, series=series)


def _picture(denoise: Denoiser) -> dict[str, list[float]]:
    rng = np.random.default_rng(5)
    points, noise = rng.standard_normal((64, 8)), rng.standard_normal((64, 8))
    lam = np.linspace(-6, 6, 25)
    series: dict[str, list[float]] = {"log-SNR": lam.tolist()}
    for keep, name in ((1, "nearest point only"), (8, "8 nearest of 64"), (32, "32 nearest of 64")):
        series[name] = []
        for x in lam:
            level = Level(*at_log_snr(float(x), "vp"))
            z = level.alpha * points + level.sigma * noise
            lost = over_all(points, z, level, keep) - denoise(points, z, level)
            series[name].append(float(np.sqrt((lost**2).mean())))
    return series
