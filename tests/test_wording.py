"""Numbers, durations and lists in words."""

import math

import pytest

from dfbench import wording


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ""),
        (0.0, "0"),
        (3.0, "3"),
        (1.23456e-7, "1.23e-07"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        (2.5e9, "2.5e+09"),
    ],
)
def test_numbers(value, expected):
    assert wording.number(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ""),
        (0.0, "0"),
        (0.0593, "0.0593"),
        (14830.0, "14800"),
        (1e-13, "10⁻¹³"),
        (-2.286e-16, "−2.29 × 10⁻¹⁶"),
        (2.04e13, "2.04 × 10¹³"),
        (math.inf, "inf"),
        (-math.inf, "−inf"),
    ],
)
def test_numbers_are_printed_as_a_person_writes_them(value, expected):
    assert wording.printed(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, "0"), (0.05, "0.05"), (2000, "2000"), (1e-4, "10⁻⁴"), (3e-5, "3·10⁻⁵"), (-1e6, "−10⁶")],
)
def test_ticks(value, expected):
    assert wording.tick(value) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.0123, "0.012 s"), (12.34, "12.3 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")],
)
def test_durations(seconds, expected):
    assert wording.duration(seconds) == expected


def test_factors_tell_one_from_a_little_more():
    assert [wording.factor(x) for x in (1.0034, 2.04, 120.0)] == ["1.003", "2", "120"]


def test_plurals():
    assert [wording.counted(n, "cell") for n in (0, 1, 2)] == ["0 cells", "1 cell", "2 cells"]
    assert [wording.several(n, "is", "are") for n in (1, 2)] == ["is", "are"]


def test_lists():
    assert [wording.listed("ABCDEFG"[:n]) for n in (0, 1, 2, 4, 6)] == [
        "",
        "A",
        "A and B",
        "A, B, C and D",
        "A, B, C and 3 more",
    ]


def test_values_on_a_line():
    assert wording.line({"a": [1, 0.5], "b": None}) == "a 1; 0.5, b None"
    assert wording.line([3, 32, 32], " × ") == "3 × 32 × 32"
    assert wording.settings({"eta": 1, "name": "x" * 50}) == f"eta=1, name={'x' * 39}…"
    assert wording.clean("a\x1b[31mb") == "a�[31mb"
