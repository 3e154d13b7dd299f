"""What a subject's code raises is a finding about the subject, and no error of ours."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from dfbench.errors import SubjectError
from dfbench.readout import TooManyInputs


class Aborted(Exception):
    """A run is left in the middle, by whoever watches it."""


@contextlib.contextmanager
def blamed(what: str) -> Iterator[None]:
    """Turns what the subject's code raises into a finding about it."""
    try:
        yield
    except (TooManyInputs, SubjectError, Aborted):
        raise
    except Exception as error:
        raise SubjectError(f"{what} raises {type(error).__name__}: {error}") from error
