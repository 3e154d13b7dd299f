"""Calls of formulas: weightings, predictions, grids, schedules, losses; and all calls."""

# ruff: noqa: E501

from __future__ import annotations

from dataclasses import fields as fields_of
from functools import partial

import numpy as np

from analytic import GaussianMixture
from dfbench import couplings, grids, losses, predictions, schedules, weightings
from dfbench.levels import Level
from tests.fuzz import oracle, tables
from tests.fuzz.call import Call, made


def _calls() -> list[Call]:
    mixture = GaussianMixture.isotropic([0.4, 0.6], [[-1.0, 0.0], [1.0, 0.5]], [0.2, 0.3])
    line = GaussianMixture.isotropic([1.0], [[0.3]], 0.5)
    z, level = np.array([[0.1, 0.2], [0.3, -0.4], [1.0, 2.0]]), Level(0.8, 0.6)
    linear, discrete = schedules.LinearVP(), schedules.DiscreteSchedule(np.linspace(0.99, 0.01, 20))
    number, array, data, word, thing = ("number", "array", "data", "word", "thing")
    function = "function"
    a_s = {"alpha": (number, 0.8), "sigma": (number, 0.6)}
    ends = {"t_start": (number, 1.0), "t_stop": (number, 0.0)}
    sigmas = {"sigma_max": (number, 10.0), "sigma_min": (number, 0.1), "n": (number, 5)}
    beta = {"beta_min": (number, 0.1), "beta_max": (number, 20.0)}
    betas = {"n": (number, 5), "beta_start": (number, 0.1), "beta_end": (number, 0.2)}
    pair = {"source": (word, "eps"), "target": (word, "x")}
    more = {"rates": (thing, None), "sigma_data": (number, None)}
    low_high = {"low": (number, -5.0), "high": (number, 5.0)}
    exact = {"model": (function, lambda z, level: 0 * z), "target": (thing, line)}
    nodes = (np.array([0.2, 0.5]), np.array([0.5, 0.5]))
    return made([
        ("weightings.LogitNormal", lambda lam, **p: weightings.LogitNormal(**p)(lam),
         {"mean": (number, 0.0), "std": (number, 1.0), "shift": (number, 1.0), "lam": (data, z[0])}),
        ("weightings.EDMWeighting", lambda lam, **p: weightings.EDMWeighting(**p)(lam),
         {"p_mean": (number, -1.2), "p_std": (number, 1.2), "sigma_data": (number, 0.5),
          "lam": (data, z[0])}),
        ("weightings.MinSNR", lambda lam, **p: weightings.MinSNR(**p)(lam),
         {"gamma": (number, 5.0), "lam": (data, z[0])}),
        ("weightings.P2", lambda lam, **p: weightings.P2(**p)(lam),
         {"gamma": (number, 1.0), "k": (number, 1.0), "lam": (data, z[0])}),
        ("weightings.Sigmoid", lambda lam, **p: weightings.Sigmoid(**p)(lam),
         {"bias": (number, 2.0), "lam": (data, z[0])}),
        ("weightings.EDMMonotonic", lambda lam, **p: weightings.EDMMonotonic(**p)(lam),
         {"p_mean": (number, -1.2), "p_std": (number, 1.2), "sigma_data": (number, 0.5),
          "lam": (data, z[0])}),
        *((f"weightings.{kind.__name__}", kind(), {"lam": (data, z[0])})
          for kind in weightings.WEIGHTINGS.values() if not fields_of(kind)),
        ("weightings.cosine_density", weightings.cosine_density, {"lam": (data, z[0])}),
        ("weightings.normal_density", weightings.normal_density,
         {"lam": (data, z[0]), "mean": (number, 0.0), "std": (number, 1.0), "tilt": (number, 0.5)}),
        ("weightings.normalised",
         lambda **given: weightings.normalised(**given)(np.zeros(2)),
         {"weight": (function, weightings.ELBO())} | low_high),
        ("weightings.log_snr_density", weightings.log_snr_density,
         {"schedule": (thing, linear), "lam": (data, z[0])}),
        ("weightings.effective_weighting",
         lambda lam, **p: weightings.effective_weighting(**p)(lam),
         {"prediction": (word, "eps"), "schedule": (thing, linear), "lam": (data, z[0]),
          "factor": (function, None), "density": (function, None)}),
        ("weightings.total_variation", weightings.total_variation,
         {"one": (function, weightings.ELBO()), "other": (function, weightings.VCosine())} | low_high),
        ("predictions.known", predictions.known, {"kind": (word, "eps")}),
        ("predictions.weights", predictions.weights, {"kind": (word, "eps")} | a_s | more),
        ("velocity.weights", predictions.weights,
         {"kind": (word, "velocity")} | a_s | {"rates": (thing, (-1.0, 1.0))}),
        ("predictions.affine", predictions.affine, pair | a_s | more),
        ("predictions.mse_factor", predictions.mse_factor, pair | a_s),
        ("predictions.convert", predictions.convert,
         {"m": (data, z), "z": (data, z)} | pair | a_s | more),
        ("grids.at_times", grids.at_times, {"schedule": (thing, linear), "t": (array, [1.0, 0.0])}),
        *((f"grids.{name}", getattr(grids, name),
           {"schedule": (thing, linear), "n": (number, 5)} | ends)
          for name in ("uniform_t", "quadratic", "beta")),
        ("grids.uniform_log_snr", grids.uniform_log_snr,
         {"schedule": (thing, linear), "n": (number, 5), "lam_start": (number, -4.0),
          "lam_stop": (number, 4.0)}),
        ("grids.karras", grids.karras, sigmas | {"rho": (number, 7.0)}),
        ("grids.karras to the end", partial(grids.karras, final_zero=False),
         sigmas | {"rho": (number, 7.0)}),
        ("grids.exponential", grids.exponential, sigmas),
        ("grids.beta_ratios", grids.beta_ratios, sigmas | {"a": (number, 0.6), "b": (number, 0.6)}),
        ("grids.regular", grids.regular,
         {"log_snr_start": (number, -4.0), "log_snr_stop": (number, 4.0), "n": (number, 5),
          "scale": (word, "vp")}),
        ("grids.leading", grids.leading,
         {"n_train": (number, 20), "n": (number, 5), "steps_offset": (number, 1),
          "family": (word, "ddim")}),
        ("grids.trailing", grids.trailing,
         {"n_train": (number, 20), "n": (number, 5), "family": (word, "ddim")}),
        ("grids.linspace", grids.linspace,
         {"n_train": (number, 20), "n": (number, 5), "family": (word, "ddim")}),
        ("grids.at_indices", grids.at_indices,
         {"table": (thing, discrete), "indices": (array, [19, 10, 3])}),
        ("couplings.optimal_pairs", couplings.optimal_pairs,
         {"noise": (array, z), "data": (array, z[::-1]), "solver": (word, "scipy")}),
        ("couplings.minibatch_pairs", couplings.minibatch_pairs,
         {"noise": (array, z), "data": (array, z[::-1]), "batch": (number, 2)}),
        ("couplings.crossing_fraction", couplings.crossing_fraction,
         {"noise": (array, z[:, :1]), "data": (array, z[::-1, 1:])}),
        ("losses.squared_error", losses.squared_error, {"prediction": (data, z), "target": (data, z)}),
        ("losses.explicit_score_matching", losses.explicit_score_matching,
         {"score": (data, z), "true": (data, z)}),
        ("losses.implicit_score_matching", losses.implicit_score_matching,
         {"score": (data, z), "divergence": (data, z[:, 0])}),
        ("losses.denoising_score_matching", losses.denoising_score_matching,
         {"score": (data, z), "eps": (data, z), "sigma": (data, 0.5)}),
        ("losses.signs", losses.signs,
         {"shape": (thing, (2, 2)), "rng": ("rng", np.random.default_rng(0))}),
        ("losses.expected_loss", losses.expected_loss,
         exact | {"prediction": (word, "eps"), "level": (thing, level)}),
        ("losses.training_loss", losses.training_loss,
         exact | {"prediction": (word, "eps"), "schedule": (thing, linear), "times": (thing, nodes),
                  "factor": (function, None)}),
        ("losses.weighted_loss", losses.weighted_loss,
         exact | {"weight": (function, weightings.ELBO()), "nodes": (thing, nodes)}),
        ("losses.conditional_target", losses.conditional_target,
         {"prediction": (word, "eps"), "x": (data, z), "eps": (data, z), "level": (thing, level)}),
        ("losses.marginal_target", losses.marginal_target,
         {"target": (thing, mixture), "prediction": (word, "eps"), "z": (data, z),
          "level": (thing, level)}),
        *((f"Schedule.{name}", getattr(linear, name), {"t": (array, [0.2, 0.7])})
          for name in ("alpha", "sigma", "alpha_dot", "sigma_dot", "log_snr", "log_snr_dot", "f",
                       "g2", "rates")),
        ("Schedule.t_of_log_snr", linear.t_of_log_snr, {"lam": (array, [0.0, 1.0])}),
        ("Schedule.level", linear.level, {"t": (number, 0.5)}),
        ("Schedule.scaled", lambda **given: linear.scaled(**given).alpha(0.5),
         {"c": (function, lambda t: 1 + t), "c_dot": (function, None)}),
        ("schedules.Scaled", lambda **given: schedules.Scaled(**given).alpha(0.5),
         {"base": (thing, linear), "c": (function, lambda t: 1 + t), "c_dot": (function, None)}),
        ("schedules.FunctionSchedule", lambda **given: schedules.FunctionSchedule(**given).level(0.5),
         {"alpha_function": (function, lambda t: 1 - t), "sigma_function": (function, lambda t: t),
          "alpha_dot_function": (function, None), "sigma_dot_function": (function, None)}),
        ("schedules.SDESchedule", lambda **given: schedules.SDESchedule(**given).level(0.5),
         {"f_function": (function, lambda t: -t), "g2_function": (function, lambda t: 2 * t),
          "alpha0": (number, 1.0), "sigma0": (number, 0.0)}),
        ("schedules.TableSchedule", lambda table: schedules.TableSchedule(table).level(0.5),
         {"table": (thing, discrete)}),
        ("DiscreteSchedule.from_betas", schedules.DiscreteSchedule.from_betas,
         {"betas": (array, [0.1, 0.2, 0.3])}),
        ("DiscreteSchedule.linear", schedules.DiscreteSchedule.linear, betas),
        ("DiscreteSchedule.scaled_linear", schedules.DiscreteSchedule.scaled_linear, betas),
        ("DiscreteSchedule.cosine", schedules.DiscreteSchedule.cosine,
         {"n": (number, 5), "s": (number, 0.008), "beta_max": (number, 0.999)}),
        ("DiscreteSchedule.zero_terminal_snr", discrete.zero_terminal_snr, {"terminal": (number, 0.0)}),
        ("DiscreteSchedule.level", discrete.level, {"n": (number, 3.5)}),
        ("schedules.EDM", lambda t, **p: schedules.EDM(**p).log_snr(t),
         {"sigma_max": (number, 80.0), "t": (array, 0.5)}),
        ("schedules.VE", lambda t, **p: schedules.VE(**p).log_snr(t),
         {"sigma_min": (number, 0.01), "sigma_max": (number, 50.0), "t": (array, 0.5)}),
        ("schedules.LinearVP", lambda t, **p: schedules.LinearVP(**p).log_snr(t),
         beta | {"t": (array, 0.5)}),
        ("schedules.SubVP", lambda t, **p: schedules.SubVP(**p).log_snr(t),
         beta | {"t": (array, 0.5)}),
        ("schedules.Cosine", lambda t, **p: schedules.Cosine(**p).log_snr(t),
         {"log_snr_min": (number, -15.0), "log_snr_max": (number, 15.0), "t": (array, 0.5)}),
        ("schedules.DiscreteSchedule", schedules.DiscreteSchedule,
         {"alphas_cumprod": (array, np.linspace(0.9, 0.1, 5))}),
        ("schedules.Shifted", lambda t, **p: schedules.Shifted(**p).log_snr(t),
         {"base": (thing, linear), "shift": (number, 3.0), "t": (array, 0.5)}),
        ("schedules.at_log_snr", schedules.at_log_snr, {"lam": (data, 1.0), "scale": (word, "vp")}),
    ])  # fmt: skip


CALLS = oracle.CALLS + tables.CALLS + _calls()
