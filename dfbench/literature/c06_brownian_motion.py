"""6. Brownian motion, and Euler–Maruyama without noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from dfbench.grids import uniform_t
from dfbench.levels import Array
from dfbench.literature.parts import decided, within
from dfbench.literature.statement import row
from dfbench.outcome import Finding
from dfbench.samplers import METHODS
from dfbench.samplers.method import brownian_covariance
from dfbench.schedules import Schedule
from dfbench.table import Table
from dfbench.testing import floats, schedules

Spans = list[tuple[float, float]]
Covariance = Callable[[list[tuple[float, float] | None]], Array | None]


@dataclass(frozen=True)
class BrownianNoise:
    """What the package says of Brownian increments, and how Euler–Maruyama uses them.

    Attributes:
        covariance: of increments normalised by the root of their time, as in a table.
        eta: noise of the Euler–Maruyama step that should be Euler's.
        power: the noise of a step is proportional to its length to this power.
    """

    covariance: Covariance = brownian_covariance
    eta: float = 0.0
    power: float = 0.5


def _broken(size: float) -> BrownianNoise:
    """Draws that are independent although their intervals overlap, in part."""

    def covariance(spans: list[tuple[float, float] | None]) -> Array:
        cov = np.asarray(brownian_covariance(spans))
        return np.asarray((1 - size) * cov + size * np.eye(len(spans)))

    return BrownianNoise(covariance)


@within(1e-14, "correlation", "rounding: 10² ε")
def increments_gap(noise: BrownianNoise, spans: Spans) -> float:
    """Covariances of W_t − W_s against those of sums of independent elementary increments.

    Between neighbouring ends of the spans the path moves by independent N(0, length): a linear map
    of those gives every span, its covariance, and a variance linear in time.
    """
    ends = np.unique(np.array(spans))
    pieces = np.diff(ends)
    middles = ends[:-1] + pieces / 2
    part = np.array(
        [[np.sign(b - a) * (min(a, b) < m < max(a, b)) for m in middles] for a, b in spans]
    )
    length = np.sqrt(np.abs([b - a for a, b in spans]))
    given = noise.covariance(list(spans))
    assert given is not None
    truth = part @ np.diag(pieces) @ part.T / np.outer(length, length)
    return float(np.abs(given - truth).max())


@within(1e-12, "of the largest coefficient", "rounding of f and g² · 8")
def euler_gap(noise: BrownianNoise, schedule: Schedule, n: int, eta: float) -> float:
    """Two tables: Euler–Maruyama with zero noise, and Euler on the probability-flow ODE."""
    grid = uniform_t(schedule, n, 0.95, 0.05)
    maruyama = METHODS["reverse_sde"].table(grid, "eps", eta=noise.eta)
    euler = METHODS["probability_flow"].table(grid, "eps", solver="euler")
    if maruyama.n_draws != euler.n_draws:
        return float("inf")
    size = 1 + np.abs(euler.rows).max()
    return float((maruyama.gaps(euler) / size).max())


@within(1e-13, "relative", "rounding of √(g² Δt)")
def noise_gap(noise: BrownianNoise, schedule: Schedule, n: int, eta: float) -> float:
    """The draw of step i has weight η g √|Δt|, and no other state before it: W's increments."""
    grid = uniform_t(schedule, n, 0.95, 0.05)
    table: Table = METHODS["reverse_sde"].table(grid, "eps", eta=eta)
    assert grid.t is not None
    steps = np.abs(np.diff(grid.t))
    fresh = np.array([table.C[i + 1, i] for i in range(n)])
    expected = eta * np.sqrt(schedule.g2(grid.t[:-1])) * steps**noise.power
    ahead = np.abs(np.triu(table.C)[:n]).max()  # a state knows no later increment
    return float(np.abs(fresh - expected).max() / expected.max() + ahead)


def _spans() -> st.SearchStrategy[Spans]:
    """Intervals of time, either way, that overlap as they please."""
    ends = st.tuples(st.integers(0, 40), st.integers(0, 40)).filter(lambda e: e[0] != e[1])
    span = ends.map(lambda e: (e[0] / 16, e[1] / 16))
    return st.lists(span, min_size=2, max_size=6)


@row(
    "6",
    r"\operatorname{Cov}[W_t-W_s,\,W_v-W_u]=\big|[s,t]\cap[u,v]\big|\,I,\qquad "
    r"z_{t+h}=z_t+h\,b(z_t)+g\sqrt{|h|}\,\xi\quad(g=0:\text{ Euler})",
    title="Brownian motion",
    source="HE",
    condition="increments over disjoint times are independent; the control makes all draws so",
    subject=BrownianNoise,
    control=_broken,
    control_size=6e-13,
)
def check(noise: BrownianNoise) -> Finding:
    """Exact covariances for any intervals; tables of Euler–Maruyama without and with noise."""
    cases = {"schedule": schedules(), "n": st.integers(1, 8), "eta": floats(0.1, 2.0)}
    parts = {
        "covariance of increments": increments_gap.for_all(noise, spans=_spans()),
        "g = 0 against Euler": euler_gap.for_all(noise, examples=25, **cases),
        "size of the noise": noise_gap.for_all(noise, examples=25, **cases),
    }
    return decided(parts)
