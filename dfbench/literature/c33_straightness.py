"""33. Which path is straighter depends on how wide the data is."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import brentq

from analytic import GaussianMixture
from dfbench.grids import uniform_t
from dfbench.literature.c29_ddim_is_flow_matching_euler import flow_schedule
from dfbench.literature.c31_ddim_is_invariant_to_scaling import towards_vp
from dfbench.literature.parts import within
from dfbench.literature.slider import Curves, Slider
from dfbench.literature.statement import row, worst_of
from dfbench.outcome import Finding, judge
from dfbench.schedules import Cosine, FlowMatching
from dfbench.testing import floats
from dfbench.trajectories import exact_trajectory, straightness

INTERVALS = 100  # of the paths on which straightness is measured
VARIANCES = tuple(f"{10 ** (i / 4 - 2):.2g}" for i in range(9))  # 0.01 to 1
STILLS = {f"data of variance {v}": v for v in ("0.01", "0.1", "1")}
STARTS = np.array([-1.6, -0.9, -0.3, 0.3, 0.9, 1.6])

Straightness = Callable[[str, float, float], float]  # schedule, variance, mean → its straightness


def of_gaussian(bend: float = 0.0) -> Straightness:
    """The straightness of the exact flow of N(mean, variance), measured on its trajectories."""
    schedules = {"flow": flow_schedule(bend), "vp": Cosine()}

    def measure(name: str, variance: float, mean: float = 0.0) -> float:
        target = GaussianMixture.isotropic([1.0], [[mean]], variance)
        z = np.array([[-1.0], [1.0]])  # the mean square of noise, without its randomness
        grid = uniform_t(schedules[name], INTERVALS)
        return straightness(exact_trajectory(target, grid, z=z))

    return measure


def closed_form(name: str, variance: float, mean: float = 0.0) -> float:
    """∫ ṁ² dt − (m_1 − m_0)² with m² = α² s + σ², and the same of α_t μ.

    On the flow path it is (2 − π/2) √s; on the cosine path the mean alone gives (π²/8 − 1) μ².
    """
    root = np.sqrt(variance)
    if name == "flow":
        return float((2 - np.pi / 2) * root)

    def rate2(phi: float) -> float:  # (dm/dφ)², at its largest (1 − s)² for a narrow law
        c, s = np.cos(phi), np.sin(phi)
        return float(((1 - variance) * s * c) ** 2 / (variance * c**2 + s**2))

    length, _ = quad(rate2, 0, np.pi / 2, epsabs=1e-13, epsrel=1e-12, limit=500, points=[root / 4])
    return float(0.5 * np.pi * length - (1 - root) ** 2 + (np.pi**2 / 8 - 1) * mean**2)


def break_even(advantage: Callable[[float], float], low: float, high: float) -> float:
    """The variance between two at which the paths are equally straight."""
    return float(
        np.exp(brentq(lambda log: advantage(np.exp(log)), np.log(low), np.log(high), xtol=1e-3))
    )


def of_gaussians(variance: float) -> float:
    """How much straighter the flow path is than the cosine path, for N(0, variance)."""
    return closed_form("vp", variance) - closed_form("flow", variance)


def of_scalings(variance: float) -> float:
    """The same against the flow's own times at unit variance, for N(0, variance)."""
    target = GaussianMixture.isotropic([1.0], [[0.0]], variance)
    grid = uniform_t(towards_vp(1.0), 40)
    vp = straightness(exact_trajectory(target, grid, z=[[-1.0], [1.0]]))
    return vp - closed_form("flow", variance)


def of_two_modes(variance: float) -> float:
    """As `of_gaussians` for two narrow modes, each with 1 % of that variance."""
    at = np.sqrt(0.99 * variance)
    target = GaussianMixture.isotropic([0.5, 0.5], [[-at], [at]], 0.01 * variance)
    normal = GaussianMixture.isotropic([1.0], [[0.0]], 1.0)
    z = normal.quantile(0.5 + (np.arange(24) + 0.5) / 48)  # one half: the other mirrors it
    z /= np.sqrt(np.mean(z**2))
    flow, vp = (
        straightness(exact_trajectory(target, uniform_t(schedule, 60), z=z[:, None]))
        for schedule in (FlowMatching(), Cosine())
    )
    return vp - flow


SLIDER = Slider(
    label="variance of the data",
    positions=VARIANCES,
    x="time t (noise to data)",
    y="state z",
    ylim=(-1.8, 1.8),
    curves=tuple(
        Curves(
            label,
            "t",
            tuple(f"{name}, variance {{at}}, path {i}" for i in range(len(STARTS))),
            colour,
            dashed=bool(colour),
        )
        for colour, (name, label) in enumerate(
            {"flow": "flow matching", "vp": "cosine (variance preserving)"}.items()
        )
    ),
    readings={
        "straightness S of the flow-matching paths": "straightness, flow",
        "of the cosine paths": "straightness, vp",
    },
)


@row(
    "33",
    r"S=\int_0^1\mathbb E\big|\dot z_t-(z_1-z_0)\big|^2dt:\quad S_{\mathrm{FM}}=0\iff"
    r"\text{a point};\qquad x\sim\mathcal N(0,s):\ S_{\mathrm{FM}}=(2-\tfrac\pi2)\sqrt s,\quad "
    r"S_{\mathrm{VP}}<S_{\mathrm{FM}}\iff s^*<s<1/s^*",
    title="Straightness",
    source="GAO",
    condition="'wide' means about as wide as the noise: beyond 1/s* the flow path is straighter "
    "again; and the data is centred: a mean μ adds (π²/8 − 1) μ² to the VP path alone",
    subject=of_gaussian,
    control=of_gaussian,
    control_size=0.02,
    figure=partial(SLIDER.panels, STILLS),
    slider=SLIDER,
)
def check(measured: Straightness) -> Finding:
    """Straightness of exact trajectories against closed forms; which is smaller on which side."""
    h = 1 / INTERVALS

    @within(
        2.0, "h²/√s", "chords of length h for the velocity: h²/12 ∫m̈² dt ≤ (0.65 + 0.25 μ²) h²/√s"
    )
    def gap(name: str, variance: float, mean: float) -> float:
        error = abs(measured(name, variance, mean) - closed_form(name, variance, mean))
        return error * float(np.sqrt(variance)) / h**2

    exact = gap.for_all(
        examples=10,
        name=st.sampled_from(["flow", "vp"]),
        variance=floats(0.01, 1.0),
        mean=floats(-2.0, 2.0),
    )
    point = judge(
        measured("flow", 0.0, 1.0),
        1e-20,
        unit="straightness for a point",
        derivation="round-off in float64, squared",
    )
    edge = break_even(of_gaussians, 1e-3, 0.9)
    # (variance, sign of the flow's advantage): just outside and just inside of both edges
    sides = [(edge / 1.2, 1), (edge * 1.2, -1), (1 / edge / 1.2, -1), (1.2 / edge, 1)]
    wrong = sum(
        sign * (measured("vp", s, 0.0) - measured("flow", s, 0.0)) <= 0 for s, sign in sides
    )
    sided = judge(float(wrong), 0.0, unit="variances on the wrong side", derivation="closed forms")
    quantities = {
        "break-even variance s*, Gaussian data": edge,
        "1/s*, beyond which the flow path is straighter again": 1 / edge,
        "s* at the flow's own times": break_even(of_scalings, 0.01, 0.5),
        "s* of two narrow modes, within 5 %": break_even(of_two_modes, 0.01, 0.5),
        "mean at which N(μ, 1) is as straight on both": float(
            np.sqrt(closed_form("flow", 1.0) / (np.pi**2 / 8 - 1))
        ),
    }
    return worst_of(exact, point, sided, series=_pictures(), quantities=quantities)


def _pictures() -> dict[str, list[float]]:
    """Exact trajectories of both schedules from the same noise."""
    grids = {"flow": uniform_t(FlowMatching(), 40), "vp": uniform_t(Cosine(), 40)}
    series: dict[str, list[float]] = {
        "t": np.linspace(1, 0, 41).tolist(),
        "variance": [float(variance) for variance in VARIANCES],
    }
    for name in grids:
        series[f"straightness, {name}"] = [closed_form(name, float(v)) for v in VARIANCES]
    for variance in VARIANCES:
        target = GaussianMixture.isotropic([1.0], [[0.0]], float(variance))
        for name, grid in grids.items():
            states = exact_trajectory(target, grid, z=STARTS[:, None]).states[:, :, 0]
            for i, path in enumerate(states.T):
                series[f"{name}, variance {variance}, path {i}"] = path.tolist()
    return series
