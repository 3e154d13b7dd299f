"""The levels that the options of a scheduler ask for, from their formulas alone.

Nothing here reads a table of the scheduler: training levels follow from β (DDPM, eq. 4; latent
diffusion; iDDPM, eq. 17; zero terminal SNR: Lin et al., algorithm 1), times from
`timestep_spacing` (Lin et al., table 2), σ from Karras (EDM, eq. 5), exponential, Beta quantiles
and Lu (uniform in λ), flow's σ from the shift of Esser et al. 2024 (arXiv 2403.03206, eq. 23).
Every function returns σ/α at the start of every step and where the last one lands, or None for
options that it has no formula of.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.special import expit

from dfbench import grids
from dfbench.levels import Array
from dfbench.schedules.discrete import DiscreteSchedule

Settings = dict[str, Any]
SPREADS = ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "use_lu_lambdas")


def training(settings: Settings, terminal: float) -> DiscreteSchedule | None:
    """The training levels; `terminal` is ᾱ of the last where it is made to vanish."""
    n, kind = int(settings["num_train_timesteps"]), settings.get("beta_schedule")
    low, high = settings["beta_start"], settings["beta_end"]
    if settings.get("trained_betas") is not None:
        made = DiscreteSchedule.from_betas(settings["trained_betas"])
    elif kind == "linear":
        made = DiscreteSchedule.linear(n, low, high)
    elif kind == "scaled_linear":
        made = DiscreteSchedule.scaled_linear(n, low, high)
    elif kind == "squaredcos_cap_v2":
        made = DiscreteSchedule.cosine(n)
    elif kind == "sigmoid":
        made = DiscreteSchedule.from_betas(low + (high - low) * expit(np.linspace(-6, 6, n)))
    else:
        return None
    if (shift := settings.get("snr_shift_scale")) is not None:  # SNR divided by it (CogVideoX)
        bar = made.alphas_cumprod
        made = DiscreteSchedule(bar / (shift + (1 - shift) * bar))
    return made.zero_terminal_snr(terminal) if settings.get("rescale_betas_zero_snr") else made


def times(
    settings: Settings, family: grids.Family, n: int, last: int | None = None
) -> Array | None:
    """Training times of n steps, noise first; `last`: how many of them there are."""
    n_train = last or int(settings["num_train_timesteps"])
    spacing = settings.get("timestep_spacing", "linspace")
    offset = int(settings.get("steps_offset", 0))
    if spacing == "leading":
        return np.asarray(grids.leading(n_train, n, offset, family=family), dtype=np.float64)
    if spacing == "trailing":
        return np.asarray(grids.trailing(n_train, n, family=family), dtype=np.float64)
    return grids.linspace(n_train, n, family=family) if spacing == "linspace" else None


def discrete(settings: Settings, n: int, given: Any = None) -> Array | None:
    """DDIM, DDPM, PNDM and their kin: whole training times, and α = 1 or the first of them.

    `given`: times that the user gives.
    """
    table = training(settings, 0.0)
    at = times(settings, "ddim", n) if given is None else np.asarray(given, dtype=np.float64)
    if table is None or at is None:
        return None
    clean = settings.get("set_alpha_to_one", True)
    return np.append(table.ratios[at.astype(int)], 0.0 if clean else table.ratios[0])


def solver(
    settings: Settings,
    n: int,
    *,
    given: Any = None,
    spaced: bool = True,
    ends_at: str = "",
    noise: bool = False,
) -> Array | None:
    """DPM-Solver, DEIS, UniPC, SA-Solver.

    Args:
        given: times that the user gives.
        noise: whether flow's σ start from noise itself.
        spaced: whether there is an option `timestep_spacing`; "linspace" else.
        ends_at: `final_sigmas_type` where that is no option.
    """
    end = ends_at or settings.get("final_sigmas_type", "zero")
    if settings.get("use_flow_sigmas"):
        return None if given is not None else _solver_flow(settings, n, end, noise)
    table = training(settings, 2.0**-24)
    if table is None:
        return None
    ratios = table.ratios
    if given is not None:
        sigma = np.interp(given, np.arange(len(table)), ratios)
        return np.append(sigma, 0.0 if end == "zero" else ratios[0])
    low, high = settings.get("sigma_min"), settings.get("sigma_max")
    sigma = spread(settings, float(high or ratios[-1]), float(low or ratios[0]), n)
    if sigma is None:
        least = float(settings.get("lambda_min_clipped", -math.inf))
        kept = int((table.log_snr / 2 >= least).sum())
        spacing = {} if spaced else {"timestep_spacing": "linspace"}
        at = times(settings | spacing, "dpm", n, kept)
        if at is None or (kept < len(ratios) and settings.get("timestep_spacing") == "trailing"):
            return None
        sigma = ratios[at.astype(int)]
    return np.append(sigma, 0.0 if end == "zero" else ratios[0])


def _solver_flow(settings: Settings, n: int, end: str, noise: bool) -> Array | None:
    """Equal steps of σ, noise first, shifted: 1 − 1/T … 0, or from `noise` 1 … 1/T, less the last.

    Noise itself is kept away from, by 1e-6.
    """
    other = "use_dynamic_shifting", "shift_terminal", *SPREADS
    if any(settings.get(key) for key in other) or end != "zero":
        return None
    first = 1 / int(settings["num_train_timesteps"])
    ends = (1.0, first) if noise else (1 - first, 0.0)
    sigma = np.minimum(np.linspace(*ends, n + 1)[:-1], 1 - 1e-6)
    return np.append(as_ratio(shifted(sigma, float(settings["flow_shift"]))), 0.0)


def exploding(settings: Settings, n: int, given: Any = None, sigmas: Any = None) -> Array | None:
    """Euler, LMS, Heun, DPM2: times may lie between; σ/α is linear between training times.

    `given`, `sigmas`: times, or σ with the last, that the user gives.
    """
    if sigmas is not None:
        return np.asarray(sigmas, dtype=np.float64)
    if settings.get("interpolation_type", "linear") != "linear":
        return None
    if settings.get("sigma_min") is not None or settings.get("sigma_max") is not None:
        return None
    table = training(settings, 2.0**-24)
    at = times(settings, "euler", n) if given is None else np.asarray(given, dtype=np.float64)
    if table is None or at is None:
        return None
    sigma = np.interp(at, np.arange(len(table)), table.ratios)
    other = spread(settings, float(sigma[0]), float(sigma[-1]), n)
    end = table.ratios[0] if settings.get("final_sigmas_type") == "sigma_min" else 0.0
    return np.append(sigma if other is None else other, end)


def spread(settings: Settings, high: float, low: float, n: int) -> Array | None:
    """n values of σ from `high` to `low` as one of the options has them; None: not."""
    if not any(settings.get(key) for key in SPREADS):
        return None
    if n == 1 or not high > low:
        return np.full(n, high)
    if settings.get("use_karras_sigmas"):
        return grids.karras(high, low, n).sigma[:-1]
    if settings.get("use_exponential_sigmas") or settings.get("use_lu_lambdas"):
        return grids.exponential(high, low, n).sigma[:-1]
    return grids.beta_ratios(high, low, n).sigma[:-1]


def edm(settings: Settings, n: int, ramp: Any = None) -> Array | None:
    """EDM*, and the cosine solver: from σ_max to σ_min by EDM's eq. 5, or in equal steps of λ.

    `ramp`: how far each level is along the way, from 0 to 1, that the user gives.
    """
    high, low = float(settings["sigma_max"]), float(settings["sigma_min"])
    kind = settings.get("sigma_schedule", "karras")
    if ramp is not None:
        at, rho = np.asarray(ramp, dtype=np.float64), float(settings.get("rho", 7.0))
        if kind == "karras":
            sigma = (high ** (1 / rho) + at * (low ** (1 / rho) - high ** (1 / rho))) ** rho
        else:
            sigma = high ** (1 - at) * low**at
    elif kind == "karras":
        sigma = grids.karras(high, low, n, float(settings.get("rho", 7.0))).sigma[:-1]
    else:
        sigma = grids.exponential(high, low, n).sigma[:-1]
    return np.append(sigma, 0.0 if settings.get("final_sigmas_type", "zero") == "zero" else low)


def shifted(sigma: Array, shift: float) -> Array:
    """s σ/(1 + (s − 1) σ)."""
    return shift * sigma / (1 + (shift - 1) * sigma)


def as_ratio(sigma: Array) -> Array:
    """σ/α of flow's levels (1 − σ, σ)."""
    with np.errstate(divide="ignore"):
        return np.asarray(sigma / (1 - sigma))


def flow(
    settings: Settings, n: int, mu: float | None = None, sigmas: Any = None, given: Any = None
) -> Array | None:
    """FlowMatch*: equal steps from 1 to 1/T, or σ that the user gives, shifted.

    The clean end of the equal steps is the level of the first training time, which the constant
    shift has moved once already, as in the code released with the paper: it is shifted twice.
    `given`: times T σ of the user's, which the network is told, and so of σ shifted already.
    """
    if given is not None:
        told = np.asarray(given, dtype=np.float64) / int(settings["num_train_timesteps"])
        return np.append(as_ratio(told), 0.0)
    first, shift = 1 / int(settings["num_train_timesteps"]), float(settings.get("shift", 1.0))
    if settings.get("use_dynamic_shifting"):
        if mu is None:
            return None
        linear = settings.get("time_shift_type") == "linear"
        even = np.linspace(1, first, n) if sigmas is None else np.asarray(sigmas, dtype=float)
        sigma = shifted(even, mu if linear else math.exp(mu))
    elif sigmas is not None:
        sigma = shifted(np.asarray(sigmas, dtype=np.float64), shift)
    else:
        low = float(shifted(np.array([first]), shift)[0])
        sigma = shifted(np.linspace(1, low, n), shift)
    if (end := settings.get("shift_terminal")) and n > 1:
        sigma = 1 - (1 - sigma) * (1 - end) / (1 - sigma[-1])
    other = spread(settings, float(sigma[0]), float(sigma[-1]), n)
    ratio = np.append(as_ratio(sigma if other is None else other), 0.0)
    return None if settings.get("invert_sigmas") else ratio


def angles(n: int) -> Array:
    """iPNDM: σ = sin²(π u/2) at equal steps of u from 1 to 0, α = √(1 − σ²)."""
    sigma = np.sin(np.linspace(1, 0, n + 1) * math.pi / 2) ** 2
    with np.errstate(divide="ignore"):
        return np.asarray(sigma / np.sqrt(1 - sigma**2))
