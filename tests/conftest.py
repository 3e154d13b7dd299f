"""What holds for every test: a fixed sequence of examples, and one thread.

Hypothesis runs under the profile `ci`, the same examples each time, however slow the machine;
`pytest --hypothesis-profile=thorough` draws new ones, and many more.

What takes long is marked `slow`, and `tox` leaves it to `tox -e full`:

- `slow`: all cases of the test;
- `slow(quick=2)`: all but the first two, which stand for the others in a quick run;
- `slow(only=["a", "b"])`: the cases of these ids.
"""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# Tests are many and small, and what a sum comes to must not hang on the number of cores. The
# libraries read these when they are first imported, so nothing has to be imported here.
for variable in ("MKL_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

#: Nothing that is counted in seconds.
PATIENT = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow], "print_blob": True}

settings.register_profile("ci", derandomize=True, **PATIENT)
settings.register_profile("thorough", derandomize=False, max_examples=2000, **PATIENT)
settings.load_profile("ci")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Take the mark `slow` from the cases that it does not mean."""
    seen: dict[str, int] = {}
    for item in items:
        if (mark := item.get_closest_marker("slow")) is None:
            continue
        test, _, case = item.nodeid.partition("[")
        seen[test] = seen.get(test, 0) + 1
        if only := mark.kwargs.get("only"):
            slow = case.removesuffix("]") in only
        else:
            slow = seen[test] > mark.kwargs.get("quick", 0)
        if not slow:
            item.own_markers[:] = [kept for kept in item.own_markers if kept.name != "slow"]


@pytest.fixture
def few_claims() -> Iterator[None]:
    """The claims on samplers may be changed and left out: afterwards all are there, in order."""
    from dfbench.checks import CLAIMS

    kept = dict(CLAIMS)
    yield
    CLAIMS.clear()
    CLAIMS.update(kept)
