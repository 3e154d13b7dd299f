"""The figures of a training study, drawn from its tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfbench.errors import Unusable
from dfbench.literature.drawing import frame, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame


def figures(folder: Path) -> dict[str, Figure]:
    """Every figure that the results of a folder allow, by name.

    Raises:
        Unusable: a table is not as `dfbench train` writes it.
    """
    import numpy as np
    import pandas as pd

    found: dict[str, Figure] = {}
    if (folder / "log.csv").is_file():
        found["log"] = training_log(pd.read_csv(folder / "log.csv"))
    for name, draw in DRAWN.items():
        file = folder / "results" / f"{name}.csv"
        if file.is_file():
            try:
                found[name] = draw(pd.read_csv(file))
            except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
                raise Unusable(f"{file}: not as dfbench train writes it ({error})") from error
    images = folder / "results" / "images.npy"
    if images.is_file():
        found["images"] = image_grid(np.load(images, allow_pickle=False))
    for name, figure in found.items():
        if name != "images":
            tidy(figure)
    return found


def training_log(log: DataFrame) -> Figure:
    """Loss on the way."""
    import seaborn as sns

    figure, (axis,) = frame("step", "training loss per element")
    sns.lineplot(x=log.step, y=log.loss, ax=axis, estimator=None, linewidth=0.8)
    low, high = log.loss.quantile(0.0), log.loss.iloc[len(log) // 50 :].max()
    if high > low:
        axis.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
    return figure


def excess(table: DataFrame) -> Figure:
    """Irreducible and excess loss over λ, and the excess as a fraction."""
    import seaborn as sns

    blue, orange, green, *_ = sns.color_palette("colorblind")
    figure, (left, right) = frame("log-SNR λ", "", panels=2, yscale="log")
    sns.lineplot(x=table.log_snr, y=table.irreducible, ax=left, color=blue, label="irreducible")
    sns.lineplot(x=table.log_snr, y=table.excess, ax=left, color=orange, label="excess")
    left.fill_between(
        table.log_snr, table.low.clip(lower=1e-12), table.high, color=orange, alpha=0.3, lw=0
    )
    left.set(ylabel="loss of ε̂ per dimension")
    sns.lineplot(
        x=table.log_snr,
        y=100 * table.fraction,
        ax=right,
        color=orange,
        label="excess / irreducible",
    )
    right.set(ylabel="percent")
    behind = right.twinx()
    shade = behind.fill_between(table.log_snr, 0, table.weight, color=green, alpha=0.15, lw=0)
    behind.set(ylim=(0, None), yticks=[])
    behind.grid(visible=False)
    behind.spines[:].set_visible(False)
    left.legend(fontsize=8)
    right.legend(
        [*right.get_lines(), shade],
        ["excess / irreducible", "where the weighting looks"],
        fontsize=8,
    )
    return figure


def by_density(table: DataFrame) -> Figure:
    """Score error against density at several levels."""
    import seaborn as sns

    figure, (axis,) = frame(
        "nats per dimension below the densest place", "rms error of σ · score", yscale="log"
    )
    palette = sns.color_palette("colorblind")
    for (lam, part), colour in zip(table.groupby("log_snr"), palette, strict=False):
        axis.plot(part.below, part.error, "o-", ms=4, color=colour, label=f"λ = {lam:g}")
        axis.fill_between(part.below, part.low, part.high, color=colour, alpha=0.2, lw=0)
    axis.legend(fontsize=8)
    return figure


def law(table: DataFrame) -> Figure:
    """Distances of samples to the exact law against evaluations, network and exact score."""
    import seaborn as sns

    names = {"sliced_w2": "sliced W₂ to the exact law", "energy_distance": "energy distance"}
    shown = [name for name in names if (table.metric == name).any()]
    figure, axes = frame("evaluations", "", panels=len(shown), xscale="log", yscale="log")
    palette = sns.color_palette("colorblind")
    for axis, metric in zip(axes, shown, strict=True):
        rows = table[table.metric == metric]
        for (name, part), colour in zip(rows.groupby("sampler", sort=False), palette, strict=False):
            for score, style in (("network", "o-"), ("exact score", "s:")):
                some = part[part.score == score]
                axis.plot(
                    some.nfe,
                    some.value,
                    style,
                    ms=4,
                    color=colour,
                    label=name if score == "network" else None,
                )
        if (table.score == "exact score").any():
            axis.plot([], [], "s:", ms=4, color="0.4", label="with the exact score")
        floor, high = float(rows.floor.iloc[0]), float(rows.floor_high.iloc[0])
        axis.axhspan(floor**2 / high, high, color="0.5", alpha=0.2, lw=0, label="exact samples")
        # an energy distance may be estimated as nothing at all
        axis.set(ylabel=names[metric])
        axis.set_ylim(bottom=0.7 * floor**2 / high)
    handles = axes[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=3, fontsize=8)
    return figure


def likelihood(table: DataFrame) -> Figure:
    """log p̂ against log p."""
    import seaborn as sns

    figure, (axis,) = frame("exact log p, nats", "log p̂ of the network, nats")
    sns.scatterplot(x=table.exact, y=table.network, ax=axis, s=14, label="points of the data")
    ends = [table.exact.min(), table.exact.max()]
    axis.plot(ends, ends, ":", color="0.3", label="equal")
    axis.legend(fontsize=8)
    return figure


def samples(table: DataFrame) -> Figure:
    """Points of the network beside exact ones; in one dimension, their histograms."""
    import seaborn as sns

    blue, orange, *_ = sns.color_palette("colorblind")
    if "x2" not in table:
        figure, (axis,) = frame("x", "density")
        for of, colour in (("network", blue), ("exact", orange)):
            axis.hist(
                table.x1[table.of == of],
                bins=80,
                density=True,
                histtype="step",
                color=colour,
                label=of,
            )
        axis.legend()
        return figure
    figure, axes = frame("x₁", "x₂", panels=2, aspect="equal")
    limit = 1.05 * float(table[["x1", "x2"]].abs().max().max())
    for axis, of, colour in zip(axes, ("network", "exact"), (blue, orange), strict=True):
        part = table[table.of == of]
        axis.scatter(part.x1, part.x2, s=3, color=colour, alpha=0.5, lw=0, rasterized=True)
        axis.set(
            title="samples of the network" if of == "network" else "exact samples",
            xlim=(-limit, limit),
            ylim=(-limit, limit),
        )
    return figure


def held_out(table: DataFrame) -> Figure:
    """Distances to held-out data in units of the floor."""
    import seaborn as sns

    blue, orange, *_ = sns.color_palette("colorblind")
    figure, (axis,) = frame("distance / the 95 % quantile of training data (the floor)", "")
    # an unbiased estimate of no distance may be below zero: its 95 % quantile is the unit
    unit = table.floor_high
    place = range(len(table))
    reach = [(table.value - table.low) / unit, (table.high - table.value) / unit]
    axis.errorbar(
        table.value / unit, place, xerr=reach, color=blue, fmt="o", label="samples of the network"
    )
    axis.plot(table.gaussian / unit, place, "D", color=orange, label="Gaussian of the same moments")
    axis.axvline(1.0, color="0.4", ls=":", label="floor: 95 % of training data is below")
    axis.set_yticks(list(place), list(table.metric))
    handles = axis.get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=2, fontsize=8)
    return figure


def image_grid(images: Any, columns: int = 16) -> Figure:
    """Images side by side, in [−1, 1]."""
    import numpy as np
    from matplotlib.figure import Figure as New

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
    "samples": samples,
    "excess": excess,
    "score_by_density": by_density,
    "law": law,
    "likelihood": likelihood,
    "held_out": held_out,
}
