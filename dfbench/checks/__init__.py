"""The claims, a subject a file; `CLAIMS` has them by id, in the order of a certificate."""

from __future__ import annotations

import importlib

from dfbench.outcome import CLAIMS, Claim, Finding

for _name in (
    "counts",
    "affine",
    "bookkeeping",
    "landing",
    "identity",
    "order",
    "law",
    "invariance",
    "noise",
    "batch",
    "companions",
    "options",
):
    importlib.import_module(f"dfbench.checks.{_name}")

__all__ = ["CLAIMS", "Claim", "Finding"]
