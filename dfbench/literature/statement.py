"""What a claim of the literature is: a `Claim` whose subject is the formula itself.

A claim of this kind is one file, `c34_….py`, found by its number. It names the formula under
test (its *subject*: any object, usually a function), checks it, and gives as its control the same
formula broken by a given size, which must fail. `for_all` draws the cases with Hypothesis and
keeps the smallest counterexample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from analytic import CoupledMixtures, GaussianMixture
from dfbench.levels import Grid, Level
from dfbench.literature import PARTS
from dfbench.literature.drawn_cases import STEADY
from dfbench.outcome import Claim, Finding, deciding, decorator, judge

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dfbench.literature.slider import Slider


@dataclass(frozen=True, kw_only=True)
class Statement(Claim):
    """What the literature says, in LaTeX: z_t = α_t x + σ_t ε, t = 0 data.

    Attributes:
        title: a few words.
        subject: makes the formula under test.
        figure: draws the finding's series, or None where a table says it all.
    """

    title: str
    subject: Callable[[], Any]
    figure: Callable[[Finding], Figure] | None = None
    kind: str = "formula"

    @property
    def number(self) -> int:
        """That of the id: 34 of "34", "P34" and "T34"."""
        return int(self.id.lstrip("PT"))


@dataclass(frozen=True, kw_only=True)
class Literature(Statement):
    """A claim of the literature.

    Attributes:
        condition: when it applies, in words; what the control breaks.
        slider: how the series change with a number that the reader sets, where that says more.
    """

    condition: str
    slider: Slider | None = None

    @property
    def part(self) -> str:
        """The part of the list that it stands in."""
        return [part for part, first in PARTS.items() if first <= self.number][-1]


@dataclass(frozen=True, kw_only=True)
class Printed(Statement):
    """A formula as its source prints it: does it hold, and if not, what does?

    The statement is the formula as printed. The check's subject is the pair (printed,
    corrected); it passes if the printed form holds or fails as `holds` says, and the corrected
    form holds. The finding's counterexample is the smallest case in which the printed form
    fails; its `quantities` have "printed" and "corrected", the largest deviation of each.

    Attributes:
        holds: whether the formula holds as printed.
        corrected: the corrected form, LaTeX; the same where it holds.
        where: in which case the printed form does hold, or what condition is unstated.
    """

    holds: bool
    corrected: str
    where: str


SEED = 0  # of all cases: not the text of this file, as Hypothesis would take


row = decorator(Literature)
printed = decorator(Printed)


class _Violated(AssertionError):
    """The bound is exceeded: makes Hypothesis look for a smaller case."""


def for_all(
    measure: Callable[..., float],
    bound: float,
    *,
    examples: int = 40,
    unit: str | None = None,
    derivation: str | None = None,
    **cases: st.SearchStrategy[Any],
) -> Finding:
    """The largest value of a measure over drawn cases, against a bound.

    Hypothesis draws the cases (the same ones every time) and, where the bound is exceeded,
    shrinks to the smallest counterexample, which the finding keeps.

    Args:
        measure: keyword arguments as in `cases` → a number that must not exceed the bound.
        bound, unit, derivation: of the finding.
        examples: cases drawn.
    """
    worst: tuple[float, dict[str, Any]] = (0.0, {})
    violation: tuple[float, dict[str, Any]] | None = None

    @seed(SEED)
    @settings(
        max_examples=examples,
        backend=STEADY,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @given(**cases)
    def run(**case: Any) -> None:
        nonlocal worst, violation
        value = float(measure(**case))
        if not value <= bound:
            violation = (value, case)
            raise _Violated
        if value > worst[0]:
            worst = (value, case)

    try:
        run()
    except _Violated:
        assert violation is not None
        value, case = violation
        return judge(
            value,
            bound,
            unit=unit,
            derivation=derivation,
            counterexample={name: _plain(v) for name, v in case.items()},
        )
    return judge(worst[0], bound, unit=unit, derivation=derivation)


def _plain(value: Any) -> Any:
    """A drawn value as JSON can hold it, with the numbers that make it."""
    if isinstance(value, bool | int | float | str) or value is None:
        return value
    return value.tolist() if hasattr(value, "tolist") else _brief(value)


def _brief(value: Any) -> str:
    """A law, a level, a schedule or a list of them, in one short line."""
    match value:
        case bool() | str() | None:
            return str(value)
        case int() | float():
            return f"{value:.3g}"
        case GaussianMixture():
            return f"means {_brief(value.means)} variances {_brief(_spread(value))} weights " + (
                _brief(value.weights)
            )
        case CoupledMixtures():
            return f"x: {_brief(value.x)}; y: {_brief(value.y)}"
        case Level():
            return f"α {value.alpha:.3g} σ {value.sigma:.3g}"
        case Grid():
            return f"α {_brief(value.alpha)} σ {_brief(value.sigma)}"
        case set() | frozenset():
            return _brief(sorted(value))
        case list() | tuple() | np.ndarray():
            return f"[{' '.join(_brief(each) for each in value)}]"
    if is_dataclass(value) and not isinstance(value, type):
        set_to = [
            f"{field.name} {_brief(getattr(value, field.name))}"
            for field in fields(value)
            if not callable(getattr(value, field.name))
            and (field.default is MISSING or getattr(value, field.name) != field.default)
        ]
        return " ".join([type(value).__name__, *set_to])
    return str(getattr(value, "__name__", value))


def _spread(law: GaussianMixture) -> Any:
    """A variance for each component, or one for each of its directions where they differ."""
    same = (law.spectra == law.spectra[:, :1]).all()
    return law.spectra[:, 0] if same else law.spectra


def largest(*values: float | Iterable[float]) -> float:
    """The largest of the values, or of one iterable of them; NaN where any is.

    Python's `max` may drop a NaN, and a deviation that could not be computed would pass.
    """
    one = values[0] if len(values) == 1 else values
    return float(np.max(np.fromiter(one, float) if isinstance(one, Iterable) else one))


def worst_of(*findings: Finding, **found: Any) -> Finding:
    """The finding that decides: the first that does not pass, else the closest to its bound.

    Args:
        found: what it reports of all of them, `quantities` and `series`.
    """
    decides = deciding(findings)
    return replace(decides, **found) if found else decides


def largest_of(gaps: Mapping[str, float], bound: float, **said: Any) -> Finding:
    """The largest of named deviations against the bound of all, with its name as `where`."""
    where = max(gaps, key=lambda name: (np.isnan(gaps[name]), gaps[name]))
    return judge(gaps[where], bound, where=where, **said)
