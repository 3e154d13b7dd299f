"""Which argument of somebody's sampler is what, by its name or by what is declared."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from dfbench.errors import Unusable
from dfbench.wording import listed

#: Role → names that people give the argument, in small letters.
NAMES: dict[str, tuple[str, ...]] = {
    "model": (
        *("model", "denoiser", "net", "network", "model_fn", "velocity", "velocity_model", "unet"),
        *("vector_field", "vf", "v_fn", "velocity_fn", "score_model", "score_fn", "score", "drift"),
        *("eps_model", "eps_fn", "eps_theta", "denoise", "denoise_fn", "denoiser_fn", "predictor"),
        *("func", "f", "fn", "v", "v_theta", "u", "predict"),
        *("diffusion_model", "transformer", "prior_model", "backbone", "dit"),
        *("scorenet", "score_net", "velocity_net", "eps_net", "denoise_model", "b"),
    ),
    "state": (
        *("x", "z", "latents", "latent", "latent_samples", "x_t", "xt", "x_init", "init_x", "x1"),
        *("z_t", "zt", "z_init", "x_start", "noise", "init_noise", "initial_noise", "img", "image"),
        *("sample", "samples", "y0", "x0", "z0", "z1", "x_0", "x_1", "start", "prior", "input"),
        *("images", "data", "clean_images", "pixel_values", "x_data", "clean", "inputs", "batch"),
    ),
    "steps": (
        *("steps", "n_steps", "num_steps", "nsteps", "n", "num_inference_steps", "sample_steps"),
        *("sampling_steps", "sampling_timesteps", "n_iter", "num_iter", "nfe", "n_timesteps"),
        *("num_sampling_steps", "inference_steps", "num_sampling_timesteps", "k", "iterations"),
    ),
    "sigmas": ("sigmas", "sigma_schedule", "sigma_grid", "noise_levels"),
    "times": (
        *("times", "ts", "timesteps", "time_grid", "t_span", "t_steps", "time_steps", "t_grid"),
        *("t", "t_eval", "grid", "time_steps_schedule"),
    ),
    "generator": ("generator", "rng", "gen", "random_state", "key", "rng_key", "prng_key", "prng"),
    "noise": ("randn_like", "noise_fn", "noise_like"),
    "shape": ("shape", "size", "x_shape", "sample_shape"),
    "batch": (
        "batch_size",
        "n_samples",
        "num_samples",
        "bs",
        "batchsize",
        "num_images",
        "n_images",
        "n_imgs",
        "num_imgs",
        "n_sample",
    ),
}


def role_of(name: str, declared: Mapping[str, str]) -> str | None:
    """What an argument is; None: nobody says."""
    for role, given in declared.items():
        if given == name:
            return role
    plain = name.lower().lstrip("_")
    for role, names in NAMES.items():
        if role not in declared and (plain in names or name in names):
            return role
    return None


def roles_of(
    function: Callable[..., Any], declared: Mapping[str, str], given: Mapping[str, Any]
) -> dict[str, str]:
    """Role → name of the argument, of a function or a constructor.

    Args:
        declared: role → name, which goes first.
        given: arguments that the user gives, which have no role.

    Raises:
        Unusable: an argument has to be given, and nobody says what it is.
    """
    found: dict[str, str] = {}
    unknown = []
    for name, parameter in parameters(function).items():
        if name in given or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        role = role_of(name, declared)
        needed = parameter.default is parameter.empty
        if role is None or (role in found and role not in declared):
            if needed:
                unknown.append(name)
        elif role in ("times", "sigmas") and not needed and parameter.default is not None:
            continue  # `t=1.0` and the like: a setting
        else:
            found[role] = name
    if unknown:
        raise Unusable(
            f"nobody says what its argument{'s' * (len(unknown) > 1)} {listed(unknown)} "
            f"{'are' if len(unknown) > 1 else 'is'}: give it in the call, or declare "
            f'its role, one of {", ".join(NAMES)}, like "roles": {{"model": "{unknown[0]}"}}'
        )
    return found


def parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The parameters by name, without `self`; none where nobody knows."""
    try:
        found = dict(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return {}
    if inspect.isclass(function):
        return found
    return {n: p for n, p in found.items() if n != "self"}
