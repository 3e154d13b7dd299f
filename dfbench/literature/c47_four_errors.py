"""47. The four errors of a sampler, apart and together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import pi, tan
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from analytic import gaussian_w2
from dfbench import wasserstein
from dfbench.charts.drawing import curves, frame
from dfbench.charts.look import INK
from dfbench.grids import uniform_t
from dfbench.levels import Array, Grid
from dfbench.literature.parts import within
from dfbench.literature.statement import row
from dfbench.outcome import Finding
from dfbench.schedules import EDM, Cosine, FlowMatching, LinearVP, Schedule
from dfbench.testing import floats, spectra
from dfbench.wasserstein import SOURCES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Error = Callable[..., float]
SPECTRUM = 4.0 * np.arange(1, 65) ** -1.5  # a power law, as images have
STEPS = (10, 20, 50, 100, 200, 500)
STOP = 1e-3


def measured(size: float = 0.0) -> Error:
    """`wasserstein.error`; the defect is a factor on the spectrum that it sees."""

    def error(sampler: str, grid: Grid, *, spectrum: Array, **options: Any) -> float:
        return wasserstein.error(sampler, grid, (1 + size) * spectrum, **options)

    return error


# (f, g², variance of the start), as printed, with the times of a run
Printed = tuple[Schedule, Callable[[float], tuple[float, float, float]], float, float]
SCHEDULES: dict[str, Printed] = {
    "linear β": (LinearVP(), lambda t: (-0.05 - 9.95 * t, 0.1 + 19.9 * t, 1.0), 1.0, 0.01),
    "cosine": (
        Cosine(),
        lambda t: (-pi / 2 * tan(pi * t / 2), pi * tan(pi * t / 2), 1.0),
        0.95,
        0.05,
    ),
    "flow matching": (
        FlowMatching(),
        lambda t: (-1 / (1 - t), 2 * t / (1 - t), 0.95**2),
        0.95,
        0.05,
    ),
    "EDM": (EDM(20.0), lambda t: (0.0, 2 * 20.0**2 * t, 19.0**2), 0.95, 0.01),
}


def independent(
    of: str,
    grid: Grid,
    spectrum: Array,
    learned: Array,
    mean: float,
    on: tuple[str, ...],
    eta: float,
) -> float:
    """W2 from first principles: Euler–Maruyama as a recursion of means and variances, or the
    equations of both for the process, solved by DOP853."""
    _, sde, _, _ = SCHEDULES[of]
    (a, s), (a1, s1) = grid[0], grid[-1]
    mu = np.full_like(spectrum, mean)
    model = learned if "score" in on else spectrum
    assert grid.t is not None
    ts = np.asarray(grid.t)
    m, v = a * mu, a**2 * spectrum + s**2
    if "initialisation" in on:
        m, v = 0 * mu, np.full_like(mu, sde(ts[0])[2])

    def rates(t: float, alpha: float, sigma: float) -> tuple[Array, Array, float]:
        """Slope of the drift in z, what it adds, and the noise: all per unit of −t."""
        f, g2, _ = sde(t)
        pull = 0.5 * (1 + eta**2) * g2 / (alpha**2 * model + sigma**2)
        return -f - pull, pull * alpha * mu, eta**2 * g2

    if "discretisation" in on:
        for i, level in enumerate(list(grid)[:-1]):
            dt = ts[i] - ts[i + 1]
            slope, added, noise = rates(float(ts[i]), *level)
            m, v = m + dt * (slope * m + added), (1 + dt * slope) ** 2 * v + dt * noise
    else:
        schedule = SCHEDULES[of][0]

        def flow(back: float, y: Array) -> Array:
            slope, added, noise = rates(ts[0] - back, *schedule.level(float(ts[0] - back)))
            now_m, now_v = np.split(y, 2)
            return np.concatenate([slope * now_m + added, 2 * slope * now_v + noise])

        span = (0.0, float(ts[0] - ts[-1]))
        path = solve_ivp(
            flow, span, np.concatenate([m, v]), method="DOP853", rtol=1e-12, atol=1e-14
        )
        m, v = np.split(path.y[:, -1], 2)
    if "truncation" in on:
        return gaussian_w2(m, v, mu, spectrum)
    return gaussian_w2(m, v, a1 * mu, a1**2 * spectrum + s1**2)


def draw(finding: Finding) -> Figure:
    """Each error alone, and all together, against the number of steps."""
    series = finding.series or {}
    figure, axes = frame("steps", "W₂ to the data", panels=2, xscale="log", yscale="log")
    for axis, kind in zip(axes, ("SDE", "ODE"), strict=True):
        curves(axis, series, "steps", {f"{kind}: {name}": name for name in SOURCES}, ["o--"], ms=3)
        axis.plot(series["steps"], series[f"{kind}: all"], color=INK, label="all")
        axis.set_title(kind)
        axis.set_ylim(1e-8 if kind == "SDE" else 1e-5, None)
    return figure


@row(
    "47",
    r"W_2(q_{\text{sample}},p_{\text{data}})\text{ from initialisation, truncation, "
    r"discretisation, score: each alone and together, in closed form for }\mathcal N(\mu,\Sigma)",
    title="The four errors of a sampler",
    source="PG",
    condition="Gaussian data; the score error is that of a model that learned another spectrum",
    subject=measured,
    control=measured,
    control_size=1e-8,
    figure=draw,
)
def check(error: Error) -> Finding:
    """Every subset of the errors against first principles; then their sizes on a power law."""

    @within(
        1e-10,
        "of the data's size",
        "DOP853 to 1e-12 at rates up to 10²; round-off over 40 steps, which data of variance 1e4 "
        "amplify",
    )
    def off(
        of: str, spectrum: Array, learned: float, mean: float, on: set[str], eta: float, n: int
    ) -> float:
        schedule, _, *ends = SCHEDULES[of]
        grid, chosen = uniform_t(schedule, n, *ends), tuple(sorted(on))
        options = {"learned": learned * spectrum, "mean": mean, "on": chosen, "eta": eta}
        found = error("reverse_sde", grid, spectrum=spectrum, **options)
        exact = independent(of, grid, spectrum, learned * spectrum, mean, chosen, eta)
        size = float(np.sqrt(spectrum.sum())) + abs(mean) + exact
        return abs(found - exact) / size

    finding = off.for_all(
        examples=60,
        of=st.sampled_from(sorted(SCHEDULES)),
        spectrum=spectra(),
        learned=floats(0.5, 2.0),
        mean=floats(-1.0, 1.0),
        on=st.sets(st.sampled_from(SOURCES)),
        eta=st.sampled_from([0.0, 0.5, 1.0]),
        n=st.integers(1, 40),
    )
    series: dict[str, list[float]] = {"steps": [float(n) for n in STEPS]}
    quantities: dict[str, float] = {}
    for kind, eta in (("SDE", 1.0), ("ODE", 0.0)):
        runs = [
            wasserstein.split(
                "reverse_sde",
                uniform_t(LinearVP(), n, 1.0, STOP),
                SPECTRUM,
                learned=1.02 * SPECTRUM,
                eta=eta,
            )
            for n in STEPS
        ]
        series |= {f"{kind}: {name}": [run[name] for run in runs] for name in (*SOURCES, "all")}
        last = runs[-1]
        quantities |= {f"W₂, {kind}, {STEPS[-1]} steps: {name}": last[name] for name in last}
        alone = sum(last[name] for name in SOURCES)
        quantities[f"W₂, {kind}: together / sum of the four"] = last["all"] / alone
    return replace(finding, series=series, quantities=quantities)
