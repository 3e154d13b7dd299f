"""Studies of how far samplers are from exact: samplers × schedules × targets × budgets.

A *study* (`study`, TOML or a mapping) is multiplied out into *cells* (`cells`), each computed
(`compute`) and kept (`store`) by `run`, which then writes a table of *measurements*.

    from dfbench.sweep import bench, merge
    outcome = bench("quick", "results")
    merge(["results", "results of another machine"], "both")
    bench("quick", "both")                     # the tables of all
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dfbench.sweep.run import StudyOutcome as StudyOutcome
    from dfbench.sweep.run import bench as bench
    from dfbench.sweep.store import merge as merge
    from dfbench.sweep.study import Study as Study
    from dfbench.sweep.study import load as load

# No module here may be called like one of these names.
_HOMES = {
    "StudyOutcome": "run",
    "Study": "study",
    "bench": "run",
    "load": "study",
    "merge": "store",
}

__all__ = ["Study", "StudyOutcome", "bench", "load", "merge"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
