"""The picture of the README, from a certificate of diffusers.

dfbench certify diffusers --json certificate.json
python reports/figures/make.py certificate.json reports/figures/overview.png

Left: error against steps on a nonlinear field with known flow, with the fitted orders. Right:
relative error of the output's standard deviation on Gaussian data, scale by scale.
"""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import seaborn as sns
from PIL import Image

#: Class → name, colour (after Okabe and Ito: told apart with any colour vision) and marker.
LOOK = {
    "DDIMScheduler": ("DDIM", "#0072B2", "o"),
    "EulerDiscreteScheduler": ("Euler", "#CC79A7", "D"),
    "DPMSolverMultistepScheduler": ("DPM++ 2M", "#D55E00", "s"),
    "HeunDiscreteScheduler": ("Heun", "#009E73", "^"),
    "LMSDiscreteScheduler": ("LMS", "#8A6A00", "v"),
}
ORDERS = [name for name in LOOK if name != "EulerDiscreteScheduler"]
RESPONSES = ("DDIMScheduler", "EulerDiscreteScheduler", "DPMSolverMultistepScheduler")
STEPS = {10: ":", 20: "--", 50: "-"}

Series = dict[str, Any]


def findings(path: Path, claim: str) -> dict[str, Series]:
    """A claim's finding on the default configuration of each class."""
    subjects = json.loads(path.read_text(encoding="utf-8"))["subjects"]
    found: dict[str, Series] = {}
    for subject in subjects:
        name = subject["name"].rpartition(":")[2]
        if name in LOOK and not subject["config"]:
            for finding in subject["findings"]:
                if finding["claim"] == claim and finding["series"]:
                    found.setdefault(name, finding)
    return found


def draw_orders(axes: plt.Axes, found: dict[str, Series]) -> None:
    """Points as measured, and the line of each fitted order through the last of them."""
    for key in ORDERS:
        name, colour, marker = LOOK[key]
        series, order = found[key]["series"], found[key]["measured"]
        steps, error = series["steps"], series["error"]
        last, least = steps[-1], error[-1]
        tail = [n for n in steps if n >= 16]
        axes.plot(
            tail, [least * (last / n) ** order for n in tail], color=colour, lw=1.4, alpha=0.7
        )
        axes.plot(steps, error, marker, color=colour, ms=5.5, mec="white", mew=0.6)
        axes.annotate(
            f"{name}, order {order:.2f}",
            (last, least),
            (7, 0),
            textcoords="offset points",
            color=colour,
            va="center",
        )
    axes.set(xscale="log", yscale="log", xlabel="steps N")
    axes.set_xlim(7, 290)
    axes.set_ylabel("RMS distance to the exact flow, in z/α")
    axes.set_xticks([8, 16, 32, 64], ["8", "16", "32", "64"], minor=False)
    axes.minorticks_off()
    axes.set_title("Does it converge at its order?", loc="left", weight="bold")


def draw_responses(axes: plt.Axes, found: dict[str, Series]) -> None:
    """A colour a sampler, a dash a number of steps."""
    for key in RESPONSES:
        name, colour, _ = LOOK[key]
        series = found[key]["series"]
        for steps, dash in STEPS.items():
            error = [abs(e) for e in series[f"N={steps}"]]
            width = 2.6 if name == "DDIM" else 1.4  # Euler lies on it
            axes.plot(series["data_std"], error, dash, color=colour, lw=width)
        axes.plot([], [], color=colour, lw=3, label=name)
    for steps, dash in STEPS.items():
        axes.plot([], [], dash, color="0.25", lw=1.6, label=f"N = {steps} steps")
    axes.set(xscale="log", yscale="log", xlabel="standard deviation (std) of the data")
    axes.set_ylabel("|relative error| of the output's std")
    axes.set_xlim(1e-2, 1e2)
    axes.set_ylim(1e-5, 2)
    axes.legend(ncols=2, frameon=False, loc="lower left", handlelength=2.2)
    axes.set_title("Which scales of the data does it get wrong?", loc="left", weight="bold")


def main() -> None:
    """Draw the picture of the certificate that is named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("certificate", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    sns.set_theme(context="paper", style="ticks", font_scale=1.05)
    plt.rcParams |= {"axes.grid": True, "grid.color": "0.92", "axes.axisbelow": True}
    figure, (left, right) = plt.subplots(1, 2, figsize=(10.4, 4.1), layout="constrained")
    draw_orders(left, findings(given.certificate, "order"))
    draw_responses(right, findings(given.certificate, "law"))
    sns.despine(figure)
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=160)
    Image.open(drawn).convert("RGB").quantize(128).save(given.out, optimize=True)


if __name__ == "__main__":
    main()
