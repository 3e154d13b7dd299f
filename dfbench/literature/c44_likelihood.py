"""44. Likelihood: change of variables through a residual flow, and its limit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np

from analytic import GaussianMixture
from dfbench.levels import Array
from dfbench.literature.limits import limit
from dfbench.literature.parts import decided, within
from dfbench.literature.statement import largest_of, row
from dfbench.losses import signs
from dfbench.outcome import Finding, judge
from dfbench.schedules import LinearVP
from dfbench.testing import floats, mixtures

SCHEDULE = LinearVP()
START, STOP = 0.05, 1.0
FIRST, LAST = SCHEDULE.level(START), SCHEDULE.level(STOP)
ROUNDING = 1e-12  # where an estimate has no variance
STEPS = (20, 30, 40, 60, 80, 120)  # of the residual flow
DRAWS = 1 << 14
ERRORS = 5.5  # standard errors of a normal: false alarm 4e-8

Slopes = Callable[[GaussianMixture, Array, float], tuple[Array, Array]]  # u and ∂u/∂z, (n,d,d)
Signs = Callable[[tuple[int, ...], np.random.Generator], Array]


@dataclass(frozen=True)
class Likelihood:
    """What a likelihood along the flow is made of.

    Attributes:
        jacobian: factor on ∂u/∂z alone; 1 is right.
        signs: the package's directions of Hutchinson's estimate.
    """

    jacobian: float = 1.0
    signs: Signs = signs

    def field(self, target: GaussianMixture, z: Array, t: float) -> tuple[Array, Array]:
        """u = f z − ½ g² s and its Jacobian f I − ½ g² ∇²log p."""
        level, f, g2 = SCHEDULE.level(t), float(SCHEDULE.f(t)), float(SCHEDULE.g2(t))
        u = f * z - 0.5 * g2 * target.score(z, *level)
        jacobian = f * np.eye(target.dim) - 0.5 * g2 * target.score_jacobian(z, *level)
        return u, self.jacobian * jacobian


def integrated(field: Slopes, target: GaussianMixture, z: Array, n: int) -> tuple[Array, Array]:
    """(z_1, ∫ ∂u/∂z dt) along the flow from START to STOP by n steps of RK4."""
    total, h = np.zeros((len(z), target.dim, target.dim)), (STOP - START) / n
    for i in range(n):
        t = START + i * h
        k1, j1 = field(target, z, t)
        k2, j2 = field(target, z + h / 2 * k1, t + h / 2)
        k3, j3 = field(target, z + h / 2 * k2, t + h / 2)
        k4, j4 = field(target, z + h * k3, min(t + h, STOP))
        z = z + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        total = total + h / 6 * (j1 + 2 * j2 + 2 * j3 + j4)
    return z, total


def residual(field: Slopes, target: GaussianMixture, z: Array, n: int) -> tuple[Array, Array]:
    """(z_K, Σ log|det(I + h ∂u)|) of the residual flow z ← z + h u: exact for any number of
    steps as long as h ‖∂u‖ < 1."""
    total, h = np.zeros(len(z)), (STOP - START) / n
    for i in range(n):
        u, jacobian = field(target, z, START + i * h)
        total = total + np.linalg.slogdet(np.eye(target.dim) + h * jacobian)[1]
        z = z + h * u
    return z, total


def moments(jacobian: Array) -> tuple[float, float, float]:
    """Of vᵀ J v over independent signs v: mean tr J, variance 2 Σ_{i≠j} S_ij² with S the symmetric
    part, and fourth central moment, by counting all 2^d of them."""
    symmetric = 0.5 * (jacobian + jacobian.T)
    off = symmetric - np.diag(np.diag(symmetric))
    every = np.array(list(product((-1.0, 1.0), repeat=len(jacobian))))
    fourth = np.mean(np.einsum("ki,ij,kj->k", every, off, every) ** 4)
    return float(np.trace(jacobian)), float(2 * (off**2).sum()), float(fourth)


def estimated(likelihood: Likelihood) -> Finding:
    """Hutchinson's estimate of ∫ div u dt with directions as the package draws them: its mean and
    its variance, in two to five dimensions."""
    rng, gaps = np.random.default_rng(44), {}
    for d in (2, 3, 5):
        means = rng.uniform(-1.5, 1.5, (3, d))
        target = GaussianMixture.isotropic([0.3, 0.3, 0.4], means, [0.2, 0.4, 0.8])
        z = FIRST.alpha * target.mean + FIRST.sigma * rng.standard_normal((1, d))
        _, jacobian = integrated(likelihood.field, target, z, 20)
        v = likelihood.signs((DRAWS, d), rng)
        draws = np.einsum("ki,ij,kj->k", v, jacobian[0], v)
        mean, variance, fourth = moments(jacobian[0])
        spread = max(fourth - variance**2, 0.0)  # nothing in two dimensions, or round-off below
        of_mean, of_variance = ((x / DRAWS) ** 0.5 for x in (variance, spread))
        gaps[f"{d} dimensions: mean"] = abs(draws.mean() - mean) / max(of_mean, ROUNDING)
        square = ((draws - mean) ** 2).mean()
        gaps[f"{d} dimensions: variance"] = abs(square - variance) / max(of_variance, ROUNDING)
    return largest_of(
        gaps,
        ERRORS,
        unit="standard errors",
        derivation=f"{DRAWS} draws, six numbers, false alarm 4e-8 each; variance 2 Σ S_ij², i ≠ j",
    )


@row(
    "44",
    r"\log p_0(z_0)=\log p_1(z_1)+\int_0^1\operatorname{div}u_t(z_t)\,dt=\lim_{K\to\infty}"
    r"\Big[\log p_1(z_K)+\sum_k\log\lvert\det(I+h\,\partial u)\rvert\Big]",
    title="Likelihood along the flow",
    source="HE",
    condition="u is the exact velocity; a residual step is invertible where h‖∂u‖ < 1",
    subject=Likelihood,
    control=lambda size: Likelihood(1 + size),
    control_size=1e-5,
)
def check(likelihood: Likelihood) -> Finding:
    """The exact density against the integral with the trace, with Hutchinson's estimate, and
    against the residual flow in the limit of many steps."""
    limited = residual_flow(likelihood)
    parts = {
        "integral of the trace off log p": off.for_all(
            likelihood, examples=6, target=mixtures(smallest=0.4), shift=floats(-1.5, 1.5)
        ),
        "residual flow, in the limit, off log p": limited,
        "Hutchinson's estimate": estimated(likelihood),
    }
    return decided(parts, limited.quantities)


@within(1e-6, "of log p", "RK4 with 100 steps: h⁴ times the fifth derivative")
def off(likelihood: Likelihood, target: GaussianMixture, shift: float) -> float:
    """log p_0(z_0) − log p_1(z_1) against ∫ tr ∂u dt."""
    z = target.means * FIRST.alpha + shift * np.sqrt(target.spectra[:, :1] + FIRST.sigma**2)
    end, jacobian = integrated(likelihood.field, target, z, 100)
    exact = target.log_density(z, *FIRST) - target.log_density(end, *LAST)
    return float(np.abs(exact - np.trace(jacobian, axis1=1, axis2=2)).max())


def residual_flow(likelihood: Likelihood) -> Finding:
    """log p_1(z_K) + Σ log|det(I + h ∂u)| as K grows."""
    target = GaussianMixture.isotropic([0.4, 0.6], [[-1.0, 0.2], [0.8, -0.5]], [0.3, 0.5])
    z = target.sample_diffused(8, FIRST.alpha, FIRST.sigma, np.random.default_rng(5))
    found = []
    for n in STEPS:
        end, log_det = residual(likelihood.field, target, z, n)
        found.append(target.log_density(end, *LAST) + log_det - target.log_density(z, *FIRST))
    quantities = {
        f"residual flow, {n} steps: error of log p (nats)": float(np.abs(gap).max())
        for n, gap in zip(STEPS, found, strict=True)
    }
    return judge(
        float(np.abs(limit(STEPS, found)).max()),
        1e-6,
        unit="of log p",
        derivation="the limit of six step counts: the last two extrapolations differ by less",
        quantities=quantities,
    )
