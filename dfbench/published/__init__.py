"""Published numbers beside those that follow from their stated setting.

The numbers are facts, copied digit by digit into `numbers.csv`; each is computed anew from its
setting, and is reproduced if the computed one rounds to the printed digits. The table of
Wasserstein errors, which takes a study, is in `dfbench.sweep.published`.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources

import numpy as np

SOURCES = {
    "lin": "Lin et al. 2023, Common Diffusion Noise Schedules and Sample Steps are Flawed, arXiv "
    "2305.08891, table 1; 1000 steps",
    "ncsnv2": "Song and Ermon 2020, arXiv 2006.09011, technique 4; settings and step sizes "
    "of the released configurations (ermongroup/ncsnv2)",
    "ays": "Sabour et al. 2024, Align Your Steps, arXiv 2404.14507; time steps and σ as diffusers "
    "holds them (AysSchedules), on the scaled linear table of 1000 steps",
}

#: What does not come out → the reason that was found.
REASONS = {
    ("lin", "cosine"): "β in float32, multiplied up in float32 by torch, gives the printed digits",
    (
        "ncsnv2",
        "σ_1 140, σ_L 0.01, L 788, T 4",
    ): "not found; no T from 1 to 6 gives it (2.2e-6 to 2.4e-6)",
    ("ays", "0.399"): "between indices 124 (σ = 0.3977) and 125 (σ = 0.4000), nearer to the latter",
}


def half_unit(printed: str) -> float:
    """Half a unit of the last digit of a number as printed ("0.16", "6.7E-04")."""
    digits, _, power = printed.lower().partition("e")
    return 0.5 * 10.0 ** (int(power or 0) - len(digits.partition(".")[2]))


def rounds_to(computed: float, printed: float, half: float) -> bool:
    """Whether a computed number rounds to the printed one (a tie rounds either way).

    Args:
        half: half a unit of the last printed digit.
    """
    return abs(computed - printed) <= half * (1 + 1e-9)


@dataclass(frozen=True)
class Compared:
    """A printed number beside the computed one."""

    source: str
    setting: str
    quantity: str
    printed: str
    computed: float

    @property
    def difference(self) -> float:
        """Computed less printed."""
        return self.computed - float(self.printed)

    @property
    def reproduced(self) -> bool:
        """Whether the computed number rounds to the printed digits."""
        return rounds_to(self.computed, float(self.printed), half_unit(self.printed))

    @property
    def reason(self) -> str:
        """Why it does not come out, where that is known."""
        return "" if self.reproduced else REASONS.get((self.source, self.setting), "not found")


def lin(setting: str, quantity: str) -> float:
    """ᾱ/(1 − ᾱ), or √ᾱ, of the last level of the table of this name."""
    from dfbench.schedules import DiscreteSchedule

    tables: dict[str, Callable[[], DiscreteSchedule]] = {
        "linear": DiscreteSchedule.linear,
        "cosine": DiscreteSchedule.cosine,
        "scaled_linear": DiscreteSchedule.scaled_linear,
    }
    last = float(tables[setting]().alphas_cumprod[-1])
    return last / (1 - last) if quantity.startswith("SNR") else last**0.5


def ncsnv2(setting: str, quantity: str) -> float:
    """The step ε for which the variance after T Langevin steps is nearest to the level's own.

    s_T²/σ² = (1 − e)^{2T} (γ² − c) + c with e = ε/σ_L², c = 2/(2 − e), γ the ratio of levels.
    """
    from scipy.optimize import minimize_scalar

    first, last, levels, steps = (float(part.split()[1]) for part in setting.split(", "))
    gamma = (first / last) ** (1 / (levels - 1))

    def excess(e: float) -> float:
        c = 2 / (2 - e)
        return float((1 - e) ** (2 * steps) * (gamma**2 - c) + c - 1) ** 2

    grid = np.linspace(1e-4, 1.0, 10001)
    start = float(grid[np.argmin([excess(e) for e in grid])])
    bounds = (max(start - 1e-3, 1e-6), start + 1e-3)
    best = minimize_scalar(excess, bounds=bounds, method="bounded", options={"xatol": 1e-9})
    return float(best.x) * last**2


def ays(setting: str, quantity: str) -> float:
    """The index whose σ/α is nearest to a σ in log σ."""
    from dfbench.schedules import DiscreteSchedule

    ratios = DiscreteSchedule.scaled_linear().ratios
    return float(np.argmin(np.abs(np.log(ratios / float(setting)))))


COMPUTED: dict[str, Callable[[str, str], float]] = {"lin": lin, "ncsnv2": ncsnv2, "ays": ays}


def compare() -> list[Compared]:
    """All numbers, as they stand in the file."""
    text = (resources.files("dfbench.published") / "numbers.csv").read_text("utf-8")
    return [
        Compared(**row, computed=COMPUTED[row["source"]](row["setting"], row["quantity"]))
        for row in csv.DictReader(text.splitlines())
    ]
