"""sbi: the losses that its score and flow-matching estimators are trained with.

Without the control variate, which is zero in the mean and not for a network of one's own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import torch

from dfbench.subjects.loops import Loop, Loops

_FLOW = "FlowMatchingEstimator"
#: name → class, and what is declared of it.
_LOSSES: dict[str, tuple[str, dict[str, Any]]] = {
    "vp": ("VPScoreEstimator", {"predicts": "score"}),
    "sub_vp": ("SubVPScoreEstimator", {"predicts": "score"}),
    "ve": ("VEScoreEstimator", {"predicts": "score"}),
    "flow": (_FLOW, {"predicts": "u"}),
}


class SBI(Loops):
    name = "sbi"
    word = "loss"
    module = "sbi.neural_nets.estimators.score_estimator"

    def loops(self) -> dict[str, Loop]:
        return {
            name: Loop(
                partial(_made, cls), {"kind": "loss", "level": partial(level, cls), **claims}
            )
            for name, (cls, claims) in _LOSSES.items()
        }


def _estimator(cls: str, size: int) -> Any:
    from sbi.neural_nets.estimators import flowmatching_estimator, score_estimator

    module = flowmatching_estimator if cls == _FLOW else score_estimator
    return getattr(module, cls)(torch.nn.Identity(), torch.Size([size]), torch.Size([1]))


def level(cls: str, time: float) -> tuple[float, float]:
    """(α, σ) of an estimator as released; the state of flow matching has `noise_scale` more."""
    made = _estimator(cls, 1)
    t = torch.tensor([time], dtype=torch.float64)
    if cls == _FLOW:
        return 1 - time, time + made.noise_scale
    return float(made.mean_t_fn(t)), float(made.std_fn(t))


def _made(cls: str, module: ModuleType) -> Callable[..., torch.Tensor]:
    """The loss of a network that returns the score, or the velocity, itself."""

    def loss(model: Callable[..., torch.Tensor], x: torch.Tensor) -> torch.Tensor:
        flat = x.reshape(len(x), -1)
        made = _estimator(cls, flat.shape[1])
        mean, std = 0.0, 1.0

        def asked(state: torch.Tensor, condition: Any, time: torch.Tensor) -> torch.Tensor:
            out = model(state.reshape(x.shape), time).reshape(flat.shape)
            return (out - mean) / std

        if cls == _FLOW:
            mean, std = made._get_velocity_normalization()  # of what its network returns
            made._get_time_dependent_stats = lambda t: (0.0, 1.0)
            del made.net  # no module: a function of state, condition and time
            made.net = asked
        else:
            made.forward = asked
        out: torch.Tensor = made.loss(flat, torch.zeros(len(x), 1), control_variate=False)
        return out.mean()

    return loss


LIBRARY = SBI()
