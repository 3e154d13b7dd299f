"""31. DDIM is invariant to scaling the schedule; Euler on the probability flow is not."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
from hypothesis import strategies as st

from analytic import GaussianMixture
from dfbench.grids import uniform_t
from dfbench.levels import Array
from dfbench.literature.c30_ddim_exact_for_constant_output import TableOf, ddim_towards_euler
from dfbench.literature.calculus import rms
from dfbench.literature.parts import within
from dfbench.literature.slider import Curves, Slider
from dfbench.literature.statement import row
from dfbench.outcome import Finding
from dfbench.schedules import FlowMatching, Schedule
from dfbench.testing import floats, schedules
from dfbench.trajectories import Paths, exact_trajectory, trajectory

# Shares of the way from the flow's scale to the variance-preserving one.
SHARES = tuple(f"{i / 10:g}" for i in range(11))
SCALES = {"flow matching": "0", "half way": "0.5", "variance preserving": "1"}
STEPS, ENDS = 8, (0.98, 0.02)
STARTS = np.array([-1.5, -0.4, 0.15, 0.9])
TARGET = GaussianMixture.isotropic([0.5, 0.5], [[-1.0], [1.0]], 0.04)


def towards_vp(share: float) -> Schedule:
    """(1 − t, t)/((1 − t)² + t²)^(share/2)."""
    return FlowMatching().scaled(
        lambda t: ((1 - t) ** 2 + t**2) ** (-share / 2),
        lambda t: share * (1 - 2 * t) * ((1 - t) ** 2 + t**2) ** (-share / 2 - 1),
    )


def paths(sampler: TableOf, share: float, steps: int, start: Array) -> Paths:
    """Runs from the same z/(α+σ) over the same log-SNRs on one of the scales, as z/(α+σ)."""
    grid = uniform_t(towards_vp(share), steps, *ENDS)
    size = grid.alpha + grid.sigma
    run = trajectory(sampler(grid, "x"), TARGET, grid, z=size[0] * start[:, None])
    return run.rescaled(1 / size)


SLIDER = Slider(
    label="share of the way from the flow's scale (0) to the variance-preserving one (1)",
    positions=SHARES,
    x="time t (noise to data)",
    y="state z/(α+σ)",
    ylim=(-1.7, 1.3),
    curves=(
        Curves("exact", "t, exact", tuple(f"exact, path {i}" for i in range(len(STARTS))), None),
        *(
            Curves(
                f"{name}, {STEPS} steps",
                "t",
                tuple(f"{name}, share {{at}}, path {i}" for i in range(len(STARTS))),
                colour,
                marks=True,
                dashed=bool(colour),
            )
            for colour, name in enumerate(("DDIM", "Euler"))
        ),
    ),
    readings={
        f"{name}'s samples moved from where they are on the flow's scale by (RMS)": (
            f"{name}: samples moved (RMS)"
        )
        for name in ("DDIM", "Euler")
    },
)


@row(
    "31",
    r"(\alpha,\sigma)\to c_t(\alpha,\sigma)\;\Rightarrow\;"
    r"z_t^{\mathrm{DDIM}}\to c_t\,z_t^{\mathrm{DDIM}}",
    title="Invariant to scaling",
    source="GAO",
    condition="the network is told the log-SNR, and its output (x̂, ε̂, û) does not depend on the "
    "scale; the Euler sampler of the probability flow is not invariant",
    subject=ddim_towards_euler,
    control=ddim_towards_euler,
    control_size=6e-11,
    figure=partial(SLIDER.panels, SCALES),
    slider=SLIDER,
)
def check(sampler: TableOf) -> Finding:
    """Coefficients on a schedule and on the same schedule scaled, both brought to α = 1."""

    @within(1e-12, "of the state's size", "round-off in float64")
    def gap(schedule: Schedule, slope: float, wave: float, n: int) -> float:
        def c(t: Array) -> Array:
            return np.asarray(np.exp(slope * t + wave * np.sin(5 * t)))

        scaled = schedule.scaled(c, lambda t: (slope + 5 * wave * np.cos(5 * t)) * c(t))
        one, two = (
            sampler(uniform_t(which, n, 0.9, 0.1), "x").canonical() for which in (schedule, scaled)
        )
        return float(two.gaps(one).max())

    finding = gap.for_all(
        schedule=schedules(), slope=floats(-2.0, 2.0), wave=floats(0.0, 1.0), n=st.integers(1, 12)
    )
    return replace(finding, series=_pictures(sampler), quantities=_sizes(sampler))


def _pictures(sampler: TableOf) -> dict[str, list[float]]:
    """Trajectories of the sampler, of Euler's method and of the exact flow, at every scale."""
    fine = uniform_t(towards_vp(0.0), 60, *ENDS)
    exact = exact_trajectory(TARGET, fine, z=STARTS[:, None]).states[:, :, 0]
    series = {
        "t": np.linspace(*ENDS, STEPS + 1).tolist(),
        "t, exact": np.linspace(*ENDS, 61).tolist(),
    }
    series |= {f"exact, path {i}": path.tolist() for i, path in enumerate(exact.T)}
    series["share"] = [float(share) for share in SHARES]
    many = _starts()
    for label, method in (("DDIM", sampler), ("Euler", ddim_towards_euler(1.0))):
        first = paths(method, 0.0, STEPS, many).samples
        moved = []
        for share in SHARES:
            states = paths(method, float(share), STEPS, STARTS).states[:, :, 0]
            series |= {
                f"{label}, share {share}, path {i}": path.tolist()
                for i, path in enumerate(states.T)
            }
            moved.append(rms(paths(method, float(share), STEPS, many).samples - first))
        series[f"{label}: samples moved (RMS)"] = moved
    return series


def _starts() -> Array:
    """200 quantiles of the law at the start."""
    law = TARGET.diffused(0.02, 0.98)
    return np.asarray(law.quantile((np.arange(200) + 0.5) / 200))


def _sizes(sampler: TableOf) -> dict[str, float]:
    """RMS distance between the samples on the two scales, from the same 200 starting points."""
    start, found = _starts(), {}
    for name, method in (("DDIM", sampler), ("Euler", ddim_towards_euler(1.0))):
        for steps in (8, 32):
            flow, vp = (paths(method, share, steps, start).samples for share in (0.0, 1.0))
            found[f"{name}, {steps} steps: samples on the two scales differ by (RMS)"] = rms(
                flow - vp
            )
    return found
