"""`add_noise`, `scale_noise`, `get_velocity` of a run and of a fresh scheduler."""

from __future__ import annotations

import contextlib
import copy
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from dfbench.draws import preserved_random_state
from dfbench.errors import Unsupported
from dfbench.subjects.alike import duplicate
from dfbench.subjects.contract import Companion
from dfbench.subjects.conventions import training_steps

if TYPE_CHECKING:
    from dfbench.subjects.diffusers.session import SchedulerSession


def companions(session: SchedulerSession) -> dict[str, Companion]:
    """Those that the scheduler has, by name; each takes (x, ε, step)."""
    scheduler, levels = session.scheduler, session.levels
    times = levels.times

    def at(steps: list[int]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """α, σ (each of shape (steps, 1, 1, 1)) and time of the calls at which steps start."""
        picked = [next(i for i, c in enumerate(session.calls) if c.step == s) for s in steps]
        own = [session.calls[i].own for i in picked]
        alpha, sigma = torch.tensor(own, dtype=torch.float64).T.reshape(2, -1, 1, 1, 1)
        return alpha, sigma, torch.stack([times[i] for i in picked])

    def on_sample(alpha: torch.Tensor, sigma: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """On the scale of the sample: v is defined on that of the network, x + σ ε on this."""
        scale = 1 / alpha if levels.landed_scale == "ve" else torch.ones_like(alpha)
        return alpha * scale, sigma * scale

    def add_noise(x: torch.Tensor, eps: torch.Tensor, *steps: int) -> Any:
        alpha, sigma, t = at(list(steps))
        alpha, sigma = on_sample(alpha, sigma)
        return scheduler.add_noise(x, eps, t), alpha * x + sigma * eps

    def scale_noise(x: torch.Tensor, eps: torch.Tensor, *steps: int) -> Any:
        alpha, sigma, t = at(list(steps))
        alpha, sigma = on_sample(alpha, sigma)
        return scheduler.scale_noise(x, t, eps), alpha * x + sigma * eps

    def get_velocity(x: torch.Tensor, eps: torch.Tensor, *steps: int) -> Any:
        alpha, sigma, t = at(list(steps))
        return scheduler.get_velocity(x, eps, t), alpha * eps - sigma * x

    def of_rows(companion: Any) -> Companion:
        """With a time of its own for every row of the batch, the times of steps that follow."""

        def called(x: torch.Tensor, eps: torch.Tensor, step: int) -> Any:
            n = session.grid.n_steps
            return companion(x, eps, *((step + row) % n for row in range(len(x))))

        return called

    def of_videos(companion: Any) -> Companion:
        """Of a state of five dimensions, one frame each."""
        return lambda x, eps, step: companion(x.unsqueeze(2), eps.unsqueeze(2), step)

    made = [f for f in (add_noise, scale_noise, get_velocity) if hasattr(scheduler, f.__name__)]
    found: dict[str, Companion] = {f.__name__: f for f in made}
    found |= {f"{f.__name__} with a time a row": of_rows(f) for f in made}
    found |= {f"{f.__name__} of videos": of_videos(f) for f in made}
    found |= _in_a_run(session, {f.__name__: f for f in made if f is not get_velocity})
    table = getattr(scheduler, "alphas_cumprod", None)
    if "add_noise" in found and isinstance(table, torch.Tensor):
        with contextlib.suppress(Unsupported):
            found |= _in_training(session)
    return found


def trained_time(i: int, count: int) -> int:
    """The i-th time of training that is asked, of `count`: both ends, then times between."""
    return ((count - 1, 0)[i] if i < 2 else 7 + 97 * i) % count


def _in_training(session: SchedulerSession) -> dict[str, Companion]:
    """`add_noise` as a training loop calls it: times from both ends and between, no steps set.

    Raises:
        Unsupported: the steps of the object were set.
    """
    fresh, levels = session.subject.unused(), session.levels

    def training(x: torch.Tensor, eps: torch.Tensor, i: int, dtype: Any = torch.int64) -> Any:
        t = torch.tensor([trained_time(i, int(training_steps(fresh)))], dtype=dtype)
        level = levels.trained_at(float(t))
        scale = 1 / level.alpha if levels.landed_scale == "ve" else 1.0
        return fresh.add_noise(x, eps, t), scale * (level.alpha * x + level.sigma * eps)

    def on_vectors(x: torch.Tensor, eps: torch.Tensor, i: int) -> Any:
        return training(x.flatten(1), eps.flatten(1), i)

    return {
        "add_noise before set_timesteps": training,
        "add_noise before set_timesteps, of vectors": on_vectors,
        "add_noise before set_timesteps, times of 32 bits": partial(training, dtype=torch.int32),
    }


def _in_a_run(session: SchedulerSession, made: dict[str, Any]) -> dict[str, Companion]:
    """What image to image and inpainting call, of a scheduler that was told where it begins."""
    if not hasattr(session.scheduler, "set_begin_index"):
        return {}
    untouched = duplicate(session.scheduler)  # other companions may leave something behind

    def of(name: str, begin: bool) -> Companion:
        def called(x: torch.Tensor, eps: torch.Tensor, step: int) -> Any:
            first = next(i for i, call in enumerate(session.calls) if call.step == step)
            scheduler, expected = duplicate(untouched), made[name](x, eps, step)[1]
            scheduler.set_begin_index(first if begin else 0)
            if not begin:
                _stepped(session, scheduler, first, torch.zeros_like(x))
            t = session.levels.times[first].reshape(1)
            given = (x, t, eps) if name == "scale_noise" else (x, eps, t)
            return getattr(scheduler, name)(*given), expected

        return called

    return {f"{name} with a begin index": of(name, True) for name in made} | {
        f"{name} in the middle of a run": of(name, False) for name in made
    }


def _stepped(session: SchedulerSession, scheduler: Any, count: int, x: torch.Tensor) -> None:
    """Some steps of a run, whatever comes of them."""
    run = copy.copy(session)
    run.scheduler, run.times, run.previous = scheduler, session.levels.times, None
    run.generator = torch.Generator().manual_seed(0)
    with preserved_random_state(), torch.no_grad():
        for i in range(count):
            session._input(scheduler, x, run.times[i])
            session.subject.step(run, i, session.subject.output(run, x, i), x)
