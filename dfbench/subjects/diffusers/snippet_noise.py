"""The script of noise that is not the caller's: seeds, the global state, and what was drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dfbench.subjects.diffusers.snippet_protocol import RECORDED

if TYPE_CHECKING:
    from dfbench.subjects.diffusers.sampler import SchedulerSampler

SEEDS = """\
import numpy as np
import torch
{load}

size, draws = (16, 1, 16, 16), []
randn, randn_like = torch.randn, torch.randn_like


def kept(draw):
    def kept_draw(*of, **options):
        made = draw(*of, **options)
        draws.append(made.double())
        return made

    return kept_draw


torch.randn, torch.randn_like = kept(randn), kept(randn_like)


def run(seed, outside):
    \"\"\"The sample, and whether the global random state is another after it.\"\"\"
    scheduler = {new}
    scheduler.set_timesteps({steps})
    scale = getattr(scheduler, "scale_model_input", lambda z, t: z)
    draws.clear()
    {generator}torch.Generator().manual_seed(seed)
    torch.manual_seed({seed})
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    z = torch.zeros(size, dtype=torch.float64)
    for t in scheduler.timesteps:
        z = scheduler.step({sign}torch.tanh(scale(z, t)), t, z{stepping}).prev_sample
    same = torch.equal(before[0], torch.get_rng_state())
    return z, not (same and (before[1] == np.random.get_state()[1]).all())


(third, _), (second, _), (first, touched) = run(2, 2), run(1, 3), run(1, 1)
print("another seed changes the sample", int(not torch.equal(first, third)), "should be", {drawn})
print("the same seed changes the sample", int(not torch.equal(first, second)), "should be", 0)
{touched}# six deviations of each mean are allowed
for k, draw in enumerate(draws):
    if draw.numel() != third.numel():
        print("numbers of draw", k, draw.numel(), "should be", third.numel())
        continue
    n, rows = draw.numel(), draw.reshape(size)
    # what is found, what it should be, and its deviation times the root of n
    means = {{
        "mean": (draw.mean().item(), 0.0, 1.0),
        "variance": ((draw**2).mean().item(), 1.0, 2.0**0.5),
        "correlation of rows": ((rows[:-1] * rows[1:]).mean().item(), 0.0, (16 / 15) ** 0.5),
    }}
    for j, other in enumerate(draws[:k]):
        if other.numel() == n:
            both = (draw.flatten() * other.flatten()).mean().item()
            means[f"correlation with draw {{j}}"] = (both, 0.0, 1.0)
    for what, (found, wanted, spread) in means.items():
        if not abs(found - wanted) < 6 * spread / n**0.5:
            print("draw", k, what, found, "should be", wanted)
"""
#: What takes no generator draws from the global state.
TOUCHED = 'print("the global random state changes", int(touched), "should be", 0)\n'


def script(subject: SchedulerSampler, n: int, sign: str, names: dict[str, Any]) -> str | None:
    """The script; None where draws are made in another way, as by a Brownian path."""
    reading = subject.reading(n)
    if any(draw.operation not in RECORDED for draw in reading.draws):
        return None
    takes = bool(names["generator"])
    return SEEDS.format(
        **{**names, "generator": names["generator"] or "_ = "},
        sign=sign,
        drawn=int(subject.traits.stochastic),
        seed="outside" if takes else "seed",
        touched=TOUCHED if takes else "",
    )
