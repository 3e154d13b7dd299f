"""A sampler of times as a subject: what draws the times, or levels, that a network is trained at.

Where it draws one uniform or normal number for each time, these are prescribed by their quantiles,
and its own quantile function comes out exactly. Otherwise its draws are counted.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from scipy.special import logit, ndtri

from dfbench.draws import preserved_random_state
from dfbench.errors import SubjectError, Unusable
from dfbench.levels import Array
from dfbench.subjects.blamed import blamed
from dfbench.subjects.conventions import ASSUMED
from dfbench.subjects.foreign import kind_of, tensor
from dfbench.subjects.function import FunctionSubject, arguments
from dfbench.subjects.loss_reading import Draws

METHODS = ("sample", "sample_t", "sample_times", "sample_timesteps", "draw")
ARGUMENTS: dict[str, tuple[str, ...]] = {
    "batch": ("batch_size", "n", "bs", "num", "b", "n_samples", "batch", "num_samples", "size"),
    "shape": ("shape", "size"),
    "like": ("x", "x1", "x_1", "data", "images", "x0", "like"),
    "generator": ("generator", "rng", "gen"),
}
ROWS = 101
DRAWN = 200_000


class TimesSubject(FunctionSubject):
    """A sampler of times under certification.

    Attributes:
        density: "name(a, b)" of `DENSITIES`, of the times by the end of the span; empty: nobody
            says.
        span: of which they are times.
    """

    kind = "times"

    def settle(self) -> None:
        assert self.declared is not None
        method = self.declared.method or next(
            (n for n in METHODS if callable(getattr(self.thing, n, None))), ""
        )
        self.method = method if self.declared.method or not callable(self.thing) else ""
        self.callee: Any = getattr(self.thing, self.method) if self.method else self.thing
        self.roles = arguments(
            self.callee, ARGUMENTS, self.declared.roles or {}, self.call, (), self.name
        )
        if not {"batch", "shape", "like"} & {*self.roles}:
            raise Unusable(f"{self.name}: nobody says which argument is the number of times")
        self.span = self.declared.span
        self.density = self.declared.density or ""
        if not self.density:
            with contextlib.suppress(SubjectError):
                self._assume()

    def _assume(self) -> None:
        """The density whose quantiles are linear in the numbers drawn, where nobody says."""
        read = self.quantiles()
        if read is None:
            return
        u, t = read
        if (t == np.round(t)).all() and t.max() > 1:
            _, ends = self.quantiles(np.array([1e-9, 1 - 1e-9])) or (u, t)
            first, last = float(ends.min()), float(ends.max())
            self.density = f"steps({last + 1:g})" if first == 0 else ""
        else:
            top = self.span[1] if self.span else 1.0
            if t[0] > t[-1]:
                u = 1 - u
            with np.errstate(divide="ignore", invalid="ignore"):
                ways = {
                    "uniform": (t, u),
                    "logit-normal": (logit(t / top), ndtri(u)),
                    "log-normal": (np.log(t), ndtri(u)),
                    "log-uniform": (np.log(t), u),
                }
            for name, (value, of) in ways.items():
                if not np.isfinite(value).all():
                    continue
                slope, start = np.polyfit(of, value, 1)
                if abs(value - start - slope * of).max() < 1e-4 * max(abs(slope), 1e-12):
                    a, b = (start, start + slope) if "uniform" in name else (start, slope)
                    a, b = (math.exp(a), math.exp(b)) if name == "log-uniform" else (a, b)
                    if name == "uniform":
                        a, b = a / top, b / top
                    self.density = f"{name}({_short(a)}, {_short(b)})"
                    break
        if self.density:
            self.notes.append(
                f"{ASSUMED}its density is {self.density} (to declare it: density={self.density!r})"
            )

    @property
    def scale(self) -> float:
        """Of densities of times from 0 to 1, which its span may stretch."""
        name = self.density.partition("(")[0]
        apart = ("logit-normal", "uniform", "mode", "cosmap")
        return self.span[1] if self.span and name in apart else 1.0

    def draw(
        self, n: int, seed: int = 0, quantiles: Array | None = None, own: int | None = None
    ) -> tuple[torch.Tensor, bool]:
        """n times, and whether the quantiles were what it drew.

        Args:
            seed: of the global random numbers, and of the generator unless `own` is.
            quantiles: (n,), in place of the numbers it draws.

        Raises:
            SubjectError: it breaks, or gives another number of times.
        """
        values = {
            "batch": n,
            "shape": (n,),
            "like": torch.zeros(n, 2, 3),
            "generator": torch.Generator().manual_seed(seed if own is None else own),
        }
        taken = next(r for r in ("batch", "shape", "like") if r in self.roles)
        given = {
            name: values[role]
            for role, name in self.roles.items()
            if role in (taken, "generator") and name not in self.call
        }
        u = torch.zeros(0) if quantiles is None else torch.from_numpy(quantiles.astype(float))
        draws = Draws(u, torch.zeros(0))
        watched = draws if quantiles is not None else contextlib.nullcontext()
        with blamed("it"), preserved_random_state(), torch.no_grad(), watched:
            torch.manual_seed(seed)
            np.random.seed(seed)  # noqa: NPY002
            out = self.callee(**given, **self.call)
        if isinstance(out, tuple | list):
            out = next((each for each in out if kind_of(each) is not None), out)
        if isinstance(out, Mapping) or kind_of(out) is None:
            raise SubjectError(f"returns {type(out).__name__}, and no times")
        found = tensor(out)
        if found.numel() != n:
            raise SubjectError(f"returns {tuple(found.shape)} for {n} times")
        return found.reshape(-1), draws.timed and len(draws.seen) == 1

    def quantiles(self, u: Array | None = None) -> tuple[Array, Array] | None:
        """Quantiles and the times that they become; None: it draws otherwise."""
        at = (np.arange(ROWS) + 0.5) / ROWS if u is None else u
        found, timed = self.draw(len(at), quantiles=at)
        return (at, found.double().numpy()) if timed else None

    def counted(self) -> Array:
        """Many of its times, in order."""
        made: Array = self.kept("counted", lambda: np.sort(self.draw(DRAWN)[0].double().numpy()))
        return made


def _short(value: float) -> str:
    """A number as people write it: read to four digits."""
    return f"{round(value, 4) + 0.0:g}"
