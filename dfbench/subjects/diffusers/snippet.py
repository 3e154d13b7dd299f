"""Stand-alone Python that shows a failure: the library of the subject, and nothing of dfbench.

A script runs the scheduler with outputs that are prescribed, and prints the number that is wrong
beside the one that it should be.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dfbench.outcome import Finding
from dfbench.readout import Reading
from dfbench.subjects.diffusers import (
    snippet_companions,
    snippet_dtype,
    snippet_forms,
    snippet_noise,
    snippet_protocol,
    snippet_rate,
    snippet_start,
    snippet_values,
)
from dfbench.table import Difference

if TYPE_CHECKING:
    from dfbench.subjects.diffusers.sampler import SchedulerSampler
    from dfbench.subjects.diffusers.session import SchedulerSession

RUN = """\
import torch
{load}


def run(outputs, start):
    \"\"\"The states that the network sees, and the sample.\"\"\"
    scheduler = {new}
    scheduler.set_timesteps({steps})
{begin}    scale = getattr(scheduler, "scale_model_input", lambda z, t: z)
    {generator}torch.manual_seed(0)
    one, seen = torch.ones(1, 1, 1, 1, dtype=torch.float64), []
    times = scheduler.timesteps{later}
    z = start / scale(one, times[0])  # the network sees `start`
    for i, t in enumerate(times):
        seen.append(scale(z, t))
        z = scheduler.step({sign}outputs(i, seen[-1]), t, z{stepping}).prev_sample
    return [*seen, z]


"""

COEFFICIENT = """\
size = {size}  # of the inputs: inside the range in which nothing is clipped
one = size * torch.ones(1, 1, 1, 1, dtype=torch.float64)
{noise}states = run(lambda i, z: {output} * one, {start} * one)
print({what!r}, states[{row}].item() / size, "should be", {expected!r})
"""

#: Noise that is prescribed, too: draw k is 1 and all others are 0.
NOISE = """\
draws = iter(range({most}))
torch.randn = lambda *shape, **options: float(next(draws) == {k}) * one
"""

BOOKS = """\
# all data at one point x0: the exact network, at call i, returns a z + b x0
exact = {exact!r}
size = {size}  # of the inputs: inside the range in which nothing is clipped
noise = {noise}
{draws}

def state(x0, start):
    return run(lambda i, z: exact[i][0] * z + exact[i][1] * x0, start)[{j}]


# the same noise with data and without: what is left is the mean
both = state(size, {alpha} * size + {sigma} * size * noise)
none = state(0.0, {sigma} * size * noise)
mean = (both - none).mean().item() / size
spread = (none**2).mean().sqrt().item() / size
"""

#: Noise of the same size as all other inputs.
SMALL = """\
randn = torch.randn
torch.randn = lambda *shape, **options: size * randn(*shape, **options)
"""

FOUND = {
    "bookkeeping": """\
print({what!r})
print("mean", mean, "of x0 should be", {mean!r})
print("noise", spread, "should be", {spread!r})
""",
    "level": """\
print({what!r})
print("noise over signal", spread / mean, "should be", {ratio!r})
""",
    "told-level": """\
print({what!r})
print("the network is told a time that means noise over signal", {ratio!r})
print("the state has noise over signal", spread / mean, "should be", {ratio!r})
""",
}

AFFINE = """\
source = torch.Generator().manual_seed(1)
m = {size} * torch.randn(2, {calls}, 1, 1, 1, 1, generator=source, dtype=torch.float64)
z = {size} * torch.randn(2, 1, 1, 1, 1, generator=source, dtype=torch.float64)


def state(a, b):
    return run(lambda i, seen: a * m[0][i] + b * m[1][i], a * z[0] + b * z[1])[{j}].item()


print({what!r}, "of the sum of two inputs")
print(state(1.0, 1.0), "should be", state(1.0, 0.0) + state(0.0, 1.0) - state(0.0, 0.0))
"""

COUNTS = """\
import torch
{load}

scheduler = {new}
try:
    scheduler.set_timesteps({steps})
    scale = getattr(scheduler, "scale_model_input", lambda z, t: z)
    {generator}torch.manual_seed(0)
    z = torch.full((1, 1, 1, 1), 0.3, dtype=torch.float64)
    for i, t in enumerate(scheduler.timesteps):
        z = scheduler.step({sign}torch.tanh(scale(z, t)), t, z{stepping}).prev_sample
    print("the sample is", z.item(), "should be finite")
    times = [float(t) for t in scheduler.timesteps]
{more}except Exception as error:
    print(type(error).__name__, error, "should not be raised")
"""

EVALUATIONS = '    print(len(times), "evaluations should be", {n})\n'
FALLING = """\
    for before, after in zip(times, times[1:]):
        if after >= before:
            print("time", after, "should be below", before)
"""

#: What scripts call an object that has no name.
NAMELESS = "certified"
OF_NO_NAME = f"# {NAMELESS}: the object that was certified, as nothing makes it"

GIVEN = ("times-given", "sigmas-given", "mu-given")
BOOKED = ("bookkeeping", "told-level", "landing")  # what the books of a run show


def reproducer(subject: SchedulerSampler, claim: str, finding: Finding) -> str | None:
    """The script for a finding; None where there is none that is as plain."""
    n = (finding.counterexample or {}).get("steps")
    if finding.verdict == "fail" and claim in ("law", "order"):
        return _rate(subject, claim, finding)
    if n is None or finding.verdict != "fail":
        return None
    if claim in (*snippet_protocol.ALIKE, "protocol"):
        several = subject.made_anew and subject.sets_plainly  # objects are needed
        sign = subject.sign(n) if several else None
        names = _names(subject, "n")
        return (
            None if sign is None else snippet_protocol.script(subject, claim, finding, sign, names)
        )
    if claim == "middle":
        return _middle(subject, n, finding)
    if claim in GIVEN:
        return _given(subject, n, finding)
    if not subject.sets_plainly:
        return None
    if claim in ("companions", "noising"):
        return snippet_companions.script(subject, n, finding, _names(subject, n))
    if claim == "counts" and finding.reason.startswith("set_timesteps"):
        return _counts(subject, n, "")
    if claim == "start":
        return snippet_start.script(subject, n, finding, _names(subject, n))
    sign = subject.sign(n)
    if sign is None:
        return None
    if claim in ("preview", "clipping"):
        return snippet_values.script(subject, claim, n, finding, sign, _names(subject, n))
    if claim == "dtype":
        return snippet_dtype.script(subject, n, finding, sign, _names(subject, n))
    if claim == "noise":
        return snippet_noise.script(subject, n, sign, _names(subject, n))
    if claim == "prediction-types":
        return snippet_forms.script(subject, n, finding, sign, _names(subject, n), SMALL)
    if claim == "counts":
        return _counts(subject, n, sign)
    if claim == "affine":
        amplitude = float((finding.counterexample or {}).get("amplitude", 1.0))
        return _affine(subject, n, amplitude, sign)
    if claim in ("bookkeeping", "landing", "told-level", "levels"):
        return _books(subject, n, claim, sign)
    if claim == "identity" and finding.unit == "in log σ/α":
        return _books(subject, n, "level", sign)
    return None


def coefficient(
    subject: SchedulerSampler, n: int, reading: Reading, different: Difference
) -> str | None:
    """The script that prints one coefficient of an n-step run.

    Feeds 1 where the coefficient's column is (the initial state, one model output or one draw) and
    0 everywhere else, so that the state it prints is the coefficient.
    """
    sign_of_output = subject.sign(n) if subject.sets_plainly else None
    if sign_of_output is None:
        return None
    evaluations, column = reading.table.nfe, different.column
    expected, noise, start, output = different.expected, "", "0.0", "0.0"
    if column == 0:
        start = "1.0"
    elif column <= evaluations:
        output = f"float(i == {column - 1})"
    else:
        if any(draw.operation != "randn" for draw in reading.draws):
            return None
        k, sign = _drawn(reading, column - 1 - evaluations)
        noise = NOISE.format(k=k, most=len(reading.draws) + 1)
        expected *= sign
    return _run(subject, n, sign_of_output) + COEFFICIENT.format(
        size=reading.amplitude,
        noise=noise,
        output=output,
        start=start,
        row=different.row,
        what="sample" if different.row == evaluations else f"state at evaluation {different.row}",
        expected=expected,
    )


def _drawn(reading: Reading, k: int) -> tuple[int, float]:
    """Which draw of the run is the k-th of those that are used, and with which sign."""
    weight = (
        reading.table.C / np.hypot(reading.table.levels.alpha, reading.table.levels.sigma)[:, None]
    )
    used = np.flatnonzero(np.abs(weight).max(axis=0) > 64 * 2.0**-24)
    draw = int(used[k])
    first = weight[np.argmax(np.abs(weight[:, draw]) > 64 * 2.0**-24), draw]
    return draw, -1.0 if first < 0 else 1.0


def _names(subject: SchedulerSampler, n: int | str) -> dict[str, Any]:
    """How the scheduler is imported and made, and what is passed to its calls."""
    given = ", generator=generator" if subject.takes_generator else ""
    load, name, new = _made(subject)
    return {
        "load": load,
        "name": name,
        "new": new,
        "steps": subject.steps_said(n),
        "stepping": _arguments(subject.step_options) + (subject.also or "") + given,
        "generator": "generator = " if given else "",
    }


def _made(subject: SchedulerSampler) -> tuple[str, str, str]:
    """What imports the class, the object or its maker, what it is called, and what makes it.

    An object that nothing makes is used itself, as a copy of what was replaced in it may still be
    bound to it.
    """
    module, _, name = subject.name.rpartition(":")
    if not subject.of_its_class and not subject.is_named:
        return OF_NO_NAME, NAMELESS, NAMELESS
    load, name = _imported(module, name)
    if subject.of_its_class:
        return load, name, f"{name}(**{subject.config!r})"
    return load, name, name if subject.maker is None else f"{name}(**{subject.maker!r})"


def _imported(module: str, name: str) -> tuple[str, str]:
    """What imports it, and what it is then called; what no import finds its reader has."""
    root, _, last = name.partition(".")[0], *name.rpartition(".")[1:]
    if module.endswith(".py"):
        return f"import runpy\n\n{root} = runpy.run_path({module!r})[{root!r}]", name
    if "<" in name or not hasattr(sys.modules.get(module, sys), root):
        name = last if last.isidentifier() else NAMELESS
        return f"# {name}: what was certified, as no import finds it", name
    return f"from {module} import {root}", name


def _run(subject: SchedulerSampler, n: int, sign: str) -> str:
    first = subject.session(n).first
    told = f"    scheduler.set_begin_index({first})\n" if subject.begin == "index" else ""
    later = f"[{first}:]" if first else ""
    return RUN.format(sign=sign, begin=told, later=later, **_names(subject, n))


def _middle(subject: SchedulerSampler, n: int, finding: Finding) -> str | None:
    """The books of a run that starts in the middle, in the way that fails."""
    where, sign = finding.where or "", subject.sign(n)
    asked = next((id for id in BOOKED if f", {id}: " in where), None)
    if asked is None or sign is None or not subject.sets_plainly:
        return None
    begun = subject.begun("index" if where.startswith("set_begin_index") else "times")
    assert isinstance(begun, type(subject))
    return _books(begun, n, asked, sign)


def _given(subject: SchedulerSampler, n: int, finding: Finding) -> str | None:
    """The books of a run on a grid that is given."""
    call = (finding.counterexample or {}).get("call")
    asked = next((id for id in (*BOOKED, "levels") if f", {id}: " in (finding.where or "")), None)
    if call is None or asked is None:
        return None
    return reproducer(subject.asked_to(call), asked, replace(finding, counterexample={"steps": n}))


def _rate(subject: SchedulerSampler, claim: str, finding: Finding) -> str | None:
    """The error of few and of many steps on Gaussian data."""
    sign = subject.sign(subject.counts((10,))[0]) if subject.sets_plainly else None
    if sign is None or subject.begin:
        return None
    run = RUN.format(sign=sign, begin="", later="", **_names(subject, "n"))
    return snippet_rate.script(subject, claim, finding, run, SMALL)


def _counts(subject: SchedulerSampler, n: int, sign: str) -> str:
    more = ""
    if subject.traits.evaluations == 1:
        more = EVALUATIONS.format(n=n) + ("" if subject.ascending else FALLING)
    return COUNTS.format(sign=sign, more=more, **_names(subject, n))


def _affine(subject: SchedulerSampler, n: int, amplitude: float, sign: str) -> str | None:
    """Superposition: the state of the sum of two inputs, and the sum of the states."""
    reading = subject.reading(n, amplitude=amplitude)
    if reading.violated_at is None:
        return None
    return _run(subject, n, sign) + AFFINE.format(
        size=3 * amplitude,  # some of them are large
        calls=reading.table.nfe,
        j=reading.table.nfe,
        what=f"the sample of {n} steps",
    )


def _books(subject: SchedulerSampler, n: int, claim: str, sign: str) -> str | None:
    """The mean and the noise of one state, with the exact network for data at one point."""
    reading, session = subject.affine_reading(n), subject.session(n)
    table = reading.table
    small = reading.amplitude != 1 and table.n_draws > 0
    if small and any(draw.operation != "randn" for draw in reading.draws):
        return None  # its draws would be clipped
    try:
        exact = [table.affine("x", table.prediction, level) for level in table.evaluated]
        j, mean, spread = _state(reading, session, claim)
    except (ValueError, ZeroDivisionError):
        return None
    seeded = "generator=torch.Generator().manual_seed(1)"
    drawn = f"torch.randn(1, 1, 256, 256, dtype=torch.float64, {seeded})"
    what = "sample" if j == table.nfe else f"state at evaluation {j}"
    kind = "level" if claim in ("landing", "levels") else claim
    return _run(subject, n, sign) + (BOOKS + FOUND[kind]).format(
        exact=[(float(f"{a:.12g}"), float(f"{b:.12g}")) for a, b in exact],
        size=reading.amplitude,
        noise=drawn if table.n_draws else "torch.ones(1, 1, 1, 1, dtype=torch.float64)",
        draws=SMALL if small else "",
        alpha=table.origin.alpha,
        sigma=table.origin.sigma,
        j=j,
        what=f"{what} of {n} steps",
        mean=mean,
        spread=spread,
        ratio=spread / mean if mean else float("inf"),
    )


def _state(reading: Reading, session: SchedulerSession, claim: str) -> tuple[int, float, float]:
    """Which state is wrong, and the signal and the noise that it should have."""
    table = reading.table
    if claim == "landing":
        return table.nfe, 1.0, session.cleanest
    if claim == "told-level":
        j = int(np.argmax([session.time_gap(call) for call in reading.calls]))
        told = reading.calls[j].told
        return j, told.alpha, told.sigma
    if claim == "levels":
        asked, got = session.asked(), session.grid.ratio
        if asked is None or len(asked) != len(got):
            raise ValueError("no formula")
        with np.errstate(divide="ignore", invalid="ignore"):
            gap = np.abs(np.log(got) - np.log(asked))
        step = int(np.argmax(np.where(asked == got, 0.0, gap)))
        if step == len(got) - 1:
            return table.nfe, 1.0, float(asked[-1])
        j = next(i for i, call in enumerate(reading.calls) if call.step == step)
        return j, 1.0, float(asked[step])
    if claim == "level":
        reference = session.reference()
        levels = table.levels if reference is None else reference.table.levels
        with np.errstate(divide="ignore", invalid="ignore"):
            apart = np.abs(np.log(table.levels.ratio / levels.ratio))
        j = int(np.nanargmax(apart[:-1] > 1e-5))
        return j, levels[j].alpha, levels[j].sigma
    mean, variance = table.point_response()
    off = np.maximum(
        np.abs(mean - table.levels.alpha), np.abs(np.sqrt(variance) - table.levels.sigma)
    ) / np.hypot(table.levels.alpha, table.levels.sigma)
    j = int(np.argmax(np.nan_to_num(off, nan=np.inf)))
    return j, table.levels[j].alpha, table.levels[j].sigma


def _arguments(options: dict[str, Any]) -> str:
    return "".join(f", {key}={value!r}" for key, value in options.items())
