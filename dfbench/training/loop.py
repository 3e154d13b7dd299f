"""The training loop: AdamW with warm-up, averaged weights, clipping; it resumes where it stopped.

The state after a step is a function of the state before it, the study and the step's number:
no generator runs on from step to step. So a run that was killed ends with the weights of one
that was not, on the same hardware with the same number of threads and processes.

Several processes, on one machine or many: `accelerate launch -m dfbench.cli train …`; the batch is
that of each process.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dfbench import files
from dfbench.errors import Unusable
from dfbench.progress import Progress, quiet
from dfbench.training import checkpoint, models, noise_levels, pairs
from dfbench.training import config as configuration
from dfbench.training.config import Config
from dfbench.training.noise_levels import AdaptiveLevels, NoiseLevels, Setting
from dfbench.training.objectives import Objective, signs
from dfbench.training.pairs import Batches, Reflow
from dfbench.training.reflow import reflow_pairs
from dfbench.training.trained import Trained, data_of, schedule_of, source_of
from dfbench.weightings import WEIGHTINGS

DIVERGED = 100.0  # times the loss that it began with


class Diverged(Exception):
    """The loss is not finite, or far above where it began; the message says what is kept."""


def train(config: Config, folder: str | Path, progress: Progress = quiet) -> Trained:
    """Train a study in a folder, from its last checkpoint if it has one.

    Args:
        config: the study.
        folder: is created; holds what `dfbench.training.checkpoint` lists.
        progress: told (what, steps done, steps in all).

    Returns:
        The network with the averaged weights.

    Raises:
        Unusable: the study cannot be run, or the folder holds another one.
        Diverged: the last good checkpoint stays.
        OSError: a file cannot be written; the last good checkpoint stays.
    """
    folder = Path(folder)
    _check(folder, config)
    trainer = Trainer(config)
    with files.alone(folder) if trainer.main else contextlib.nullcontext():
        return _train(trainer, folder, config, progress)


def _train(trainer: Trainer, folder: Path, config: Config, progress: Progress) -> Trained:
    if trainer.main:
        _check(folder, config)  # another may have begun since
        _claim(folder, config)
    trainer.accelerator.wait_for_everyone()
    if checkpoint.state_file(folder).is_file():
        trainer.load(checkpoint.load(folder))
    rows = checkpoint.load_log(folder, trainer.step)
    while trainer.step < config.loop.steps:
        row = trainer.run_to_log()
        rows.append(row)
        if trainer.main:
            checkpoint.save_log(folder, rows)
            if not trainer.step % config.loop.checkpoint_every or trainer.done:
                trainer.save(folder)
        if trainer.main:
            told = f"loss {row['loss']:.4g}, {row['samples_per_second']:.3g} samples/s"
            progress(told, trainer.step, config.loop.steps)
    trainer.accelerator.wait_for_everyone()  # what the first process writes is there for all
    return trainer.trained()


def main_process() -> bool:
    """Whether this process is the only one, or the one that writes."""
    from accelerate import PartialState

    return bool(PartialState().is_main_process)


def _check(folder: Path, config: Config) -> None:
    """Refuse a folder that is another study's."""
    if (folder / "cells").is_dir():
        raise Unusable(f"{folder}: holds results of `dfbench bench`; choose another folder")
    if checkpoint.state_file(folder).is_file():
        other = configuration.differences(
            config, configuration.read(checkpoint.config_file(folder))
        )
        if other:
            raise Unusable(
                f"{folder}: holds another study, with another {', '.join(other)}; "
                "choose another folder, or remove this one"
            )


def _claim(folder: Path, config: Config) -> None:
    """Make the folder this study's, and remove what a killed run left."""
    checkpoint.clean(folder)
    if not checkpoint.state_file(folder).is_file():
        configuration.save(config, checkpoint.config_file(folder))


def _deterministic() -> None:
    """On CUDA: the same sums in the same order in every run, at the speed of TensorFloat-32."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


class Trainer:
    """A study between two steps.

    Attributes:
        step: steps done.
        net: the network, `ema` its average.
        levels: where λ is drawn from.

    Args:
        config: the study.
        alone: whether this process trains by itself, although there may be others.
    """

    def __init__(self, config: Config, alone: bool = False) -> None:
        from accelerate import Accelerator

        self.config, self.loop = config, config.loop
        self.accelerator = Accelerator()
        self.device = self.accelerator.device
        self.main = bool(self.accelerator.is_main_process)
        self.rank, self.world = self.accelerator.process_index, self.accelerator.num_processes
        if alone:
            self.rank, self.world = 0, 1
        self.dtype = torch.float64 if self.loop.precision == "float64" else torch.float32
        if self.device.type == "cuda":
            _deterministic()
        self.schedule = schedule_of(config)
        self.data = data_of(config)
        self.sigma_data = self.data.std
        weighting = config.objective.weighting.build(WEIGHTINGS, "objective.weighting")
        self.objective = Objective(
            config.objective.prediction,
            config.objective.loss,
            weighting,
            self.schedule,
            self.sigma_data,
            self.loop.normalise,
        )
        self.levels: NoiseLevels = config.levels.build(
            noise_levels.KINDS, "levels", Setting(self.schedule, weighting, self.sigma_data)
        )
        self.batches = self._batches()
        torch.manual_seed(pairs.key(config.seed, "model"))
        self.net: nn.Module = config.model.build(models.KINDS, "model", self.data.shape)
        self.net.to(self.device, self.dtype)
        models.check(self.net, self.data.shape, self.device, self.dtype)
        self.ema = deepcopy(self.net).eval().requires_grad_(False)
        self.parameters = [p for p in self.net.parameters() if p.requires_grad]
        if not self.parameters:
            raise Unusable("[model] has nothing to train")
        self._averages = [p.detach() for p in self.ema.parameters()]
        self._weights = [p.detach() for p in self.net.parameters()]
        self.optimiser = torch.optim.AdamW(
            self.parameters,
            lr=self.loop.learning_rate,
            betas=self.loop.betas,
            weight_decay=self.loop.weight_decay,
            fused=True,
        )
        # what is compiled has no second derivative, which losses without a target need
        traced = self.objective.loss in ("implicit", "hutchinson")
        compiled = not traced and (
            self.loop.compile == "on"
            or (self.loop.compile == "auto" and self.device.type == "cuda")
        )
        self.forward: Any = torch.compile(self.net) if compiled else self.net
        if self.world > 1:
            self.forward = self.accelerator.prepare_model(self.forward)
        self.step, self.seconds, self.first_loss = 0, 0.0, math.nan
        # a loss without a target is one with a target less w/q |ε|²: it may begin at zero
        self._least = 0.0
        if traced:
            log_snr, density = self.levels.draw((np.arange(1000) + 0.5) / 1000)
            self._least = float((weighting(log_snr) / density).mean())

    def _batches(self) -> Batches:
        config = self.config
        source = source_of(config)
        if source is not None and source.shape != self.data.shape:
            raise Unusable(
                f"[source] has points of shape {source.shape}, [data] of {self.data.shape}"
            )
        coupling = config.pairs.build(pairs.KINDS, "pairs")
        made = None
        if isinstance(coupling, Reflow):
            if source is not None:
                raise Unusable("[pairs] reflow starts at the noise of its network: no [source]")
            made, coupling = reflow_pairs(coupling, config.seed), None
            if made[0].shape[1:] != self.data.shape:
                raise Unusable("[pairs] the network of the reflow has points of another shape")
        return Batches(self.data, source, coupling, config.seed, self.device, self.dtype, made)

    @property
    def done(self) -> bool:
        """Whether all steps are."""
        return self.step >= self.loop.steps

    def losses(self, step: int) -> tuple[Tensor, Any, Any]:
        """The loss of every row of a step, (n,), with their λ and q."""
        n = self.loop.batch
        x, eps = self.batches.at(n, step, self.rank, self.world)
        rng = np.random.default_rng(pairs.key(self.config.seed, "levels", step))
        # one low-discrepancy set for all processes (VDM, appendix I.1)
        u = (rng.random() + np.arange(n * self.world) / (n * self.world)) % 1.0
        log_snr, density = self.levels.draw(u[self.rank :: self.world])
        probe = None
        if self.objective.loss == "hutchinson":
            probe = signs(x, self.batches.generator("model", step, self.rank))
        autocast: Any = contextlib.nullcontext()
        if self.loop.precision == "bf16":
            autocast = torch.autocast(self.device.type, torch.bfloat16)
        # dropout, if the model has any, draws from the global generators
        self._seed(pairs.key(self.config.seed, "model", step, self.rank))
        with autocast:
            each = self.objective(self.forward, x, eps, log_snr, density, probe)
        return each, log_snr, density

    def _seed(self, value: int) -> None:
        """As torch.manual_seed, which asks every kind of device and takes longer than a layer."""
        torch.default_generator.manual_seed(value)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(value)

    def advance(self) -> tuple[Tensor, Tensor]:
        """One step; the mean loss per element of a point, and the gradient's norm."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate(self.step)
        each, log_snr, density = self.losses(self.step)
        loss = each.mean() / math.prod(self.data.shape)
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        clip = self.loop.clip or math.inf
        norm = nn.utils.clip_grad_norm_(self.parameters, clip)
        self.optimiser.step()
        self.step += 1
        self._average()
        if isinstance(self.levels, AdaptiveLevels):
            self._learn(self.levels, each.detach(), log_snr, density)
        return loss.detach(), norm.detach()

    def learning_rate(self, step: int) -> float:
        """Of the step with this number, from 0."""
        warm = min(1.0, (step + 1) / max(1, self.loop.warmup))
        if self.loop.decay == "constant":
            return self.loop.learning_rate * warm
        fall = 0.5 * (1 + math.cos(math.pi * step / self.loop.steps))
        return self.loop.learning_rate * warm * fall

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(self.loop.ema, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(self._averages, self._weights, 1 - decay)
        for average, buffer in zip(self.ema.buffers(), self.net.buffers(), strict=True):
            average.copy_(buffer)

    def _learn(self, levels: AdaptiveLevels, each: Tensor, log_snr: Any, density: Any) -> None:
        weighted: Any = each.double() * torch.as_tensor(density, device=self.device)
        told = torch.stack([weighted, torch.as_tensor(log_snr, device=self.device)])
        if self.world > 1:
            told = self.accelerator.gather(told.T.contiguous()).T
        weighted, at = told.cpu().numpy()
        levels.update(at, weighted)

    def run_to_log(self) -> checkpoint.LogRow:
        """Steps up to the next that is logged, and what is logged of them.

        Raises:
            Diverged: what this stretch did is dropped.
        """
        began, first = time.perf_counter(), self.step
        until = min(self.loop.steps, first - first % self.loop.log_every + self.loop.log_every)
        total: Any = 0.0
        largest: Any = torch.zeros((), device=self.device)
        while self.step < until:
            loss, norm = self.advance()
            if math.isnan(self.first_loss):
                self.first_loss = max(abs(float(loss)), self._least)
            total = total + loss
            largest = torch.maximum(largest, norm)
        if self.world > 1:
            total = self.accelerator.reduce(total, "mean")
        mean = float(total) / (until - first)
        seconds = time.perf_counter() - began
        self.seconds += seconds
        self._judge(mean, float(largest))
        samples = (until - first) * self.loop.batch * self.world
        return {
            "step": self.step,
            "loss": mean,
            "gradient_norm": float(largest),
            "learning_rate": self.learning_rate(self.step - 1),
            "samples_per_second": samples / seconds,
            "seconds": self.seconds,
        }

    def _judge(self, loss: float, norm: float) -> None:
        what = None
        if not (math.isfinite(loss) and math.isfinite(norm)):
            what = "the loss or its gradient is not finite"
        elif abs(loss) > DIVERGED * self.first_loss:
            what = f"the loss is {loss:.3g}, {self.first_loss:.3g} where it began"
        elif not all(bool(p.isfinite().all()) for p in self.parameters):
            what = "a weight is not finite"
        if what:
            raise Diverged(
                f"training diverged before step {self.step}: {what}; the last checkpoint is kept "
                "(a smaller learning_rate, or clip, may help)"
            )

    def save(self, folder: Path) -> None:
        """Write all that the next step needs."""
        state = {
            "step": self.step,
            "model": self.net.state_dict(),
            "ema": self.ema.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "levels": self.levels.state(),
            "sigma_data": self.sigma_data,
            "shape": list(self.data.shape),
            "seconds": self.seconds,
            "first_loss": self.first_loss,
        }
        checkpoint.save(folder, state)

    def load(self, state: dict[str, Any]) -> None:
        """Take up a state."""
        with checkpoint.fitting():
            self.net.load_state_dict(state["model"])
            self.ema.load_state_dict(state["ema"])
            self.optimiser.load_state_dict(state["optimiser"])
            if isinstance(self.levels, AdaptiveLevels):
                self.levels.load(state["levels"])
            self.step, self.seconds = int(state["step"]), float(state["seconds"])
            self.first_loss = float(state["first_loss"])

    def trained(self) -> Trained:
        """The averaged network as it is now."""
        return Trained(self.config, deepcopy(self.ema), self.sigma_data, self.data.shape)
