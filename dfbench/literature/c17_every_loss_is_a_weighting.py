"""17. Every loss is ∫ w(λ) E|ε̂ − ε|² dλ, and w is all that matters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from analytic import GaussianMixture
from dfbench.levels import Array, Level
from dfbench.literature.calculus import gauss_legendre
from dfbench.literature.parts import within
from dfbench.literature.statement import row, worst_of
from dfbench.losses import training_loss, weighted_loss
from dfbench.outcome import Finding
from dfbench.predictions import affine
from dfbench.schedules import Schedule
from dfbench.testing import Field, fields, mixtures, schedules
from dfbench.weightings import Sigmoid, effective_weighting

Weight = Callable[..., Callable[[Array], Array]]  # (prediction, schedule, factor) → w
KINDS = st.sampled_from(["eps", "x", "v", "u", "velocity", "score"])


def broken(size: float) -> Weight:
    """The weight tilted by e^(size λ)."""
    return lambda *loss: lambda lam: effective_weighting(*loss)(lam) * np.exp(size * lam)


def spans(schedule: Schedule) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Nodes of t and of λ over |λ| ≤ 2, or as much of it as the schedule has."""
    low, high = max(-2.0, schedule.log_snr(1.0)), min(2.0, schedule.log_snr(0.0))
    times = gauss_legendre(14, schedule.t_of_log_snr(high), schedule.t_of_log_snr(low))
    return times, gauss_legendre(14, low, high)


def network(target: GaussianMixture, field: Field, kind: str, schedule: Schedule) -> Any:
    """An imperfect model of ε, E[ε|z] plus a field, in the form of another prediction."""

    def model(z: Array, level: Level) -> Array:
        eps = target.posterior_eps(z, *level) + 0.5 * field(z / np.hypot(*level))
        t = schedule.t_of_log_snr(level.log_snr)
        rates = schedule.rates(t) if kind == "velocity" else None
        c_z, c_m = affine("eps", kind, *level, rates=rates)
        return np.asarray(c_z * z + c_m * eps)

    return model


@row(
    "17",
    r"\mathbb E_t\left[b(\lambda_t)|\hat m-m|^2\right]=\int w(\lambda)\,"
    r"\mathbb E|\hat\epsilon-\epsilon|^2d\lambda,\qquad w=b\,c_m^2\left|\frac{dt}{d\lambda}\right|",
    title="Every loss is a weighting of ε",
    source="KG, GAO",
    condition="the prediction determines ε: α > 0 for ε, σ > 0 for x; the network is the same "
    "function of z and λ",
    subject=lambda: effective_weighting,
    control=broken,
    control_size=1e-4,
)
def check(weight: Weight) -> Finding:
    """Losses in t under any schedule and prediction, against the integral over λ."""
    derivation = "14 Gauss–Legendre nodes over |λ| ≤ 2: their error is below 1e-7"

    @within(1e-6, "of the loss", derivation)
    def loss(target: GaussianMixture, schedule: Schedule, kind: str, field: Field) -> float:
        times, lams = spans(schedule)
        model = network(target, field, kind, schedule)
        in_t = training_loss(model, target, kind, schedule, times)
        eps = network(target, field, "eps", schedule)
        in_lam = weighted_loss(eps, target, weight(kind, schedule, None), lams)
        return abs(in_t / in_lam - 1)

    @within(1e-6, "of the loss", derivation)
    def gradient(
        target: GaussianMixture, schedule: Schedule, kind: str, field: Field, other: Field
    ) -> float:
        """With b = sigmoid/w: the same derivative from one field to another for every loss."""
        times, lams = spans(schedule)
        sigmoid = Sigmoid()
        factor = lambda lam: sigmoid(lam) / weight(kind, schedule, None)(lam)  # noqa: E731
        in_t, in_lam = [], []
        for each in (field, other):
            model = network(target, each, kind, schedule)
            in_t.append(training_loss(model, target, kind, schedule, times, factor))
            eps = network(target, each, "eps", schedule)
            in_lam.append(weighted_loss(eps, target, sigmoid, lams))
        return abs((in_t[1] - in_t[0]) - (in_lam[1] - in_lam[0])) / max(in_lam)

    line = mixtures(dim=1, smallest=0.3)
    cases: dict[str, Any] = {"target": line, "schedule": schedules(), "kind": KINDS}
    cases["field"] = fields()
    losses = loss.for_all(examples=8, **cases)
    if losses.verdict != "pass":
        return losses
    gradients = gradient.for_all(examples=2, other=fields(), **cases)
    return worst_of(losses, gradients)
