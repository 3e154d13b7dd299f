"""Read a loss out of a function that is known only as code: what it shows, asks for and weighs.

The draws are prescribed: times by their quantiles, noise by known numbers. What the network is
shown then is α x + σ ε, row by row; its outputs are constants of our own, at two of which the
gradient of the loss tells the target and the weight, if the loss is quadratic, and at a third
whether it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.special import ndtri
from torch.utils._python_dispatch import TorchDispatchMode

from dfbench.draws import preserved_random_state
from dfbench.errors import SubjectError
from dfbench.levels import Array
from dfbench.subjects.blamed import blamed
from dfbench.subjects.network import Network

ROWS = 33  # no size of a data point: what has as many entries is a time
SHAPE = (2, 4, 4)  # of a data point


@dataclass(frozen=True, eq=False)
class LossReading:
    """What one reading of a loss saw, a number for each row.

    Attributes:
        quantile: of the time's draw; None where the loss is given its times.
        time: that the network is told.
        alpha, sigma: of the state that it is shown; `unexplained`: the largest part of a state
            that is no α x + σ ε, of its size.
        p, q: of the target p x + q ε; `untold`: the largest part of a target that is no such, of
            its size.
        weight: w of w |m − target|², summed over the elements of a row.
        uneven: largest difference of the weight between elements of a row, of the weight.
        bent: how far a third gradient is from a quadratic's, of its size.
        coupled: largest gradient of a row's part by another's output, of its own; 0 where the
            loss is one number: then of what another row's output adds to a row's gradient.
        value: the loss at the targets themselves, of the loss at zero: 0 for a squared error.
        draws: shapes of the random numbers that it drew, in order.
        reduced: the loss is one number.
    """

    quantile: Array | None
    time: Array
    alpha: Array
    sigma: Array
    unexplained: float
    p: Array
    q: Array
    untold: float
    weight: Array
    uneven: float
    bent: float
    coupled: float
    value: float
    draws: tuple[tuple[str, tuple[int, ...]], ...]
    reduced: bool


class Draws(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Prescribes the time by its quantiles, and the noise; keeps what else was drawn."""

    def __init__(self, quantiles: torch.Tensor, noise: torch.Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.quantiles, self.noise = quantiles, noise
        self.timed = self.noised = False
        self.seen: list[tuple[str, tuple[int, ...]]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        if name not in KNOWN:
            return func(*args, **kwargs)
        out = func(*args, **kwargs)
        self.seen.append((name, tuple(out.shape)))
        made = self._instead(name, out, args, kwargs)
        if made is None:
            return out
        into = args[0] if name.endswith("_") and not name.endswith("like") else kwargs.get("out")
        return made if into is None else into.copy_(made)

    def _instead(self, name: str, out: torch.Tensor, args: Any, kwargs: Any) -> Any:
        gaussian = name in ("randn", "randn_like", "normal_", "normal")
        if gaussian and out.numel() == self.noise.numel() and not self.noised:
            self.noised = True
            return self.noise.reshape(out.shape)  # in float64: the reading looks at every digit
        if out.numel() != len(self.quantiles) or self.timed:
            return None
        self.timed = True
        u = self.quantiles.reshape(out.shape)
        if gaussian:
            mean, std = _normal(name, args, kwargs)
            return torch.from_numpy(ndtri(u.numpy())) * std + mean
        if name in ("randint", "randint_like", "random_"):
            low, high = _range(name, args, kwargs)
            return (low + torch.floor(u * (high - low))).to(out.dtype)
        if name == "uniform_":
            given = args[1:3]
            low, high = float(given[0] if given else 0.0), float(given[1] if given[1:] else 1.0)
            return low + (high - low) * u
        return u if name in ("rand", "rand_like") else None


KNOWN = {
    *("rand", "rand_like", "uniform_", "randn", "randn_like", "normal_", "normal"),
    *("randint", "randint_like", "random_", "multinomial", "bernoulli", "randperm"),
}


def _range(name: str, args: Any, kwargs: Any) -> tuple[float, float]:
    numbers = [a for a in args if isinstance(a, int) and not isinstance(a, bool)]
    if len(numbers) == 1:
        return 0.0, float(numbers[0])
    return float(numbers[0]), float(numbers[1])


def _normal(name: str, args: Any, kwargs: Any) -> tuple[float, float]:
    if not name.startswith("normal"):
        return 0.0, 1.0
    given = args[1:3] if name == "normal_" else args[:2]
    mean = given[0] if given else kwargs.get("mean", 0.0)
    std = given[1] if len(given) > 1 else kwargs.get("std", 1.0)
    return mean, std


class LossNetwork(Network):
    """Answers with a constant of ours, and keeps what it was shown."""

    def __init__(self, output: torch.Tensor) -> None:
        super().__init__(lambda x, t: x, tuple(output.shape))
        self.output = output
        self.state: torch.Tensor | None = None
        self.time: torch.Tensor | None = None

    def forward(self, *given: Any, **named: Any) -> Any:
        state, time = self._told(given, named)
        if self.state is None:
            self.state = torch.as_tensor(state).detach().clone()
            self.time = torch.as_tensor(time).detach().double().clone()
        return self.output.to(state.dtype) if isinstance(state, torch.Tensor) else self.output


def inputs(seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Data, noise and quantiles."""
    source = torch.Generator().manual_seed(seed)
    x, eps = torch.randn((2, ROWS, *SHAPE), generator=source, dtype=torch.float64)
    return x, eps, (torch.arange(ROWS, dtype=torch.float64) + 0.5) / ROWS


def read(
    loss: Callable[[Mapping[str, Any]], Any],
    seed: int = 0,
    times: torch.Tensor | None = None,
    quantiles: torch.Tensor | None = None,
    outside: tuple[float, float] = (1.0, 0.0),
) -> LossReading:
    """The reading of a loss.

    Args:
        loss: values by role ("model", "state", "times", "noise", "generator") → what it returns.
        times: given to a loss that draws none.
        quantiles: of the draw of the time, (ROWS,); by default in the middle of equal parts.
        outside: (c, d): it is given c x + d, as images are, of the data x that it works on.

    Raises:
        SubjectError: it breaks, or never asks the network.
    """
    x, eps, usual = inputs(seed)
    u = usual if quantiles is None else quantiles
    source = torch.Generator().manual_seed(seed + 1)
    points = torch.randn((3, *x.shape), generator=source, dtype=torch.float64)

    def at(m: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, LossNetwork, Draws]:
        output = m.clone().requires_grad_(True)
        network, draws = LossNetwork(output), Draws(u, eps)
        data = outside[0] * x + outside[1]
        values = {"model": network, "state": data, "times": times, "noise": eps.clone()}
        with blamed("the loss"), preserved_random_state(), torch.enable_grad(), draws:
            torch.manual_seed(seed)
            found = _loss(loss({**values, "generator": torch.Generator().manual_seed(seed)}))
        if network.state is None:
            raise SubjectError("never asks the network")
        if not found.requires_grad:
            raise SubjectError("no gradient reaches what the network returns")
        (slope,) = torch.autograd.grad(found.sum(), output, allow_unused=True)
        if slope is None:
            raise SubjectError("does not depend on what the network returns")
        return found.detach(), slope, network, draws

    first, slope, network, draws = at(points[0])
    _, other, _, _ = at(points[1])
    _, third, _, _ = at(points[2])
    twice = (other - slope) / (points[1] - points[0])  # 2 w, element by element
    weight = twice.reshape(ROWS, -1).mean(1) / 2
    spread = (twice.reshape(ROWS, -1) / 2 - weight[:, None]).abs().amax(1)
    target = points[0] - slope / twice
    expected = slope + twice * (points[2] - points[0])
    size = float(third.abs().max()) or 1.0
    bent = float((third - expected).abs().max()) / size
    state, time = network.state, network.time
    assert state is not None
    assert time is not None
    alpha, sigma, unexplained = _combination(state.double(), x, eps)
    p, q, untold = _combination(target, x, eps)
    # another row's output must change nothing in this row's gradient
    moved = points[0].clone()
    moved[1:] = points[1][1:]
    _, apart, _, _ = at(moved)
    own = float(slope[0].abs().max()) or 1.0
    at_target, _, _, _ = at(target)
    return LossReading(
        quantile=u.numpy() if draws.timed else None,
        time=time.expand(ROWS).numpy()
        if time.numel() == 1
        else time.reshape(ROWS, -1)[:, 0].numpy(),
        alpha=alpha,
        sigma=sigma,
        unexplained=unexplained,
        p=p,
        q=q,
        untold=untold,
        weight=weight.numpy(),
        uneven=float((spread / weight.abs().clamp(min=1e-300)).max()),
        bent=bent,
        coupled=float((apart[0] - slope[0]).abs().max()) / own,
        value=float(at_target.sum().abs() / (first.sum().abs() + 1e-300)),
        draws=tuple(draws.seen),
        reduced=first.numel() == 1,
    )


def _combination(
    made: torch.Tensor, x: torch.Tensor, eps: torch.Tensor
) -> tuple[Array, Array, float]:
    """(a, b) of every row of a x + b ε, and the largest rest, of the row's size."""
    columns = torch.stack([x.reshape(ROWS, -1), eps.reshape(ROWS, -1)], -1)
    rows = made.reshape(ROWS, -1)
    if not bool(rows.isfinite().all()):
        return np.full(ROWS, math.nan), np.full(ROWS, math.nan), math.inf
    found = torch.linalg.lstsq(columns, rows[..., None]).solution[..., 0]
    rest = rows - (columns * found[:, None]).sum(-1)
    size = rows.abs().amax(1).clamp(min=1e-300)
    return found[:, 0].numpy(), found[:, 1].numpy(), float((rest.abs().amax(1) / size).max())


def _loss(out: Any) -> torch.Tensor:
    """The loss in what a function returns: a tensor, the first of several, or by its name."""
    if isinstance(out, torch.Tensor):
        return out
    if isinstance(out, Mapping) or hasattr(out, "loss"):
        found = out.get("loss") if isinstance(out, Mapping) else out.loss
        if isinstance(found, torch.Tensor):
            return found
    if isinstance(out, tuple | list):
        for each in out:
            if isinstance(each, torch.Tensor) and each.requires_grad:
                return each
    raise SubjectError(f"returns {type(out).__name__}, and no tensor that is a loss")
