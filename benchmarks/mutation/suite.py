"""Tests as judges: pytest collects a file once, and every fork runs those that it needs."""

from __future__ import annotations

import contextlib
import io
import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

import hypothesis
import pytest

#: Files whose tests hold formulas, or folders of them.
FILES = (
    "tests/formulas",
    "tests/samplers",
    "tests/analytic",
    "tests/test_grids.py",
    "tests/test_predictions.py",
    "tests/test_schedules.py",
    "tests/test_weightings.py",
)
#: What pytest does not need to find tests; two of these collect garbage for half a second.
WITHOUT = (
    *("cacheprovider", "faulthandler", "junitxml", "logging"),
    *("threadexception", "unraisableexception"),
)


def _root() -> Path:
    """Of the tree whose packages are imported."""
    import dfbench

    return Path(dfbench.__file__).parents[1]


def files() -> list[str]:
    """The files with tests to ask, relative to the root."""
    root = _root()
    found = [root / name for name in FILES]
    each = [[path] if path.is_file() else sorted(path.rglob("test_*.py")) for path in found]
    return [str(path.relative_to(root)) for paths in each for path in paths]


class _Collected:
    """A plugin that keeps the tests that pytest finds."""

    def __init__(self) -> None:
        self.items: list[Any] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.items = list(session.items)

    def pytest_unconfigure(self, config: pytest.Config) -> None:
        config.pluginmanager.unregister(name="capturemanager")  # which is closed from here on


@cache
def tests(file: str) -> dict[str, pytest.Item]:
    """The tests of a file by their name, apart from slow ones."""
    kept, root = _Collected(), _root()
    options = ["--collect-only", "-q", "-s", f"--rootdir={root}", *(f"-pno:{n}" for n in WITHOUT)]
    with pytest.MonkeyPatch.context() as environment, contextlib.redirect_stdout(io.StringIO()):
        environment.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        pytest.main([*options, str(root / file)], plugins=[kept])
    found = {item.nodeid: item for item in kept.items if item.get_closest_marker("slow") is None}
    for item in found.values():
        _once(item)
    return found


def _once(item: Any) -> None:
    """Let Hypothesis not shrink, nor draw cases that hang on the text of what is under mutation."""
    function = item.obj
    if hypothesis.is_hypothesis_test(function):
        from dfbench.literature.drawn_cases import STEADY

        function._hypothesis_internal_use_settings = hypothesis.settings(
            function._hypothesis_internal_use_settings,
            backend=STEADY,
            database=None,
            phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
        )


def file(judge: str) -> str:
    """The file of a test."""
    return judge.removeprefix("test ").partition("::")[0]


def group(judge: str) -> str:
    """Tests of one function whose parameters begin with the same word; any other judge alone."""
    if not judge.startswith("test "):
        return judge
    test, _, parameters = judge.partition("[")
    return f"{test}[{re.split('[^a-z0-9_]', parameters, maxsplit=1)[0]}"


def ask(name: str) -> str:
    """The verdict of a test by its name: pass, fail or skip."""
    item = tests(file(name)).get(name)
    if item is None:  # the file does not import
        return "fail"
    try:
        item.ihook.pytest_runtest_setup(item=item)
        item.ihook.pytest_runtest_call(item=item)
    except pytest.skip.Exception:
        return "skip"
    except (Exception, pytest.fail.Exception):
        return "fail"
    finally:
        item.ihook.pytest_runtest_teardown(item=item, nextitem=None)
    return "pass"


def forget() -> None:
    """Import the tests anew when they are next asked for."""
    tests.cache_clear()
    for name in [n for n in sys.modules if n.partition(".")[0] == "tests"]:
        del sys.modules[name]
