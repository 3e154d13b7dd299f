"""How the families of diffusers' schedulers keep their levels, and how to impose others.

One object answers for one scheduler with its steps set: at which level its tables put the state at
each call (`own`), which level a time means to the network (`told`), at which level the sample lands
(`final`), and how to make the scheduler visit levels of one's own (`impose`).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from dfbench.errors import Unsupported
from dfbench.levels import Array, Grid, Level
from dfbench.readout import Call

if TYPE_CHECKING:
    from dfbench.schedules import Scale


def vp(ratio: float) -> Level:
    """The variance-preserving level of a ratio σ/α."""
    if math.isinf(ratio):
        return Level(0.0, 1.0)
    return Level(1 / math.hypot(1, ratio), ratio / math.hypot(1, ratio))


def float64(values: Any) -> torch.Tensor:
    """A table in double precision."""
    return torch.tensor(values, dtype=torch.float64)


class SchedulerLevels(ABC):
    """The common part.

    Args:
        scheduler: its steps are set before anything is asked.

    Attributes:
        scale: of the levels that the network sees.
        landed_scale: "ve" if the sample is x + σ ε although the network sees α x + σ ε.
        times_known: as of a `Session`.
        extra_steps: to set beyond those that a grid of one's own has.
        extra_calls: at the end, which are not made then.
        time_tolerance, time_derivation: as of a `Session`.
    """

    scale: Scale = "vp"
    landed_scale: Scale = "vp"
    times_known = True
    extra_steps = 0
    extra_calls = 0
    time_tolerance = 0.5
    time_derivation = "times are rounded to whole training steps: half a step"

    def __init__(self, scheduler: Any) -> None:
        self.s = scheduler

    @property
    def times(self) -> list[Any]:
        """The times to loop over."""
        times = list(self.s.timesteps)
        return times[: len(times) - self.extra_calls]

    def calls(self) -> tuple[Call, ...]:
        """The evaluations of a run in order."""
        return tuple(
            Call(time, self.told(time), self.own(i, time), self.step_of(i))
            for i, time in enumerate(map(float, self.times))
        )

    def step_of(self, i: int) -> int:
        """The step of the i-th call."""
        return i

    @abstractmethod
    def own(self, i: int, time: float) -> Level:
        """Where the tables put the state at the i-th call."""

    def told(self, time: float) -> Level:
        """The level that a time means to the network."""
        return self.trained_at(time)

    def trained_at(self, time: float) -> Level:
        """The level of a time between the training steps, by the table `alphas_cumprod`."""
        ratios = self.trained
        last = len(ratios) - 1
        t = min(max(time, 0.0), float(last))
        low = min(int(t), max(last - 1, 0))
        if t == int(t):
            return vp(float(ratios[int(t)]))
        w = t - low
        return vp(math.exp((1 - w) * math.log(ratios[low]) + w * math.log(ratios[low + 1])))

    @property
    @abstractmethod
    def final(self) -> Level:
        """Where the sample lands."""

    def impose(self, grid: Grid) -> None:
        """Make the scheduler visit these levels.

        Raises:
            Unsupported: it cannot.
        """
        raise Unsupported("no way is known to give it levels of one's own")

    def precision(self, level: Level) -> tuple[float, float]:
        """Relative precision to which the tables hold α and σ, in units of their round-off."""
        return 1.0, 1.0

    @property
    def cleanest(self) -> float:
        """σ/α of the cleanest level that a network for this scheduler is trained at."""
        return float(self.trained[0])

    @property
    def noisiest(self) -> float:
        """σ/α of the noisiest, where there is a table of them."""
        known = getattr(self.s, "alphas_cumprod", None) is not None
        return float(self.trained[-1]) if known else math.inf

    @cached_property
    def trained(self) -> Array:
        """Ratios σ/α of the training steps, ascending."""
        cumprod = self.s.alphas_cumprod.double().numpy()
        with np.errstate(divide="ignore"):
            return np.asarray(np.sqrt((1 - cumprod) / cumprod))

    def gap(self, told: Level, own: Level) -> float:
        """Distance between two levels in steps of the training schedule."""
        return abs(self._place(told) - self._place(own))

    def _place(self, level: Level) -> float:
        """A level in training steps; beyond the ends, with the length of the step there."""
        log = self._log_trained
        last = len(log) - 1
        if math.isinf(level.ratio):
            return float(last)
        if level.ratio == 0:
            return -1.0  # one step beyond the cleanest that is trained
        at = math.log(max(level.ratio, 1e-300))
        if at > log[-1] and last and math.isfinite(log[-1]):
            return float(last + (at - log[-1]) / (log[-1] - log[-2]))
        if at < log[0] and last:
            return float((at - log[0]) / (log[1] - log[0]))
        return float(np.interp(at, log, np.arange(len(log), dtype=float)))

    @cached_property
    def _log_trained(self) -> Array:
        return np.asarray(np.log(np.maximum(self.trained, 1e-300)))


def log_gap(told: Level, own: Level) -> float:
    """Distance in log σ/α."""
    return abs(math.log(told.ratio / own.ratio))


def angle_gap(told: Level, own: Level) -> float:
    """Distance in the angle atan(σ/α)."""
    return abs(math.atan2(told.sigma, told.alpha) - math.atan2(own.sigma, own.alpha))


class ContinuousTimes(SchedulerLevels):
    """The time itself is the level; the last one is where the sample lands."""

    time_tolerance = 1e-6
    time_derivation = "the time is continuous"

    @property
    def times(self) -> list[Any]:
        return list(self.s.timesteps[:-1])

    def own(self, i: int, time: float) -> Level:
        return self.told(time)

    @property
    def final(self) -> Level:
        return self.told(float(self.s.timesteps[-1]))


# Whole training steps -----------------------------------------------------------------------------


class TrainingSteps(SchedulerLevels):
    """DDIM, DDPM, PNDM, LCM, TCD …: whole training steps, levels from `alphas_cumprod`."""

    def precision(self, level: Level) -> tuple[float, float]:
        """σ² = 1 − ᾱ with ᾱ in float32: δσ/σ = u α²/(2 σ²), large where σ is small."""
        return 1.0, 1.0 if level.sigma == 0 else 1 + level.alpha**2 / (2 * level.sigma**2)

    def level(self, cumprod: Any) -> Level:
        """What an entry ᾱ of the table means."""
        return Level(math.sqrt(float(cumprod)), math.sqrt(max(0.0, 1 - float(cumprod))))

    def own(self, i: int, time: float) -> Level:
        return self.level(self.s.alphas_cumprod[int(time)])

    @property
    def final(self) -> Level:
        return self.level(getattr(self.s, self._final_name))

    @property
    def _final_name(self) -> str:
        for name in ("final_alpha_cumprod", "one"):
            if hasattr(self.s, name):
                return name
        raise Unsupported("has no final level (final_alpha_cumprod or one)")

    def impose(self, grid: Grid) -> None:
        """The training table *is* the grid: N training steps, all of them visited."""
        times = [int(t) for t in self.times]
        if times != list(range(grid.n_steps))[::-1]:
            raise Unsupported(f"visits times {times[:4]}… where all {grid.n_steps} were asked for")
        vp_alpha = 1 / np.hypot(1, grid.ratio)
        table, final = float64(vp_alpha[:-1][::-1] ** 2), float64(vp_alpha[-1:] ** 2)
        self.s.alphas_cumprod = table
        setattr(self.s, self._final_name, final[0])
        if hasattr(self.s, "alphas"):
            self.s.alphas = table / torch.cat([final, table[:-1]])
            self.s.betas = 1 - self.s.alphas


class InverseSteps(TrainingSteps):
    """DDIMInverse: from clean to noise; the state is one step before the time it is told."""

    def own(self, i: int, time: float) -> Level:
        before = int(time) - self.s.config.num_train_timesteps // self.s.num_inference_steps
        first = self.s.initial_alpha_cumprod
        return self.level(self.s.alphas_cumprod[before] if before >= 0 else first)

    @property
    def final(self) -> Level:
        return self.told(float(self.times[-1]))


# A table of ratios, or of flow's σ ----------------------------------------------------------------


class Sigmas(SchedulerLevels):
    """Schedulers with a table `sigmas` of n + 1 ratios (or, for flow, of σ = 1 − α)."""

    def sigma(self, i: int) -> float:
        """The table's entry for the i-th call."""
        return float(self.s.sigmas[i])

    def level(self, sigma: float) -> Level:
        """What a table entry means, on the scale that the network sees."""
        return vp(sigma)

    def landed(self, sigma: float) -> Level:
        """What the last table entry means, on the scale of the sample."""
        return Level(1.0, sigma) if self.landed_scale == "ve" else self.level(sigma)

    def own(self, i: int, time: float) -> Level:
        return self.level(self.sigma(i))

    @property
    def final(self) -> Level:
        return self.landed(float(self.s.sigmas[-1]))

    def entries(self, grid: Grid) -> Array:
        """Table entries for levels."""
        return grid.ratio

    def tables(self, entries: torch.Tensor) -> dict[str, torch.Tensor]:
        """The scheduler's tables for a run through these entries."""
        return {"sigmas": entries}

    def impose(self, grid: Grid) -> None:
        if len(self.s.timesteps) != grid.n_steps:
            raise Unsupported(f"{len(self.s.timesteps)} times for {grid.n_steps} steps")
        self._set(self.entries(grid), grid.n_steps)

    def _set(self, entries: Array, calls: int) -> None:
        for name, table in self.tables(float64(entries)).items():
            setattr(self.s, name, table)
        self.s.timesteps = torch.arange(calls, 0, -1, dtype=self.s.timesteps.dtype)
        self.s._step_index = None


class VPSigmas(Sigmas):
    """DPM-Solver, DEIS, UniPC, SA-Solver: ratios in the table, variance-preserving state."""

    def precision(self, level: Level) -> tuple[float, float]:
        """They work with λ = log(α/σ) in float32: δλ = u |λ|."""
        size = abs(level.half_log_snr)
        return 1.0, max(1.0, size) if math.isfinite(size) else 1.0


class FlowSigmas(VPSigmas):
    """The same with `use_flow_sigmas`: σ in the table, α = 1 − σ; the time is T σ."""

    scale = "flow"
    time_derivation = "times are rounded to whole training steps of T σ: half a step"

    def level(self, sigma: float) -> Level:
        return Level(1 - sigma, sigma)

    @property
    def cleanest(self) -> float:
        """One training step: σ = 1/T."""
        return float(1 / (self.s.config.get("num_train_timesteps", 1000) - 1))

    def precision(self, level: Level) -> tuple[float, float]:
        """Besides, α = 1 − σ with σ in float32: δα/α = u/α."""
        return 1 / level.alpha if level.alpha else 1.0, super().precision(level)[1]

    def told(self, time: float) -> Level:
        return self.level(time / self.s.config.num_train_timesteps)

    def gap(self, told: Level, own: Level) -> float:
        return float(abs(told.sigma - own.sigma) * self.s.config.num_train_timesteps)

    def entries(self, grid: Grid) -> Array:
        return np.asarray(grid.sigma / (grid.alpha + grid.sigma))


class FlowMatchSigmas(FlowSigmas):
    """FlowMatch*: the time is T σ in floating point; with `invert_sigmas` σ stands for α."""

    time_tolerance = 1e-3
    time_derivation = "the time is T σ in float32: 1e-3 of a training step"

    def level(self, sigma: float) -> Level:
        level = super().level(sigma)
        return Level(*reversed(level)) if self.s.config.get("invert_sigmas", False) else level


class VESigmas(Sigmas):
    """Euler, LMS, Heun, DPM2, DPM-Solver SDE: variance-exploding state, scaled for the network."""

    landed_scale = "ve"

    @property
    def continuous(self) -> bool:
        """Whether the time is ¼ log σ, as EDM has it, and not a training step."""
        config = self.s.config
        return bool(
            config.get("timestep_type") == "continuous"
            and config.get("prediction_type") == "v_prediction"
        )

    def told(self, time: float) -> Level:
        return self.level(math.exp(min(4 * time, 300.0))) if self.continuous else super().told(time)

    def gap(self, told: Level, own: Level) -> float:
        return log_gap(told, own) if self.continuous else super().gap(told, own)


class TwoCalls(Sigmas):
    """Two calls a step, except the last, which is Euler's, onto 0.

    A grid that ends above 0 gets one more step, whose call is left out.
    """

    extra_steps = 1
    last: Level | None = None  # where a run on a grid of one's own lands

    @property
    def final(self) -> Level:
        return self.last or super().final

    def step_of(self, i: int) -> int:
        return i // 2

    def tables(self, entries: torch.Tensor) -> dict[str, torch.Tensor]:
        first, inner, last = entries[:1], entries[1:-1], entries[-1:]
        return {"sigmas": torch.cat([first, inner.repeat_interleave(2), last])}

    def impose(self, grid: Grid) -> None:
        entries = self.entries(grid)
        self._set(np.append(entries, 0.0), 2 * grid.n_steps + 1)
        self.extra_calls, self.last = 1, self.landed(float(entries[-1]))


class TwoCallsVE(TwoCalls, VESigmas):
    """Heun, DPM2, DPM-Solver SDE."""


class TwoCallsFlow(TwoCalls, FlowMatchSigmas):
    """FlowMatchHeun."""


class Midpoints(TwoCallsVE):
    """DPM2: every second call is at a level between, kept in `sigmas_interpol`."""

    shift = 0  # of the entry used by the second call

    def sigma(self, i: int) -> float:
        return float(self.s.sigmas_interpol[i - self.shift] if i % 2 else self.s.sigmas[i])

    def tables(self, entries: torch.Tensor) -> dict[str, torch.Tensor]:
        return {
            name: torch.cat([values[:1], values[1:].repeat_interleave(2), values[-1:]])
            for name, values in self.between(entries).items()
        }

    def between(self, g: torch.Tensor) -> dict[str, torch.Tensor]:
        """Entries per level: `sigmas_interpol[i]` is √(σ_i σ_{i−1})."""
        return {"sigmas": g, "sigmas_interpol": (g * g.roll(1)).sqrt()}


class AncestralMidpoints(Midpoints):
    """DPM2 ancestral: the middle between σ and σ_down."""

    shift = 1

    def between(self, g: torch.Tensor) -> dict[str, torch.Tensor]:
        after = torch.cat([g[1:], g.new_zeros(1)])
        up = (after**2 * (g**2 - after**2)).clamp(min=0).sqrt() / g.clamp(min=1e-300)
        down = (after**2 - up**2).clamp(min=0).sqrt()
        middle = (g * down).sqrt()
        return {"sigmas": g, "sigmas_up": up, "sigmas_down": down, "sigmas_interpol": middle}


class SDEMidpoints(TwoCallsVE):
    """DPM-Solver SDE computes the middle as it goes: the geometric mean of the neighbours."""

    def sigma(self, i: int) -> float:
        now = super().sigma(i)
        return math.sqrt(super().sigma(i - 1) * now) if i % 2 else now


class EDMSigmas(Sigmas):
    """EDM*: variance-exploding state, scaled by c_in for the network, time ¼ log σ."""

    landed_scale = "ve"
    time_tolerance = 1e-5
    time_derivation = "the time is a function of σ in float32: 1e-5 in log σ"

    def level(self, sigma: float) -> Level:
        scale = math.hypot(sigma, self.s.config.sigma_data)
        return Level(1 / scale, sigma / scale)

    @property
    def cleanest(self) -> float:
        return float(self.s.config.sigma_min)

    def told(self, time: float) -> Level:
        return self.level(math.exp(min(4 * time, 300.0)))  # on levels of one's own it means nothing

    def gap(self, told: Level, own: Level) -> float:
        return log_gap(told, own)


class ArctanSigmas(EDMSigmas):
    """CosineDPMSolverMultistep: the time is (2/π) atan σ."""

    time_tolerance = 1e-3
    time_derivation = "tan of a float32 time near 1 (σ = 500): 1e-3 in log σ"

    def told(self, time: float) -> Level:
        return self.level(math.tan(time * math.pi / 2))
