"""36. The final sample is a weighted sum of the predictions made on the way, plus noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st

from dfbench.charts.drawing import lines
from dfbench.grids import uniform_t
from dfbench.levels import Array, Grid, Level
from dfbench.literature.parts import within
from dfbench.literature.statement import largest_of, row, worst_of
from dfbench.outcome import Finding
from dfbench.samplers import METHODS
from dfbench.samplers.method import Output
from dfbench.schedules import Cosine
from dfbench.table import Table
from dfbench.testing import floats, grids

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CHURNS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)  # DDIM … DDPM
PREDICTIONS = ("x", "eps", "v", "u")

Tables = Callable[[float, Grid, str], Table]  # churn, levels, prediction


def rate(churn: float) -> float:
    """The η of `exponential_sde` that undoes this part of every step (claim 35)."""
    return float(np.sqrt(churn / (1 - churn)))


def tables(error: float = 0.0) -> Tables:
    """The package's tables; of a churn too large by a relative error."""

    def table(churn: float, grid: Grid, prediction: str) -> Table:
        eta = rate(churn * (1 + error))  # an average of x̂: nothing cancels
        return METHODS["exponential_sde"].table(grid, "x", eta=eta).convert(prediction)

    return table


def run(churn: float, grid: Grid, prediction: str, z: float, outputs: Array) -> Array:
    """The sampler's own code: [the sample without noise, and what each draw adds to it]."""
    k = grid.n_steps
    calls, drawn = iter(outputs), iter(np.eye(1 + k)[1:])

    def model(state: Array, level: Level) -> Output:
        return Output(np.append(next(calls), np.zeros(k)), state, level, prediction)

    def noise(start: float | None = None, stop: float | None = None) -> Array:
        return next(drawn)

    start = np.append(z, np.zeros(k))
    return np.asarray(METHODS["exponential_sde"](model, start, grid, noise, eta=rate(churn)))


def cosine(steps: int) -> Grid:
    """Equal steps in t of the cosine schedule, truncated smoothly at λ = ±15 as GAO's figure is."""
    return uniform_t(Cosine(-15.0, 15.0), steps)


def draw(finding: Finding, of: str = "weight of v̂") -> Figure:
    """How much of the sample each output is, against the log-SNR of the evaluation."""
    own = {"churn 0": "churn 0 (DDIM)", "churn 0.5": "churn 0.5 (DDPM)"}
    names = {name: own.get(name, name) for name in finding.series or {} if "churn" in name}
    x, y = "log-SNR λ of the evaluation", f"{of} in the sample"
    return lines(finding, x, y, over="log-SNR", names=names)


@row(
    "36",
    r"z_0=a\,z_1+\sum_i w_i\,\hat m_i+\text{noise},\qquad\hat m=\hat x:\ "
    r"w_i=\frac{\sigma_N}{\sigma_{i+1}}\Big(\frac{r_N}{r_{i+1}}\Big)^{\eta^2}\Big(\alpha_{i+1}"
    r"-\alpha_i\frac{\sigma_{i+1}}{\sigma_i}\Big(\frac{r_{i+1}}{r_i}\Big)^{\eta^2}\Big)",
    title="The sample is a weighted sum",
    source="GAO",
    condition="linear samplers: clipping, thresholding and steps chosen on the way are not; "
    "the weights of ε̂ need α > 0, those of x̂ σ > 0",
    subject=tables,
    control=tables,
    control_size=1e-10,
    figure=draw,
)
def check(found: Tables) -> Finding:
    """The sum against the sampler's own code with arbitrary outputs, and the closed form."""

    @within(
        1e-12,
        "of the sum of the terms' sizes",
        "round-off in float64, of 12 steps and two conversions each",
    )
    def gap(grid: Grid, churn: float, prediction: str, z: float, seed: int) -> float:
        outputs = np.random.default_rng(seed).standard_normal(grid.n_steps)
        sample, *added = run(churn, grid, prediction, z, outputs)
        w = found(churn, grid, prediction)
        terms = np.append(w.a[-1] * z, w.weights() * outputs)
        off = [terms.sum() - sample, w.noise_left - np.linalg.norm(added)]
        off += list(w.weights() - closed_form(grid, churn, prediction))
        return float(np.abs(off).max() / (np.abs(terms).sum() + np.hypot(*grid[-1])))

    finding = gap.for_all(
        grid=grids(low=-6.0, high=6.0),
        churn=st.just(0.0) | floats(0.01, 0.5),
        z=floats(-2.0, 2.0),
        prediction=st.sampled_from(PREDICTIONS),
        seed=st.integers(0, 99),
    )
    grid = cosine(100)
    series = {"log-SNR": grid.log_snr[:-1].tolist()}
    quantities: dict[str, float] = {}
    drawn = []
    for churn in CHURNS:
        w = found(churn, grid, "v")
        size = np.abs(w.weights())
        drawn.append(size)
        series[f"churn {churn:g}"] = w.weights().tolist()
        if churn in (0.0, 0.2, 0.5):
            name = f"churn {churn:g}, 100 steps of v"
            quantities |= {
                f"{name}: weight of the start": w.a[-1],
                f"{name}: noise left": w.noise_left,
                f"{name}: evaluations that count, (Σ|w|)²/Σw²": size.sum() ** 2 / (size @ size),
                f"{name}: mean log-SNR under |w|": (size @ grid.log_snr[:-1]) / size.sum(),
            }
    figure = largest_of(
        {
            f"weights of v̂, churn {churn:g}": float(
                np.abs(size + closed_form(grid, churn, "v")).max()
            )
            for churn, size in zip(CHURNS, drawn, strict=True)
        },
        1e-13,
        unit="of the sample",
        derivation="round-off in float64 of products of 100 factors below 1, 100 ε each",
    )
    return worst_of(
        finding,
        figure,
        series=series,
        quantities={name: float(v) for name, v in quantities.items()},
    )


def closed_form(grid: Grid, churn: float, prediction: str) -> Array:
    """The weights: one step is linear in z and x̂ as stated, and x̂ in z and the output."""
    a, s, r, rho = grid.alpha, grid.sigma, grid.ratio, rate(churn) ** 2
    kept = s[1:] / s[:-1] * (r[1:] / r[:-1]) ** rho
    pull, a, s = a[1:] - a[:-1] * kept, a[:-1], s[:-1]
    of_state, of_output = {
        "x": (0 * a, 1 + 0 * a),
        "eps": (1 / a, -s / a),  # x = (z − σ ε)/α
        "v": (a / (a**2 + s**2), -s / (a**2 + s**2)),
        "u": (1 / (a + s), -s / (a + s)),
    }[prediction]
    carried = np.append(np.cumprod((kept + pull * of_state)[:0:-1])[::-1], 1.0)
    return np.asarray(carried * pull * of_output)
