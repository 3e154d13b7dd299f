"""Cases that Hypothesis draws the same way whatever the text of the code is that asks for them."""

from __future__ import annotations

from typing import Any

from hypothesis.internal.conjecture.providers import AVAILABLE_PROVIDERS, HypothesisProvider

#: Name of the source of randomness, for `hypothesis.settings(backend=...)`.
STEADY = "dfbench"


class Steady(HypothesisProvider):
    """Draws no constants that occur in the modules which happen to be loaded.

    By default one draw in twenty is a number that stands somewhere in the caller's source files:
    a comment would not change the cases, but a constant in another file does.
    """

    def _maybe_draw_constant(self, *_: Any, **__: Any) -> None:
        return None


AVAILABLE_PROVIDERS.setdefault(STEADY, f"{__name__}.{Steady.__name__}")
