"""Scripts on prescribed values: what a step says of the clean sample, and how it clips it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dfbench.clipping import Clipping
from dfbench.outcome import Finding

if TYPE_CHECKING:
    from dfbench.subjects.diffusers.sampler import SchedulerSampler
    from dfbench.table import Table

VALUES = """\
import torch
{load}

source = torch.Generator().manual_seed(0)
values = {amplitude:g} * torch.randn(({most}, {shape}), generator=source, dtype=torch.float64)
{loud}zeros = torch.zeros({shape}, dtype=torch.float64)
torch.randn = lambda *size, **options: zeros.reshape(size if len(size) > 1 else size[0])
torch.randn_like = lambda z, **options: torch.zeros_like(z)
# at each call, the clean sample that the state and the output mean, x0 = a z + b m
x0 = {x0!r}
{clip}
scheduler = {new}
scheduler.set_timesteps({steps})
scale = getattr(scheduler, "scale_model_input", lambda z, t: z)
{generator}torch.manual_seed(0)
times, one = scheduler.timesteps, torch.ones(1, 1, 1, 1, dtype=torch.float64)
z, left, off = values[0] / scale(one, times[0]).item(), [], 0.0
for i, t in enumerate(times):
    seen, m = scale(z, t), values[1 + i]
    out = scheduler.step({sign}m, t, z{stepping})
    (a, b), z = x0[i], out.prev_sample
    x = a * seen + b * m
{look}
print({said!r}, "is off by", off, "should be", 0.0)
"""
PREVIEW = """\
    size = abs(a) * seen.abs().max() + abs(b) * m.abs().max()
    off = max(off, float((out.pred_original_sample - x).abs().max() / size))"""
STEP = """\
    left.append(clipped(x))
    shown = getattr(out, "pred_original_sample", None)
    if shown is not None:
        off = max(off, float((shown - left[-1]).abs().max() / left[-1].abs().max()))
    # the next state: c z + w_0 x0 + w_1 x0 …, of what is left at this and earlier calls
    c, *weights = steps[i]
    parts = [c * seen, *(w * x for w, x in zip(weights, left))]
    size = sum(part.abs().max() for part in parts)
    after = scale(z, times[i + 1]) if i + 1 < len(times) else z
    gaps = [after - sum(parts){kept}]
    off = max(off, min(float(gap.abs().max() / size) for gap in gaps))"""
#: DDIM keeps what was predicted of the noise, and does not derive it from what is left of x0.
KEPT = ", after - sum(parts) - c * {alphas!r}[i] * (left[-1] - x)"
STATIC = """\


def clipped(x):
    return x.clamp(-{reach!r}, {reach!r})


"""
DYNAMIC = """\


def clipped(x):
    \"\"\"Imagen's thresholding, row by row.\"\"\"
    flat = x.flatten(1)
    s = torch.quantile(flat.abs(), {ratio!r}, dim=1).clamp(1.0, {most!r})[:, None]
    return (flat.clamp(-s, s) / s).reshape(x.shape)


"""


def script(
    subject: SchedulerSampler,
    claim: str,
    n: int,
    finding: Finding,
    sign: str,
    names: dict[str, Any],
) -> str | None:
    """The script; None where the clean sample does not exist at one of the levels."""
    session, at = subject.session(n), finding.counterexample or {}
    table = subject.affine_reading(n).table
    try:
        x0 = [table.affine(table.prediction, "x", level) for level in table.evaluated]
        clean = table.convert("x")
    except ValueError:
        return None
    shape = tuple(at.get("shape", (2, 3, 4, 5)))
    said, clip, look = "pred_original_sample", "", PREVIEW
    if claim == "clipping":
        if session.clipping is None:
            return None
        said, clip = f"what {n} steps make of a loud x0", _clipping(session.clipping)
        kept = "" if session.clipping.keeps_eps is False else _kept(table)
        look = STEP.format(kept=kept)
        clip = f"steps = {_steps(clean)!r}{clip}"
    return VALUES.format(
        amplitude=at.get("amplitude", 1e-6),
        most=4 * n + 16,
        shape=", ".join(map(str, shape)),
        loud="values[:, -1] *= 3  # one row is louder\n" if claim == "clipping" else "",
        x0=[(float(f"{a:.12g}"), float(f"{b:.12g}")) for a, b in x0],
        clip=clip,
        look=look,
        said=said,
        sign=sign,
        **names,
    )


def _kept(table: Table) -> str:
    return KEPT.format(alphas=[float(f"{level.alpha:.12g}") for level in table.evaluated])


def _clipping(clip: Clipping) -> str:
    if clip.reach is not None:
        return STATIC.format(reach=clip.reach)
    return DYNAMIC.format(ratio=clip.ratio, most=max(1.0, clip.most))


def _steps(clean: Table) -> list[list[float]]:
    """Of every step, the weight of the state before it, and of x̂ at this and earlier calls."""
    found = []
    for j in range(clean.nfe):
        carry = float(clean.a[j + 1] / clean.a[j]) if clean.a[j] else 0.0
        weights = clean.B[j + 1, : j + 1] - carry * clean.B[j, : j + 1]
        found.append([float(f"{value:.12g}") for value in (carry, *weights)])
    return found
