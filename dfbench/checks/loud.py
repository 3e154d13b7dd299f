"""Does a sampler that clips do so as is published, where its input is loud?"""

from __future__ import annotations

import torch

from dfbench import predictions
from dfbench.checks.cases import at_steps, worst_of
from dfbench.checks.precision import TABLES
from dfbench.clipping import Clipping
from dfbench.draws import GaussianDraws, preserved_random_state
from dfbench.levels import Level
from dfbench.outcome import Finding, claim, judge, skip
from dfbench.readout import Call, CalledModel
from dfbench.subjects.contract import Sampler, Session
from dfbench.subjects.protocols import inputs
from dfbench.subjects.reference import MethodSampler, MethodSession
from dfbench.table import Table

STEPS = (2, 5, 10)
#: Size of states and outputs: with the first nothing is to be clipped, with the last most is.
AMPLITUDES = (1e-3, 1.0)
SHAPES = ((2, 3, 4, 5), (3, 2, 3, 4, 4))
ROW = 3.0  # the last row is this much louder: what is clipped is a row's own affair
FLOOR = 1e-5  # of the terms
NONE = skip("clips nothing")


class _Clips(MethodSession):
    """DDIM of an x̂ that is cut at 1 + size, where it says that it is cut at 1."""

    size = 0.0
    clipping = Clipping(1.0, keeps_eps=False)

    def __call__(
        self, model: CalledModel, z: torch.Tensor, generator: torch.Generator | None = None
    ) -> torch.Tensor:
        def cut(state: torch.Tensor, call: Call) -> torch.Tensor:
            c_z, c_m = predictions.affine("eps", "x", *call.own)
            x = (c_z * state + c_m * model(state, call)).clamp(-1 - self.size, 1 + self.size)
            eps: torch.Tensor = (state - call.own.alpha * x) / call.own.sigma
            return eps

        return super().__call__(cut, z, generator)


def _beyond(size: float) -> Sampler:
    def spoil(run: MethodSession) -> None:
        run.__class__ = type("Clips", (_Clips,), {"size": size})

    return MethodSampler("ddim", spoil=spoil)


@claim(
    "clipping",
    "Where the clean sample that is predicted leaves the range of the data it is clipped, or "
    "thresholded, as published (each row by itself, over all its elements), and the step is made "
    "from what is left; the preview is clipped too.",
    source="Saharia et al. 2022, 2205.11487, sec. 2.3; DDPM; DDIM eq. 12",
    control=_beyond,
    control_size=1e-1,
    formula="max |z_{j+1} − table of (z_j, clip(x̂_j))| of the terms of the step, states and "
    "outputs large enough to be clipped",
    remedy="Clip x̂, not the output of the network; threshold each row by its own quantile; make "
    "ε̂ anew from the clipped x̂ if the paper does.",
)
def clipping_check(subject: Sampler) -> Finding:
    """Every step of a loud run against the coefficients of a quiet one, applied to clipped x̂."""

    def at(n: int) -> Finding:
        if subject.session(n).clipping is None:
            return NONE
        if subject.channels is not None:
            return skip("it insists on a number of channels, which are copies here", "not asked")
        table = subject.affine_reading(n).table.convert("x")
        found = [
            (*off, shape, amplitude)
            for shape in SHAPES
            for amplitude in AMPLITUDES
            for off in _deviations(subject.session(n), table, shape, amplitude)
        ]
        off, bound, j, shape, amplitude = max(found, key=lambda each: each[0] / each[1])
        return judge(
            off,
            bound,
            unit="of the terms of the step",
            derivation="1e-5, and 16 u of what tables in float32 know of α and σ, and of 1/α in x̂",
            failing={
                "where": f"{n} steps, evaluation {j}, state of shape {shape}, outputs of size "
                f"{amplitude:g}",
                "counterexample": {"steps": n, "shape": shape, "amplitude": amplitude},
            },
        )

    return worst_of(at_steps(subject.counts(STEPS), at), NONE)


def _deviations(
    session: Session, table: Table, shape: tuple[int, ...], amplitude: float
) -> list[tuple[float, float, int]]:
    """Of each step, and of its preview, from what clipping leaves of x̂; its bound; which."""
    assert session.clipping is not None
    clip, quiet = session.clipping, inputs(shape, 4 * session.n + 16)
    given = 10 * amplitude * quiet  # of unit size for amplitude 1
    given[:, -1] *= ROW
    start, *outputs = given
    states: list[torch.Tensor] = []
    calls: list[Call] = []
    previews: list[torch.Tensor | None] = []

    def model(z: torch.Tensor, call: Call) -> torch.Tensor:
        previews.append(session.preview)
        session.preview = None
        states.append(z.detach().double().clone())
        calls.append(call)
        m: torch.Tensor = outputs[len(states) - 1].to(z.dtype).clone()
        return m

    still = GaussianDraws(lambda operation, out, seeded: torch.zeros_like(out), None)
    with torch.no_grad(), preserved_random_state(), still:
        states.append(session(model, start, torch.Generator().manual_seed(0)).double())
    previews.append(session.preview)
    if len(calls) != table.nfe:
        return [(float("inf"), FLOOR, len(calls))]
    found = [
        _clipped(session, call.own, z, m, clip)
        for call, z, m in zip(calls, states, outputs, strict=False)
    ]
    off = []
    for j, (x, gap) in enumerate(found):
        told = previews[j + 1]
        shown = 0.0 if told is None else _apart(told.double(), x, x.abs().max() + 1e-30)
        moved = _step(table, j, states, [x for x, _ in found], gap, clip)
        at, to = calls[j].own, table.levels[j + 1]
        known = (*session.precision(at), *session.precision(to), 1 / at.alpha if at.alpha else 0.0)
        bound = FLOOR + 16 * TABLES * max(known)
        off.append((max(shown, moved), bound, j))
    return off


def _clipped(
    session: Session, level: Level, z: torch.Tensor, m: torch.Tensor, clip: Clipping
) -> tuple[torch.Tensor, torch.Tensor]:
    """x̂ after clipping, and by how much ε̂ = (z − α x̂)/σ changes through it."""
    c_z, c_m = predictions.affine(session.prediction, "x", *level, sigma_data=session.sigma_data)
    x = c_z * z + c_m * m
    left = clip(x)
    return left, level.alpha * (left - x) / level.sigma


def _step(
    table: Table,
    j: int,
    states: list[torch.Tensor],
    left: list[torch.Tensor],
    gap: torch.Tensor,
    clip: Clipping,
) -> float:
    """How far the state after evaluation j is from the step made of what is left of x̂."""
    of_z = float(table.a[j + 1] / table.a[j]) if table.a[j] else 0.0
    weights = table.B[j + 1, : j + 1] - of_z * table.B[j, : j + 1]
    parts = [of_z * states[j], *(float(w) * x for w, x in zip(weights, left, strict=False))]
    size = torch.stack([part.abs().max() for part in parts]).sum()
    expected = torch.stack(parts).sum(0)
    kept = expected + of_z * table.levels[j].sigma * gap
    apart = [_apart(states[j + 1], each, size) for each in (expected, kept)]
    return min(apart) if clip.keeps_eps is None else apart[clip.keeps_eps]


def _apart(one: torch.Tensor, other: torch.Tensor, size: torch.Tensor) -> float:
    """The largest difference, of a size."""
    off = float((one - other).abs().max() / size)
    return off if off == off else float("inf")
