"""The reference samplers, a family a file; `METHODS` has them by name."""

from __future__ import annotations

import importlib

from dfbench.samplers.method import METHODS, Method, Traits, method, named

FAMILIES = (
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

for _family in FAMILIES:
    importlib.import_module(f"dfbench.samplers.{_family}")

__all__ = ["METHODS", "Method", "Traits", "method", "named"]
