"""Published numbers beside those that follow from their stated setting.

The numbers are facts, copied digit by digit into the files of this package; each is computed anew
from its setting, and is reproduced if the computed one rounds to the printed digits. The tables of
Wasserstein errors take a spectrum, which their authors released and this package has not: what it
gave is kept, and `compare` takes another. The same tables, from a study: `dfbench.sweep.published`.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources

from numpy.typing import ArrayLike

from dfbench.published.rule import Numbers, half_unit, rounds_to

__all__ = ["SOURCES", "Numbers", "Source", "compare", "half_unit", "rounds_to"]


@dataclass(frozen=True)
class Source:
    """Where numbers were printed.

    Attributes:
        name: short.
        where: the paper or release, and the place in it.
        note: what the setting is, or what was found besides.
    """

    name: str
    where: str
    note: str = ""


SOURCES = {
    "gao": Source(
        "Gao et al. 2024",
        "Diffusion Meets Flow Matching: Two Sides of the Same Coin, the data behind its "
        "interactive figures (diffusionflow/diffusionflow.github.io, b091f5f)",
        "Computed there in float32: paths are held to 5 decimals, weights to 6, densities to 4. "
        "What is called “ground truth” is DDIM in 255 steps: at variance 1 the exact flow stays "
        "where it is, and they move by 0.01. Where the scale is that of flow matching the first "
        "level is λ = −14, elsewhere α = 0. Weights of churn are on the cosine schedule truncated "
        "smoothly at λ = ±15.",
    ),
    "gao_weightings": Source(
        "Gao et al., weightings",
        "the figure of weightings of the same (iclr-blogposts/2025, 13ab0af)",
        "Ends of its four curves, 50 of 4000 numbers: w(λ) at 1000 points from −10 to 10 over the "
        "largest, of which 14 decimals are held. “sigmoid” is sigmoid(−λ), without a bias.",
    ),
    "pg2025": Source(
        "Pierret and Galerne 2025",
        "Diffusion models for Gaussian distributions: Exact solutions and Wasserstein errors, "
        "arXiv 2405.14250, the table that the released notebook prints (0a04637)",
        "From the eigenvalues of CIFAR-10 in that release, which are the authors' and not shipped "
        "(`--spectrum FILE` takes them). “-” is printed where Heun "
        "and RK4 look at the score of the data, which does not exist: nine eigenvalues are 0.",
    ),
    "pg_nfe": Source(
        "Pierret and Galerne, NFE",
        "the heads of the columns of the table of 2025, as evaluations of each of the six schemes",
        "They are the number of points of the grid.",
    ),
    "pg2024": Source(
        "Pierret and Galerne 2024",
        "the same, as printed in June 2024 (2e7ce7a)",
        "From the eigenvalues of that release, which has no zero among them: Heun onto σ = 0 looks "
        "at the score of the data, and has a number.",
    ),
    "lin": Source(
        "Lin et al. 2023",
        "Common Diffusion Noise Schedules and Sample Steps are Flawed, arXiv 2305.08891, table 1; "
        "1000 steps",
    ),
    "lin_steps": Source(
        "Lin et al. 2023, steps",
        "the same, table 2; time steps from 1 to T",
    ),
    "ncsnv2": Source(
        "Song and Ermon 2020",
        "arXiv 2006.09011, technique 4; settings and step sizes of the released configurations "
        "(ermongroup/ncsnv2)",
    ),
    "ays": Source(
        "Sabour et al. 2024",
        "Align Your Steps, arXiv 2404.14507; time steps and σ as diffusers holds them "
        "(AysSchedules), on the scaled linear table of 1000 steps",
    ),
    "diffusers": Source(
        "diffusers' tests",
        "what the tests of its schedulers pin (huggingface/diffusers, 58eb52c)",
        "A ramp of 768 (or 96) numbers from 0 to 1, a network that answers t/(t + 1) of its input. "
        "The tests allow 0.01 of a sum and 0.001 of a mean; here every pinned digit counts.",
    ),
}

#: What does not come out → the reason that was found. Of diffusers: `loops.REASONS`.
REASONS = {
    ("lin", "cosine"): "β in float32, multiplied up in float32 by torch, gives the printed digits",
    ("ncsnv2", "σ_1 140, σ_L 0.01, L 788, T 4"): "not found; no T from 1 to 6 gives it (2.2e-6 to "
    "2.4e-6)",
    ("ays", "SD 1.5"): "σ = 0.399 is between indices 124 (σ = 0.3977) and 125 (σ = 0.4000), nearer "
    "to the latter; 124 is printed",
}


def compare(spectrum: ArrayLike | None = None) -> list[Numbers]:
    """All sets, in the order of `SOURCES`.

    Args:
        spectrum: eigenvalues for the tables of Wasserstein errors, shape (D,); otherwise what the
            authors' gave. Takes a minute.
    """
    from dfbench.published import figures, spectra

    found = [*figures.compare(), *spectra.compare(spectrum), *single()]
    order = list(SOURCES)
    return sorted(found, key=lambda each: order.index(each.source))


def single() -> list[Numbers]:
    """The sets of `numbers.csv`: each line has a setting, and a formula or a run behind it."""
    from dfbench.published import formulas, loops

    computed: dict[str, Callable[[str, str], list[float]]] = {
        "lin": formulas.lin,
        "lin_steps": formulas.lin_steps,
        "ncsnv2": formulas.ncsnv2,
        "ays": formulas.ays,
        "gao_weightings": formulas.weightings,
        "diffusers": loops.run,
    }
    text = (resources.files("dfbench.published") / "numbers.csv").read_text("utf-8")
    found = []
    for row in csv.DictReader(text.splitlines()):
        source, setting, quantity = row["source"], row["setting"], row["quantity"]
        key = source, setting.partition(": ")[0] if source == "ays" else setting
        reason = loops.REASONS.get(setting, "") or REASONS.get(key, "")
        printed = tuple(row["printed"].split())
        values = tuple(computed[source](setting, quantity))
        decimals = 14 if source == "gao_weightings" else None  # of 16 that float64 gives
        found.append(Numbers(source, setting, quantity, printed, values, decimals, reason))
    return found
