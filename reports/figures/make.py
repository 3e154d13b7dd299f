"""The picture of the README, from a certificate of diffusers.

dfbench certify diffusers --json certificate.json
python reports/figures/make.py certificate.json reports/figures/overview.png

Left: error against steps on a nonlinear field with known flow, with the fitted orders. Right:
relative error of the output's standard deviation on Gaussian data, scale by scale.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from dfbench.charts.drawing import frame
from dfbench.charts.files import save
from dfbench.charts.look import COLOURS, MARKS, MUTED, PAPER
from dfbench.outcome import Finding
from dfbench.outcome.certificate import load

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Class → name, and its place among colours and marks.
LOOK = {
    "DDIMScheduler": ("DDIM", 0),
    "EulerDiscreteScheduler": ("Euler", 3),
    "DPMSolverMultistepScheduler": ("DPM++ 2M", 1),
    "HeunDiscreteScheduler": ("Heun", 2),
    "LMSDiscreteScheduler": ("LMS", 4),
}
ORDERS = [name for name in LOOK if name != "EulerDiscreteScheduler"]
RESPONSES = ("DDIMScheduler", "EulerDiscreteScheduler", "DPMSolverMultistepScheduler")
STEPS = {10: ":", 20: "--", 50: "-"}


def findings(path: Path, claim: str) -> dict[str, Finding]:
    """A claim's finding on the default configuration of each class."""
    found: dict[str, Finding] = {}
    for subject in load(path).subjects:
        name = subject.name.rpartition(":")[2]
        if name in LOOK and not subject.config:
            for finding in subject.findings:
                if finding.claim == claim and finding.series:
                    found.setdefault(name, finding)
    return found


def draw_orders(axis: Axes, found: dict[str, Finding]) -> None:
    """Points as measured, and the line of each fitted order through the last of them."""
    for key in ORDERS:
        (name, k), series, order = LOOK[key], found[key].series or {}, found[key].measured or 0.0
        steps, error = series["steps"], series["error"]
        last, least = steps[-1], error[-1]
        tail = [n for n in steps if n >= 16]
        fitted = [least * (last / n) ** order for n in tail]
        axis.plot(tail, fitted, color=COLOURS[k], alpha=0.7)
        axis.plot(steps, error, MARKS[k], color=COLOURS[k], ms=5.5, mec=PAPER, mew=0.6)
        axis.annotate(
            f"{name}, order {order:.2f}",
            (last, least),
            (7, 0),
            textcoords="offset points",
            color=COLOURS[k],
            va="center",
        )
    axis.set(xscale="log", yscale="log", xlabel="steps N", xlim=(7, 290))
    axis.set_ylabel("RMS distance to the exact flow, in z/α")
    axis.set_xticks([8, 16, 32, 64])
    axis.set_title("Does it converge at its order?", loc="left", weight="bold")


def draw_responses(axis: Axes, found: dict[str, Finding]) -> None:
    """A colour a sampler, a dash a number of steps."""
    for key in RESPONSES:
        (name, k), series = LOOK[key], found[key].series or {}
        for steps, dash in STEPS.items():
            error = [abs(e) for e in series[f"N={steps}"]]
            width = 2.6 if name == "DDIM" else 1.4  # Euler lies on it
            axis.plot(series["data_std"], error, dash, color=COLOURS[k], lw=width)
        axis.plot([], [], color=COLOURS[k], lw=3, label=name)
    for steps, dash in STEPS.items():
        axis.plot([], [], dash, color=MUTED, lw=1.6, label=f"N = {steps} steps")
    axis.set(xscale="log", yscale="log", xlim=(1e-2, 1e2), ylim=(1e-5, 2))
    axis.set(xlabel="standard deviation (std) of the data")
    axis.set_ylabel("|relative error| of the output's std")
    axis.legend(ncols=2, loc="lower left", handlelength=2.2)
    axis.set_title("Which scales of the data does it get wrong?", loc="left", weight="bold")


def draw(certificate: Path) -> Figure:
    """Both panels."""
    figure, (left, right) = frame("", "", panels=2, size=(10.4, 4.1))
    draw_orders(left, findings(certificate, "order"))
    draw_responses(right, findings(certificate, "law"))
    return figure


def main() -> None:
    """Draw the picture of the certificate that is named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("certificate", type=Path)
    parser.add_argument("out", type=Path, help="a PNG")
    given = parser.parse_args()
    (drawn,) = save(partial(draw, given.certificate), given.out.with_suffix(""), "png")
    Image.open(drawn).convert("RGB").quantize(128).save(drawn, optimize=True)


if __name__ == "__main__":
    main()
