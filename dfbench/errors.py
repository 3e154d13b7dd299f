"""What can go wrong with a subject, told apart so that each becomes the right verdict."""

from __future__ import annotations

from typing import Any


class Unusable(Exception):
    """The subject cannot be certified at all, or the call is wrong; the message is for the user."""


class Unsupported(Exception):
    """The subject has no way to do what was asked (a grid, a prediction); the message says so."""


class SetupError(Unsupported):
    """The subject crashes while its steps are set (it does not refuse: it breaks)."""


class SubjectError(Exception):
    """The subject's own code raised, or returned what cannot be used; the message says what."""


class TimedOut(SubjectError):
    """The subject's own code does not return."""


class NotAffine(Exception):
    """The sampler has no table: superposition fails at every amplitude."""


class Undefined(ValueError):
    """A prediction does not exist at a level (noise at σ = 0, data at α = 0)."""


class OffSchedule(ValueError):
    """A log-SNR that a schedule does not reach."""


def expect(name: str, value: Any, kind: type) -> None:
    """Refuse an argument that is not of a kind.

    Raises:
        TypeError: it is not; the message names both.
    """
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be a {kind.__name__}, got {type(value).__name__}")


def short(value: Any) -> str:
    """A value in a message: one line, and not a long one."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."
