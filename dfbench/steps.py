"""A run as steps: each state is the one before it plus the few outputs and draws that are new.

    state_j = carry_j · state_{j−1} + Σ outputs_ji m_i + Σ draws_jk ξ_k + start_j · z_T

The rows of a table hold the same states written out in full. A step has a handful of terms however
long the run is, so that a run takes a handful of passes over memory an evaluation (`executed`), and
the weights of what went in take a handful of operations an evaluation (`followed_back`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dfbench.combining import Sums
from dfbench.levels import Array

ROUND_OFF = 8 * float(np.finfo(np.float64).eps)  # of a weight, relative to what it came from
BLOCK = 256  # rows that are taken apart together: of thousands, the intermediate results are large


@dataclass(frozen=True)
class Step:
    """state ← carry · state + Σ outputs[i] m_i + Σ draws[k] ξ_k + start · z_T."""

    carry: float
    outputs: dict[int, float]
    draws: dict[int, float]
    start: float = 0.0


def taken_apart(rows: Array, sizes: Array, negligible: float = 0.0) -> list[Step]:
    """The steps of a table.

    Entries of the size of round-off are dropped; after a state that has lost z_T the step may use
    it again.

    Args:
        rows: (E + 1, 1 + E + K), of the table.
        sizes: of the states, (E + 1,).
        negligible: weights of outputs and draws of at most this times the size of the state are
            dropped, too.
    """
    e = len(rows) - 1
    steps = []
    for begin in range(0, e + 1, BLOCK):
        now = rows[begin : begin + BLOCK]
        previous = np.vstack([rows[begin - 1] if begin else np.eye(1, rows.shape[1]), now[:-1]])
        begun = np.abs(previous[:, 0]) > ROUND_OFF * np.abs(previous).max(axis=1)
        carry = np.divide(now[:, 0], previous[:, 0], out=np.zeros(len(now)), where=begun)
        lost = np.abs(now[:, 0]) <= ROUND_OFF * np.abs(now).max(axis=1)
        start = np.where(begun | lost, 0.0, now[:, 0])
        kept = carry[:, None] * previous
        rest = now - kept
        size = sizes[begin : begin + BLOCK, None]
        small = ROUND_OFF * (np.abs(now) + np.abs(kept)) + negligible * size
        rest[np.abs(rest) <= small] = 0.0
        outputs, draws = rest[:, 1 : 1 + e], rest[:, 1 + e :]
        steps += [
            Step(float(carry[j]), _nonzero(outputs[j]), _nonzero(draws[j]), float(start[j]))
            for j in range(len(now))
        ]
    return steps


def _nonzero(weights: Array) -> dict[int, float]:
    used = np.flatnonzero(weights)
    return dict(zip(used.tolist(), weights[used].tolist(), strict=True))


def executed(
    steps: Sequence[Step],
    model: Callable[[Any, int], Any],
    z: Any,
    draws: Callable[[int], Any] | None = None,
    begin: int = -1,
    sums: Sums | None = None,
) -> Iterator[Any]:
    """The states of a run in order, the sample last, each as soon as it is there.

    A state is its holder's as long as it is held; nothing that was handed in is written to, and
    what is used up is let go of.

    Args:
        model: (state j, j) → the output of evaluation j; asked at every state but the last.
        z: the initial state, or state `begin`, which is then the first that is handed out.
        draws: k → ξ_k, each asked for once and only if it is used; None leaves the noise out.
        begin: how many of the states are there already, less one.
        sums: what adds the terms of a step.
    """
    combined = sums or Sums()
    last_use = {i: j for j, step in enumerate(steps) for i in step.outputs}
    last_draw = {k: j for j, step in enumerate(steps) for k in step.draws}
    outputs: dict[int, Any] = {}
    noise: dict[int, Any] = {}
    state = z
    for j in range(max(begin, 0), len(steps)):
        if j > begin:
            step = steps[j]
            terms = [(step.carry, state)]
            if step.start:
                terms.append((step.start, z))
            for i, weight in step.outputs.items():
                terms.append((weight, outputs[i] if last_use[i] > j else outputs.pop(i)))
            if draws is not None:
                for k, weight in step.draws.items():
                    if k not in noise:
                        noise[k] = draws(k)
                    terms.append((weight, noise[k] if last_draw[k] > j else noise.pop(k)))
            state = combined(terms)
            del terms
        yield state
        if j < len(steps) - 1:
            m = model(state, j)
            if last_use.get(j, -1) > j:
                outputs[j] = m
            del m


def followed_back(
    steps: Sequence[Step], slope: Callable[[int], Array], n_draws: int, directions: int
) -> tuple[Array, Array]:
    """What z_T (D,) and every draw (K, D) weigh in the sample under a model that is linear.

    Args:
        slope: j → ∂m/∂z of the model at evaluation j along D directions, (D,).
    """
    state, start = np.ones(directions), np.zeros(directions)
    outputs: dict[int, Array] = {}  # weights of the outputs whose evaluations are yet to come
    draws = np.zeros((n_draws, directions))
    for j in range(len(steps) - 1, -1, -1):
        step = steps[j]
        if j in outputs:
            state += outputs.pop(j) * slope(j)
        for i, weight in step.outputs.items():
            outputs[i] = outputs[i] + weight * state if i in outputs else weight * state
        for k, weight in step.draws.items():
            draws[k] += weight * state
        if step.start:
            start += step.start * state
        state *= step.carry
    return start + state, draws
