"""31. DDIM at any scaling gives the same samples from one trained network; Euler does not."""

from __future__ import annotations

import numpy as np

from dfbench.grids import uniform_t
from dfbench.levels import Array
from dfbench.literature import ROWS
from dfbench.literature.c31_ddim_is_invariant_to_scaling import towards_vp
from dfbench.literature.calculus import rms
from dfbench.literature.statement import largest_of
from dfbench.literature.trained import Lab, rows, trained
from dfbench.outcome import Finding
from dfbench.schedules import FlowMatching, Schedule
from dfbench.trajectories import trajectory

STEPS, ENDS, N = 20, (0.99, 0.01), 200


def scales() -> dict[str, Schedule]:
    """One schedule on four scales: the same λ at the same t."""
    flow = FlowMatching()
    return {
        "flow matching": flow,
        "variance preserving": towards_vp(1.0),
        "variance exploding": flow.scaled(lambda t: 1 / (1 - t), lambda t: (1 - t) ** -2),
        "waves": flow.scaled(lambda t: 2 + np.sin(5 * t), lambda t: 5 * np.cos(5 * t)),
    }


def samples(lab: Lab, method: str, schedule: Schedule) -> Array:
    """Samples from the same noise, on the scale of the data."""
    network = lab.network()
    grid = uniform_t(schedule, STEPS, *ENDS)
    z = np.random.default_rng(31).standard_normal((rows(lab, N), lab.dim)) * grid.sigma[0]
    paths = trajectory(method, network.as_prediction("eps"), grid, prediction="eps", z=z)
    return np.asarray(paths.samples / (grid.alpha[-1] + grid.sigma[-1]))


@trained(
    ROWS[31],
    r"(\alpha,\sigma)\to c_t(\alpha,\sigma):\quad\text{one network, one noise, the same samples}",
    title="DDIM at any scaling",
    condition="the network is told λ and given z on its own scale; Euler's method on the "
    "probability flow is the control",
    subject=lambda: "ddim",
    control=lambda size: "probability_flow",
    control_size=1.0,
)
def check(method: str, lab: Lab) -> Finding:
    """The study's network on four scales of one schedule."""
    found = {name: samples(lab, method, schedule) for name, schedule in scales().items()}
    base = found["flow matching"]
    apart = {name: rms(end - base) / rms(base) for name, end in found.items()}
    euler = {name: samples(lab, "probability_flow", s) for name, s in scales().items()}
    quantities = (
        {f"DDIM: moved by, {name}": gap for name, gap in apart.items()}
        if (method == "ddim")
        else {}
    )
    quantities |= {
        f"Euler: moved by, {name}": rms(end - euler["flow matching"]) / rms(base)
        for name, end in euler.items()
    }
    return largest_of(
        apart,
        1e-9,
        unit="of the samples (rms)",
        derivation="round-off in float64 over 20 steps, which the network's slope amplifies",
        quantities=quantities,
    )
