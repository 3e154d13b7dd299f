"""What is true of diffusion, in closed form: NumPy and SciPy in float64, and nothing of dfbench."""

from analytic.coupled import CoupledMixtures
from analytic.flow import Likelihood, Trajectory, flow_map, log_likelihood, quantile_flow
from analytic.gaussian import (
    gaussian_entropy,
    gaussian_flow_map,
    gaussian_kl,
    gaussian_w2,
    reverse_sde_law,
)
from analytic.mixture import GaussianMixture

__all__ = [
    "CoupledMixtures",
    "GaussianMixture",
    "Likelihood",
    "Trajectory",
    "flow_map",
    "gaussian_entropy",
    "gaussian_flow_map",
    "gaussian_kl",
    "gaussian_w2",
    "log_likelihood",
    "quantile_flow",
    "reverse_sde_law",
]
