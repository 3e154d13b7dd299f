"""25. Reflow keeps the marginals, does not raise convex costs, and straightens the paths."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import log_ndtr

from analytic import GaussianMixture, quantile_flow
from analytic.information import expectation, mmse
from dfbench.charts.drawing import lines
from dfbench.exact import exact_model
from dfbench.grids import quadratic
from dfbench.levels import Array
from dfbench.literature import reflow_in_the_plane
from dfbench.literature.calculus import gauss_legendre
from dfbench.literature.parts import decided, within
from dfbench.literature.statement import largest_of, row
from dfbench.outcome import Finding
from dfbench.samplers import METHODS
from dfbench.schedules import FlowMatching
from dfbench.testing import mixtures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NoiseToData = Callable[[GaussianMixture, Array], Array]  # noise (n, 1) → data (n, 1)
STEPS = 48
# Between two modes the map is steep: 257 nodes leave 2.5e-5 of the cost, 2049 leave 6e-9.
Z = np.linspace(-8.0, 8.0, 2049)[:, None]
MASS = np.exp(-(Z[:, 0] ** 2) / 2) / np.exp(-(Z[:, 0] ** 2) / 2).sum()
COSTS: dict[str, Callable[[Array], Array]] = {
    "|d|²": lambda d: d**2,
    "|d|⁴": lambda d: d**4,
    "√(1 + |d|²)": lambda d: np.sqrt(1 + d**2),
    "cosh d": np.cosh,
}


def sampler(size: float = 0.0) -> NoiseToData:
    """The flow by RK4; with its output stretched by 1 + size."""
    table = METHODS["flow_matching"].table(quadratic(FlowMatching(), STEPS), "u", solver="rk4")

    def run(target: GaussianMixture, z: Array) -> Array:
        return np.asarray((1 + size) * table.run(exact_model(target, "u"), z))

    return run


def on_the_way(target: GaussianMixture, times: Array) -> tuple[Array, Array]:
    """States Z_t of the flow from Z_1 = z, and their velocities, both (times, z)."""
    path = [quantile_flow(target, Z[:, 0], (0.0, 1.0), (1 - t, t)) for t in times]
    speed = [
        target.velocity(z[:, None], 1 - t, t, -1.0, 1.0)[:, 0]
        for t, z in zip(times, path, strict=True)
    ]
    return np.array(path), np.array(speed)


def figure(finding: Finding) -> Figure:
    """How far trajectories are from their chords."""
    styles = ["--" if "after" in name else "-" for name in list(finding.series or {})[1:]]
    x, y = "time t (0 is data, 1 is noise)", "rms distance from the chord"
    return lines(finding, x, y, styles=styles)


@row(
    "25",
    r"\mathbb E\,c(Z_1-Z_0)\le\mathbb E\,c(X_1-X_0)\ \ \forall c\text{ convex},\qquad"
    r"\mathbb E|X_1-X_0|^2-\mathbb E|Z_1-Z_0|^2="
    r"\int\mathbb E\operatorname{Var}[\dot X_t|X_t]\,dt+\int\mathbb E|\dot Z_t-(Z_1-Z_0)|^2dt",
    title="Reflow",
    source="LIU, GAO",
    condition="the pairs come from a deterministic sampler that is exact; straight after one round "
    "in one dimension and for one Gaussian, in general S_k ≤ E|X_1 − X_0|²/k for the best of k",
    subject=sampler,
    control=sampler,
    control_size=1e-3,
    figure=figure,
)
def check(run: NoiseToData) -> Finding:
    """On the line and in the plane, where everything is a quadrature."""
    s, ds = gauss_legendre(20)
    # t = s²(3 − 2s): nodes crowd towards both ends, where narrow components bend the paths
    times, dt = s**2 * (3 - 2 * s), ds * 6 * s * (1 - s)

    @within(1e-5, "probability", f"RK4 with {STEPS} quadratic steps: fourth order")
    def marginal(target: GaussianMixture) -> float:
        """P(Z_0 ≤ T(z)) − P(Z_1 ≤ z)."""
        z = Z[np.abs(Z[:, 0]) <= 4]
        return float(np.abs(target.cdf(run(target, z)) - np.exp(log_ndtr(z))).max())

    @within(1e-5, "of the cost", "the same, and 20 nodes in t")
    def balance(target: GaussianMixture) -> float:
        """Transport cost before − after − variance of the target − bend of the path."""
        chord = Z[:, 0] - run(target, Z)[:, 0]
        _, speed = on_the_way(target, times)
        bend = float(dt @ ((speed - chord) ** 2 @ MASS))
        lam = 2 * (np.log1p(-times) - np.log(times))
        variance = float(dt @ (mmse(target, lam) / times**2))
        before = float(target.covariance[0, 0] + target.mean[0] ** 2 + 1)
        return float(abs(before - MASS @ chord**2 - variance - bend) / before)

    @within(0.0, derivation="Jensen's inequality")
    def dearer(target: GaussianMixture) -> float:
        """Largest relative rise of a convex cost; x − ε of independent pairs is again a mixture."""
        moved = Z - run(target, Z)
        pairs = target.diffused(1.0, 1.0)
        before = expectation(pairs, lambda d: np.concatenate([c(d) for c in COSTS.values()], 1))
        after = [float(MASS @ c(moved)[:, 0]) for c in COSTS.values()]
        return float(np.max(after / before - 1))

    @within(0.0, "pairs", "counting")
    def crossing(target: GaussianMixture) -> float:
        """Lines from T(z) to z that cross: then the reflowed field would not be their slope."""
        return float((np.diff(run(target, Z)[:, 0]) <= 0).sum())

    line = mixtures(dim=1, smallest=0.3)
    plane, example = reflow_in_the_plane.measured(run), _example(run)
    rk4 = f"RK4 with {STEPS} quadratic steps, and nodes every 0.2 in the plane"
    parts = {
        "marginal": marginal.for_all(examples=8, target=line),
        "balance of the cost": balance.for_all(examples=8, target=line),
        "rise of a convex cost": dearer.for_all(examples=6, target=line),
        "pairs that cross": crossing.for_all(examples=6, target=line),
        "marginal, in the plane": largest_of(
            plane["marginal"], 1e-5, unit="of E e^{iωz}", derivation=rk4
        ),
        "balance of the cost, in the plane": largest_of(
            plane["balance"], 1e-5, unit="of the cost", derivation=rk4
        ),
        "rise of a convex cost, in the plane": largest_of(
            plane["dearer"], 0.0, unit="of the cost", derivation="Jensen's inequality"
        ),
    }
    for name, size in plane["asymmetry"].items():
        example["quantities"][f"∂₁T₂ − ∂₂T₁ in the plane, {name}: 0 for optimal transport"] = size
    return decided(parts, example["quantities"], example["series"])


def _example(run: NoiseToData) -> dict[str, Any]:
    """Distance from the chords before and after, for two modes and for a narrow Gaussian."""
    t = np.linspace(0.0, 1.0, 41)
    series: dict[str, Any] = {"t": t.tolist()}
    quantities: dict[str, Any] = {}
    for name, target in {
        "two modes": GaussianMixture.isotropic([0.5, 0.5], [[-1.5], [1.5]], [0.09, 0.09]),
        "N(0, 0.3²)": GaussianMixture.isotropic([1.0], [[0.0]], [0.09]),
    }.items():
        ends = run(target, Z)[:, 0]
        path, speed = on_the_way(target, t)
        lines = np.outer(1 - t, ends) + np.outer(t, Z[:, 0])
        # After reflow the line through z at t is unique, and its slope is the field.
        start = np.array([np.interp(line, line, Z[:, 0]) for line in lines])
        away = {"before": path - lines, "after": np.outer(1 - t, ends) + t[:, None] * start - lines}
        series |= {f"{name}, {k}": np.sqrt(v**2 @ MASS).tolist() for k, v in away.items()}
        euler = Z[:, 0] - speed[-1]  # one step of Euler before reflow; after it, T itself
        bend = ((speed - (Z[:, 0] - ends)) ** 2 @ MASS)[1:-1].mean()
        quantities |= {
            f"straightness before, {name}": float(bend),
            f"cost before, {name}": float(target.covariance[0, 0] + target.mean[0] ** 2 + 1),
            f"cost after, {name}": float(MASS @ (Z[:, 0] - ends) ** 2),
            f"W₂ error of one Euler step before, {name}": float(
                np.sqrt(MASS @ (np.sort(euler) - ends) ** 2)
            ),
        }
    return {"series": series, "quantities": quantities}
