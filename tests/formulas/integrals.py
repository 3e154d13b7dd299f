"""Solvers as what they are: the outputs interpolated, and their integral, here by quadrature.

In λ = log(α/σ) (half the log-SNR, as in the solvers' papers) the reverse SDE with score term
½ (1 + η) g² and noise √η g is, over a step of length h from s to t,

    x:  z_t = (σ_t/σ_s) e^{−ηh} z_s + (1 + η) α_t ∫ e^{−(1+η)(λ_t−λ)} x̂ dλ + σ_t √(1 − e^{−2ηh}) ξ,
    ε:  z_t = (α_t/α_s) z_s − (1 + η) σ_t ∫ e^{λ_t−λ} ε̂ dλ + √η σ_t √(e^{2h} − 1) ξ,

and methods differ in the polynomial that they put for the output, and in its variable. Nothing is
taken from the package's own weights (2206.00927, 2211.01095, 2204.13902, 2302.04867, 2309.05019).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from itertools import pairwise
from math import log
from typing import Any

import numpy as np

from dfbench.levels import Array, Grid, Level
from dfbench.samplers.method import Output

_ROOTS, _WEIGHTS = np.polynomial.legendre.leggauss(40)
Past = list[tuple[float, Any]]  # (λ, output), the newest first
#: variable of the polynomial, as a function of λ; t is that of the cosine schedule
VARIABLES: dict[str, Callable[[Any], Any]] = {
    "lam": lambda v: v,
    "rho": lambda v: np.exp(-v),
    "t": lambda v: 2 / np.pi * np.arctan(np.exp(-v)),
}


def half(level: Level) -> float:
    """log(α/σ), half the log-SNR."""
    return log(level.alpha / level.sigma)


def between(s: Level, t: Level, r: float) -> Level:
    """The variance-preserving level at the fraction r of the step from s to t in λ."""
    lam = half(s) + r * (half(t) - half(s))
    return Level((1 + np.exp(-2 * lam)) ** -0.5, (1 + np.exp(2 * lam)) ** -0.5)


@dataclass(frozen=True)
class Integral:
    """The rule of one step.

    Attributes:
        kind: "x" or "eps", what is interpolated.
        eta: η of the SDE.
        variable: of the polynomial.
        pair: where two outputs are used, the weight of the slope is ½ B(h) with B = h ("bh1") or
            its exponential ("bh2", the midpoint rule); None takes the exact integral.
        halved: the second derivative of three outputs counts half, as in released code.
        s_noise: factor on ξ.
    """

    kind: str
    eta: float = 0.0
    variable: str = "lam"
    pair: str | None = None
    halved: bool = False
    s_noise: float = 1.0

    def output(self, out: Output) -> Any:
        return out.x if self.kind == "x" else out.eps

    def __call__(self, z: Any, s: Level, t: Level, past: Past, xi: Any = None) -> Any:
        """z_t from z_s with the polynomial through the outputs `past`, one of them at s.

        From pure noise h = ∞, and the newest output alone is left.
        """
        if s.alpha == 0:
            fresh = 1 / s.sigma * z if xi is None else self.s_noise * xi
            return t.alpha * past[0][1] + t.sigma * fresh
        a, b, more = half(s), half(t), 1 + self.eta
        h = b - a
        v = (a + b) / 2 + h / 2 * _ROOTS
        if self.kind == "x":
            carry, unit = t.sigma / s.sigma * np.exp(-self.eta * h), more * t.alpha
            density, bend = np.exp(-more * (b - v)), (1 - np.exp(-more * h)) / more
            std = t.sigma * (1 - np.exp(-2 * self.eta * h)) ** 0.5
        else:
            carry, unit = t.alpha / s.alpha, -more * t.sigma
            density, bend = np.exp(b - v), np.exp(h) - 1
            std = self.eta**0.5 * t.sigma * (np.exp(2 * h) - 1) ** 0.5
        density = h / 2 * _WEIGHTS * density
        pair = self.pair and len(past) == 2
        if self.variable != "t":  # an output at pure noise lies infinitely far back
            past = [one for one in past if np.isfinite(one[0])]
        if pair and len(past) == 2:
            (_, here), (other, there) = sorted(past, key=lambda one: abs(one[0] - a))
            slope = h / (other - a) * (there - here)
            half_b = 0.5 * (bend if self.pair == "bh2" else h)
            step = float(density.sum()) * here + float(half_b) * slope
        else:
            step = sum(
                float(w) * m
                for w, (_, m) in zip(self._weights(v, density, past), past, strict=True)
            )
        z = float(carry) * z + float(unit) * step
        return z if xi is None else z + self.s_noise * float(std) * xi

    def _weights(self, v: Array, density: Array, past: Past) -> list[Any]:
        """∫ density · l_j of the Lagrange polynomials through the outputs."""
        place = VARIABLES[self.variable]
        x, nodes = place(v), [place(u) for u, _ in past]
        total = []
        for j, node in enumerate(nodes):
            others = nodes[:j] + nodes[j + 1 :]
            total.append(density @ np.prod([x**0, *((x - w) / (node - w) for w in others)], axis=0))
            if self.halved and len(past) == 3:
                second = (v - past[0][0]) ** 2 / np.prod([node - w for w in others])
                total[-1] -= density @ second / 2
        return total


def adams(
    step: Integral,
    outputs: int,
    corrector: int = 0,
    final: str = "",
    etas: Callable[[Grid], list[float]] | None = None,
    uncorrected: Collection[int] = (),
) -> Any:
    """Multistep: through the last outputs, then through the next one too, which corrects.

    Args:
        outputs, corrector: outputs that predictor and corrector use (0: none).
        final: "falling": the number falls to one towards the last step; "euler": the last step
            has one.
        etas: η of every step, where it changes.
        uncorrected: steps that are left as they were predicted.
    """

    def method(model: Any, z: Any, levels: Grid, noise: Any) -> Any:
        past: Past = []
        start, before, xi = z, levels[0], None
        n = levels.n_steps
        rules = [replace(step, eta=each) for each in etas(levels)] if etas else [step] * n
        for i, (s, t) in enumerate(levels.steps()):
            out = model(z, s)
            past = [(half(s) if s.alpha else -np.inf, step.output(out)), *past]
            if i and corrector and i - 1 not in uncorrected:
                used = min(corrector, i + 1, n - i + 2 if final == "falling" else n)
                z = rules[i - 1](start, before, s, past[:used], xi)
            start, before = z, s
            xi = (noise() if step.s_noise else 0 * z) if rules[i].eta else None
            if not s.alpha:
                z = t.alpha * out.x + t.sigma * (out.eps if xi is None else step.s_noise * xi)
                continue
            used = {"falling": n - i, "euler": 1 if i == n - 1 else n}.get(final, n)
            z = rules[i](z, s, t, past[: min(outputs, used)], xi)
        return z

    return method


def stages(step: Integral, blocks: Callable[[Grid], list[list[Level]]], exact: bool) -> Any:
    """Singlestep: stages at inner levels, each from the start of the step.

    Args:
        blocks: the levels s, s_1, …, t of every step.
        exact: the last takes the polynomial through all outputs, and not the slope between the
            first and the last of them.
    """

    def method(model: Any, z: Any, levels: Grid, noise: Any) -> Any:
        for s, *inner, t in blocks(levels):
            past: Past = [(half(s), step.output(model(z, s)))]
            for u in inner:
                out = step.output(model(step(z, s, u, past), u))
                past = [*past, (half(u), out)]
            used = past if exact or len(past) < 3 else [past[0], past[-1]]
            last = Integral(step.kind) if exact or len(past) > 2 else step
            z = last(z, s, t, used)
        return z

    return method


def landing(method: Any) -> Any:
    """A method that takes its last step by itself: onto clean data, α_t x̂ of the state there."""

    def landed(model: Any, z: Any, levels: Grid, noise: Any) -> Any:
        times = None if levels.t is None else levels.t[:-1]
        before = Grid(levels.alpha[:-1], levels.sigma[:-1], times, levels.schedule)
        z = method(model, z, before, noise)
        return levels[-1].alpha * model(z, levels[-2]).x

    return landed


def inside(*fractions: float) -> Callable[[Grid], list[list[Level]]]:
    """Every interval is a step, with inner levels at fractions of it, variance preserving."""

    def blocks(levels: Grid) -> list[list[Level]]:
        return [[s, *(between(s, t, r) for r in fractions), t] for s, t in levels.steps()]

    return blocks


def taking(*orders: int) -> Callable[[Grid], list[list[Level]]]:
    """The steps take these numbers of intervals: an evaluation at every level of the grid."""

    def blocks(levels: Grid) -> list[list[Level]]:
        ends = np.cumsum([0, *orders])
        return [list(levels)[a : b + 1] for a, b in pairwise(ends)]

    return blocks
