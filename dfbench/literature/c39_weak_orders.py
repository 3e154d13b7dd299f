"""39. Weak orders of stochastic samplers, from the exact law of the output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dfbench.charts.drawing import curves, frame
from dfbench.convergence import fit
from dfbench.grids import uniform_log_snr
from dfbench.levels import Array, Grid
from dfbench.literature.statement import largest, row
from dfbench.outcome import Finding, judge
from dfbench.samplers import METHODS
from dfbench.samplers.method import Method, Traits
from dfbench.schedules import LinearVP
from dfbench.wasserstein import law, response

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STEPS = np.array([16, 24, 32, 48, 64, 96])
VARIANCES = np.geomspace(0.05, 20.0, 13)
SNR = 0.4  # of the corrector at 16 steps
Weak = tuple[Method, Callable[[int], dict[str, Any]], int]  # method, options at n steps, order
PC: dict[str, Any] = {"predictor": "reverse_diffusion", "denoise": False}


def samplers(noise: float = 1.0) -> dict[str, Weak]:
    """Methods with their weak orders; the defect is a factor on the noise of all of them."""

    def of(name: str) -> Method:
        function = METHODS[name].function

        def run(model: Any, z: Any, grid: Grid, draw: Any, **options: Any) -> Any:
            return function(model, z, grid, lambda *span: noise * draw(*span), **options)

        return Method(name, run, "", lambda **_: Traits(stochastic=True), METHODS[name].defaults)

    def corrected(n: int) -> dict[str, Any]:
        return {**PC, "snr": SNR * (STEPS[0] / n) ** 0.5}

    return {
        "Euler–Maruyama": (of("reverse_sde"), lambda n: {}, 1),
        "exponential, x̂ held": (of("exponential_sde"), lambda n: {"hold": "x"}, 1),
        "exponential, score held": (of("exponential_sde"), lambda n: {"hold": "score"}, 1),
        "score held, η = ½": (
            of("exponential_sde"),
            lambda n: {"hold": "score", "eta": 0.5},
            1,
        ),
        "ancestral (DDPM)": (of("ddpm"), lambda n: {}, 1),
        "ancestral, two stages": (of("dpm2_ancestral"), lambda n: {}, 2),
        "predictor": (of("predictor_corrector"), lambda n: {**PC, "n_corrector": 0}, 1),
        "predictor–corrector": (of("predictor_corrector"), corrected, 1),
    }


def grid(n: int) -> Grid:
    """n steps regular in λ on the linear schedule."""
    return uniform_log_snr(LinearVP(), n, -4.0, 5.0)


def weak_error(method: Method, n: int, options: dict[str, Any]) -> float:
    """Largest W2 between the output's law and the marginal, in standard deviations, over Gaussian
    data with mean 1."""
    levels = grid(n)
    end = levels[-1]
    truth = end.alpha**2 * VARIANCES + end.sigma**2
    found = law(method, levels, VARIANCES, mean=1.0, on=("discretisation",), **options)
    return float((found.wasserstein(end.alpha, truth) / np.sqrt(truth)).max())


def draw(finding: Finding) -> Figure:
    """Errors against steps, and the spectral response at 32 steps."""
    series = finding.series or {}
    figure, (left, right) = frame(
        "steps", "largest W₂ / standard deviation", panels=2, size=(6.4, 4.0), xscale="log"
    )
    dashes = ["--" if "DDPM" in name else "-" for name in samplers()]  # on "x̂ held", which it is
    curves(left, series, "steps", [*samplers()], [f"o{dash}" for dash in dashes], ms=3)
    curves(right, series, "data std", {f"{name}: response": name for name in samplers()}, dashes)
    left.set(yscale="log")
    right.set(xlabel="standard deviation of the data", ylabel="its relative error, 32 steps")
    return figure


@row(
    "39",
    r"W_2(\text{law of the sample},\,p_0)=O(h^q):\ q=1\text{ for Euler–Maruyama, exponential "
    r"integrator, ancestral, predictor–corrector}",
    title="Weak orders of stochastic samplers",
    source="SDE",
    condition="the Langevin corrector's step must vanish with h (snr² ∝ h): at a fixed snr it "
    "leaves a bias that no number of steps removes",
    subject=samplers,
    control=lambda size: samplers(1 + size),
    control_size=0.02,
    figure=draw,
)
def check(methods: dict[str, Weak]) -> Finding:
    """Fitted order of each against its own, from exact laws: no Monte Carlo anywhere."""
    off, width, series = 0.0, 0.0, {"steps": [float(n) for n in STEPS]}
    quantities: dict[str, float] = {}
    variances = np.geomspace(1e-3, 1e3, 25)
    series["data std"] = [float(s) for s in np.sqrt(variances)]
    for name, (method, options, declared) in methods.items():
        error: Array = np.array([weak_error(method, int(n), options(int(n))) for n in STEPS])
        order, half, _ = fit(STEPS, error, 1e-13)
        off, width = largest(off, abs(order - declared)), largest(width, half)
        quantities[f"order: {name}"] = order
        series[name] = [float(e) for e in error]
        curve = response(method, grid(32), variances, on=("discretisation",), **options(32))
        series[f"{name}: response"] = [float(e) for e in curve]
    for n in (16, 96):
        fixed = weak_error(METHODS["predictor_corrector"], n, {**PC, "snr": 0.16})
        quantities[f"predictor–corrector, snr 0.16, {n} steps"] = fixed
    quantities["widest 95 % interval"] = width
    finding = judge(
        off,
        0.05,
        unit="of the order",
        derivation="fifteen times the widest 95 % interval of the fits",
    )
    return replace(finding, series=series, quantities=quantities)
