"""Is the clean sample that a step offers besides the one of its state and output?"""

from __future__ import annotations

import torch

from dfbench import predictions
from dfbench.checks.cases import at_steps, worst_of
from dfbench.draws import GaussianDraws, preserved_random_state
from dfbench.errors import Undefined
from dfbench.levels import Level
from dfbench.outcome import Finding, claim, judge, skip
from dfbench.protocols import PLAIN
from dfbench.readout import Call, CalledModel
from dfbench.subjects.contract import Sampler, Session
from dfbench.subjects.protocols import inputs
from dfbench.subjects.reference import MethodSampler, MethodSession

STEPS = (1, 3, 10)
BOUND = 1e-4  # of the terms of x̂: levels in float32, which 1 − ᾱ and 1 − σ lose digits of
QUIET = 1e-6  # of states and outputs, so that x̂ of the noisiest is inside every clipping range
NONE = skip("a step offers no preview of the clean sample")


class _Previewed(MethodSession):
    """Offers x̂ of every state and output, off by the factor 1 + size."""

    size = 0.0

    def __call__(
        self, model: CalledModel, z: torch.Tensor, generator: torch.Generator | None = None
    ) -> torch.Tensor:
        def shown(state: torch.Tensor, call: Call) -> torch.Tensor:
            m = model(state, call)
            c_z, c_m = predictions.affine(self.prediction, "x", *call.own)
            self.preview = (1 + self.size) * (c_z * state + c_m * m)
            return m

        return super().__call__(shown, z, generator)


def _off(size: float) -> Sampler:
    def spoil(run: MethodSession) -> None:
        run.__class__ = type("Previewed", (_Previewed,), {"size": size})

    return MethodSampler("ddim", spoil=spoil)


@claim(
    "preview",
    "The clean sample that a step returns beside the next state (`pred_original_sample`, or the "
    "second of a tuple) is x̂ = (z − σ ε̂)/α of the state and the output it was given.",
    source="DDIM eq. 9; PEERS: conversions",
    control=_off,
    control_size=1e-2,
    harm="interface",
    formula="max |preview − (z − σ ε̂)/α| of its terms, at every step",
    remedy="Make the preview from the state and the output of this step, at this step's level, "
    "before the state is moved.",
)
def preview_check(subject: Sampler) -> Finding:
    """Every preview of a run on prescribed outputs, inside every clipping range."""

    def at(n: int) -> Finding:
        session = subject.session(n)
        found = _seen(session)
        if not found:
            return NONE
        worst, where = 0.0, ""
        for i, (call, z, m, preview) in enumerate(found):
            off = _deviation(session, call.own, z, m, preview)
            if not off <= worst:
                worst, where = off, f"{n} steps, evaluation {i} (step {call.step})"
        return judge(
            worst,
            BOUND,
            unit="of the terms of x̂",
            derivation="levels are kept in float32",
            failing={"where": where, "counterexample": {"steps": n}},
        )

    return worst_of(at_steps(subject.counts(STEPS), at), NONE)


Seen = tuple[Call, torch.Tensor, torch.Tensor, torch.Tensor]


def _seen(session: Session) -> list[Seen]:
    """Of every step that has a preview: call, state, output and preview."""
    start, *outputs = QUIET * inputs(PLAIN.shape, 4 * session.n + 16)
    given: list[tuple[Call, torch.Tensor, torch.Tensor]] = []
    previews: list[torch.Tensor | None] = []

    def model(z: torch.Tensor, call: Call) -> torch.Tensor:
        if given:
            previews.append(session.preview)
        m = outputs[len(given)].to(z.dtype)
        given.append((call, z.detach().clone(), m))
        session.preview = None
        shown: torch.Tensor = m.clone()
        return shown

    still = GaussianDraws(lambda operation, out, seeded: torch.zeros_like(out), None)
    with torch.no_grad(), preserved_random_state(), still:
        session(model, start, torch.Generator().manual_seed(0))
    previews.append(session.preview)
    pairs = zip(given, previews, strict=True)
    return [(*seen, preview) for seen, preview in pairs if preview is not None]


def _deviation(
    session: Session, level: Level, z: torch.Tensor, m: torch.Tensor, preview: torch.Tensor
) -> float:
    """Of the size of the terms of x̂; none where x̂ does not exist."""
    if preview.shape != z.shape:
        return float("inf")
    try:
        c_z, c_m = predictions.affine(
            session.prediction, "x", *level, sigma_data=session.sigma_data
        )
    except (Undefined, ValueError):
        return 0.0
    size = abs(c_z) * z.abs().max() + abs(c_m) * m.abs().max()
    off = (preview.double() - (c_z * z + c_m * m)).abs().max() / size
    return float(off) if bool(off.isfinite()) else float("inf")
