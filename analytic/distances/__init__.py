"""Distances from samples to a Gaussian mixture that is known exactly, with intervals and floors.

    rng = np.random.default_rng(0)
    distance = EnergyDistance(mixture)
    distance.of(x)              # Estimate(value, low, high, n), 95 %
    distance.floor(len(x), rng) # Floor(mean, high): what exact samples get

| distance | sees | blind to | needs |
|---|---|---|---|
| SlicedWasserstein | location, scale, shape of projections | what few projections show | |
| MMD | all, near its bandwidths | scales far from the bandwidths | bandwidths |
| EnergyDistance | all, large scales most | fine detail beside large scales | |
| KernelStein | shape of modes | weights of modes far apart | a score |
| ModeWeights | weights of modes | all else | two components |
| Rosenblatt | all, in at most eight directions | other directions | densities |

What each sees at a given n is measured by `detectable`.
"""

from analytic.distances.base import Distance, Estimate, Floor, Tally
from analytic.distances.energy import EnergyDistance
from analytic.distances.kernel import MMD, default_bandwidths
from analytic.distances.modes import ModeWeights
from analytic.distances.power import detectable
from analytic.distances.projections import random_directions
from analytic.distances.rosenblatt import Rosenblatt
from analytic.distances.sliced import SlicedWasserstein
from analytic.distances.stein import KernelStein

__all__ = [
    "MMD",
    "Distance",
    "EnergyDistance",
    "Estimate",
    "Floor",
    "KernelStein",
    "ModeWeights",
    "Rosenblatt",
    "SlicedWasserstein",
    "Tally",
    "default_bandwidths",
    "detectable",
    "random_directions",
]
