"""Results folders of `dfbench train` as one self-contained page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfbench.errors import Unusable
from dfbench.literature.run import Outcome
from dfbench.report.literature import serial
from dfbench.report.literature.page import FILTERS, counts
from dfbench.report.page import Chart, Table, fill
from dfbench.training import results
from dfbench.wording import line

#: Figures in the order of the page: name → (title, what it shows).
SHOWN = {
    "images": ("Samples", "Images drawn by the network, none left out."),
    "samples": ("Samples", "Points drawn by DDIM in 100 steps, beside exact ones."),
    "held_out": (
        "Distance to held-out data",
        "The floor is what training data gets; a Gaussian with the data's mean and covariance is "
        "what a model of second moments gets. Samples much nearer to the training data than "
        "held-out data are would be copies.",
    ),
    "excess": (
        "Excess loss",
        "What the network loses beyond what no network could avoid: the exact denoiser is known. "
        "The band is a 95 % interval.",
    ),
    "law": (
        "Law of the samples",
        "Dotted: the exact score in the same sampler, so that what is between the lines is the "
        "network's. Grey: samples of the law itself.",
    ),
    "score_by_density": (
        "Score error where data is rare",
        "By how much denser the densest place is; 1 is an error as large as what is predicted.",
    ),
    "likelihood": (
        "Likelihood",
        "Through the network's probability-flow ODE, with the trace of its Jacobian.",
    ),
    "log": ("Training", "The loss of the batches on the way."),
}


@dataclass(frozen=True)
class Study:
    """One folder, read."""

    folder: Path
    content: dict[str, Any]
    outcomes: tuple[Outcome, ...]


def recognise(path: Path) -> bool:
    """Whether a path is a results folder of `dfbench train`."""
    return path.is_dir() and results.file_of(path).is_file()


def read(folder: Path) -> Study:
    """A results folder.

    Raises:
        Unusable: its summary is not one, or the network has not been measured yet.
    """
    content = results.load(folder)
    if "headline" not in content:
        raise Unusable(f"{folder}: not measured yet; run dfbench train with it to the end")
    file = results.file_of(folder)
    try:
        return Study(folder, content, tuple(_outcome(each, file) for each in content["findings"]))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise Unusable(f"{file}: not as dfbench train writes it ({error})") from error


def _outcome(content: dict[str, Any], file: Path) -> Outcome:
    """A claim with what was found; the words and the figure are the claim's own."""
    from dfbench.literature import TRAINED

    claim = TRAINED[int(content["claim"].removeprefix("T"))]
    return serial.read(content, claim, str(file))


def render(folders: Sequence[Path], *, title: str | None = None) -> str:
    """The page: every study with its figures, their data, and its claims.

    Raises:
        Unusable: a folder holds no results.
    """
    studies = [read(Path(folder)) for folder in folders]
    every = [each for study in studies for each in study.outcomes]
    return fill(
        "training.html",
        filters=FILTERS,
        title=title or "Trained networks",
        **counts(tuple(each for each in every if each.verdict != "skip")),
        studies=[_shown(study, i) for i, study in enumerate(studies)],
    )


def _shown(study: Study, index: int) -> dict[str, Any]:
    content = study.content
    environment = dict(content.get("environment", {}))
    command = environment.pop("command", None)
    seconds = {"training": environment.pop("seconds", None)} | content["measured_seconds"]
    made = {f"data: {name}": each for name, each in content["data"].items()}
    made |= {f"speed: {name}": each for name, each in content.get("throughput", {}).items()}
    known = {name.replace("_", " "): each for name, each in made.items() if each is not None}
    return {
        "id": f"s{index}",
        "title": content.get("title") or content["data"]["name"],
        "headline": content["headline"],
        "config": {name: line(value, " × ") for name, value in content["config"].items()},
        "command": command,
        "made": {name: line(value, " × ") for name, value in (known | environment).items()},
        "seconds": {name: value for name, value in seconds.items() if value is not None},
        "figures": _figures(study, index),
        "outcomes": study.outcomes,
    }


def _figures(study: Study, index: int) -> list[Chart]:
    """The figures with their words and the tables behind them."""
    from dfbench.report.training.figures import figures

    found = []
    drawn = figures(study.folder)
    for name, (title, words) in SHOWN.items():
        if name in drawn:
            file = study.folder / ("log.csv" if name == "log" else f"results/{name}.csv")
            data = Table(name, file.read_text(encoding="utf-8")) if file.is_file() else None
            place = f"s{index}-{name.replace('_', '-')}"
            found.append(Chart(place, title, drawn[name], title, words, data))
    return found
