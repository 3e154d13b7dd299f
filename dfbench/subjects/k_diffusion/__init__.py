"""k-diffusion: functions of a denoiser, a state and the σ of the steps."""

from __future__ import annotations

from operator import attrgetter
from types import MappingProxyType
from typing import Any

from dfbench.subjects.loops import Loop, Loops

#: name → options of the call that are worth a certificate, too.
_MORE: dict[str, tuple[dict[str, Any], ...]] = {
    "euler": ({"s_churn": 5.0},),
    "heun": ({"s_churn": 5.0},),
    "dpm_2": ({"s_churn": 5.0},),
    "euler_ancestral": ({"eta": 0.5}, {"eta": 0.0}),
    "dpm_2_ancestral": ({"eta": 0.5}, {"eta": 0.0}),
    "dpmpp_2s_ancestral": ({"eta": 0.5}, {"eta": 0.0}),
    "dpmpp_sde": ({"eta": 0.0}, {"r": 0.3}),
    "dpmpp_2m_sde": ({"eta": 0.0}, {"solver_type": "heun"}),
    "dpmpp_3m_sde": ({"eta": 0.0},),
    "lms": ({"order": 1}, {"order": 2}, {"order": 3}),
}

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

#: What draws σ for training: name → arguments, and the density that they have.
_TIMES: dict[str, tuple[dict[str, Any], str]] = {
    "rand_log_normal": ({"loc": -1.2, "scale": 1.2}, "log-normal(-1.2, 1.2)"),
    "rand_log_logistic": ({}, "log-logistic(0, 1)"),
    "rand_log_uniform": ({"min_value": 0.01, "max_value": 100.0}, "log-uniform(0.01, 100)"),
    "rand_v_diffusion": ({}, "v(1)"),
    "rand_split_log_normal": (
        {"loc": 0.0, "scale_1": 1.0, "scale_2": 2.0},
        "split-log-normal(0, 1, 2)",
    ),
}


class KDiffusion(Loops):
    name = "k_diffusion"
    word = "sampler"
    module = "k_diffusion.sampling"
    heavy = ()
    claims = MappingProxyType({"predicts": "x", "level": "sigma"})

    def loops(self) -> dict[str, Loop]:
        return (
            {
                name: Loop(
                    attrgetter(f"sample_{name}"),
                    claims,
                    {"disable": True},
                    tuple(({}, call) for call in _MORE.get(name, ())),
                )
                for name, claims in _CLAIMS.items()
            }
            | {
                name: Loop(attrgetter(f"utils.{name}"), {"kind": "times", "density": density}, call)
                for name, (call, density) in _TIMES.items()
            }
            | {
                "log_likelihood": Loop(
                    attrgetter("log_likelihood"),
                    {"kind": "likelihood"},
                    {"sigma_min": 0.01, "sigma_max": 80.0},
                )
            }
            | {
                name: Loop(attrgetter(f"sample_{name}"), {}, {"disable": True})
                for name in self.excluded()
            }
        )

    def excluded(self) -> dict[str, str]:
        return {
            "dpm_adaptive": "its steps depend on the state: there is no table",
            "dpm_fast": "it groups evaluations into steps of three, whatever the grid",
        }


LIBRARY = KDiffusion()
