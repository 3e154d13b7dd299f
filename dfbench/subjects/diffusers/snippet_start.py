"""The script of a first state with other noise than the network is told of."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from dfbench.outcome import Finding

if TYPE_CHECKING:
    from dfbench.subjects.diffusers.sampler import SchedulerSampler

START = """\
import torch
{load}

scheduler = {new}
scheduler.set_timesteps({steps})
one, t = torch.ones(1, 1, 1, 1, dtype=torch.float64), scheduler.timesteps[0]
scale = getattr(scheduler, "scale_model_input", lambda z, t: z)
drawn = float(scheduler.init_noise_sigma) * scale(one, t).item()
# the time told means {alpha:.6g} of the data, and noise of {sigma:.6g}
print("the first state that the network sees has deviation", drawn, "should be", {wanted!r})
"""


def script(
    subject: SchedulerSampler, n: int, finding: Finding, names: dict[str, Any]
) -> str | None:
    """The script; None where nothing says how the start is drawn, or where it is drawn right."""
    session, told = subject.session(n), subject.reading(n).calls[0].told
    if session.start is None or finding.unit != "of the state's size":
        return None
    low, high = told.sigma, math.hypot(*told)
    wanted = low if math.sqrt(session.start) < low else high
    return START.format(alpha=told.alpha, sigma=told.sigma, wanted=float(wanted), **names)
