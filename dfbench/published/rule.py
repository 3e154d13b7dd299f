"""What counts as agreement with a printed number, and numbers beside their printed ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dfbench.levels import Array


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
class Numbers:
    """A set of printed numbers of one setting beside the computed ones.

    Attributes:
        source: a key of `SOURCES`.
        setting, quantity: what the numbers are of, and what they are.
        printed: the numbers as they are printed.
        computed: the same computed from the setting; nan where there is none.
        decimals: that count, where more are written than the computation behind them had.
        reason: why they do not come out, where they do not and that is known.
        note: what else was found.
    """

    source: str
    setting: str
    quantity: str
    printed: tuple[str, ...]
    computed: tuple[float, ...]
    decimals: int | None = None
    reason: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if not len(self.printed) == len(self.computed) > 0:
            raise ValueError(
                f"{self.setting}, {self.quantity}: {len(self.printed)} printed numbers, "
                f"{len(self.computed)} computed"
            )

    @cached_property
    def differences(self) -> Array:
        """Computed less printed, one each."""
        return np.subtract(self.computed, [float(each) for each in self.printed], dtype=np.float64)

    @cached_property
    def agreeing(self) -> int:
        """How many computed numbers round to the printed digits."""
        fixed = None if self.decimals is None else 0.5 * 10.0**-self.decimals
        return sum(
            rounds_to(computed, float(printed), half_unit(printed) if fixed is None else fixed)
            for printed, computed in zip(self.printed, self.computed, strict=True)
        )

    @property
    def total(self) -> int:
        """How many numbers there are."""
        return len(self.printed)

    @property
    def reproduced(self) -> bool:
        """Whether every number comes out."""
        return self.agreeing == self.total

    @property
    def largest(self) -> float:
        """The difference that is largest in size; nan where no number could be computed."""
        known = self.differences[np.isfinite(self.differences)]
        return float(known[np.argmax(np.abs(known))]) if known.size else float("nan")

    @property
    def why(self) -> str:
        """Why it does not come out, where it does not."""
        return "" if self.reproduced else self.reason or "not found"
