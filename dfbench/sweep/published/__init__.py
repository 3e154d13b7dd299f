"""Numbers that papers print, as data, and what a study finds beside them."""

from dfbench.sweep.published.tables import PUBLISHED, Line, Printed, Source, side_by_side

__all__ = ["PUBLISHED", "Line", "Printed", "Source", "side_by_side"]
