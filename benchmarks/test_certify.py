"""Seconds a scheduler, beyond imports, in its default configuration; and the whole library."""

from __future__ import annotations

import importlib.util
import time
from typing import Any

import pytest

from benchmarks.timing import report
from dfbench import certify
from dfbench.subjects import libraries

HERE = importlib.util.find_spec("diffusers") is not None
NAMES = libraries()["diffusers"] if HERE else []


@pytest.fixture(scope="module", autouse=True)
def _imported() -> None:
    """What is loaded, compiled or kept on the first subject is paid before."""
    pytest.importorskip("diffusers")
    certify("diffusers:DDIMScheduler")


def held(benchmark: Any, subject: str, **options: Any) -> None:
    found: list[Any] = []
    start = time.process_time()
    report(benchmark, lambda: found.append(certify(subject, **options)), rounds=1)
    busy = time.process_time() - start  # what other programs take does not count
    subjects = found[-1].subjects
    findings = [each for one in subjects for each in one.findings]
    slowest = max(findings, key=lambda each: each.seconds)
    took = benchmark.stats.stats.min if benchmark.stats else 0.0
    benchmark.extra_info.update(
        processor_seconds_per_subject=busy / len(subjects),
        findings=len(findings),
        slowest_claim=slowest.claim,
        share_of_slowest=slowest.seconds / max(took, 1e-9),
    )


@pytest.mark.parametrize("name", NAMES)
def test_scheduler(benchmark: Any, name: str) -> None:
    held(benchmark, f"diffusers:{name}")


def test_library(benchmark: Any) -> None:
    held(benchmark, "diffusers", workers=1)
