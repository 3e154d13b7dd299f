"""The parts of a check: deviations from the truth with their bounds, and which one decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, ParamSpec

from hypothesis import strategies as st

from dfbench.literature.statement import for_all, worst_of
from dfbench.outcome import Finding

P = ParamSpec("P")


@dataclass(frozen=True)
class Deviation(Generic[P]):
    """How far a formula is from the truth in one case; made by `within`.

    Attributes:
        measure: what a case gives, as a number that must not exceed the bound.
        bound, unit, derivation: of its findings.
    """

    measure: Callable[P, float]
    bound: float
    unit: str | None = None
    derivation: str | None = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> float:
        """The deviation in one case."""
        return self.measure(*args, **kwargs)

    def for_all(
        self, *subject: Any, examples: int = 40, **cases: st.SearchStrategy[Any]
    ) -> Finding:
        """The largest over drawn cases, against the bound; see `statement.for_all`.

        Args:
            subject: what comes before the cases, where the measure asks for it: the formula.
            examples: cases drawn.
            cases: keyword arguments of the measure, and where they are drawn from.
        """
        return for_all(
            partial(self.measure, *subject),
            self.bound,
            examples=examples,
            unit=self.unit,
            derivation=self.derivation,
            **cases,
        )


def within(
    bound: float, unit: str | None = None, derivation: str | None = None
) -> Callable[[Callable[P, float]], Deviation[P]]:
    """Give a measure the bound that it is held to; see `Deviation` for the arguments."""

    def bounded(measure: Callable[P, float]) -> Deviation[P]:
        return Deviation(measure, bound, unit, derivation)

    return bounded


def decided(
    parts: Mapping[str, Finding],
    quantities: Mapping[str, float] | None = None,
    series: dict[str, list[float]] | None = None,
) -> Finding:
    """The finding of the part that decides, with what each part measured, by name.

    Args:
        quantities, series: what else is reported.
    """
    measured = {name: part.measured or 0.0 for name, part in parts.items()}
    return worst_of(*parts.values(), quantities={**measured, **(quantities or {})}, series=series)
