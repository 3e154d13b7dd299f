"""17. Every loss is ∫ w(λ) E|ε̂ − ε|² dλ, and w is all that matters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from analytic import GaussianMixture
from dfbench.levels import Array, Level
from dfbench.literature.calculus import gauss_legendre
from dfbench.literature.parts import decided, within
from dfbench.literature.statement import largest_of, row
from dfbench.losses import training_loss, weighted_loss
from dfbench.outcome import Finding
from dfbench.predictions import affine
from dfbench.schedules import EDM, VE, Cosine, FlowMatching, LinearVP, Schedule, Shifted, SubVP
from dfbench.testing import Field, fields, mixtures, schedules
from dfbench.weightings import Sigmoid, effective_weighting

Weight = Callable[..., Callable[[Array], Array]]  # (prediction, schedule, factor) → w
KINDS = ("eps", "x", "v", "u", "velocity", "score")
SCHEDULES: dict[str, Schedule] = {
    "cosine": Cosine(),
    "flow matching": FlowMatching(),
    "variance exploding": VE(0.02, 20.0),
    "sub-VP": SubVP(),
    "linear β": LinearVP(),
    "EDM": EDM(20.0),
    "shifted": Shifted(FlowMatching(), 3.0),
}
LINE = GaussianMixture.isotropic([0.4, 0.6], [[-1.0], [0.8]], [0.3, 0.5])
PLANE = GaussianMixture.isotropic([0.4, 0.6], [[-1.0, 0.2], [0.8, 0.9]], [0.5, 1.0])
FIELDS = Field((0.3, -0.5, 0.2, 0.1)), Field((-0.2, 0.4, 0.6, -0.3))


def broken(size: float) -> Weight:
    """The weight tilted by e^(size λ)."""
    return lambda *loss: lambda lam: effective_weighting(*loss)(lam) * np.exp(size * lam)


def spans(schedule: Schedule, dim: int) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Nodes of t and of λ over |λ| ≤ 3/2, or as much of it as the schedule has; ½ in the plane."""
    reach, nodes = (1.5, 13) if dim == 1 else (0.5, 6)
    low, high = max(-reach, schedule.log_snr(1.0)), min(reach, schedule.log_snr(0.0))
    times = gauss_legendre(nodes, schedule.t_of_log_snr(high), schedule.t_of_log_snr(low))
    return times, gauss_legendre(nodes, low, high)


def network(target: GaussianMixture, field: Field, kind: str, schedule: Schedule) -> Any:
    """An imperfect model of ε, E[ε|z] plus a field, in the form of another prediction."""

    def model(z: Array, level: Level) -> Array:
        eps = target.posterior_eps(z, *level) + 0.5 * field(z / np.hypot(*level))
        t = schedule.t_of_log_snr(level.log_snr)
        rates = schedule.rates(t) if kind == "velocity" else None
        c_z, c_m = affine("eps", kind, *level, rates=rates)
        return np.asarray(c_z * z + c_m * eps)

    return model


BOUND = 1e-8
DERIVATION = "13 Gauss–Legendre nodes over |λ| ≤ 3/2, 6 over ½: their error is below 3e-9"


@within(BOUND, "of the loss", DERIVATION)
def loss(
    weight: Weight, target: GaussianMixture, schedule: Schedule, kind: str, field: Field
) -> float:
    """The loss in t against the integral over λ."""
    times, lams = spans(schedule, target.dim)
    in_t = training_loss(network(target, field, kind, schedule), target, kind, schedule, times)
    eps = network(target, field, "eps", schedule)
    return abs(in_t / weighted_loss(eps, target, weight(kind, schedule, None), lams) - 1)


@within(BOUND, "of the loss", DERIVATION)
def gradient(
    weight: Weight,
    target: GaussianMixture,
    schedule: Schedule,
    kind: str,
    field: Field,
    other: Field,
) -> float:
    """With b = sigmoid/w: the same derivative from one field to another for every loss."""
    times, lams = spans(schedule, target.dim)
    sigmoid, of_kind = Sigmoid(), weight(kind, schedule, None)
    in_t, in_lam = [], []
    for each in (field, other):
        model = network(target, each, kind, schedule)
        factor = lambda lam: sigmoid(lam) / of_kind(lam)  # noqa: E731
        in_t.append(training_loss(model, target, kind, schedule, times, factor))
        eps = network(target, each, "eps", schedule)
        in_lam.append(weighted_loss(eps, target, sigmoid, lams))
    return abs((in_t[1] - in_t[0]) - (in_lam[1] - in_lam[0])) / max(in_lam)


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
    control_size=2e-7,
)
def check(weight: Weight) -> Finding:
    """Losses in t for a third of the predictions under every schedule, the next under the next,
    against the integral over λ; mixtures and fields as they are drawn, and in the plane."""
    gaps = {
        f"{kind}, {name}": loss(weight, LINE, schedule, kind, FIELDS[0])
        for i, (name, schedule) in enumerate(SCHEDULES.items())
        for kind in KINDS[i % 3 :: 3]
    }
    every = largest_of(gaps, BOUND, unit="of the loss", derivation=DERIVATION)
    if every.verdict != "pass":
        return every
    kinds = st.sampled_from(KINDS)
    cases: dict[str, Any] = {"schedule": schedules(), "kind": kinds, "field": fields()}
    line = mixtures(dim=1, max_components=2, smallest=0.5)
    return decided(
        {
            "loss, every prediction and schedule": every,
            "loss, as drawn": loss.for_all(weight, examples=4, target=line, **cases),
            "loss, in the plane": largest_of(
                {"v": loss(weight, PLANE, SCHEDULES["variance exploding"], "v", FIELDS[0])},
                BOUND,
                unit="of the loss",
                derivation=DERIVATION,
            ),
            "gradient": largest_of(
                {
                    f"{kind}, {name}": gradient(weight, LINE, SCHEDULES[name], kind, *FIELDS)
                    for kind, name in (("v", "variance exploding"), ("x", "flow matching"))
                },
                BOUND,
                unit="of the loss",
                derivation=DERIVATION,
            ),
        }
    )
