"""Seconds a scheduler, beyond imports, in its default configuration; and the whole library."""

from __future__ import annotations

import cProfile
import importlib.util
import pstats
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


def calls_of(subject: str) -> dict[str, int]:
    """Python calls that one certificate makes: all, and those into the adapters of subjects."""
    profile = cProfile.Profile()
    profile.runcall(certify, subject)
    rows = pstats.Stats(profile).stats.items()  # type: ignore[attr-defined]
    adapters = [count for (file, *_), (_, count, *_) in rows if "/dfbench/subjects/" in file]
    return {"calls": sum(count for _, (_, count, *_) in rows), "calls_of_adapters": sum(adapters)}


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
    benchmark.extra_info.update(calls_of(f"diffusers:{name}"))
    held(benchmark, f"diffusers:{name}")


def test_library(benchmark: Any) -> None:
    held(benchmark, "diffusers", workers=1)
