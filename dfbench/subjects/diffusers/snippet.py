"""Stand-alone Python that prints one coefficient of a scheduler's run."""

from __future__ import annotations

from typing import Any

from dfbench.readout import Reading
from dfbench.table import Difference

TEMPLATE = """\
import torch
from {module} import {name}

scheduler = {name}(**{config!r})
scheduler.set_timesteps({n}{setting})
scale = getattr(scheduler, "scale_model_input", lambda z, t: z)
size = {size}  # of the inputs: inside the range in which nothing is clipped
one = size * torch.ones(1, 1, 1, 1, dtype=torch.float64)
z = {start} * one * size / scale(one, scheduler.timesteps[0])  # the network sees {start}
for i, t in enumerate(scheduler.timesteps):
    seen = scale(z, t)
    if i == {row}:
        print(seen.item() / size, "should be", {expected!r})
    z = scheduler.step({output} * one, t, z{stepping}).prev_sample
print(z.item() / size, "is the sample"{last})
"""


def coefficient(
    subject: str,
    config: dict[str, Any],
    setting: dict[str, Any],
    stepping: dict[str, Any],
    n: int,
    reading: Reading,
    different: Difference,
) -> str | None:
    """The script; None for the weight of a draw, which takes substituting the noise.

    Feeds 1 where the coefficient's column is (the initial state, or one model output) and 0
    everywhere else, so that the state it prints is the coefficient.
    """
    module, _, name = subject.rpartition(":")
    evaluations = reading.table.nfe
    if different.column > evaluations or module.endswith(".py"):
        return None
    initial = different.column == 0
    sampled = different.row == evaluations
    return TEMPLATE.format(
        module=module,
        name=name,
        config=config,
        n=n,
        size=reading.amplitude,
        setting=_arguments(setting),
        stepping=_arguments(stepping),
        start="1.0" if initial else "0.0",
        output="0.0" if initial else f"float(i == {different.column - 1})",
        row=-1 if sampled else different.row,
        expected=different.expected,
        last=f', "should be", {different.expected!r}' if sampled else "",
    )


def _arguments(options: dict[str, Any]) -> str:
    return "".join(f", {key}={value!r}" for key, value in options.items())
