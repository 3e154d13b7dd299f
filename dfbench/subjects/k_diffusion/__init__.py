"""k-diffusion: functions of a denoiser, a state and the σ of the steps."""

from __future__ import annotations

from operator import attrgetter
from types import MappingProxyType
from typing import Any

from dfbench.subjects.loops import Loop, Loops

_RANGE = {"sigma_min": 0.002, "sigma_max": 80.0}

#: name → what is declared of it: the method of its source.
_CLAIMS: dict[str, dict[str, Any]] = {
    "euler": {"reference": "euler"},
    "euler_ancestral": {"reference": "euler_ancestral"},
    "heun": {"reference": "heun"},
    "dpm_2": {"reference": "dpm2"},
    "dpm_2_ancestral": {"reference": "dpm2_ancestral"},
    "lms": {"reference": "lms", "options": {"order": 4}},
    "dpmpp_2s_ancestral": {"reference": "dpmpp_2s_ancestral"},
    "dpmpp_sde": {"reference": "dpmpp_sde"},
    "dpmpp_2m": {
        "reference": "dpm_solver_pp_multistep",
        "options": {"order": 2, "lower_order_final": False},
    },
    "dpmpp_2m_sde": {"order": 1, "stochastic": True},
    "dpmpp_3m_sde": {"order": 1, "stochastic": True},
}


class KDiffusion(Loops):
    name = "k_diffusion"
    word = "sampler"
    module = "k_diffusion.sampling"
    heavy = ()
    claims = MappingProxyType({"predicts": "x", "level": "sigma"})

    def loops(self) -> dict[str, Loop]:
        return {
            name: Loop(attrgetter(f"sample_{name}"), claims, {"disable": True})
            for name, claims in _CLAIMS.items()
        }


LIBRARY = KDiffusion()
