"""8. From (α_t, σ_t) back to the SDE, and from the SDE to (α_t, σ_t)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from hypothesis import strategies as st
from scipy.special import expit

from dfbench.levels import Array
from dfbench.literature.calculus import derivative
from dfbench.literature.statement import for_all, largest, row, worst_of
from dfbench.outcome import Finding, judge
from dfbench.schedules import (
    EDM,
    SCHEDULES,
    VE,
    Cosine,
    DiscreteSchedule,
    FlowMatching,
    LinearVP,
    Scaled,
    Schedule,
    SDESchedule,
    Shifted,
    SubVP,
    TableSchedule,
)
from dfbench.testing import floats, schedules

SDE = Callable[[Schedule, Array], tuple[Array, Array]]  # (f, g²) at times t


def of_schedule(diffusion: float = 1.0) -> SDE:
    """f and g² as the package derives them, g² taken `diffusion` times."""
    return lambda schedule, t: (schedule.f(t), diffusion * schedule.g2(t))


def published(schedule: Schedule, t: Array) -> tuple[Array, Array]:
    """(f, g²) as the papers print them.

    SDE eq. 25–33 for VP, sub-VP and VE; LIP's path is −1/(1−t), 2t/(1−t); EDM's σ = σ_max t.
    """
    zero = np.zeros_like(t)
    match schedule:
        case LinearVP(low, high) | SubVP(low, high):
            beta, integral = low + t * (high - low), low * t + (high - low) * t**2 / 2
            full = isinstance(schedule, LinearVP)
            return -beta / 2, beta if full else beta * (1 - np.exp(-2 * integral))
        case VE(low, high):
            return zero, 2 * np.log(high / low) * (low * (high / low) ** t) ** 2
        case FlowMatching():
            return -1 / (1 - t), 2 * t / (1 - t)
        case Cosine():
            tan = np.tan(np.pi * t / 2)
            return -np.pi / 2 * tan, np.pi * tan
        case EDM(high):
            return zero, 2 * high**2 * t
    raise ValueError(f"no published SDE for {schedule}")


NAMED: dict[str, Schedule] = {
    "VP": LinearVP(),
    "sub-VP": SubVP(),
    "VE": VE(),
    "flow matching": FlowMatching(),
    "cosine": Cosine(),
    "EDM": EDM(),
}


def published_gap(sde: SDE, schedule: Schedule) -> float:
    """The formulas against those printed, relative, at 40 times."""
    t = np.linspace(0.02, 0.98, 40)
    pairs = zip(sde(schedule, t), published(schedule, t), strict=True)
    gaps = [(np.abs(a - b) / np.maximum(np.abs(b), 1e-300)).max() for a, b in pairs]
    return float(np.max(gaps))  # a NaN stays one


def levels_gap(sde: SDE, schedule: Schedule, t: float) -> float:
    """f = ∂ log α and g² = 2 α σ ∂(σ/α) with the derivatives taken by differences of the levels."""
    at = np.array([t])
    f, g2 = (float(c[0]) for c in sde(schedule, at))
    alpha, sigma = schedule.level(t)
    drift = derivative(lambda s: np.log(schedule.alpha(s)), t, 1e-3)
    ratio = derivative(lambda s: schedule.sigma(s) / schedule.alpha(s), t, 1e-3)
    true = 2 * alpha * sigma * ratio
    return float(np.max([abs(f - drift) / (1 + abs(drift)), abs(g2 - true) / true]))


def _rough(t: Any) -> Any:
    """No analytic function as code, and none at all outside [0, 1]."""
    inside = np.clip(np.real(t), 0, 1) == np.real(t)
    return np.where(inside, 1.5 * t + 0.3 * np.abs(t) ** 3 + 0.2 * t**4, np.nan)


@cache
def made() -> dict[str, Schedule]:
    """Every way to make a schedule, with constants that are neither 0 nor 1."""
    scaled = Cosine().scaled(lambda t: 1 + 2 * t**2)
    sde = Schedule.from_sde(lambda t: -1 - t, lambda t: 1 + 3 * t, alpha0=1.2, sigma0=0.1)
    return NAMED | {
        "cosine, bounded": Cosine(-9.0, 12.0),
        "VP from 0": LinearVP(0.0, 12.0),
        "shifted flow": Shifted(FlowMatching(), 3.0),
        "shifted cosine": Shifted(Cosine(), 0.6),
        "shifted sub-VP": Shifted(SubVP(), 2.0),
        "VP on flow's scale": Shifted(LinearVP(), 0.7, "flow"),
        "flow on VP's scale": Shifted(FlowMatching(), 1.7, "vp"),
        "cosine with α = 1": Shifted(Cosine(), 1.3, "ve"),
        "scaled": scaled,
        "scaled, derivative given": SubVP().scaled(lambda t: np.exp(t), lambda t: np.exp(t)),
        "functions": Schedule.from_functions(lambda t: np.exp(-2 * t), lambda t: t + t**2),
        "not analytic": Schedule.from_functions(lambda t: 1 - t, _rough),
        "from the SDE": sde,
        "table": DiscreteSchedule.linear(8, 0.01, 0.4).as_schedule(),
    }


#: (α_0, σ_0, α_1, σ_1), where rates alone leave a constant open.
ENDS: dict[str, tuple[float, ...]] = {
    "VP": (1, 0, math.exp(-5.025), math.sqrt(1 - math.exp(-10.05))),
    "VP from 0": (1, 0, math.exp(-3.0), math.sqrt(1 - math.exp(-6.0))),
    "sub-VP": (1, 0, math.exp(-5.025), 1 - math.exp(-10.05)),
    "VE": (1, 0.01, 1, 50),
    "flow matching": (1, 0, 0, 1),
    "cosine": (1, 0, 0, 1),
    "EDM": (1, 0, 1, 80),
    "cosine, bounded": tuple(expit([12.0, -12.0, -9.0, 9.0]) ** 0.5),
    "shifted flow": (1, 0, 0, 1),
    "functions": (1, 0, math.exp(-2.0), 2),
}


def own_gap(schedule: Schedule, t: float) -> float:
    """A schedule's rates, log-SNR, its rate and its inverse, against differences of its levels."""
    h = 1e-4 if isinstance(schedule, TableSchedule) else 1e-3
    alpha, sigma = schedule.level(t)
    rates = *schedule.rates(t), schedule.log_snr_dot(t), schedule.f(t)
    functions: tuple[Callable[[Any], Any], ...] = (
        schedule.alpha,
        schedule.sigma,
        schedule.log_snr,
        lambda s: np.log(schedule.alpha(s)),
    )
    wanted = [float(derivative(each, t, h)) for each in functions]
    gaps = [abs(a - b) / (1 + abs(b)) for a, b in zip(rates, wanted, strict=True)]
    gaps.append(
        abs(schedule.log_snr(t) / (2 * math.log(alpha / sigma)) - 1)
        if abs(alpha / sigma - 1) > 0.1
        else 0.0
    )
    gaps.append(abs(schedule.t_of_log_snr(schedule.log_snr(t)) - t))
    gaps.append(abs(schedule.g2(t) / (2 * sigma * (wanted[1] - sigma * wanted[3])) - 1))
    size = {"vp": alpha**2 + sigma**2, "ve": alpha, "flow": alpha + sigma}
    if schedule.scale:
        gaps.append(abs(size[schedule.scale] - 1))
    if isinstance(schedule, Shifted):
        base = schedule.base.level(t)
        gaps.append(abs(sigma / alpha / (schedule.shift * base.ratio) - 1))
    if isinstance(schedule, Scaled):
        gaps.append(abs(alpha / (schedule.base.alpha(t) * float(schedule.c(np.array(t)))) - 1))
    return float(np.max(gaps))


def ends_gap(name: str) -> float:
    """The levels at t = 0 and 1 against the papers', and t where nothing is noise."""
    schedule = made()[name]
    found = (*schedule.level(0.0), *schedule.level(1.0))
    gaps = [abs(a - b) / max(b, 1e-3) for a, b in zip(found, ENDS[name], strict=True)]
    if ENDS[name][1] == 0:
        gaps.append(abs(schedule.t_of_log_snr(math.inf)))
    return float(np.max(gaps))


def start_gap() -> float:
    """σ̇ near t = 0, where a formula is 0/0, or differences have neighbours on one side only."""
    rest = SDESchedule(lambda t: 0 * t - 1, lambda t: 3 * t)  # from clean data
    rough = made()["not analytic"]
    pairs: list[tuple[float, float]] = [
        (made()["VP from 0"].rates(0.0)[1], math.sqrt(6.0)),
        (rest.rates(0.0)[1], math.sqrt(1.5)),
        (Shifted(LinearVP(), 2.0).rates(0.0)[0], -0.2),  # −s² β_0/2, where σ̇ is infinite
    ]
    for t in (0.0, 3e-4, 0.9997, 1.0):
        pairs.append((rough.rates(t)[1], 1.5 + 0.9 * t**2 + 0.8 * t**3))
        pairs.append((rough.rates(t)[0], -1.0))
    gaps = [abs(a / b - 1) for a, b in pairs] + [abs(rest.alpha(0.0) - 1), rest.sigma(0.0)]
    steep = Schedule.from_sde(lambda t: 0 * t - 1, lambda t: 1 + 3 * t)  # σ ≈ √t
    gaps.append(0.0 if steep.rates(0.0)[1] == np.inf else np.inf)
    return float(np.max(gaps))  # a NaN stays one


def names_gap() -> float:
    """The schedules by name: their levels at both ends and in the middle, of numbers and arrays."""
    last = {"ddpm_linear": (1e-4, 0.02, 1.0), "ddpm_scaled_linear": (0.00085, 0.012, 0.5)}
    gaps = []
    for name, (low, high, power) in last.items():
        betas = np.linspace(low**power, high**power, 1000) ** (1 / power)
        lam = 2 * SCHEDULES[name]().level(1.0).half_log_snr
        bar = np.exp(np.log1p(-betas).sum())
        gaps += [
            abs(lam - math.log(bar / (1 - bar))),
            abs(SCHEDULES[name]().level(0.0).sigma / low**0.5 - 1),
        ]
    short, shifted = SCHEDULES["cosine_truncated"](), SCHEDULES["flow_matching_sd3"]()
    gaps += [
        abs(Shifted(VE()).sigma(0.5) - math.sqrt(0.01 * 50)),  # by 1, if nothing is said
        abs(short.log_snr(0.0) - 15),
        abs(short.log_snr(1.0) + 15),
        abs(shifted.log_snr(0.5) + 2 * math.log(3)),
        abs(SCHEDULES["edm"]().sigma(1.0) - 80),
        abs(SCHEDULES["ve"]().sigma(0.5) - math.sqrt(0.01 * 50)),
        abs(
            SCHEDULES["ddpm_cosine"]().alpha(0.0)
            - math.cos(0.009 / 1.008 * math.pi / 2) / math.cos(0.008 / 1.008 * math.pi / 2)
        ),
    ]
    for make in SCHEDULES.values():
        schedule, t = make(), np.array([[0.2, 0.4, 0.6], [0.3, 0.5, 0.7]])
        values = schedule.sigma(t)
        each = [[schedule.sigma(float(one)) for one in row] for row in t]
        gaps.append(np.abs(values - each).max())
        gaps.append(0.0 if isinstance(each[0][0], float) and values.shape == t.shape else np.inf)
    return largest(gaps)


def open_end_gap() -> float:
    """Flow matching from its SDE, whose rates are infinite at t = 1: λ is −∞ there."""
    found = Schedule.from_sde(lambda t: -1 / (1 - t), lambda t: 2 * t / (1 - t))
    t = np.array([0.3, 0.7, 0.99, 0.9999])
    gaps = [
        np.abs(found.log_snr(t) / FlowMatching().log_snr(t) - 1).max(),
        np.abs(found.alpha(t) / (1 - t) - 1).max(),
        0.0 if found.log_snr(1.0) == -np.inf else np.inf,
        0.0 if np.isfinite(found.log_snr(1 - 1e-9)) else np.inf,
        abs(found.t_of_log_snr(-np.inf) - 1),
    ]
    table = DiscreteSchedule.linear()
    places = {float(table.ratios[n]): n for n in (0, 3, 999)} | {1e-9: 0, 1e9: 999}
    gaps += [abs(table.index_of_ratio(ratio, clip=True) - n) for ratio, n in places.items()]
    return largest(gaps)


def tables_gap() -> float:
    """The tables of DDPM, latent diffusion and iDDPM entry by entry, and one without signal."""
    made = {
        DiscreteSchedule.linear: [1e-4 + (0.02 - 1e-4) * n / 999 for n in range(1000)],
        DiscreteSchedule.scaled_linear: [
            (0.00085**0.5 + (0.012**0.5 - 0.00085**0.5) * n / 999) ** 2 for n in range(1000)
        ],
        DiscreteSchedule.cosine: [
            min(
                1
                - math.cos((n / 1000 + 0.009) / 1.008 * math.pi / 2) ** 2
                / math.cos((n / 1000 + 0.008) / 1.008 * math.pi / 2) ** 2,
                0.999,
            )
            for n in range(1000)
        ],
    }
    gaps = []
    for make, betas in made.items():
        table, bar = make(), 1.0
        for n, beta in enumerate(betas):
            bar *= 1 - beta
            gaps.append(abs(table.level(n).alpha / math.sqrt(bar) - 1))
            gaps.append(abs(table.level(n).sigma / math.sqrt(1 - bar) - 1))
            gaps.append(abs(table.ratios[n] / math.sqrt((1 - bar) / bar) - 1))
            gaps.append(abs(table.log_snr[n] - math.log(bar / (1 - bar))))
    table = DiscreteSchedule.linear()
    for at in (0.0, 12.25, 500.5, 998.75, 999.0):
        low, high = table.level(int(at)), table.level(min(int(at) + 1, 999))
        part, level = at - int(at), table.level(at)
        gaps.append(abs(level.ratio / (low.ratio ** (1 - part) * high.ratio**part) - 1))
        gaps.append(abs(level.alpha**2 + level.sigma**2 - 1))
        gaps.append(abs(table.index_of_ratio(level.ratio) - at) / 1e3)
    root = np.sqrt(table.alphas_cumprod)
    dark = np.sqrt(table.zero_terminal_snr().alphas_cumprod)
    gaps += [dark[-1], abs(dark[0] / root[0] - 1)]
    stretch = np.diff(dark) / np.diff(root) * (root[0] - root[-1]) / root[0]
    gaps.append(float(np.abs(stretch - 1).max()))
    return float(np.max(gaps))


def inverse_gap(sde: SDE, schedule: Schedule, t: float) -> float:
    """The levels that the SDE (f, g²), started at the schedule's own, comes to."""
    start, at = schedule.level(0.0), np.array([t])
    back = Schedule.from_sde(
        lambda s: sde(schedule, s)[0],
        lambda s: sde(schedule, s)[1],
        alpha0=start.alpha,
        sigma0=start.sigma,
    )
    found, truth = back.level(float(at[0])), schedule.level(t)
    return float(np.max([abs(a / b - 1) for a, b in zip(found, truth, strict=True)]))


@row(
    8,
    "SDE from levels, and back",
    r"f_t=\partial_t\log\alpha_t,\quad g_t^2=2\alpha_t\sigma_t\,\partial_t(\sigma_t/\alpha_t);"
    r"\qquad \alpha_t=e^{\int_0^t f},\quad \sigma_t^2=\int_0^t g_s^2\,e^{2\int_s^t f}\,ds",
    source="SU, SDE, GAO",
    condition="α_t > 0, σ_t/α_t rises, and the inverse starts at the level (α_0, σ_0); the control "
    "has another g²",
    subject=of_schedule,
    control=lambda size: of_schedule(1 + size),
    control_size=1e-6,
)
def check(sde: SDE) -> Finding:
    """Against the printed formulas, differences of the levels, and the levels it leads back to."""
    gaps = {name: published_gap(sde, schedule) for name, schedule in NAMED.items()}
    cases: dict[str, Any] = {"schedule": schedules(), "t": floats(0.1, 0.9)}
    found = {
        "against printed formulas, largest": for_all(
            lambda schedule: gaps[schedule],
            1e-13,
            unit="relative",
            derivation="rounding of exponents up to 10, and of 1 − t: 10² ε",
            schedule=st.sampled_from(sorted(NAMED)),
        ),
        "against differences of the levels": for_all(
            lambda **case: levels_gap(sde, **case),
            1e-11,
            unit="relative",
            derivation="differences: h⁸ σ⁽⁹⁾/630 = 6e-14 of σ̇ for σ = √t and σ/α = t/(1−t) in "
            "[0.1, 0.9], rounding ε/h = 2e-13 of levels good to 10 ε",
            **cases,
        ),
        "a schedule's own quantities": for_all(
            lambda name, place: own_gap(made()[name], 0.1 + (place + 0.5) / 11),
            1e-10,
            examples=120,
            unit="relative",
            derivation="as above, and 1e-10 of the integrals",
            name=st.sampled_from(sorted(made())),
            place=st.integers(0, 8),
        ),
        "levels at the ends": for_all(
            ends_gap,
            1e-12,
            unit="relative",
            derivation="round-off",
            name=st.sampled_from(sorted(ENDS)),
        ),
        "rates at the ends": judge(
            start_gap(), 1e-10, unit="relative", derivation="rounding of differences 2⁻¹¹ apart"
        ),
        "tables": judge(
            tables_gap(),
            1e-9,
            unit="relative",
            derivation="1000 products, and differences of neighbours: ε · 10⁵",
        ),
        "schedules by name": judge(names_gap(), 1e-9, unit="absolute", derivation="1000 products"),
        "an SDE with infinite rates at t = 1": judge(
            open_end_gap(), 1e-9, unit="relative", derivation="the integrals' own tolerance 1e-10"
        ),
        "levels from f and g²": for_all(
            lambda **case: inverse_gap(sde, **case),
            1e-9,
            examples=12,
            unit="relative",
            derivation="the integrals' own tolerance 1e-10, α and σ its exponentials",
            **cases,
        ),
    }
    quantities = {name: f.measured or 0.0 for name, f in found.items()} | {
        f"against the printed formula, {name}": gap for name, gap in gaps.items()
    }
    return replace(worst_of(*found.values()), quantities=quantities)
