"""The script of one network in two forms of its output, which have to give one sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dfbench.outcome import Finding

if TYPE_CHECKING:
    from dfbench.subjects.diffusers.sampler import SchedulerSampler

FORMS = """\
import torch
{load}

size = {size}  # of the inputs: inside the range in which nothing is clipped
source = torch.Generator().manual_seed(1)
start, *clean = size * torch.randn(({most}, 1, 1, 1, 1), generator=source, dtype=torch.float64)
{small}

def run(config, exact):
    \"\"\"The states that the network sees, and the sample; at call i it returns a z + b x0.\"\"\"
    scheduler = {name}(**config)
    scheduler.set_timesteps({steps})
    scale = getattr(scheduler, "scale_model_input", lambda z, t: z)
    {generator}torch.manual_seed(0)
    times, one, seen = scheduler.timesteps, torch.ones(1, 1, 1, 1, dtype=torch.float64), []
    z = start / scale(one, times[0])
    for t, x0, (a, b) in zip(times, clean, exact):
        seen.append(scale(z, t))
        z = scheduler.step({sign}(a * seen[-1] + b * x0), t, z{stepping}).prev_sample
    return [*seen, z]


one = run({one!r}, {exact_one!r})
two = run({two!r}, {exact_two!r})
print({said!r})
for j, (a, b) in enumerate(zip(one, two)):
    print("state", j, b.item() / size, "should be", a.item() / size)
"""


def script(
    subject: SchedulerSampler,
    n: int,
    finding: Finding,
    sign: str,
    names: dict[str, Any],
    small: str,
) -> str | None:
    """The script; None where the two are not one option of the constructor apart."""
    base, other = subject.predictions[0], (finding.counterexample or {}).get("prediction")
    called = {kind: name for name, kind in subject.prediction_types.items()}
    if not subject.of_its_class or base not in called or other not in called:
        return None
    readings = [subject.affine_reading(n, prediction=kind) for kind in (base, other)]
    exact = [
        [
            tuple(float(f"{c:.12g}") for c in r.table.affine("x", r.table.prediction, level))
            for level in r.table.evaluated
        ]
        for r in readings
    ]
    amplitude = min(reading.amplitude for reading in readings)
    one, two = (subject.config | {"prediction_type": called[kind]} for kind in (base, other))
    drawn = amplitude != 1 and readings[0].table.n_draws > 0
    return FORMS.format(
        **names,
        size=amplitude,
        most=len(exact[0]) + 1,
        small=small if drawn else "",
        sign=sign,
        one=one,
        two=two,
        exact_one=exact[0],
        exact_two=exact[1],
        said=f"{called[other]} beside {called[base]}, {n} steps",
    )
