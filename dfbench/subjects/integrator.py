"""A velocity with somebody's integrator as a subject: steps of its own choice, no table of them.

What takes its steps on a grid is a sampler, and certified as one. Here the network is exact for a
mixture, and the end is held to the exact flow.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch

from analytic import GaussianMixture, flow_map
from dfbench.draws import preserved_random_state
from dfbench.errors import SubjectError, Unsupported
from dfbench.levels import Array
from dfbench.subjects.blamed import blamed
from dfbench.subjects.entry import Entry
from dfbench.subjects.facts import Facts
from dfbench.subjects.foreign import kind_of, tensor
from dfbench.subjects.function import FunctionSubject
from dfbench.subjects.mixture_network import MixtureNetwork
from dfbench.subjects.network import Network
from dfbench.subjects.roles import parameters

DIM, ROWS = 3, 8
TOLERANCES = ("rtol", "atol", "tol", "tolerance")
STEPS = 64
USUAL = 1e-4


def mixture() -> GaussianMixture:
    """Two modes, one of them narrow."""
    means = [[-1.0, 0.5, 0.0], [1.0, -0.5, 0.3]]
    return GaussianMixture.diagonal([0.4, 0.6], means, [[0.1, 0.3, 0.5], [0.4, 0.2, 0.3]])


@dataclass(frozen=True, eq=False)
class Ran:
    """A run: where it ended, and the times that the network was told."""

    end: torch.Tensor
    told: Array


class Constant(Network):
    """Returns one vector, whatever it is asked."""

    def __init__(self, value: torch.Tensor, shape: tuple[int, ...]) -> None:
        super().__init__(self._answer, shape)
        self.value = value

    def _answer(self, state: torch.Tensor, time: float) -> torch.Tensor:
        return self.value.expand_as(state).to(state.dtype)


class IntegratorSubject(FunctionSubject):
    """An integrator under certification.

    Attributes:
        facts: what its network returns and what times mean.
        tolerances: the arguments that say how near it is to be; empty: there are none.
    """

    kind = "integrator"

    def settle(self) -> None:
        assert self.declared is not None
        known = {f.name for f in fields(Facts)}
        given = {**self.declared.facts, **self.declared.conventions}
        self.facts = Facts(**{k: v for k, v in given.items() if k in known})
        self.known = self.facts.map is not None and "predicts" in given
        # a class was constructed already
        self.entry = Entry(self.thing, self.name, self.facts.roles, {}, self.call, "")
        there = parameters(self.entry._callee)
        self.tolerances = [n for n in TOLERANCES if n in there and n not in self.call]

    @property
    def usual(self) -> float | None:
        """The tolerance of a run that is not about it."""
        return USUAL if self.tolerances else None

    @property
    def ends(self) -> tuple[float, float]:
        """The first and the last time of a run, from noise to data.

        Raises:
            Unsupported: nobody says what times mean.
        """
        if not self.known:
            raise Unsupported(
                "nobody says what its network returns and what times mean: declare `predicts` and "
                "`level`"
            )
        times = self.facts.times(1)
        last = times[-1] if self.facts.lands is None else self.facts.lands
        return float(times[0]), float(last)

    def starts(self, n: int = ROWS) -> Array:
        """States at the first time, (n, d)."""
        alpha, sigma = self.facts.at(self.ends[0])
        made: Array = mixture().diffused(alpha, sigma).sample(n, np.random.default_rng(self.seed))
        return made

    def exact(self, z: Array) -> Array:
        """Where the exact flow carries states, (n, d)."""
        first, last = (self.facts.at(t) for t in self.ends)
        made: Array = flow_map(mixture(), z, (*first,), (*last,)).z
        return made

    def run(
        self,
        z: Array,
        tolerance: float | None = None,
        *,
        steps: int = STEPS,
        dtype: torch.dtype = torch.float64,
        constant: torch.Tensor | None = None,
    ) -> Ran:
        """A run from states (n, d).

        Args:
            tolerance: for every argument that says one; None: those that it has by itself.
            constant: what the network returns, in place of what is exact.

        Raises:
            SubjectError: it breaks, or returns no states.
        """
        ends = self.ends
        network: Network = MixtureNetwork(mixture(), self.facts, (DIM,))
        if constant is not None:
            network = Constant(constant, z.shape)
        given = {
            "model": network,
            "state": torch.tensor(z, dtype=dtype),
            "steps": steps,
            "times": torch.tensor(ends, dtype=dtype),
            "sigmas": torch.tensor(ends, dtype=dtype),
            "generator": torch.Generator().manual_seed(self.seed),
        }
        before = self.entry.call
        if tolerance is not None:
            self.entry.call = before | dict.fromkeys(self.tolerances, tolerance)
        try:
            with blamed("it"), preserved_random_state():
                torch.manual_seed(self.seed)
                out = self.entry(self.entry.fresh(), given)
        finally:
            self.entry.call = before
        told = np.array(getattr(network, "told", []))
        return Ran(_end(out, z.shape), told)


def _end(out: Any, shape: tuple[int, ...]) -> torch.Tensor:
    """The last state of what comes out: a state, or all of them in order.

    Raises:
        SubjectError: there is none.
    """
    if isinstance(out, Mapping):
        out = tuple(out.values())
    for each in out if isinstance(out, tuple) else (out,):
        with contextlib.suppress(IndexError, KeyError):
            last = each[-1] if isinstance(each, list) else each
            if kind_of(last) is None:
                continue
            found = tensor(last).detach()
            if tuple(found.shape) == shape:
                return found
            if tuple(found.shape[1:]) == shape:
                return found[-1]
    got = tuple(getattr(out, "shape", ())) or type(out).__name__
    raise SubjectError(f"returns {got} for states of shape {shape}")
