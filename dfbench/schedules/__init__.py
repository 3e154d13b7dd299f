"""Schedules: the levels (α_t, σ_t) of z_t = α_t x + σ_t ε, their rates, log-SNRs and SDEs.

`Schedule` is the interface. `DiscreteSchedule` is a table over integer training times.
`SCHEDULES` names those that `dfbench list schedules` prints.
"""

from __future__ import annotations

from collections.abc import Callable

from dfbench.schedules.closed import EDM, VE, Cosine, FlowMatching, LinearVP, Shifted, SubVP
from dfbench.schedules.custom import FunctionSchedule, SDESchedule
from dfbench.schedules.discrete import DiscreteSchedule, TableSchedule
from dfbench.schedules.schedule import SCALES, Scale, Scaled, Schedule, at_log_snr

__all__ = [
    "EDM",
    "SCALES",
    "SCHEDULES",
    "VE",
    "Cosine",
    "DiscreteSchedule",
    "FlowMatching",
    "FunctionSchedule",
    "LinearVP",
    "SDESchedule",
    "Scale",
    "Scaled",
    "Schedule",
    "Shifted",
    "SubVP",
    "TableSchedule",
    "at_log_snr",
]


def _flow_matching_sd3() -> Schedule:
    """Flow matching with λ shifted by −2 log 3 (SD3, arXiv:2403.03206)."""
    return Shifted(FlowMatching(), 3.0)


def _cosine_truncated() -> Schedule:
    """Cosine with λ from 15 to −15 (simple diffusion, arXiv:2301.11093)."""
    return Cosine(-15.0, 15.0)


def _ddpm_linear() -> Schedule:
    """DDPM's table of 1000, β linear from 1e-4 to 0.02 (HO)."""
    return DiscreteSchedule.linear().as_schedule()


def _ddpm_scaled_linear() -> Schedule:
    """Stable Diffusion's table of 1000, √β linear (arXiv:2112.10752)."""
    return DiscreteSchedule.scaled_linear().as_schedule()


def _ddpm_cosine() -> Schedule:
    """iDDPM's table of 1000, squared cosine with β ≤ 0.999 (arXiv:2102.09672)."""
    return DiscreteSchedule.cosine().as_schedule()


SCHEDULES: dict[str, Callable[..., Schedule]] = {
    "flow_matching": FlowMatching,
    "flow_matching_sd3": _flow_matching_sd3,
    "cosine": Cosine,
    "cosine_truncated": _cosine_truncated,
    "linear_vp": LinearVP,
    "sub_vp": SubVP,
    "ve": VE,
    "edm": EDM,
    "ddpm_linear": _ddpm_linear,
    "ddpm_scaled_linear": _ddpm_scaled_linear,
    "ddpm_cosine": _ddpm_cosine,
}
"""Name → factory; called without arguments it gives the schedule with its paper's constants."""
