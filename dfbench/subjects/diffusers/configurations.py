"""Configurations of every scheduler; each documented option is used at least once."""

from __future__ import annotations

from typing import Any

Pair = tuple[dict[str, Any], dict[str, Any]]

SPACINGS: list[Pair] = [({"timestep_spacing": s}, {}) for s in ("linspace", "leading", "trailing")]
SIGMAS: list[Pair] = [
    ({"use_karras_sigmas": True}, {}),
    ({"use_exponential_sigmas": True}, {}),
    ({"use_beta_sigmas": True}, {}),
]
BETAS: list[Pair] = [
    ({"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}, {}),
    ({"beta_schedule": "squaredcos_cap_v2"}, {}),
]
TABLE: list[Pair] = [
    ({"trained_betas": [1e-4 + k * 4e-4 for k in range(50)], "num_train_timesteps": 50}, {})
]
OFFSET: list[Pair] = [({"timestep_spacing": "leading", "steps_offset": 1}, {})]
ZERO_SNR: list[Pair] = [
    (
        {
            "rescale_betas_zero_snr": True,
            "prediction_type": "v_prediction",
            "timestep_spacing": "trailing",
        },
        {},
    )
]
CLIPS: list[Pair] = [
    ({"clip_sample": False}, {}),
    ({"clip_sample": True, "clip_sample_range": 2.0}, {}),
]
THRESHOLD: list[Pair] = [
    ({"thresholding": True, "dynamic_thresholding_ratio": 0.9, "sample_max_value": 1.5}, {})
]
ADDED: list[Pair] = [
    ({"use_flow_sigmas": True, "prediction_type": "flow_prediction", "flow_shift": 3.0}, {}),
    (
        {
            "use_flow_sigmas": True,
            "prediction_type": "flow_prediction",
            "use_dynamic_shifting": True,
        },
        {"mu": 1.1},
    ),
]
CHURN: list[Pair] = [({}, {"s_churn": 5.0, "s_tmin": 0.05, "s_tmax": 50.0, "s_noise": 1.0})]
ORDERS: list[Pair] = [({"solver_order": k}, {}) for k in (1, 3)]
CORRECTORS: list[Pair] = [
    ({"predictor_order": p, "corrector_order": c}, {}) for p, c in ((1, 1), (2, 1), (3, 4))
]
PREDICTIONS: list[Pair] = [({"prediction_type": p}, {}) for p in ("sample", "v_prediction")]


_DDIM: list[Pair] = [
    *SPACINGS,
    *BETAS,
    *TABLE,
    *OFFSET,
    *ZERO_SNR,
    *CLIPS,
    *THRESHOLD,
    ({"set_alpha_to_one": False}, {}),
    ({}, {"eta": 0.5}),
    ({}, {"eta": 1.0}),
    ({"clip_sample": False}, {"eta": 1.0, "use_clipped_model_output": True}),
]
_DDPM: list[Pair] = [
    *SPACINGS,
    *BETAS,
    *TABLE,
    *OFFSET,
    *ZERO_SNR,
    *CLIPS,
    *THRESHOLD,
    *[
        ({"variance_type": v}, {})
        for v in ("fixed_small_log", "fixed_large", "fixed_large_log", "learned", "learned_range")
    ],
    ({"beta_schedule": "sigmoid"}, {}),
    ({"variance_type": "fixed_large", "timestep_spacing": "trailing"}, {}),
]
_DPM: list[Pair] = [
    *SPACINGS,
    *SIGMAS,
    ({"use_lu_lambdas": True}, {}),
    *BETAS,
    *TABLE,
    *OFFSET,
    *THRESHOLD,
    *ADDED,
    *ZERO_SNR,
    *ORDERS,
    ({"solver_type": "heun"}, {}),
    *[
        ({"algorithm_type": a, "final_sigmas_type": "sigma_min"}, {})
        for a in ("dpmsolver", "sde-dpmsolver")
    ],
    ({"algorithm_type": "dpmsolver", "final_sigmas_type": "sigma_min", "solver_order": 3}, {}),
    ({"algorithm_type": "sde-dpmsolver++"}, {}),
    ({"algorithm_type": "sde-dpmsolver++", "solver_type": "heun"}, {}),
    ({"algorithm_type": "sde-dpmsolver++", "solver_order": 3}, {}),
    ({"algorithm_type": "sde-dpmsolver", "final_sigmas_type": "sigma_min", "solver_order": 3}, {}),
    ({"lower_order_final": False}, {}),
    ({"euler_at_final": True}, {}),
    ({"final_sigmas_type": "sigma_min"}, {}),
    (
        {
            "final_sigmas_type": "sigma_min",
            "use_karras_sigmas": True,
            "solver_type": "heun",
            "lower_order_final": False,
        },
        {},
    ),
    ({"lambda_min_clipped": -5.1, "beta_schedule": "squaredcos_cap_v2"}, {}),
    ({"variance_type": "learned_range"}, {}),
]
_EULER: list[Pair] = [
    *SPACINGS,
    *SIGMAS,
    *BETAS,
    *TABLE,
    *OFFSET,
    *ZERO_SNR,
    *CHURN,
    ({"interpolation_type": "log_linear"}, {}),
    (
        {
            "timestep_type": "continuous",
            "prediction_type": "v_prediction",
            "sigma_min": 0.002,
            "sigma_max": 700.0,
            "use_karras_sigmas": True,
        },
        {},
    ),
    ({"final_sigmas_type": "sigma_min"}, {}),
]
_FLOW: list[Pair] = [
    ({"shift": 3.0}, {}),
    ({"use_dynamic_shifting": True}, {"mu": 1.1}),
    ({"use_dynamic_shifting": True, "time_shift_type": "linear"}, {"mu": 1.1}),
    ({"shift_terminal": 0.02}, {}),
    ({"invert_sigmas": True}, {}),
    *SIGMAS,
]

_CONFIGURATIONS: dict[str, list[Pair]] = {
    "DDIMScheduler": _DDIM,
    "DDIMParallelScheduler": [({"timestep_spacing": "trailing"}, {}), ({}, {"eta": 1.0})],
    "DDIMInverseScheduler": [
        *SPACINGS[1:],
        *BETAS,
        *TABLE,
        *OFFSET,
        *CLIPS[:1],
        ({"set_alpha_to_one": False}, {}),
        *PREDICTIONS,
        ({"rescale_betas_zero_snr": True, "prediction_type": "v_prediction"}, {}),
    ],
    "CogVideoXDDIMScheduler": [
        *SPACINGS,
        *BETAS[1:],
        ({"beta_schedule": "linear"}, {}),
        *TABLE,
        *OFFSET,
        *ZERO_SNR,
        *CLIPS,
        ({"set_alpha_to_one": False}, {}),
        ({"snr_shift_scale": 1.0}, {}),
        ({}, {"eta": 1.0}),
    ],
    "CogVideoXDPMScheduler": [
        *SPACINGS,
        *BETAS[1:],
        *TABLE,
        *OFFSET,
        *ZERO_SNR,
        *CLIPS,
        ({"set_alpha_to_one": False}, {}),
        ({"snr_shift_scale": 1.0}, {}),
    ],
    "DDPMScheduler": _DDPM,
    "DDPMParallelScheduler": [
        ({"timestep_spacing": "trailing"}, {}),
        ({"variance_type": "fixed_large"}, {}),
    ],
    "DDPMWuerstchenScheduler": [({"scaler": 2.0}, {}), ({"scaler": 0.5}, {}), ({"s": 0.02}, {})],
    "UnCLIPScheduler": [
        ({"variance_type": "learned_range"}, {}),
        *CLIPS,
        ({"prediction_type": "sample"}, {}),
        ({"num_train_timesteps": 200}, {}),
    ],
    "PNDMScheduler": [
        *SPACINGS,
        *BETAS,
        *TABLE,
        *OFFSET,
        ({"skip_prk_steps": True}, {}),
        ({"set_alpha_to_one": True}, {}),
        ({"prediction_type": "v_prediction"}, {}),
    ],
    "IPNDMScheduler": [({"num_train_timesteps": 500}, {})],
    "DPMSolverMultistepScheduler": _DPM,
    "DPMSolverMultistepInverseScheduler": [
        *SPACINGS,
        *SIGMAS,
        *BETAS,
        *TABLE,
        *OFFSET,
        *THRESHOLD,
        *ORDERS,
        ({"solver_type": "heun"}, {}),
        ({"algorithm_type": "dpmsolver"}, {}),
        ({"algorithm_type": "sde-dpmsolver++"}, {}),
        ({"lower_order_final": False}, {}),
        ({"euler_at_final": True}, {}),
        ({"use_flow_sigmas": True, "prediction_type": "flow_prediction", "flow_shift": 3.0}, {}),
        ({"lambda_min_clipped": -5.1, "beta_schedule": "squaredcos_cap_v2"}, {}),
    ],
    "DPMSolverSinglestepScheduler": [
        *SIGMAS,
        *BETAS,
        *TABLE,
        *THRESHOLD,
        *ADDED,
        *ORDERS,
        ({"solver_type": "heun"}, {}),
        ({"solver_type": "heun", "solver_order": 3}, {}),
        ({"algorithm_type": "dpmsolver", "final_sigmas_type": "sigma_min"}, {}),
        ({"algorithm_type": "sde-dpmsolver++"}, {}),
        ({"algorithm_type": "sde-dpmsolver++", "solver_type": "heun", "solver_order": 3}, {}),
        ({"lower_order_final": True}, {}),
        ({"final_sigmas_type": "sigma_min"}, {}),
        ({"lambda_min_clipped": -5.1, "beta_schedule": "squaredcos_cap_v2"}, {}),
        ({"variance_type": "learned_range"}, {}),
    ],
    "DEISMultistepScheduler": [
        *SPACINGS,
        *SIGMAS,
        *BETAS,
        *TABLE,
        *OFFSET,
        *THRESHOLD,
        *ADDED,
        *ORDERS,
        ({"lower_order_final": False}, {}),
    ],
    "UniPCMultistepScheduler": [
        *SPACINGS,
        *SIGMAS,
        *BETAS,
        *TABLE,
        *OFFSET,
        *THRESHOLD,
        *ADDED,
        *ZERO_SNR,
        *ORDERS,
        ({"solver_type": "bh1"}, {}),
        ({"predict_x0": False, "final_sigmas_type": "sigma_min"}, {}),
        ({"predict_x0": False}, {}),
        ({"disable_corrector": [0, 1]}, {}),
        ({"lower_order_final": False, "final_sigmas_type": "sigma_min"}, {}),
        ({"use_karras_sigmas": True, "sigma_min": 0.02, "sigma_max": 100.0}, {}),
        (
            {
                "use_flow_sigmas": True,
                "prediction_type": "flow_prediction",
                "use_dynamic_shifting": True,
                "time_shift_type": "linear",
            },
            {"mu": 1.1},
        ),
        (
            {"use_flow_sigmas": True, "prediction_type": "flow_prediction", "shift_terminal": 0.02},
            {},
        ),
    ],
    "SASolverScheduler": [
        *SPACINGS,
        *SIGMAS,
        *BETAS,
        *TABLE,
        *OFFSET,
        *THRESHOLD,
        *ADDED[:1],
        *CORRECTORS,
        ({"algorithm_type": "noise_prediction"}, {}),
        ({"lower_order_final": False}, {}),
    ],
    "EDMDPMSolverMultistepScheduler": [
        ({"sigma_schedule": "exponential"}, {}),
        ({"prediction_type": "v_prediction"}, {}),
        ({"rho": 5.0, "sigma_min": 0.01, "sigma_max": 50.0, "sigma_data": 1.0}, {}),
        *THRESHOLD,
        *ORDERS,
        ({"solver_type": "heun"}, {}),
        ({"algorithm_type": "sde-dpmsolver++"}, {}),
        ({"lower_order_final": False}, {}),
        ({"euler_at_final": True}, {}),
        ({"final_sigmas_type": "sigma_min"}, {}),
    ],
    "CosineDPMSolverMultistepScheduler": [
        ({"sigma_schedule": "karras", "rho": 5.0}, {}),
        ({"prediction_type": "epsilon"}, {}),
        ({"solver_order": 1}, {}),
        ({"solver_order": 3}, {}),
        ({"solver_type": "heun"}, {}),
        ({"lower_order_final": False}, {}),
        ({"euler_at_final": True}, {}),
        ({"final_sigmas_type": "sigma_min"}, {}),
        ({"sigma_min": 0.1, "sigma_max": 100.0}, {}),
    ],
    "EDMEulerScheduler": [
        ({"sigma_schedule": "exponential"}, {}),
        ({"prediction_type": "v_prediction"}, {}),
        ({"rho": 5.0, "sigma_min": 0.01, "sigma_max": 50.0, "sigma_data": 1.0}, {}),
        ({"final_sigmas_type": "sigma_min"}, {}),
        *CHURN,
    ],
    "EulerDiscreteScheduler": _EULER,
    "EulerAncestralDiscreteScheduler": [*SPACINGS, *BETAS, *TABLE, *OFFSET, *ZERO_SNR],
    "HeunDiscreteScheduler": [
        *SPACINGS,
        *SIGMAS,
        *BETAS[1:],
        *TABLE,
        *OFFSET,
        *CLIPS[1:],
        ({"beta_schedule": "exp"}, {}),
    ],
    "KDPM2DiscreteScheduler": [*SPACINGS, *SIGMAS, *BETAS[1:], *TABLE, *OFFSET],
    "KDPM2AncestralDiscreteScheduler": [*SPACINGS, *SIGMAS, *BETAS[1:], *TABLE, *OFFSET],
    "DPMSolverSDEScheduler": [
        *SPACINGS,
        *SIGMAS[:1],
        *BETAS[1:],
        *OFFSET,
        ({"noise_sampler_seed": 7}, {}),
    ],
    "LMSDiscreteScheduler": [*SPACINGS, *SIGMAS, *BETAS, *OFFSET, ({}, {"order": 2})],
    "FlowMatchEulerDiscreteScheduler": [*_FLOW, ({"stochastic_sampling": True}, {}), *CHURN],
    "FlowMatchHeunDiscreteScheduler": [({"shift": 3.0}, {}), *CHURN],
    "FlowMatchLCMScheduler": _FLOW,
    "FlowMapEulerDiscreteScheduler": [({"shift": 3.0}, {})],
    "LTXEulerAncestralRFScheduler": [
        ({"eta": 0.5}, {}),
        ({"eta": 0.0}, {}),
        ({"s_noise": 0.8}, {}),
        ({"s_noise": 0.0}, {}),
    ],
    "HeliosScheduler": [
        ({"scheduler_type": "euler"}, {}),
        ({"shift": 3.0}, {}),
        ({"solver_order": 3}, {}),
        ({"solver_type": "bh1"}, {}),
        ({"disable_corrector": [0, 1]}, {}),
        ({"use_dynamic_shifting": True}, {"mu": 1.1}),
        ({"use_dynamic_shifting": True, "time_shift_type": "linear"}, {"mu": 1.1}),
    ],
    "MiniMaxH3Scheduler": [({"shift": 1.0}, {})],
    "LCMScheduler": [
        *BETAS[1:],
        *CLIPS,
        *THRESHOLD,
        ({"original_inference_steps": 30}, {}),
        ({"timestep_scaling": 1.0}, {}),
        ({"set_alpha_to_one": False}, {}),
        ({"rescale_betas_zero_snr": True, "prediction_type": "v_prediction"}, {}),
    ],
    "TCDScheduler": [
        *BETAS[1:],
        *CLIPS[1:],
        ({}, {"eta": 0.0}),
        ({}, {"eta": 1.0}),
        ({"original_inference_steps": 30}, {}),
    ],
    "SCMScheduler": [({"sigma_data": 1.0}, {})],
    "CMStochasticIterativeScheduler": [
        ({"clip_denoised": False}, {}),
        ({"sigma_min": 0.009}, {}),
        ({"s_noise": 0.9, "rho": 5.0, "sigma_max": 50.0, "sigma_data": 1.0}, {}),
    ],
}


#: Arguments without which a class cannot be certified.
NEEDED: dict[str, dict[str, Any]] = {"HeliosScheduler": {"stages": 1, "stage_range": [0, 1]}}


def configurations(name: str) -> list[Pair]:
    """(constructor arguments, call arguments) of a class, its defaults first."""
    needed = NEEDED.get(name, {})
    return [
        ({**needed, **config}, call) for config, call in [({}, {}), *_CONFIGURATIONS.get(name, [])]
    ]
