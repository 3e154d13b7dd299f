"""The script of `add_noise`, `scale_noise` or `get_velocity` at another level than the run's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from dfbench.outcome import Finding
from dfbench.subjects.diffusers.companions import trained_time

if TYPE_CHECKING:
    from dfbench.subjects.diffusers.sampler import SchedulerSampler

COMPANION = """\
import torch
{load}


def ready(first):
    scheduler = {new}
    {set}
{begin}    return scheduler


scheduler = ready(0)
one = torch.ones({shape}, dtype=torch.{dtype})
# step, time, and what data of 1 and noise of 1 have to give there, row by row
for first, t, of_data, of_noise in {wanted}:
{anew}    for x, noise, wanted in ((1.0, 0.0, of_data), (0.0, 1.0, of_noise)):
        try:
            found = scheduler.{call}.flatten().tolist()
        except Exception as error:
            print(type(error).__name__, error, "should not be raised")
            continue
        for got, each in zip(found, wanted):
            print({said!r}, "of", (x, noise), got, "should be", each)
"""

#: How each companion is called.
CALLS = {
    "add_noise": "add_noise(x * one, noise * one, t)",
    "scale_noise": "scale_noise(x * one, t, noise * one)",
    "get_velocity": "get_velocity(x * one, noise * one, t)",
}
UNSET = "before set_timesteps"
ROWS = "with a time a row"
BEGINS = {
    "with a begin index": "    scheduler.set_begin_index(first)\n",
    "in the middle of a run": """\
    scheduler.set_begin_index(0)
    scale = getattr(scheduler, "scale_model_input", lambda z, t: z)
    zero = torch.zeros(1, 1, 1, 1, dtype=torch.float64)
    for t in scheduler.timesteps[:first]:
        scheduler.step(scale(zero, t), t, zero{stepping})
""",
}


def script(
    subject: SchedulerSampler, n: int, finding: Finding, names: dict[str, Any]
) -> str | None:
    """What a companion gives for data alone and for noise alone, at one time after another."""
    named, at = finding.concerns or "", finding.counterexample or {}
    name, _, way = named.partition(" ")
    step, unset = at.get("step"), way.startswith(UNSET)
    if name not in CALLS or step is None or (finding.unit or "").startswith("changed"):
        return None
    session = subject.session(n)
    companion = session.companions()[named]
    rows = 2 if way == ROWS else 1
    ones = {"of vectors": 1, "of videos": 4}.get(way[-10:].strip(), 3)
    shape = (rows, *[1] * ones)
    first_call = [
        next(i for i, call in enumerate(session.calls) if call.step == s)
        for s in range(session.grid.n_steps)
    ]

    def wanted(i: int, x: float, noise: float) -> list[float | None]:
        one = torch.ones(rows, 1, 1, 1, dtype=torch.float64)
        try:
            found = companion(x * one, noise * one, i)[1].flatten().tolist()
        except Exception:  # which is the finding
            return [None] * rows
        return [float(value) for value in found]

    def line(i: int) -> str:
        calls = [first_call[(i + row) % len(first_call)] for row in range(rows)]
        time = f"scheduler.timesteps[{calls}]"
        if unset:
            kind = ", dtype=torch.int32" if way.endswith("32 bits") else ""
            time = f"torch.tensor([{trained_time(i, subject.most_steps or 1000)}]{kind})"
        return f"({calls[0]}, {time}, {wanted(i, 1.0, 0.0)!r}, {wanted(i, 0.0, 1.0)!r})"

    # one call may spoil the next, unless each has an object of its own
    steps = (step,) if unset or way in BEGINS else range(step + 1)
    begin = BEGINS.get(way, "").format(**names)
    set_ = f"scheduler.set_timesteps({names['steps']})"
    return COMPANION.format(
        set="pass  # no steps are set, as in training" if unset else set_,
        begin=begin,
        anew="    scheduler = ready(first)\n" if begin else "",
        shape=shape,
        dtype=at.get("dtype", "float64"),
        wanted="[\n    " + ",\n    ".join(map(line, steps)) + ",\n]",
        said=named,
        call=CALLS[name],
        **names,
    )
