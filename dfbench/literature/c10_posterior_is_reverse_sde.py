"""10. The exact one-step posterior of the forward chain tends to Anderson's reverse SDE."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from analytic import GaussianMixture
from dfbench.charts.drawing import lines
from dfbench.grids import uniform_t
from dfbench.levels import Array
from dfbench.literature.calculus import order
from dfbench.literature.limits import limit
from dfbench.literature.parts import decided, within
from dfbench.literature.statement import largest, row
from dfbench.outcome import Finding
from dfbench.samplers import METHODS
from dfbench.schedules import FlowMatching, Schedule
from dfbench.testing import floats, mixtures, schedules

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# (target, schedule, t, h, z) → mean (n,) and variance of the step from t to t − h
ReverseStep = Callable[[GaussianMixture, Schedule, float, float, Array], tuple[Array, float]]


def reverse_step(score: float = 1.0) -> ReverseStep:
    """One Euler–Maruyama step of the reverse SDE, its score taken `score` times."""

    def step(
        target: GaussianMixture, schedule: Schedule, t: float, h: float, z: Array
    ) -> tuple[Array, float]:
        table = METHODS["reverse_sde"].table(uniform_t(schedule, 1, t, t - h), "score")
        of_z, of_score, fresh = table.rows[-1]
        s = target.score(z[:, None], *schedule.level(t))[:, 0]
        return of_z * z + score * of_score * s, float(fresh**2)

    return step


def posterior(
    target: GaussianMixture, schedule: Schedule, t: float, h: float, z: Array
) -> tuple[Array, Array, GaussianMixture, tuple[float, float]]:
    """Bayes' rule for z_{t−h} given z_t: p_{t−h}(y) N(z; a y, G²), a mixture again.

    Returns mean and variance (n,), the prior p_{t−h} and (a, G).
    """
    now, before = schedule.level(t), schedule.level(t - h)
    a = now.alpha / before.alpha
    std = np.sqrt((now.sigma - a * before.sigma) * (now.sigma + a * before.sigma))
    prior = target.diffused(*before)
    mean = prior.posterior_mean(z[:, None], a, std)[:, 0]
    return mean, prior.posterior_covariance(z[:, None], a, std)[:, 0, 0], prior, (a, float(std))


def errors(
    step: ReverseStep, target: GaussianMixture, schedule: Schedule, t: float, h: float
) -> tuple[float, float, float]:
    """Of mean (in lengths of p_t), of variance (relative), and total variation, over some z."""
    alpha, sigma = schedule.level(t)
    length = np.sqrt(alpha**2 * target.spectra[:, 0] + sigma**2)
    offsets = np.linspace(-1.8, 2.1, 5)
    z = (alpha * target.means + np.multiply.outer(length, offsets)).reshape(-1)
    mean, variance, prior, (a, std) = posterior(target, schedule, t, h, z)
    guess, spread = step(target, schedule, t, h, z)
    y = mean + np.sqrt(spread) * np.linspace(-8, 8, 161)[:, None]  # (m, n)
    log_p = prior.log_density(y.reshape(-1, 1)).reshape(y.shape) - 0.5 * ((z - a * y) / std) ** 2
    exact = np.exp(log_p - log_p.max(axis=0))
    exact /= exact.sum(axis=0)
    normal = np.exp(-0.5 * (y - guess) ** 2 / spread)
    normal /= normal.sum(axis=0)
    return (
        float((np.abs(mean - guess)).max() / length.min()),
        float(np.abs(variance / spread - 1).max()),
        float(0.5 * np.abs(exact - normal).sum(axis=0).max()),
    )


ORDERS = {"mean": 2.0, "variance": 1.0, "total variation": 1.0}


@within(
    0.1,
    "order",
    "h/2 of the next term, at h = 1/500 of the shortest time: 1e-2, where the "
    "leading one is not small by accident: ×10",
)
def order_gap(step: ReverseStep, target: GaussianMixture, schedule: Schedule, t: float) -> float:
    """The largest |measured order − stated order| of the three errors."""
    (alpha, sigma), rates = schedule.level(t), schedule.rates(t)
    length = float(np.sqrt(alpha**2 * target.spectra.min() + sigma**2))
    pace = (abs(rates[0]) * 5 + abs(rates[1]) * 5 * (1 + sigma / length)) / length + 1 / t + 20
    steps = 2e-3 / pace * np.array([1.0, 0.5])
    found = np.array([errors(step, target, schedule, t, float(h)) for h in steps])
    return largest(
        abs(order(steps, column) - stated)
        for column, stated in zip(found.T, ORDERS.values(), strict=True)
    )


@within(
    1e-7,
    "of the noise's variance per unit of time, and of the drift over it",
    "the limit of six lengths of step, the longest a twentieth of the shortest time; rounding ε/h",
)
def drift_gap(step: ReverseStep, target: GaussianMixture, schedule: Schedule, t: float) -> float:
    """(E[z_{t−h} | z_t] − the step's mean)/h → 0 and Var/(the step's variance) → 1."""
    (alpha, sigma), g2 = schedule.level(t), float(schedule.g2(t))
    length = np.sqrt(alpha**2 * target.spectra[:, 0] + sigma**2)
    z = (alpha * target.means + np.multiply.outer(length, [-1.8, -0.4, 0.9, 2.1])).reshape(-1)
    pace = g2 / float(length.min()) ** 2 + abs(float(schedule.f(t))) + 1 / t + 1 / (1 - t)
    widths, found = 0.05 / pace / np.array([1.0, 1.5, 2.0, 3.0, 4.0, 6.0]), []
    for h in widths:
        mean, variance, _, _ = posterior(target, schedule, t, float(h), z)
        guess, spread = step(target, schedule, t, float(h), z)
        found.append([(mean - guess) / (h * g2 / length.min()), variance / spread - 1])
    return float(np.abs(limit(1 / widths, found)).max())


def figure(finding: Finding) -> Figure:
    """The three errors against the length of the step."""
    styles = ("o-", "s-", "^-", "--", "--")
    return lines(
        finding, "step h in time", "error of one step", styles=styles, xscale="log", yscale="log"
    )


@row(
    "10",
    r"p(z_{t-h}\,|\,z_t)=\frac{p(z_t|z_{t-h})\,p_{t-h}(z_{t-h})}{p_t(z_t)}\ \to\ "
    r"\mathcal N\big(z_t-h(f_tz_t-g_t^2s_t),\ g_t^2h\big)",
    title="Reverse SDE from Bayes' rule",
    source="SU",
    condition="p_t has a density; mean to O(h²), variance to O(h) of itself, law to O(h) in total "
    "variation. The control takes ½ g² s, the drift of the probability flow",
    subject=reverse_step,
    control=lambda size: reverse_step(1 - size),
    control_size=3e-6,
    figure=figure,
)
def check(step: ReverseStep) -> Finding:
    """One step against the exact posterior, for drawn mixtures: the limit, and the orders."""
    cases: dict[str, Any] = {
        "target": mixtures(dim=1, max_components=2, smallest=0.3),
        "schedule": schedules(),
        "t": floats(0.1, 0.9),
    }
    parts = {
        "drift and variance, in the limit": drift_gap.for_all(step, examples=25, **cases),
        "largest gap of an order": order_gap.for_all(step, examples=25, **cases),
    }
    series = _picture(step)
    h = np.array(series["h"])
    found = {f"order of {name}": order(-np.sort(-h), np.array(series[name])) for name in ORDERS}
    return decided(parts, found, series)


def _picture(step: ReverseStep) -> dict[str, list[float]]:
    target = GaussianMixture.isotropic([0.3, 0.7], [[-1.5], [1.0]], [0.1, 0.3])
    h = 0.1 * 0.5 ** np.arange(9)
    found = np.array([errors(step, target, FlowMatching(), 0.5, float(x)) for x in h])
    series = {"h": h.tolist()}
    series |= {name: column.tolist() for name, column in zip(ORDERS, found.T, strict=True)}
    for name, column, q in (("∝ h²", 0, 2), ("∝ h", 1, 1)):
        series[name] = (found[-1, column] * (h / h[-1]) ** q).tolist()
    return series
