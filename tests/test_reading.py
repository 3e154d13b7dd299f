"""What a user wrote is read strictly: nothing is converted, and an error leads to its key."""

import doctest
import math
from pathlib import Path

import pytest

from dfbench import reading
from dfbench.errors import Unusable
from dfbench.loading import CodeName
from dfbench.reading import Section, Several, Wrong, arguments, called


class Inner(Section):
    numbers: Several[int] = (1,)


class Outer(Section):
    inner: Inner = Inner()
    size: float = 1.0
    values: list[float] | float = 0.0


def function(*, path: Path | None = None, size: float = math.inf, pair: tuple[int, int] = (1, 2)):
    if size < 0:
        raise ValueError(f"size must not be negative, got {size}")
    return size


def located(*, where: Path, name: CodeName, **others):
    """Of places, and options of any name."""


def test_the_examples_of_the_module_run():
    assert doctest.testmod(reading).failed == 0
    assert doctest.testmod(reading).attempted > 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"siez": 1.0}, "siez: no such key; accepted: inner, size, values; do you mean size?"),
        ({"size": "1"}, "size: must be a number, got '1'"),
        ({"size": True}, "size: must be a number, got True"),
        ({"size": math.nan}, "size: must be finite, got nan"),
        ({"inner": 3}, "inner: must be a table of keys and values, got 3"),
        ({"inner": {"numbers": []}}, "inner.numbers: is empty"),
        ({"inner": {"numbers": [1, 2.0]}}, "inner.numbers[1]: must be a whole number, got 2.0"),
        ({"values": [1.0, "x" * 80]}, f"values[1]: must be a number, got '{'x' * 56}..."),
    ],
)
def test_what_is_wrong_is_named_by_its_path(content, message):
    with pytest.raises(Unusable) as raised:
        Outer.of(content)
    assert str(raised.value) == message


def test_what_is_right_comes_as_it_is():
    assert Outer.of({"size": 2, "inner": {"numbers": 5}}).inner.numbers == (5,)
    assert Outer.of(Outer.of({})) == Outer()


def test_arguments_of_functions(tmp_path, monkeypatch):
    assert called(function, {"size": 2.0}) == 2.0
    assert called(function, {}) == math.inf
    assert arguments(function).of({"pair": [3, 4]}).pair == (3, 4)
    for given, told in (
        ({"sise": 1.0}, r"^sise: no such key; .*do you mean size"),
        ({"size": -1.0}, "^size must not be negative, got -1.0$"),
        ({"size": math.nan}, "^size: must be a number, got nan$"),
        ({"pair": [1]}, r"^pair\[1\]: is missing$"),
    ):
        with pytest.raises(Wrong, match=told):
            called(function, given)
    monkeypatch.chdir(tmp_path)
    found = arguments(located).of({"where": "a", "name": "b.py:C", "more": [1]})
    assert dict(found) == {"where": tmp_path / "a", "name": f"{tmp_path / 'b.py'}:C", "more": [1]}
    assert arguments(located).of({"where": "a", "name": "package.b:C"}).name == "package.b:C"


def test_a_path_is_put_in_front():
    with pytest.raises(Wrong, match=r"^targets\[2\].file: gone$"), reading.at("targets", 2):
        raise Wrong("gone", "file")
    with pytest.raises(Wrong, match=r"^targets: not so$"), reading.at("targets"):
        raise ValueError("not so")


def test_a_study_that_cannot_be_read_says_why_and_what_is_shipped(tmp_path):
    known = reading.shipped("dfbench.sweep")
    for name, told in (
        ("quik", "^no study 'quik'; .*do you mean quick"),
        (f"{tmp_path}/gone.toml", r"gone\.toml: no such file or directory; .*accepted: full"),
        (str(tmp_path), "is a directory"),
    ):
        with pytest.raises(Unusable, match=told):
            reading.toml(name, known, lambda content, text: content)
    assert reading.toml("quick", known, lambda content, text: content)["title"]
