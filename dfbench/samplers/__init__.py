"""The reference samplers, a family a file; `METHODS` has them by name."""

from __future__ import annotations

from dfbench.loading import modules_of
from dfbench.samplers.method import METHODS, Method, Traits, method, named

#: The order of `METHODS`; a file that is not named comes after these.
FIRST = (
    "ddim",
    "ode",
    "flow",
    "edm",
    "ancestral",
    "sde",
    "dpm_solver",
    "dpm_solver_pp",
    "adams",
    "unipc",
    "sa_solver",
)
FAMILIES = tuple(modules_of(__name__, FIRST))

__all__ = ["METHODS", "Method", "Traits", "method", "named"]
