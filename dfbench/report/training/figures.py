"""The figures of a training study, drawn from its tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfbench.charts.drawing import frame, guide
from dfbench.charts.look import COLOURS, MUTED
from dfbench.errors import Unusable

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame


def figures(folder: Path) -> Mapping[str, Callable[[], Figure]]:
    """What draws each figure that the results of a folder allow, by name.

    A table that is not as `dfbench train` writes it is `Unusable` when it is drawn.
    """
    files = {name: folder / "results" / f"{name}.csv" for name in DRAWN}
    files["log"] = folder / "log.csv"
    found = {
        name: partial(_drawn, file, DRAWN[name]) for name, file in files.items() if file.is_file()
    }
    images = folder / "results" / "images.npy"
    return found | ({"images": partial(image_grid, images)} if images.is_file() else {})


def _drawn(file: Path, draw: Callable[[DataFrame], Figure]) -> Figure:
    import pandas as pd

    try:
        return draw(pd.read_csv(file))
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        raise Unusable(f"{file}: not as dfbench train writes it ({error})") from error


def training_log(log: DataFrame) -> Figure:
    """Loss on the way."""
    figure, (axis,) = frame("step", "training loss per element")
    axis.plot(log.step, log.loss, lw=0.8)
    low, high = log.loss.quantile(0.0), log.loss.iloc[len(log) // 50 :].max()
    if high > low:
        axis.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
    return figure


def excess(table: DataFrame) -> Figure:
    """Irreducible and excess loss over λ, and the excess as a fraction."""
    blue, orange, green, *_ = COLOURS
    figure, (left, right) = frame(
        "log-SNR λ", "loss of ε̂ per dimension", panels=2, yscale="log", size=(6.4, 3.3)
    )
    left.plot(table.log_snr, table.irreducible, color=blue, label="irreducible")
    left.plot(table.log_snr, table.excess, color=orange, label="excess")
    low = table.low.clip(lower=1e-12)
    left.fill_between(table.log_snr, low, table.high, color=orange, alpha=0.3, lw=0)
    right.plot(table.log_snr, 100 * table.fraction, color=orange, label="excess / irreducible")
    right.set(ylabel="percent")
    behind = right.twinx()
    shade = behind.fill_between(table.log_snr, 0, table.weight, color=green, alpha=0.15, lw=0)
    behind.set(ylim=(0, None), yticks=[])
    behind.grid(visible=False)
    behind.spines[:].set_visible(False)
    names = ["excess / irreducible", "where the weighting looks"]
    right.legend([*right.get_lines(), shade], names)
    return figure


def by_density(table: DataFrame) -> Figure:
    """Score error against density at several levels."""
    figure, (axis,) = frame(
        "nats per dimension below the densest place", "rms error of σ · score", yscale="log"
    )
    for (lam, part), colour in zip(table.groupby("log_snr"), COLOURS, strict=False):
        axis.plot(part.below, part.error, "o-", color=colour, label=f"λ = {lam:g}")
        axis.fill_between(part.below, part.low, part.high, color=colour, alpha=0.2, lw=0)
    return figure


def law(table: DataFrame) -> Figure:
    """Distances of samples to the exact law against evaluations, network and exact score."""
    names = {"sliced_w2": "sliced W₂ to the exact law", "energy_distance": "energy distance"}
    shown = [name for name in names if (table.metric == name).any()]
    figure, axes = frame(
        "evaluations", "", panels=len(shown), size=(6.4, 3.5), xscale="log", yscale="log"
    )
    for axis, metric in zip(axes, shown, strict=True):
        rows = table[table.metric == metric]
        for (name, part), colour in zip(rows.groupby("sampler", sort=False), COLOURS, strict=False):
            for score, style in (("network", "o-"), ("exact score", "s:")):
                some = part[part.score == score]
                label = str(name) if score == "network" else ""
                axis.plot(some.nfe, some.value, style, color=colour, label=label)
        if (table.score == "exact score").any():
            axis.plot([], [], "s:", color=MUTED, label="with the exact score")
        floor, high = float(rows.floor.iloc[0]), float(rows.floor_high.iloc[0])
        axis.axhspan(floor**2 / high, high, color=MUTED, alpha=0.2, lw=0, label="exact samples")
        # an energy distance may be estimated as nothing at all
        axis.set(ylabel=names[metric])
        axis.set_ylim(bottom=0.7 * floor**2 / high)
    return figure


def likelihood(table: DataFrame) -> Figure:
    """log p̂ against log p."""
    figure, (axis,) = frame("exact log p, nats", "log p̂ of the network, nats")
    axis.plot(table.exact, table.network, ".", label="points of the data")
    ends = [table.exact.min(), table.exact.max()]
    guide(axis, ends, ends, "equal")
    return figure


def samples(table: DataFrame) -> Figure:
    """Points of the network beside exact ones; in one dimension, their histograms."""
    if "x2" not in table:
        figure, (axis,) = frame("x", "density")
        for of in ("network", "exact"):
            axis.hist(table.x1[table.of == of], bins=80, density=True, histtype="step", label=of)
        return figure
    figure, axes = frame("x₁", "x₂", panels=2, aspect="equal", size=(5.4, 3.0))
    limit = 1.05 * float(table[["x1", "x2"]].abs().max().max())
    titles = {"network": "samples of the network", "exact": "exact samples"}
    for axis, of, colour in zip(axes, titles, COLOURS, strict=False):
        part = table[table.of == of]
        axis.scatter(part.x1, part.x2, s=3, color=colour, alpha=0.5, lw=0, rasterized=True)
        axis.set(title=titles[of], xlim=(-limit, limit), ylim=(-limit, limit))
    return figure


def held_out(table: DataFrame) -> Figure:
    """Distances to held-out data in units of the floor."""
    figure, (axis,) = frame("distance / the 95 % quantile of training data (the floor)", "")
    # an unbiased estimate of no distance may be below zero: its 95 % quantile is the unit
    unit = table.floor_high
    place = range(len(table))
    reach = [(table.value - table.low) / unit, (table.high - table.value) / unit]
    axis.errorbar(table.value / unit, place, xerr=reach, fmt="o", label="samples of the network")
    axis.plot(table.gaussian / unit, place, "D", label="Gaussian of the same moments")
    axis.axvline(1.0, color=MUTED, ls=":", label="floor: 95 % of training data is below")
    axis.set_yticks(list(place), list(table.metric))
    axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return figure


def image_grid(file: Path, columns: int = 16) -> Figure:
    """Images side by side, in [−1, 1]."""
    import numpy as np
    from matplotlib.figure import Figure as New

    images = np.load(file, allow_pickle=False)
    n, channels, side, _ = images.shape
    rows = -(-n // columns)
    canvas = np.full((rows * (side + 1) + 1, columns * (side + 1) + 1, channels), 1.0)
    for i, image in enumerate(images):
        top, left = (1 + (side + 1) * k for k in divmod(i, columns))
        canvas[top : top + side, left : left + side] = image.transpose(1, 2, 0)
    shown = np.clip((canvas + 1) / 2, 0, 1)
    figure = New(figsize=(8.0, 8.0 * rows / columns), layout="constrained")
    axis = figure.add_subplot()
    grey = channels == 1
    axis.imshow(
        shown[..., 0] if grey else shown, cmap="gray" if grey else None, interpolation="nearest"
    )
    axis.set_axis_off()
    return figure


DRAWN: dict[str, Callable[[Any], Figure]] = {
    "log": training_log,
    "samples": samples,
    "excess": excess,
    "score_by_density": by_density,
    "law": law,
    "likelihood": likelihood,
    "held_out": held_out,
}
