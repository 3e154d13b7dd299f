"""Calls of `analytic`: mixtures and their fields, flows, information, distances."""

# ruff: noqa: E501

from __future__ import annotations

import numpy as np

import analytic
from analytic import CoupledMixtures, GaussianMixture, distances, information
from tests.fuzz.call import Call, made

ANYWHERE = ("log_density", "responsibilities", "score", "score_jacobian", "score_divergence")
POSTERIOR = ("posterior_mean", "posterior_eps", "posterior_covariance")
VELOCITY = ("velocity", "velocity_divergence")
OF_LEVELS = ("mmse", "mmse_slope", "eps_mmse", "mutual_information")


def _calls() -> list[Call]:
    mixture = GaussianMixture.isotropic([0.4, 0.6], [[-1.0, 0.0], [1.0, 0.5]], [0.2, 0.3])
    wide = GaussianMixture([0.5, 0.5], np.zeros((2, 2)), np.array([np.eye(2), 2 * np.eye(2)]))
    line = GaussianMixture.isotropic([0.5, 0.5], [[-1.0], [1.0]], 0.1)
    gauss = GaussianMixture.isotropic([1.0], [[0.3]], 0.5)
    coupled = CoupledMixtures(line, gauss)
    z, eye, rng = (
        np.array([[0.1, 0.2], [0.3, -0.4], [1.0, 2.0]]),
        np.eye(2),
        np.random.default_rng(0),
    )
    number, array, thing, function, rng_ = "number", "array", "thing", "function", ("rng", rng)
    a_s = {"alpha": (number, 0.8), "sigma": (number, 0.6)}
    rates = {"alpha_dot": (number, -1.0), "sigma_dot": (number, 1.0)}
    between = {"alpha": (number, 0.8), "beta": (number, 0.6)}
    span = {"start": (array, (0.6, 0.8)), "stop": (array, (0.8, 0.6))}
    law = {"mean": (array, z[0]), "covariance": (array, eye)}
    two = {"mean_a": (array, z[0]), "covariance_a": (array, eye), "mean_b": (array, z[1])}
    two |= {"covariance_b": (array, 2 * eye)}
    flows = {"mixture": (thing, mixture), "z": (array, z)} | span
    n = {"n": (number, 3), "rng": rng_}
    w = {"weights": (array, [0.5, 0.5])}
    points = np.random.default_rng(1).standard_normal((40, 2))
    laws = {"mixture": (thing, mixture)}
    made_of = [
        ("EnergyDistance", distances.EnergyDistance, {}),
        ("MMD", distances.MMD, {"bandwidths": (array, [0.5, 1.0])}),
        ("KernelStein", distances.KernelStein, {"length": (number, 1.0)}),
        ("ModeWeights", distances.ModeWeights, {}),
        ("Rosenblatt", distances.Rosenblatt, {"directions": (array, eye)}),
        ("SlicedWasserstein", distances.SlicedWasserstein, {"directions": (array, eye)}),
    ]
    energy = distances.EnergyDistance(mixture)
    return made([
        ("analytic.GaussianMixture", GaussianMixture,
         w | {"means": (array, z[:2]), "covariances": (array, [eye, eye])}),
        ("GaussianMixture.isotropic", GaussianMixture.isotropic,
         w | {"means": (array, z[:2]), "variances": (array, [1.0, 2.0])}),
        ("GaussianMixture.diagonal", GaussianMixture.diagonal,
         w | {"means": (array, z[:2]), "variances": (array, np.ones((2, 2)))}),
        ("GaussianMixture.full", GaussianMixture.full,
         w | {"means": (array, z[:2]), "covariances": (array, [eye, 2 * eye])}),
        ("GaussianMixture.spectral", GaussianMixture.spectral,
         w | {"means": (array, z[:2]), "spectra": (array, np.ones((2, 2))), "bases": (array, [eye, eye])}),
        ("GaussianMixture.points", GaussianMixture.points, {"points": (array, z), "weights": (array, None)}),
        *((f"{name}.{field}", getattr(law_, field), {"z": (array, z)} | a_s)
          for name, law_ in (("GaussianMixture", mixture), ("wide", wide)) for field in ANYWHERE + POSTERIOR),
        *((f"GaussianMixture.{name}", getattr(mixture, name), {"z": (array, z)} | a_s | rates)
          for name in VELOCITY),
        ("GaussianMixture.diffused", mixture.diffused, a_s),
        ("GaussianMixture.marginal", mixture.marginal, {"direction": (array, [1.0, 0.0])}),
        ("GaussianMixture.sample", mixture.sample, n),
        ("GaussianMixture.sample_diffused", mixture.sample_diffused, n | a_s),
        ("GaussianMixture.cdf", line.cdf, {"x": (array, [0.0, 1.0])}),
        ("GaussianMixture.quantile", line.quantile, {"p": (array, [0.2, 0.7])}),
        ("analytic.CoupledMixtures", CoupledMixtures,
         {"x": (thing, line), "y": (thing, gauss), "coupling": (array, [[0.5], [0.5]]), "cross": (array, None)}),
        ("CoupledMixtures.marginal", coupled.marginal, between),
        *((f"CoupledMixtures.{name}", getattr(coupled, name), {"z": (array, z[:, :1])} | between)
          for name in ("log_density", "score", "posterior_means")),
        ("CoupledMixtures.velocity", coupled.velocity,
         {"z": (array, z[:, :1])} | between | {"alpha_dot": (number, -1.0), "beta_dot": (number, 1.0)}),
        ("CoupledMixtures.sample", coupled.sample, n),
        ("analytic.flow_map", analytic.flow_map, flows),
        ("analytic.log_likelihood", analytic.log_likelihood, flows),
        ("analytic.quantile_flow", analytic.quantile_flow,
         {"mixture": (thing, line), "z": (array, z[:, 0])} | span),
        ("analytic.gaussian_flow_map", analytic.gaussian_flow_map, {"z": (array, z)} | law | span),
        ("analytic.reverse_sde_law", analytic.reverse_sde_law,
         law | span | {"eta": (number, 1.0), "initial_mean": (array, z[0]), "initial_covariance": (array, eye)}),
        ("analytic.gaussian_entropy", analytic.gaussian_entropy, {"covariance": (array, eye)}),
        ("analytic.gaussian_kl", analytic.gaussian_kl, two),
        ("analytic.gaussian_w2", analytic.gaussian_w2, two),
        ("information.expectation", information.expectation,
         {"mixture": (thing, line), "function": (function, lambda x: x**2), "tolerance": (number, 1e-8)}),
        ("information.joint", information.joint, {"mixture": (thing, line)}),
        ("information.entropy", information.entropy, {"mixture": (thing, line)}),
        *((f"information.{name}", getattr(information, name),
           {"mixture": (thing, line), "log_snr": (array, [0.0, 1.0])}) for name in OF_LEVELS),
        *((f"information.{name}", getattr(information, name),
           {"mixture": (thing, line), "x": (array, [0.5]), "log_snr": (number, 1.0)})
          for name in ("point_information", "point_error")),
        ("information.diffusion_loss", information.diffusion_loss,
         {"mixture": (thing, gauss), "low": (number, -2.0), "high": (number, 2.0), "x": (array, None)}),
        ("information.discrete_diffusion_loss", information.discrete_diffusion_loss,
         {"mixture": (thing, gauss), "log_snrs": (array, [-2.0, 0.0, 2.0])}),
        ("information.elbo_gap", information.elbo_gap,
         {"mixture": (thing, gauss), "log_snrs": (array, [-2.0, 0.0, 2.0])}),
        ("information.elbo_gap_rate", information.elbo_gap_rate,
         {"mixture": (thing, gauss), "low": (number, -2.0), "high": (number, 2.0)}),
        *((f"distances.{name}", lambda kind=kind, **given: kind(**given).of(points), laws | more)
          for name, kind, more in made_of),
        *((f"{name}.of", kind(mixture, **{k: v for k, (_, v) in more.items()}).of, {"x": (array, points)})
          for name, kind, more in made_of),
        *((f"{name}.floor", kind(mixture, **{k: v for k, (_, v) in more.items()}).floor,
           {"n": (number, 40), "rng": rng_}) for name, kind, more in made_of),
        ("EnergyDistance.mean_distance", energy.mean_distance, {"x": (array, points)}),
        ("MMD.kernel_mean", distances.MMD(mixture).kernel_mean, {"x": (array, points)}),
        ("Rosenblatt.uniforms", distances.Rosenblatt(mixture, eye).uniforms, {"x": (array, points)}),
        ("distances.default_bandwidths", distances.default_bandwidths, laws),
        ("distances.random_directions", distances.random_directions,
         {"number": (number, 4), "dim": (number, 2), "rng": rng_}),
        ("distances.detectable", distances.detectable,
         {"distance": (thing, distances.ModeWeights(mixture)), "n": (number, 50), "rng": rng_,
          "power": (number, 0.5), "replicates": (number, 2), "precision": (number, 0.5)}),
    ])  # fmt: skip


CALLS = _calls()
