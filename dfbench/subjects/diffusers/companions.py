"""`add_noise`, `scale_noise`, `get_velocity` of a run and of a fresh scheduler."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import torch

from dfbench.errors import Unsupported
from dfbench.levels import Level
from dfbench.subjects.contract import Companion

if TYPE_CHECKING:
    from dfbench.subjects.diffusers.session import SchedulerSession


def companions(session: SchedulerSession) -> dict[str, Companion]:
    """Those that the scheduler has, by name; each takes (x, ε, step)."""
    scheduler, levels = session.scheduler, session.levels
    times = levels.times

    def on_sample(level: Level) -> tuple[float, float]:
        """On the scale of the sample: v is defined on that of the network, x + σ ε on this."""
        alpha, sigma = level
        scale = 1 / alpha if levels.landed_scale == "ve" else 1.0
        return alpha * scale, sigma * scale

    def at(step: int) -> tuple[Level, Any]:
        """Level and time of the call at which a step starts."""
        i = next(i for i, call in enumerate(session.calls) if call.step == step)
        return session.calls[i].own, times[i].reshape(1)

    def add_noise(x: torch.Tensor, eps: torch.Tensor, step: int) -> Any:
        level, t = at(step)
        alpha, sigma = on_sample(level)
        return scheduler.add_noise(x, eps, t), alpha * x + sigma * eps

    def scale_noise(x: torch.Tensor, eps: torch.Tensor, step: int) -> Any:
        level, t = at(step)
        alpha, sigma = on_sample(level)
        return scheduler.scale_noise(x, t, eps), alpha * x + sigma * eps

    def get_velocity(x: torch.Tensor, eps: torch.Tensor, step: int) -> Any:
        (alpha, sigma), t = at(step)
        return scheduler.get_velocity(x, eps, t), alpha * eps - sigma * x

    made = (add_noise, scale_noise, get_velocity)
    found: dict[str, Companion] = {f.__name__: f for f in made if hasattr(scheduler, f.__name__)}
    if "add_noise" in found and getattr(scheduler, "alphas_cumprod", None) is not None:
        with contextlib.suppress(Unsupported):
            found |= _in_training(session)
    return found


def _in_training(session: SchedulerSession) -> dict[str, Companion]:
    """`add_noise` as a training loop calls it: random times, no steps set.

    Raises:
        Unsupported: the steps of the object were set.
    """
    fresh, levels = session.subject.unused(), session.levels

    def training(x: torch.Tensor, eps: torch.Tensor, i: int) -> Any:
        t = torch.tensor([(7 + 97 * i) % fresh.config.num_train_timesteps])
        level = levels.trained_at(float(t))
        scale = 1 / level.alpha if levels.landed_scale == "ve" else 1.0
        return fresh.add_noise(x, eps, t), scale * (level.alpha * x + level.sigma * eps)

    return {"add_noise before set_timesteps": training}
