"""The script of a run that is not the plain run: under a protocol, a second time, in a batch.

The scheduler runs twice on the same inputs, its noise among them, element by element; the second
time plainly, with one row more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dfbench.outcome import Finding
from dfbench.protocols import ANOTHER, COPY, ORIGINAL, PLAIN, Protocol

if TYPE_CHECKING:
    from dfbench.subjects.diffusers.sampler import SchedulerSampler

TWICE = """\
import copy

import torch
{load}

shape, n = {shape}, {n}
rows, randn, noise, again = shape[0], torch.randn, [], False


def drawn(*size, generator=None, dtype=None, **options):
    \"\"\"Noise, which the first run leaves to the second: number by number.\"\"\"
    size = torch.Size(size if isinstance(size[0], int) else size[0])
    own = randn(size, generator=generator, dtype=torch.float64).flatten()
    if again:  # with a row more than there was
        kept = size.numel() * rows // (rows + 1)
        own[:kept] = torch.tensor([noise.pop(0) for _ in range(kept)])
    else:
        noise.extend(own.tolist())
    return own.reshape(size).to(dtype or torch.get_default_dtype())


torch.randn = drawn
torch.randn_like = lambda z, **options: drawn(z.shape, dtype=z.dtype)


def own(t, z):
    return t


def run(scheduler, inputs, n, generator, told=own, middle=None, begin=0, stop=None, **more):
    \"\"\"The states that the network sees, and the sample, on outputs that are prescribed.\"\"\"
    if not begin:
        scheduler.set_timesteps({steps})
    times, one = scheduler.timesteps, torch.ones(1, 1, 1, 1, dtype=torch.float64)
    scale = getattr(scheduler, "scale_model_input", lambda z, t: z)
    z, seen = inputs[0] if begin else inputs[0] / scale(one, times[0]).item(), []
    for i, t in list(enumerate(times))[begin:stop]:
        if middle and i == len(times) // 2:
            scheduler = middle(scheduler)
        seen.append(scale(z, told(t, z)))
        out = scheduler.step({sign}inputs[1 + i], told(t, z), z{stepping}, **more)
        z = out[0] if isinstance(out, tuple) else out.prev_sample
    return [*seen, z]


def normal(seed, shape=shape):
    \"\"\"A start, and what the network returns, call by call.\"\"\"
    source = torch.Generator().manual_seed(seed)
    return 0.1 * randn(({most}, *shape), generator=source, dtype=torch.float64)


def generators():
    return {generators}


scheduler, inputs = {new}, normal(0)
{before}{middle}
try:
    states = run(scheduler, inputs, n, generators(){told}{how})
except Exception as error:
    print(type(error).__name__, error, "should not be raised")
else:
    again, flat = True, inputs.flatten(2)
    row = 0.5 * flat[:, :1].flip(-1)
    plain = torch.cat([flat, row], 1)[..., None, None]
    others = run({new}, plain, n, torch.Generator().manual_seed(0))
    off = max(
        float((a.flatten() - b[:rows].flatten()).abs().max() / b.abs().max())
        for a, b in zip(states, others, strict=True)
    )
    print({said!r}, "its states are off by", off, "should be", 0.0)
"""

GENERATORS = {
    "one": "torch.Generator().manual_seed(5)",
    "none": "None",
    "one a row": "[torch.Generator().manual_seed(5 + r) for r in range(rows)]",
}
TOLD = {
    "own": "",
    "number": ", told=lambda t, z: t.item()",
    "row": ", told=lambda t, z: torch.as_tensor(t).expand(len(z)).clone()",
}
#: What the same object was used for before: other inputs, number of steps, last call.
BEFORE = {
    "the same run": "run(scheduler, normal(1), n, generators())\n",
    "a longer run": "run(scheduler, normal(1), n + 3, generators())\n",
    "a shorter run": "run(scheduler, normal(1), max(1, n - 3), generators())\n",
    "an aborted run": "run(scheduler, normal(1), n, generators(), stop={half})\n",
    "a run of another shape": "run(scheduler, normal(1, [size + 1 for size in shape]), n, "
    "torch.Generator())\n",
}
MIDDLE = """\


def middle(scheduler):
    \"\"\"{said}.\"\"\"
    kept = list(noise)
    {does}
    noise[:] = kept
    return scheduler


"""
DOES = {
    COPY: "scheduler = copy.deepcopy(scheduler)",
    ORIGINAL: "run(copy.deepcopy(scheduler), normal(2), n, generators(), begin={half})",
    ANOTHER: "run({new}, normal(2), n, generators())",
}
#: Claims on runs of the usual shape that a protocol tells as well.
ALIKE = {
    "state": Protocol(7, (4, 2, 4, 4), before="the same run"),
    "row-independence": Protocol(7, (4, 2, 4, 4)),
}
RECORDED = ("randn", "randn_like")  # what a script can replace


def script(
    subject: SchedulerSampler, claim: str, finding: Finding, sign: str, names: dict[str, Any]
) -> str | None:
    """The script for a protocol that fails; None where the draws cannot be handed over."""
    protocol = ALIKE.get(claim) or Protocol(**(finding.counterexample or {}))
    if any(d.operation not in RECORDED for d in subject.reading(protocol.steps).draws):
        return None
    if not names["generator"] and protocol.generator != "one":
        return None
    calls = len(subject.session(protocol.steps).calls)
    values = {"half": calls // 2, **names}
    middle = protocol.meanwhile != PLAIN.meanwhile
    does = DOES[protocol.meanwhile].format(**values) if middle else ""
    before = BEFORE.get(protocol.before, "").format(**values)
    if before:
        before = f"try:\n    {before}except Exception as error:\n    print(error)\nnoise.clear()\n"
    how = ", middle=middle" if middle else ""
    how += ", return_dict=False" if protocol.returns == "tuple" else ""
    return TWICE.format(
        **names,
        shape=protocol.shape,
        n=protocol.steps,
        most=4 * protocol.steps + 16,
        sign=sign,
        generators=GENERATORS[protocol.generator],
        told=TOLD[protocol.time],
        before=before,
        middle=MIDDLE.format(said=protocol.meanwhile, does=does) if middle else "",
        how=how,
        said=str(protocol),
    )
