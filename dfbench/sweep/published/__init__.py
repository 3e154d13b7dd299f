"""Numbers that papers print, as data, and what a study finds beside them."""

from dfbench.sweep.published.tables import (
    PUBLISHED,
    BesidePrinted,
    PrintedNumber,
    Source,
    side_by_side,
)

__all__ = ["PUBLISHED", "BesidePrinted", "PrintedNumber", "Source", "side_by_side"]
