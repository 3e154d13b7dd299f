"""44. Likelihood: change of variables through a residual flow, and its limit."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np

from analytic import GaussianMixture
from dfbench.levels import Array
from dfbench.literature.parts import within
from dfbench.literature.statement import row, worst_of
from dfbench.outcome import Finding, judge
from dfbench.schedules import LinearVP, Schedule
from dfbench.testing import floats, mixtures

STEPS = (25, 50, 100)
START, STOP = 0.05, 1.0
Slopes = Callable[[GaussianMixture, Array, float], tuple[Array, Array]]  # u and ∂u/∂z, (n,d,d)


def flow_field(size: float = 0.0) -> Slopes:
    """u = f z − ½ g² s and its Jacobian f I − ½ g² ∇²log p; the defect is a factor on the
    Jacobian alone."""
    schedule: Schedule = LinearVP()

    def field(target: GaussianMixture, z: Array, t: float) -> tuple[Array, Array]:
        level, f, g2 = schedule.level(t), float(schedule.f(t)), float(schedule.g2(t))
        u = f * z - 0.5 * g2 * target.score(z, *level)
        jacobian = f * np.eye(target.dim) - 0.5 * g2 * target.score_jacobian(z, *level)
        return u, (1 + size) * jacobian

    return field


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


def hutchinson(jacobian: Array) -> tuple[Array, Array, float]:
    """Mean and standard deviation of vᵀ J v over all 2^d Rademacher vectors, and how far the
    second is from its formula √(2 Σ_{i≠j} S_ij²), S the symmetric part."""
    d = jacobian.shape[-1]
    v = np.array(list(product((-1.0, 1.0), repeat=d)))
    draws = np.einsum("ki,nij,kj->kn", v, jacobian, v)
    symmetric = 0.5 * (jacobian + np.swapaxes(jacobian, 1, 2))
    off = symmetric - symmetric * np.eye(d)
    stated = np.sqrt(2 * (off**2).sum((1, 2)))
    found = draws.std(axis=0)
    return draws.mean(axis=0), stated, float(np.abs(found - stated).max())


@row(
    "44",
    r"\log p_0(z_0)=\log p_1(z_1)+\int_0^1\operatorname{div}u_t(z_t)\,dt=\lim_{K\to\infty}"
    r"\Big[\log p_1(z_K)+\sum_k\log\lvert\det(I+h\,\partial u)\rvert\Big]",
    title="Likelihood along the flow",
    source="HE",
    condition="u is the exact velocity; a residual step is invertible where h‖∂u‖ < 1",
    subject=flow_field,
    control=flow_field,
    control_size=1e-4,
)
def check(field: Slopes) -> Finding:
    """The exact density against the integral with the trace, with Hutchinson's estimate, and
    against the residual flow, whose error must fall like the step."""
    schedule = LinearVP()
    first, last = schedule.level(START), schedule.level(STOP)
    stated = 0.0

    @within(1e-6, "of log p", f"RK4 with {STEPS[-1]} steps: h⁴ times the fifth derivative")
    def off(target: GaussianMixture, shift: float) -> float:
        nonlocal stated
        z = target.means * first.alpha + shift * np.sqrt(target.spectra[:, :1] + first.sigma**2)
        end, jacobian = integrated(field, target, z, STEPS[-1])
        mean, deviation, wrong = hutchinson(jacobian)
        stated = max(stated, float(deviation.max()))
        exact = target.log_density(z, *first) - target.log_density(end, *last)
        trace = np.trace(jacobian, axis1=1, axis2=2)
        return max(float(np.abs(exact - trace).max()), float(np.abs(mean - trace).max()), wrong)

    agree = off.for_all(examples=6, target=mixtures(2, smallest=0.4), shift=floats(-1.5, 1.5))
    target = GaussianMixture.isotropic([0.4, 0.6], [[-1.0, 0.2], [0.8, -0.5]], [0.3, 0.5])
    z = target.sample_diffused(8, *first, np.random.default_rng(5))
    exact, errors = target.log_density(z, *first), []
    for n in STEPS:
        end, log_det = residual(field, target, z, n)
        errors.append(float(np.abs(exact - target.log_density(end, *last) - log_det).max()))
    order = float(np.log2(errors[-2] / errors[-1]))
    limit = judge(
        abs(order - 1),
        0.1,
        unit="of the order",
        derivation="second term of the expansion; a wrong determinant has order 0",
    )
    return worst_of(
        agree,
        limit,
        quantities={
            "order of the residual flow": order,
            **{
                f"residual flow, {n} steps: error of log p (nats)": e
                for n, e in zip(STEPS, errors, strict=True)
            },
            "largest standard deviation of one Hutchinson draw": stated,
        },
    )
