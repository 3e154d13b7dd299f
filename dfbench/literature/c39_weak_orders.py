"""39. Weak orders of stochastic samplers, from the exact law of the output."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from dfbench.charts.drawing import curves, frame
from dfbench.grids import uniform_log_snr
from dfbench.levels import Array, Grid
from dfbench.literature.limits import limit
from dfbench.literature.statement import largest_of, row
from dfbench.outcome import Finding
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


def weak_error(method: Method, n: int, options: dict[str, Any]) -> Array:
    """Errors of the output's mean and standard deviation against the marginal's, in standard
    deviations, over Gaussian data with mean 1: (2, D), whose hypotenuse is W₂."""
    levels = grid(n)
    end = levels[-1]
    width = np.sqrt(end.alpha**2 * VARIANCES + end.sigma**2)
    found = law(method, levels, VARIANCES, mean=1.0, on=("discretisation",), **options)
    return np.array([found.mean - end.alpha, np.sqrt(found.variance) - width]) / width


def largest_w2(errors: Array) -> float:
    """W₂ of the worst data."""
    return float(np.hypot(*errors).max())


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
    control_size=3e-7,
    figure=draw,
)
def check(methods: dict[str, Weak]) -> Finding:
    """Exact laws, no Monte Carlo: n^(q−1) times the error vanishes as n grows."""
    gaps: dict[str, float] = {}
    series = {"steps": [float(n) for n in STEPS]}
    quantities: dict[str, float] = {}
    variances = np.geomspace(1e-3, 1e3, 25)
    series["data std"] = [float(s) for s in np.sqrt(variances)]
    for name, (method, options, declared) in methods.items():
        errors = [weak_error(method, int(n), options(int(n))) for n in STEPS]
        scaled = [n ** (declared - 1) * each for n, each in zip(STEPS, errors, strict=True)]
        gaps[name] = largest_w2(limit(STEPS, scaled))
        ahead = limit(STEPS, [n * each for n, each in zip(STEPS, scaled, strict=True)])
        quantities[f"n^{declared} · W₂ as n grows: {name}"] = largest_w2(ahead)
        series[name] = [largest_w2(each) for each in errors]
        curve = response(method, grid(32), variances, on=("discretisation",), **options(32))
        series[f"{name}: response"] = [float(e) for e in curve]
    for n in (16, 96):
        fixed = weak_error(METHODS["predictor_corrector"], n, {**PC, "snr": 0.16})
        quantities[f"predictor–corrector, snr 0.16, {n} steps"] = largest_w2(fixed)
    return largest_of(
        gaps,
        1e-6,
        unit="of the standard deviation",
        derivation="the limit of six step counts: the last two extrapolations differ by less",
        quantities=quantities,
        series=series,
    )
