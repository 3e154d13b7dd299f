"""A log-likelihood as a subject: of data under a network, through its probability-flow ODE."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from dataclasses import fields
from itertools import product

import numpy as np
import torch

from analytic import GaussianMixture
from dfbench.draws import preserved_random_state
from dfbench.errors import SubjectError, Unsupported
from dfbench.levels import Array
from dfbench.outcome import Finding
from dfbench.subjects.blamed import blamed
from dfbench.subjects.conventions import ASSUMED
from dfbench.subjects.entry import Entry
from dfbench.subjects.facts import Facts
from dfbench.subjects.foreign import kind_of, tensor
from dfbench.subjects.function import FunctionSubject, fetching
from dfbench.subjects.mixture_network import MixtureNetwork

DIM = 6
IMAGE, VECTOR = (1, 2, 3), (DIM,)
POINTS = 4
COPIES = 512  # of each point, where an estimate is drawn
STEPS = 64

#: What is returned, of log p in nats and the number of dimensions: in words.
UNITS: dict[str, float] = {
    "log p in nats": 1.0,
    "−log p in nats": -1.0,
    "log p in nats a dimension": 1.0 / DIM,
    "−log p in nats a dimension": -1.0 / DIM,
    "log p in bits": 1.0 / math.log(2),
    "−log p in bits a dimension": -1.0 / (DIM * math.log(2)),
}


def gaussian() -> GaussianMixture:
    """One Gaussian, of another mean and deviation along each axis."""
    return GaussianMixture.diagonal([1.0], [np.linspace(-1, 1, DIM)], [np.linspace(0.1, 1, DIM)])


def modes() -> GaussianMixture:
    """Two modes, between which the field bends."""
    means = np.outer([-1.0, 1.0], np.linspace(0.4, 1.0, DIM))
    spread = np.stack([np.full(DIM, 0.4), np.linspace(0.2, 0.8, DIM)])
    return GaussianMixture.diagonal([0.4, 0.6], means, spread)


def averaged(many: Array) -> tuple[Array, Array]:
    """Means over the copies, and their standard errors."""
    return many.mean(1), many.std(1) / math.sqrt(many.shape[1])


class LikelihoodSubject(FunctionSubject):
    """A log-likelihood under certification.

    Attributes:
        facts: what its network returns and what times mean.
        dtype: in which it is asked: float32 where it takes no float64, and says why in `double`.
        unit: what it returns, of `UNITS`.
        shape: of a data point.
    """

    kind = "likelihood"

    def settle(self) -> None:
        assert self.declared is not None
        known = {f.name for f in fields(Facts)}
        given = {**self.declared.facts, **self.declared.conventions}
        self.facts = Facts(**{k: v for k, v in given.items() if k in known})
        self.known = self.facts.map is not None and "predicts" in given
        # a class was constructed already
        self.entry = Entry(self.thing, self.name, self.facts.roles, {}, self.call, "")
        self.shape = self.facts.shape or IMAGE
        self.dtype, self.unit = torch.float64, "log p in nats"
        self.double = ""
        if self.known:
            with contextlib.suppress(SubjectError):
                self._look()

    def _look(self) -> None:
        """The shape that it takes, and the unit that it returns."""
        shapes = [self.facts.shape] if self.facts.shape else [IMAGE, VECTOR]
        first: SubjectError | None = None
        for self.dtype, self.shape in product((torch.float64, torch.float32), shapes):
            try:
                self.values(gaussian(), self.points(gaussian()))
                break
            except SubjectError as error:
                first = first or error
        else:
            self.dtype, self.shape = torch.float64, shapes[0]
            assert first is not None
            raise first
        if self.shape != shapes[0]:
            self.notes.append(f"{ASSUMED}it takes vectors, (n, d)")
        if first is not None and self.dtype == torch.float32:
            self.double = str(first)
            self.notes.append(f"{ASSUMED}it takes float32 alone")
        off = dict.fromkeys(UNITS, 0.0)
        for mixture in (gaussian(), modes()):
            x = self.points(mixture)
            found = self.estimates(mixture, x, STEPS // 2).mean(1)
            exact = mixture.log_density(x, 1.0, 0.0)
            for unit, factor in UNITS.items():
                off[unit] = max(off[unit], float(abs(found / factor - exact).max()))
        best = min(off, key=lambda unit: off[unit])
        if off[best] < 0.1 * off["log p in nats"] and off[best] < 0.05 * DIM:
            self.unit = best
        if self.unit != "log p in nats":
            self.notes.append(f"{ASSUMED}it returns {self.unit}")

    def points(self, mixture: GaussianMixture) -> Array:
        """Data of a mixture, (n, d)."""
        made: Array = mixture.sample(POINTS, np.random.default_rng(self.seed))
        return made

    def values(
        self,
        mixture: GaussianMixture,
        x: Array,
        *,
        steps: int = STEPS,
        dtype: torch.dtype | None = None,
        shape: tuple[int, ...] | None = None,
        seed: int = 0,
    ) -> Array:
        """What it returns for data (n, d), (n,).

        Raises:
            SubjectError: it breaks, or returns no number for each row.
            Unsupported: nobody says what its network returns.
        """
        if not self.known:
            raise Unsupported(
                "nobody says what its network returns and what times mean: declare `predicts` and "
                "`level`"
            )
        shape, dtype = shape or self.shape, dtype or self.dtype
        network = MixtureNetwork(mixture, self.facts, shape)
        times = self.facts.times(steps)[::-1].copy()
        given = {
            "model": network,
            "state": torch.tensor(x, dtype=dtype).reshape(len(x), *shape),
            "steps": steps,
            "times": torch.tensor(times, dtype=dtype),
            "sigmas": torch.tensor(times, dtype=dtype),
            "generator": torch.Generator().manual_seed(seed),
        }
        with blamed("it"), preserved_random_state():
            torch.manual_seed(seed)
            out = self.entry(self.entry.fresh(), given)
        if isinstance(out, Mapping):
            out = tuple(out.values())
        for each in out if isinstance(out, tuple | list) else (out,):
            if kind_of(each) is not None and tensor(each).numel() == len(x):
                found = tensor(each).detach().reshape(-1)
                return found.double().numpy()
        got = tuple(getattr(out, "shape", ())) or type(out).__name__
        raise SubjectError(f"returns {got} for {len(x)} rows, and no number for each")

    @property
    def drawn(self) -> bool:
        """Whether its values depend on a seed."""

        def made() -> bool:
            x = self.points(modes())
            first, other = (self.values(modes(), x, steps=16, seed=s) for s in (0, 1))
            return bool((first != other).any())

        return self.kept("drawn", made)

    def estimates(
        self,
        mixture: GaussianMixture,
        x: Array,
        steps: int = STEPS,
        dtype: torch.dtype | None = None,
    ) -> Array:
        """Of data (n, d) what it returns, (n, copies): many, where it draws an estimate."""
        copies = COPIES if self.drawn else 1
        many = self.values(mixture, np.repeat(x, copies, axis=0), steps=steps, dtype=dtype)
        return many.reshape(len(x), copies)

    def reproducer(self, claim: str, finding: Finding) -> str | None:
        """A Gaussian's velocity in plain torch, where a network returns one of a straight path."""
        up = self.facts.level == "flow-up"
        if self.library or (up is False and self.facts.level != "flow-down"):
            return None
        fetched = fetching(self.name)
        if fetched is None or self.facts.prediction not in ("u", "velocity"):
            return None
        if claim not in ("likelihood-gaussian", "likelihood-runs") or self.config:
            return None
        x = self.points(gaussian())
        roles = {"model": "velocity", "state": "x", "steps": str(STEPS)}
        named = {**self.entry.called}
        if not {*named} <= {*roles} or self.entry.constructor:
            return None
        call = ", ".join(
            [f"{name}={roles[role]}" for role, name in named.items()]
            + [f"{name}={value!r}" for name, value in self.call.items()]
        )
        sign = "" if up == (self.facts.predicts in ("-u", "velocity")) else "-"
        return f'''{fetched}
mean = torch.tensor({gaussian().means[0].tolist()}).reshape({self.shape})
variance = torch.tensor({gaussian().spectra[0].tolist()}).reshape({self.shape})
x = torch.tensor({x.tolist()}).reshape({(len(x), *self.shape)})


def velocity(z, t):
    """E[x - eps | z] of data N(mean, variance), z = a x + s eps."""
    t = torch.as_tensor(t).reshape(-1, *[1] * {len(self.shape)})
    a, s = {"(t, 1 - t)" if up else "(1 - t, t)"}
    v = a**2 * variance + s**2
    away = z - a * mean
    return {sign}(mean + a * variance / v * away - s / v * away)


print("found    ", thing({call}))
print("should be", torch.distributions.Normal(mean, variance.sqrt()).log_prob(x).flatten(1).sum(1))
'''
