"""Scheduler classes that cannot be certified as samplers of a Gaussian state, and why."""

from __future__ import annotations

EXCLUDED = {
    "AmusedScheduler": "the state is a tensor of discrete tokens (masked-token sampling)",
    "BlockRefinementScheduler": "the state is blocks of discrete tokens",
    "VQDiffusionScheduler": "the state is categorical (a chain on discrete codes)",
    "DiscreteDDIMScheduler": "the state is discrete tokens",
    "EntropyBoundScheduler": "the state is discrete tokens, accepted by their entropy",
    "ConsistencyDecoderScheduler": "a conditional decoder with one fixed grid of two steps: a "
    "table can be read, but there is no step count to vary and no law of its own",
    "RFD4ProteinaScheduler": "needs masks of residues and a low-temperature score of its own; "
    "its noise schedule is not a function of one level",
    "RePaintScheduler": "inpainting: needs the image and its mask, and jumps back in time",
    "HeliosDMDScheduler": "the caller passes the noise, and the levels to look up, at every step",
    "PiflowScheduler": "the network returns a grid of x₀ predictions (a policy) that the "
    "scheduler integrates: not a prediction at one level",
    "ScoreSdeVeScheduler": "two functions, step_pred and step_correct, and no `step`; the "
    "corrector's size depends on norms over the batch, so it is not affine",
    "ScoreSdeVpScheduler": "one function step_pred(score, x, t) and no `step` (deprecated)",
    "KarrasVeScheduler": "a protocol of its own with explicit σ̂ (deprecated)",
}
