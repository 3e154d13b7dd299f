"""20. Training by flow matching is training by v under the cosine schedule, to a constant."""

from __future__ import annotations

from math import pi

import numpy as np

from dfbench.levels import Array
from dfbench.literature import ROWS
from dfbench.literature.gradients import gradient, relative
from dfbench.literature.trained import Lab, Trainable, pairs, trained
from dfbench.losses import conditional_target
from dfbench.outcome import Finding, judge
from dfbench.schedules import Cosine, FlowMatching, LinearVP, Schedule

ENDS = (-8.0, 8.0)  # λ
NODES, BATCH = 160, 32


def slope(network: Trainable, lab: Lab, kind: str, schedule: Schedule, power: float) -> Array:
    """∇θ of ∫ E|m̂ − m|² dt between two log-SNRs on a schedule, the same (x, ε) at every t."""
    import torch

    rng = np.random.default_rng(20)
    x, eps = pairs(lab, BATCH, rng)
    start, stop = (float(schedule.t_of_log_snr(lam)) for lam in reversed(ENDS))
    node, weight = np.polynomial.legendre.leggauss(NODES)
    # in u with t = start + (stop − start) sin²(πu/2): the ends of a cosine are resolved
    u, du = (1 + node) / 2, weight / 2
    times = start + (stop - start) * np.sin(pi * u / 2) ** 2
    panel = du * (stop - start) * pi / 2 * np.sin(pi * u)
    total = 0.0
    for t, mass in zip(times, panel, strict=True):
        level = schedule.level(float(t))
        z = torch.as_tensor(level.alpha * x + level.sigma * eps)
        asked = torch.as_tensor(conditional_target(kind, x, eps, level))
        square = ((network.as_prediction(kind)(z, level) - asked) ** 2).sum(1).mean()
        total = total + mass * np.exp(power * level.log_snr) * square
    return gradient(network, total)  # type: ignore[arg-type]


@trained(
    ROWS[20],
    r"\nabla_\theta\int\mathbb E|\hat v-v|^2\,dt_{\cos}=\frac2\pi\,"
    r"\nabla_\theta\int\mathbb E|\hat u-u|^2\,dt_{\mathrm{FM}}",
    title="Flow matching is v with cosine",
    condition="the same range of λ; a network told λ, on the input's own scale",
    subject=lambda: 0.0,
    control=lambda size: size,
    control_size=1e-3,
)
def check(power: float, lab: Lab) -> Finding:
    """Gradients of one network under both, each integrated in its own time; SNR^power too many."""
    network = lab.network()
    flow = slope(network, lab, "u", FlowMatching(), 0.0)
    cosine = slope(network, lab, "v", Cosine(), power)
    other = slope(network, lab, "v", LinearVP(), 0.0)

    def cos(a: Array, b: Array) -> float:
        return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    ratio = float(np.linalg.norm(cosine) / np.linalg.norm(flow))
    return judge(
        relative(cosine, 2 / pi * flow),
        1e-5,
        unit="of the gradient",
        derivation=f"{NODES} Gauss–Legendre nodes in each time: converged to 1e-6",
        quantities={
            "cosine between the gradients, v cosine and flow matching": cos(cosine, flow),
            "ratio of their lengths · π/2": ratio * pi / 2,
            "cosine between the gradients, v linear VP and flow matching": cos(other, flow),
        },
    )
