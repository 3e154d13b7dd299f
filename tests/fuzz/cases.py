"""Cases of the fuzzer: a call with one or two of its arguments replaced, drawn by a seed."""

from __future__ import annotations

import random
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.fuzz.call import KINDS, Call
from tests.fuzz.calls import CALLS
from tests.fuzz.nonsense import meaningless, spoiled

SECONDS = 20  # of a case: more is a hang
ACCEPTED = (ValueError, TypeError)
#: Of messages that name no argument.
UNCLEAR = (
    "truth value of an array",
    "could not be broadcast",
    "inhomogeneous shape",
    "unsupported operand",
    "not supported between",
    "float() argument",
    "could not convert",
    "must be real number, not",
    "is not iterable",
    "is not callable",
    "unhashable",
    "did not contain a loop",
    "has no len()",
    "only 0-dimensional",
    "zero-size array",
    "not subscriptable",
    "matmul:",
)


@dataclass(frozen=True)
class Case:
    """A call, and what is put in place of its arguments."""

    call: Call
    replaced: dict[str, Any]

    def __str__(self) -> str:
        given = ", ".join(f"{name}={_shown(value)}" for name, value in self.replaced.items())
        return f"{self.call.name}({given})"

    @property
    def as_numpy(self) -> bool:
        """Whether what is replaced is only handed on to NumPy or torch, or is the caller's code."""
        kinds = {self.call.arguments[name][0] for name in self.replaced}
        return bool(kinds & {"data", "function"})

    def fault(self) -> str | None:
        """What is wrong with how the call takes it; None if nothing is.

        Right is one line that refuses it, or numbers; NaN only where NaN went in as data. What can
        be no number (NaN, text, complex) must be refused, except where nothing may be given.
        """
        arguments = self.call.right
        try:
            with soon(SECONDS), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = self.call.function(**arguments | self.replaced)
        except ACCEPTED as error:
            return _of_message(error, () if self.as_numpy else UNCLEAR)
        except OverflowError as error:
            return None if self.as_numpy else f"OverflowError: {error}"
        except Hang:
            return f"does not answer within {SECONDS} s"
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        for name, value in self.replaced.items():
            kind, right = self.call.arguments[name]
            if kind not in ("number", "array") or (value is None and right is None):
                continue
            if (why := meaningless(value)) is not None:
                return f"takes {why} for {name}"
        if _has_nan(found) and not self.as_numpy:
            return "returns NaN"
        return None


def drawn(seed: int, count: int, calls: list[Call] = CALLS) -> Iterator[Case]:
    """As many cases; the same for the same seed. First each call, then at random."""
    rng = random.Random(seed)
    for i in range(count):
        call = calls[i % len(calls)]
        names = rng.sample(sorted(call.arguments), min(len(call.arguments), rng.choice((1, 1, 2))))
        yield Case(call, {name: _replacement(*call.arguments[name], rng) for name in names})


def _replacement(kind: str, right: Any, rng: random.Random) -> Any:
    """Something of another kind, or what is right with one thing changed."""
    if kind in ("array", "data") and right is not None and rng.random() < 0.5:
        return spoiled(right, rng)
    return rng.choice(KINDS[kind])


class Hang(BaseException):
    pass


@contextmanager
def soon(seconds: int) -> Iterator[None]:
    def late(*_: Any) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _of_message(error: Exception, unclear: tuple[str, ...]) -> str | None:
    text = str(error).strip()
    if not text:
        return f"{type(error).__name__} without a word"
    if text.count("\n") > 2:
        return f"{text.count(chr(10)) + 1} lines: {text}"
    if said := next((each for each in unclear if each in text), None):
        return f"says what only NumPy or Python understands, {said!r}: {text}"
    return None


def _has_nan(found: Any) -> bool:
    if isinstance(found, float | np.floating):
        return bool(np.isnan(found))
    if isinstance(found, np.ndarray):
        return found.dtype.kind in "fc" and bool(np.isnan(found).any())
    if isinstance(found, tuple | list):
        return any(map(_has_nan, found))
    if isinstance(found, dict):
        return any(map(_has_nan, found.values()))
    if hasattr(found, "__dataclass_fields__"):
        return any(_has_nan(getattr(found, name, None)) for name in found.__dataclass_fields__)
    return False


def _shown(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) < 60 else text[:57] + "..."
