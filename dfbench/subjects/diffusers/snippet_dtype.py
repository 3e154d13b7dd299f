"""The script of a run in another dtype: each step beside the same step in float64."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dfbench.outcome import Finding
from dfbench.subjects.diffusers.snippet_protocol import RECORDED

if TYPE_CHECKING:
    from dfbench.subjects.diffusers.sampler import SchedulerSampler

STEPWISE = """\
import torch
{load}

dtype, randn = torch.{dtype}, torch.randn
source = torch.Generator().manual_seed(0)
inputs = 0.25 * randn(({most}, 4, 2, 4, 4), generator=source, dtype=torch.float64).to(dtype)


def drawn(*size, dtype=None, **options):
    \"\"\"The same noise in every dtype.\"\"\"
    size = size if isinstance(size[0], int) else size[0]
    same = randn(size, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    return same.to(torch.{dtype}).to(dtype or torch.get_default_dtype())


torch.randn = drawn
torch.randn_like = lambda z, **options: drawn(*z.shape, dtype=z.dtype)
scheduler, twin = {new}, {new}  # the twin sees the same in float64
for each in (scheduler, twin):
    each.set_timesteps({steps})
scale = getattr(scheduler, "scale_model_input", lambda z, t: z)
scaled = getattr(twin, "scale_model_input", lambda z, t: z)
{generator}torch.manual_seed(0)
# a step rounds what it adds up: 8 u of the sizes of its terms, c z and the rest, and with c of at
# most 1 these are at most 2 |z| + |the new state|
times, most = scheduler.timesteps, 16 * torch.finfo(dtype).eps / 2
one = torch.ones(1, 1, 1, 1, dtype=torch.float64)
z = (inputs[0].double() / scaled(one, times[0])).to(dtype)


def compare(i, what, got, exact, size):
    off = float((got.double() - exact).abs().max() / size)
    if got.dtype != dtype or got.shape != exact.shape:
        print("step", i, what, "is", got.dtype, tuple(got.shape), "and not", dtype)
        print("what changes dtype or shape", 1, "should be", 0)
    elif not off < most:
        print("step", i, what, "is off by", off, "should be below", most)


for i, t in enumerate(times):
    m, before = inputs[1 + i], z.double()
    exact = scaled(before, t)
    compare(i, "what the network sees", scale(z, t), exact, 2 * exact.abs().max())
    exact = twin.step({sign}m.double(), t, before{stepping}).prev_sample
    z = scheduler.step({sign}m, t, z{stepping}).prev_sample
    compare(i, "the new state", z, exact, before.abs().max() + exact.abs().max())
    z = z.to(dtype)
"""


def script(
    subject: SchedulerSampler, n: int, finding: Finding, sign: str, names: dict[str, Any]
) -> str | None:
    """The script; None for objects that nothing makes twice, and other draws."""
    dtype = (finding.counterexample or {}).get("dtype")
    other = any(draw.operation not in RECORDED for draw in subject.reading(n).draws)
    if dtype is None or other or not subject.made_anew:
        return None
    return STEPWISE.format(
        **names,
        dtype=dtype,
        most=4 * n + 16,
        sign=sign,
    )
