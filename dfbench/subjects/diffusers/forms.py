"""How the families of diffusers' schedulers keep their levels, and how to impose others.

A *form* answers, for one scheduler with its steps set: at which level its tables put the state
at the i-th call (`own`), which level the i-th time means to the network (`told`), at which level
the sample lands (`final`), and how to make it visit levels of one's own (`impose`).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from dfbench.errors import Unsupported
from dfbench.levels import Array, Grid, Level
from dfbench.schedules import Scale


def vp(ratio: float) -> Level:
    """The variance-preserving level of a ratio σ/α."""
    if math.isinf(ratio):
        return Level(0.0, 1.0)
    return Level(1 / math.hypot(1, ratio), ratio / math.hypot(1, ratio))


class Form:
    """The common part; `s` is the scheduler, its steps already set."""

    scale: Scale = "vp"
    landed_scale = "vp"  # "ve": the sample is x + σ ε although the network sees α x + σ ε
    time_tolerance = 0.5
    time_derivation = "times are rounded to whole training steps: half a step"

    def __init__(self, scheduler: Any, n: int) -> None:
        self.s, self.n = scheduler, n

    @property
    def times(self) -> list[Any]:
        """The times to loop over."""
        return list(self.s.timesteps)

    @property
    def extra_step(self) -> bool:
        """Whether imposing levels needs one step more than there are, its call left out."""
        return False

    def step_of(self, i: int) -> int:
        """The step of the i-th call."""
        return i

    def own(self, i: int) -> Level:
        raise NotImplementedError

    def told(self, i: int) -> Level:
        raise NotImplementedError

    @property
    def final(self) -> Level:
        raise NotImplementedError

    def precision(self, level: Level) -> tuple[float, float]:
        """Relative precision to which the tables hold α and σ, in units of their round-off."""
        return 1.0, 1.0

    @property
    def cleanest(self) -> float:
        """σ/α of the cleanest level that a network for this scheduler is trained at."""
        return float(self._training[0])

    def impose(self, grid: Grid) -> None:
        """Make the scheduler visit these levels.

        Raises:
            Unsupported: it cannot.
        """
        raise Unsupported("no way is known to give it levels of one's own")

    def gap(self, told: Level, own: Level) -> float:
        """Distance between two levels in steps of the training schedule."""
        log = np.log(np.maximum(self._training, 1e-300))
        k = np.arange(len(log), dtype=float)

        def place(level: Level) -> float:
            if math.isinf(level.ratio):
                return float(k[-1])
            if level.ratio == 0:
                return -1.0  # one step beyond the cleanest that is trained
            at = math.log(max(level.ratio, 1e-300))
            if at > log[-1] and len(log) > 1 and math.isfinite(log[-1]):
                return float(k[-1] + (at - log[-1]) / (log[-1] - log[-2]))
            if at < log[0] and len(log) > 1:
                return float((at - log[0]) / (log[1] - log[0]))
            return float(np.interp(at, log, k))

        return abs(place(told) - place(own))

    @property
    def _training(self) -> Array:
        """Ratios σ/α of the training steps, ascending."""
        cumprod = self.s.alphas_cumprod.double().numpy()
        with np.errstate(divide="ignore"):
            return np.asarray(np.sqrt((1 - cumprod) / cumprod))

    def _trained_at(self, time: float) -> Level:
        """The level that a time means to a network trained on the discrete steps."""
        ratios = self._training
        last = len(ratios) - 1
        t = min(max(time, 0.0), float(last))
        low = min(int(t), max(last - 1, 0))
        if t == int(t):
            return vp(float(ratios[int(t)]))
        w = t - low
        return vp(math.exp((1 - w) * math.log(ratios[low]) + w * math.log(ratios[low + 1])))


class Discrete(Form):
    """DDIM, DDPM, PNDM, LCM, TCD …: whole training steps, levels from `alphas_cumprod`."""

    final_names = ("final_alpha_cumprod", "one")

    def precision(self, level: Level) -> tuple[float, float]:
        """σ² = 1 − ᾱ with ᾱ in float32: δσ/σ = u α²/(2 σ²), large where σ is small."""
        return 1.0, 1.0 if level.sigma == 0 else 1 + level.alpha**2 / (2 * level.sigma**2)

    def own(self, i: int) -> Level:
        cumprod = float(self.s.alphas_cumprod[int(self.times[i])])
        return Level(math.sqrt(cumprod), math.sqrt(max(0.0, 1 - cumprod)))

    def told(self, i: int) -> Level:
        return self._trained_at(float(self.times[i]))

    @property
    def final(self) -> Level:
        cumprod = float(getattr(self.s, self._final_name))
        return Level(math.sqrt(cumprod), math.sqrt(max(0.0, 1 - cumprod)))

    @property
    def _final_name(self) -> str:
        for name in self.final_names:
            if hasattr(self.s, name):
                return name
        raise Unsupported("has no final level (final_alpha_cumprod or one)")

    def impose(self, grid: Grid) -> None:
        """The training table *is* the grid: N training steps, all of them visited."""
        times = [int(t) for t in self.times]
        if times != list(range(grid.n_steps))[::-1]:
            raise Unsupported(f"visits times {times[:4]}… where all {grid.n_steps} were asked for")
        vp_alpha = 1 / np.hypot(1, grid.ratio)
        table = torch.tensor(vp_alpha[:-1][::-1] ** 2, dtype=torch.float64)
        self.s.alphas_cumprod = table
        final = torch.tensor(vp_alpha[-1:] ** 2, dtype=torch.float64)
        setattr(self.s, self._final_name, final[0])
        if hasattr(self.s, "alphas"):
            before = torch.cat([final, table[:-1]])
            self.s.alphas = table / before
            self.s.betas = 1 - self.s.alphas


class Inverse(Discrete):
    """DDIMInverse: from clean to noise; the state is one step before the time it is told."""

    def own(self, i: int) -> Level:
        stride = self.s.config.num_train_timesteps // self.s.num_inference_steps
        before = int(self.times[i]) - stride
        table = self.s.alphas_cumprod
        cumprod = float(table[before] if before >= 0 else self.s.initial_alpha_cumprod)
        return Level(math.sqrt(cumprod), math.sqrt(max(0.0, 1 - cumprod)))

    @property
    def final(self) -> Level:
        return self._trained_at(float(self.times[-1]))

    def impose(self, grid: Grid) -> None:
        raise Unsupported("it goes from clean to noise; orders are judged from noise to clean")


class Sigmas(Form):
    """Schedulers with a table `sigmas` of n + 1 ratios (or, for flow, of σ = 1 − α)."""

    time_tolerance = 0.5

    def sigma(self, i: int) -> float:
        """The table's entry for the i-th call."""
        return float(self.s.sigmas[i])

    def level(self, sigma: float) -> Level:
        """What a table entry means, on the scale that the network sees."""
        return vp(sigma)

    def landed(self, sigma: float) -> Level:
        """What the last table entry means, on the scale of the sample."""
        return vp(sigma)

    def own(self, i: int) -> Level:
        return self.level(self.sigma(i))

    def told(self, i: int) -> Level:
        return self._trained_at(float(self.times[i]))

    @property
    def final(self) -> Level:
        return self.landed(float(self.s.sigmas[-1]))

    def entries(self, grid: Grid) -> Array:
        """Table entries for levels."""
        return grid.ratio

    def impose(self, grid: Grid) -> None:
        entries = torch.tensor(self.entries(grid), dtype=torch.float64)
        count = len(self.s.timesteps)
        if count != grid.n_steps:
            raise Unsupported(f"{count} times for {grid.n_steps} steps")
        self.s.sigmas = entries
        self.s.timesteps = torch.arange(count, 0, -1, dtype=self.s.timesteps.dtype)
        self.s._step_index = None


class SigmasVP(Sigmas):
    """DPM-Solver, DEIS, UniPC, SA-Solver: ratios in the table, variance-preserving state."""

    def precision(self, level: Level) -> tuple[float, float]:
        """They work with λ = log(α/σ) in float32: δλ = u |λ|."""
        size = abs(level.half_log_snr)
        return 1.0, max(1.0, size) if math.isfinite(size) else 1.0


class SigmasFlow(Sigmas):
    """The same with `use_flow_sigmas`: σ in the table, α = 1 − σ; the time is T σ."""

    scale: Scale = "flow"
    time_derivation = "times are rounded to whole training steps of T σ: half a step"

    def level(self, sigma: float) -> Level:
        return Level(1 - sigma, sigma)

    landed = level

    @property
    def cleanest(self) -> float:
        """One training step: σ = 1/T."""
        return float(1 / (self.s.config.get("num_train_timesteps", 1000) - 1))

    def precision(self, level: Level) -> tuple[float, float]:
        """α = 1 − σ with σ in float32: δα/α = u/α; and δλ = u |λ|."""
        size = abs(level.half_log_snr)
        alpha = 1 / level.alpha if level.alpha else 1.0
        return alpha, max(1.0, size) if math.isfinite(size) else 1.0

    def told(self, i: int) -> Level:
        sigma = float(self.times[i]) / self.s.config.num_train_timesteps
        return Level(1 - sigma, sigma)

    def gap(self, told: Level, own: Level) -> float:
        return float(abs(told.sigma - own.sigma) * self.s.config.num_train_timesteps)

    def entries(self, grid: Grid) -> Array:
        return np.asarray(grid.sigma / (grid.alpha + grid.sigma))


class FlowMatch(SigmasFlow):
    """FlowMatch*: the time is T σ in floating point; with `invert_sigmas` σ stands for α."""

    @property
    def inverted(self) -> bool:
        return bool(self.s.config.get("invert_sigmas", False))

    def level(self, sigma: float) -> Level:
        return Level(sigma, 1 - sigma) if self.inverted else Level(1 - sigma, sigma)

    landed = level

    def told(self, i: int) -> Level:
        return self.level(float(self.times[i]) / self.s.config.num_train_timesteps)

    time_tolerance = 1e-3
    time_derivation = "the time is T σ in float32: 1e-3 of a training step"


class SigmasVE(Sigmas):
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

    def told(self, i: int) -> Level:
        if self.continuous:
            return self.level(math.exp(4 * float(self.times[i])))
        return super().told(i)

    def gap(self, told: Level, own: Level) -> float:
        if self.continuous:
            return abs(math.log(told.ratio / own.ratio))
        return super().gap(told, own)

    def landed(self, sigma: float) -> Level:
        return Level(1.0, sigma)


class TwoCalls(SigmasVE):
    """Heun, DPM2, DPM-Solver SDE: two calls a step, except the last, which is Euler's, onto 0.

    A grid that ends above 0 gets one more step, whose call is left out.
    """

    @property
    def extra_step(self) -> bool:
        return True

    def impose(self, grid: Grid) -> None:
        entries = torch.tensor(np.append(grid.ratio, 0.0), dtype=torch.float64)
        self.s.sigmas = self.interleaved(entries)
        count = 2 * grid.n_steps
        self.s.timesteps = torch.arange(count + 1, 0, -1, dtype=self.s.timesteps.dtype)
        self.s._step_index = None

    def interleaved(self, g: torch.Tensor) -> torch.Tensor:
        return torch.cat([g[:1], g[1:-1].repeat_interleave(2), g[-1:]])

    def step_of(self, i: int) -> int:
        return i // 2


class TwoCallsFlow(SigmasFlow):
    """FlowMatchHeun: two calls a step on σ = 1 − α."""

    time_tolerance = 1e-3
    time_derivation = "the time is T σ in float32: 1e-3 of a training step"
    step_of = TwoCalls.step_of
    extra_step = TwoCalls.extra_step

    def impose(self, grid: Grid) -> None:
        entries = torch.tensor(np.append(self.entries(grid), 0.0), dtype=torch.float64)
        self.s.sigmas = torch.cat([entries[:1], entries[1:-1].repeat_interleave(2), entries[-1:]])
        count = 2 * grid.n_steps
        self.s.timesteps = torch.arange(count + 1, 0, -1, dtype=self.s.timesteps.dtype)
        self.s._step_index = None


class Midpoints(TwoCalls):
    """DPM2: every second call is at a level between, kept in `sigmas_interpol`."""

    shift = 0  # of the entry used by the second call

    def sigma(self, i: int) -> float:
        return float(self.s.sigmas_interpol[i - self.shift] if i % 2 else self.s.sigmas[i])

    def impose(self, grid: Grid) -> None:
        super().impose(grid)
        g = torch.tensor(np.append(grid.ratio, 0.0), dtype=torch.float64)
        for name, values in self.between(g).items():
            twice = torch.cat([values[:1], values[1:].repeat_interleave(2), values[-1:]])
            setattr(self.s, name, twice)

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
        return {
            "sigmas": g,
            "sigmas_up": up,
            "sigmas_down": down,
            "sigmas_interpol": (g * down).sqrt(),
        }


class SDEMidpoints(TwoCalls):
    """DPM-Solver SDE computes the middle as it goes: the geometric mean of the neighbours."""

    def sigma(self, i: int) -> float:
        now = float(self.s.sigmas[i])
        return math.sqrt(float(self.s.sigmas[i - 1]) * now) if i % 2 else now


class EDM(Sigmas):
    """EDM*: variance-exploding state, scaled by c_in for the network, time ¼ log σ."""

    landed_scale = "ve"

    time_tolerance = 1e-5
    time_derivation = "the time is a function of σ in float32: 1e-5 in log σ"

    def level(self, sigma: float) -> Level:
        scale = math.hypot(sigma, self.s.config.sigma_data)
        return Level(1 / scale, sigma / scale)

    def landed(self, sigma: float) -> Level:
        return Level(1.0, sigma)

    @property
    def cleanest(self) -> float:
        return float(self.s.config.sigma_min)

    def told(self, i: int) -> Level:
        return self.level(math.exp(4 * float(self.times[i])))

    def gap(self, told: Level, own: Level) -> float:
        return abs(math.log(told.ratio / own.ratio))


class Cosine(EDM):
    """CosineDPMSolverMultistep: the time is (2/π) atan σ."""

    def told(self, i: int) -> Level:
        return self.level(math.tan(float(self.times[i]) * math.pi / 2))

    time_tolerance = 1e-3
    time_derivation = "tan of a float32 time near 1 (σ = 500): 1e-3 in log σ"
