"""38. Networks of flow matching and of diffusion, each in the other's samplers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dfbench.charts.drawing import frame
from dfbench.charts.look import COLOURS, MUTED
from dfbench.grids import uniform_t
from dfbench.levels import Grid
from dfbench.literature import ROWS
from dfbench.literature.c24_couplings_trained import LEVELS
from dfbench.literature.c38_interpolant_sde import Interpolant, euler_maruyama
from dfbench.literature.one_law import Laws
from dfbench.literature.trained import Lab, trained
from dfbench.outcome import Finding
from dfbench.samplers import METHODS
from dfbench.schedules import Cosine, FlowMatching, Schedule
from dfbench.table import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STEPS, N = 100, 1000
NETWORKS: dict[str, dict[str, Any]] = {
    "flow matching (u)": {
        "prediction": "u",
        "weighting": "flow_matching",
        "schedule": "flow_matching",
        "levels": LEVELS,
    },
    "diffusion (ε, cosine)": {
        "prediction": "eps",
        "weighting": "eps_cosine",
        "schedule": "cosine",
        "levels": LEVELS,
    },
}
NOISES = {"0": 0.0, "½": 0.5, "1": 1.0}
#: name → (schedule, method, options): samplers of diffusion and of flow matching
SAMPLERS: dict[str, tuple[Schedule, str, dict[str, Any]]] = {
    "flow Euler": (FlowMatching(), "flow_matching", {}),
    "DDIM, cosine": (Cosine(), "ddim", {}),
    "DDPM, cosine": (Cosine(), "ddpm", {}),
    "DPM-Solver++ 2M, cosine": (Cosine(), "dpm_solver_pp_multistep", {}),
    "probability flow Heun, cosine": (Cosine(), "probability_flow", {"solver": "heun"}),
    "reverse SDE, cosine": (Cosine(), "reverse_sde", {}),
}


def grid_of(schedule: Schedule) -> Grid:
    """The same two log-SNRs on every schedule, −8 and 6."""
    start, stop = (float(schedule.t_of_log_snr(lam)) for lam in (-8.0, 6.0))
    return uniform_t(schedule, STEPS, start, stop)


def draw(finding: Finding) -> Figure:
    """Distance of every sampler through both networks."""
    import seaborn as sns

    series = finding.series or {}
    names = [*(f"interpolant SDE, ε = {e}" for e in NOISES), *SAMPLERS]
    fig, (axis,) = frame("sliced W₂ to the exact law", "", size=(7.0, 4.2))
    sns.barplot(
        x=[v for name in NETWORKS for v in series[name]],
        y=[*names, *names],
        ax=axis,
        hue=[name for name in NETWORKS for _ in names],
        palette=COLOURS[:2],
        saturation=1,
    )
    axis.axvline(series["floor"][0], ls=":", color=MUTED, label="exact samples")
    axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    return fig


@trained(
    ROWS[38],
    r"dz=\big(\hat u-\tfrac12\varepsilon_t^2\hat s\big)dt+\varepsilon_t\,dw\text{ for any }"
    r"\varepsilon_t;\quad\text{flow-matching networks in diffusion samplers, and the reverse}",
    title="One network, every sampler",
    condition="small steps, and networks whose errors are small; both are told λ",
    subject=euler_maruyama,
    control=lambda size: euler_maruyama(1.0 - size),
    control_size=1.0,
    figure=draw,
)
def check(sde: Interpolant, lab: Lab) -> Finding:
    """Two networks × nine samplers, deterministic and stochastic: distances to the exact law."""
    laws = {
        schedule.level(0.5): Laws(lab, grid_of(schedule)[-1], 38, N)
        for schedule in (FlowMatching(), Cosine())
    }
    series: dict[str, list[float]] = {}
    found: dict[str, float] = {}

    def distance(network: Any, schedule: Schedule, table: Table) -> float:
        predicts = network.as_prediction(table.prediction)
        law = laws[schedule.level(0.5)]
        return law.distance(table, predicts, 380, float(table.levels.sigma[0]))

    for name, changes in NETWORKS.items():
        network = lab.network(**changes)
        for label, size in NOISES.items():
            table = sde(grid_of(FlowMatching()), lambda t, size=size: size)  # type: ignore[misc]
            found[f"{name}, interpolant SDE, ε = {label}"] = distance(
                network, FlowMatching(), table
            )
        for label, (schedule, method, options) in SAMPLERS.items():
            table = METHODS[method].table(grid_of(schedule), "eps", **options)
            found[f"{name}, {label}"] = distance(network, schedule, table)
        series[name] = [v for key, v in found.items() if key.startswith(name)]
    return next(iter(laws.values())).one_law(found, series)
