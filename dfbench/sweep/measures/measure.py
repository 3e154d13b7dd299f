"""What a measure is, and the registry of them by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dfbench.sweep.measurement import Value
from dfbench.sweep.samplers import Run
from dfbench.sweep.sampling import Samples
from dfbench.sweep.targets import Target

Measuring = Callable[[Target, Run, Samples], list[Value]]
Applies = Callable[[Target, Run], str | None]


@dataclass(frozen=True)
class Measure:
    """A way to say how far a run's output is from its target.

    Attributes:
        name: of the metric.
        what: one line for `dfbench list metrics`.
        unit: of its values.
        exact: needs no samples; its values have no uncertainty.
        source: paper and equation.
        applies: (target, run) → None, or the reason why it makes no sense there.
        function: (target, run, samples) → values. `samples` draws only when it is iterated.
    """

    name: str
    what: str
    unit: str
    exact: bool
    source: str
    applies: Applies
    function: Measuring

    def __call__(self, target: Target, run: Run, samples: Samples) -> list[Value]:
        return self.function(target, run, samples)


MEASURES: dict[str, Measure] = {}


def measure(
    name: str,
    *,
    what: str,
    unit: str,
    exact: bool,
    source: str,
    applies: Applies = lambda target, run: None,
) -> Callable[[Measuring], Measure]:
    """Register a function as the measure of this name; arguments as in `Measure`."""

    def register(function: Measuring) -> Measure:
        MEASURES[name] = Measure(name, what, unit, exact, source, applies, function)
        return MEASURES[name]

    return register
