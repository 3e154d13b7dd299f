"""Public functions with arguments that are right, and what kind of thing each argument is."""

# ruff: noqa: E501

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import analytic
from analytic import GaussianMixture
from dfbench import (
    couplings,
    grids,
    losses,
    predictions,
    schedules,
    table,
    trajectories,
    wasserstein,
    weightings,
)
from dfbench.levels import Grid, Level
from dfbench.samplers import METHODS
from dfbench.subjects.reference import default_grid
from tests.fuzz.nonsense import ARRAYS, NUMBERS, THINGS, WORDS

FIELDS = ("log_density", "score", "posterior_mean", "posterior_eps", "posterior_covariance")
KINDS = {"number": NUMBERS, "array": ARRAYS, "data": ARRAYS, "word": WORDS, "thing": THINGS}


@dataclass(frozen=True)
class Call:
    """A function, and its arguments as (kind, value).

    The kinds are those of `KINDS`; of "data" NaN may come out again, as in NumPy.
    """

    name: str
    function: Callable[..., Any]
    arguments: dict[str, tuple[str, Any]]


def _calls() -> list[Call]:
    mixture = GaussianMixture.isotropic([0.4, 0.6], [[-1.0, 0.0], [1.0, 0.5]], [0.2, 0.3])
    wide = GaussianMixture([0.5, 0.5], np.zeros((2, 2)), np.array([np.eye(2), 2 * np.eye(2)]))
    z, eye = np.array([[0.1, 0.2], [0.3, -0.4], [1.0, 2.0]]), np.eye(2)
    grid, level = default_grid(4), Level(0.8, 0.6)
    ddim = METHODS["ddim"].table(grid, "x")
    ddpm = METHODS["ddpm"].table(grid, "eps")
    linear, discrete = schedules.LinearVP(), schedules.DiscreteSchedule(np.linspace(0.99, 0.01, 20))
    spectrum = np.array([0.5, 2.0])
    number, array, data, word, thing = ("number", "array", "data", "word", "thing")
    a_s = {"alpha": (number, 0.8), "sigma": (number, 0.6)}
    span = {"start": (array, (0.6, 0.8)), "stop": (array, (0.8, 0.6))}
    ends = {"t_start": (number, 1.0), "t_stop": (number, 0.0)}
    sigmas = {"sigma_max": (number, 10.0), "sigma_min": (number, 0.1), "n": (number, 5)}
    beta = {"beta_min": (number, 0.1), "beta_max": (number, 20.0)}
    two = {"mean_a": (array, z[0]), "covariance_a": (array, eye), "mean_b": (array, z[1])}
    two |= {"covariance_b": (array, 2 * eye)}
    pair = {"source": (word, "eps"), "target": (word, "x")}
    asked = {"sampler": (thing, ddim), "grid": (thing, grid), "spectrum": (array, spectrum)}
    asked |= {"mean": (array, np.zeros(2)), "on": (thing, ("truncation",))}
    made = [
        ("analytic.GaussianMixture", GaussianMixture,
         {"weights": (array, [0.5, 0.5]), "means": (array, z[:2]), "covariances": (array, [eye, eye])}),
        ("GaussianMixture.isotropic", GaussianMixture.isotropic,
         {"weights": (array, [0.5, 0.5]), "means": (array, z[:2]), "variances": (array, [1.0, 2.0])}),
        ("GaussianMixture.diagonal", GaussianMixture.diagonal,
         {"weights": (array, [1.0]), "means": (array, z[:1]), "variances": (array, np.ones((1, 2)))}),
        *((f"GaussianMixture.{name}", getattr(mixture, name), {"z": (data, z)} | a_s)
          for name in FIELDS),
        *((f"wide.{name}", getattr(wide, name), {"z": (data, z)} | a_s)
          for name in FIELDS),
        ("analytic.flow_map", analytic.flow_map,
         {"mixture": (thing, mixture), "z": (array, z)} | span),
        ("analytic.gaussian_entropy", analytic.gaussian_entropy, {"covariance": (array, eye)}),
        ("analytic.gaussian_kl", analytic.gaussian_kl, two),
        ("analytic.gaussian_w2", analytic.gaussian_w2, two),
        ("analytic.log_likelihood", analytic.log_likelihood,
         {"mixture": (thing, mixture), "z": (array, z)} | span),
        ("Table", table.Table,
         {"rows": (array, ddim.rows), "levels": (thing, ddim.levels), "prediction": (word, "x"),
          "noise_cov": (array, None), "sigma_data": (number, None)}),
        ("Table with draws", table.Table,
         {"rows": (array, ddpm.rows), "levels": (thing, ddpm.levels),
          "noise_cov": (array, np.eye(ddpm.n_draws))}),
        ("Table.law", ddim.law, {"variance": (array, spectrum), "mean": (array, np.zeros(2))}),
        ("Table.response", ddim.response, {"variance": (array, spectrum)}),
        ("Table.convert", ddim.convert, {"prediction": (word, "eps")}),
        ("Table.weights", ddim.weights, {"prediction": (word, "eps")}),
        ("Table.rescaled", ddim.rescaled, {"factors": (array, np.ones(5))}),
        ("Table.until", ddim.until, {"j": (number, 2)}),
        ("Grid", Grid, {"alpha": (array, grid.alpha), "sigma": (array, grid.sigma)}),
        ("wasserstein.error", wasserstein.error, asked),
        ("wasserstein.kl", wasserstein.kl, asked),
        ("wasserstein.response", wasserstein.response, asked),
        ("wasserstein.split", wasserstein.split, {k: v for k, v in asked.items() if k != "on"}),
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
        ("weightings.log_snr_density", weightings.log_snr_density,
         {"schedule": (thing, linear), "lam": (data, z[0])}),
        ("weightings.effective_weighting",
         lambda lam, **p: weightings.effective_weighting(**p)(lam),
         {"prediction": (word, "eps"), "schedule": (thing, linear), "lam": (data, z[0])}),
        ("weightings.total_variation", weightings.total_variation,
         {"one": (thing, weightings.ELBO()), "other": (thing, weightings.VCosine()),
          "low": (number, -5.0), "high": (number, 5.0)}),
        ("trajectories.straightness", trajectories.straightness,
         {"paths": (array, np.cumsum(np.ones((4, 3, 2)), 0)), "t": (array, np.linspace(1, 0, 4))}),
        ("trajectories.exact_trajectory", trajectories.exact_trajectory,
         {"target": (thing, mixture), "grid": (thing, grid), "z": (array, z), "n": (number, 3)}),
        ("trajectories.trajectory", trajectories.trajectory,
         {"sampler": (thing, "ddim"), "target": (thing, mixture), "grid": (thing, grid),
          "prediction": (word, "x"), "z": (array, z)}),
        ("predictions.weights", predictions.weights, {"kind": (word, "eps")} | a_s),
        ("predictions.affine", predictions.affine, pair | a_s),
        ("predictions.mse_factor", predictions.mse_factor, pair | a_s),
        ("predictions.convert", predictions.convert, {"m": (data, z), "z": (data, z)} | pair | a_s),
        ("grids.at_times", grids.at_times, {"schedule": (thing, linear), "t": (array, [1.0, 0.0])}),
        *((f"grids.{name}", getattr(grids, name),
           {"schedule": (thing, linear), "n": (number, 5)} | ends)
          for name in ("uniform_t", "quadratic", "beta")),
        ("grids.uniform_log_snr", grids.uniform_log_snr,
         {"schedule": (thing, linear), "n": (number, 5), "lam_start": (number, -4.0),
          "lam_stop": (number, 4.0)}),
        ("grids.karras", grids.karras, sigmas | {"rho": (number, 7.0)}),
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
        ("losses.conditional_target", losses.conditional_target,
         {"prediction": (word, "eps"), "x": (data, z), "eps": (data, z), "level": (thing, level)}),
        ("losses.marginal_target", losses.marginal_target,
         {"target": (thing, mixture), "prediction": (word, "eps"), "z": (data, z),
          "level": (thing, level)}),
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
    ]  # fmt: skip
    return [Call(*each) for each in made]


CALLS = _calls()
