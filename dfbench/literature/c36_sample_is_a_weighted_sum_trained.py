"""36. The sample is a weighted sum of the outputs that a trained network really gave."""

from __future__ import annotations

from functools import partial

import numpy as np

from dfbench.grids import regular
from dfbench.levels import Array, Grid, Level
from dfbench.literature import ROWS
from dfbench.literature.c36_sample_is_a_weighted_sum import Tables, draw, rate, tables
from dfbench.literature.calculus import rms
from dfbench.literature.statement import largest_of
from dfbench.literature.trained import Lab, rows, trained
from dfbench.outcome import Finding
from dfbench.samplers import METHODS
from dfbench.samplers.method import Output

CHURNS = (0.0, 0.3, 0.5)
N, STEPS = 500, 40


def run(
    lab: Lab, grid: Grid, churn: float, kind: str
) -> tuple[Array, list[Array], list[Array], Array]:
    """(start, outputs, draws, sample) of the sampler's own code."""
    network, rng = lab.network().as_prediction(kind), np.random.default_rng(36)
    outputs: list[Array] = []
    draws: list[Array] = []
    begin = rng.standard_normal((rows(lab, N), lab.dim))

    def model(z: Array, level: Level) -> Output:
        outputs.append(np.asarray(network(z, level)))
        return Output(outputs[-1], z, level, kind)

    def noise(start: float | None = None, stop: float | None = None) -> Array:
        draws.append(rng.standard_normal(begin.shape))
        return draws[-1]

    end = METHODS["exponential_sde"](model, begin, grid, noise, eta=rate(churn))
    return begin, outputs, draws, np.asarray(end)


@trained(
    ROWS[36],
    r"z_0=a\,z_1+\sum_iw_i\,\hat m_i+\text{noise}",
    condition="a sampler that is linear between evaluations, however crooked the network",
    subject=tables,
    control=tables,
    control_size=1e-6,
    figure=partial(draw, of="rms of weight · x̂"),
)
def check(table: Tables, lab: Lab) -> Finding:
    """What is left of the samples without the weighted outputs is a sum of the draws."""
    grid = regular(-8.0, 8.0, STEPS)
    series: dict[str, list[float]] = {"log-SNR": grid.log_snr[:-1].tolist()}
    quantities, gaps = {}, {}
    for churn in CHURNS:
        for kind in ("x", "v"):
            start, outputs, draws, sample = run(lab, grid, churn, kind)
            w = table(churn, grid, kind)
            parts = [weight * m for weight, m in zip(w.weights(), outputs, strict=True)]
            left = (sample - w.a[-1] * start - np.sum(parts, axis=0)).ravel()
            noise = 0.0
            if draws:
                xi = np.array(draws).reshape(len(draws), -1).T
                c = np.linalg.lstsq(xi, left, rcond=None)[0]
                left, noise = left - xi @ c, float(np.linalg.norm(c))
            where = f"churn {churn:g}, outputs {kind}"
            gaps[where] = rms(left) / rms(sample) + abs(noise - w.noise_left)
            quantities[f"left without outputs and draws, {where}"] = rms(left)
            quantities[f"size of the noise in the sample, {where}"] = noise
            if kind == "x":
                series[f"churn {churn:g}"] = [rms(part) for part in parts]
    return largest_of(
        gaps,
        1e-9,
        unit="of the samples (rms), and of the noise's size",
        derivation="round-off in float64, 40 terms and a regression on 40 draws",
        series=series,
        quantities=quantities,
    )
