"""Devices, threads, and what a result says of the machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from dfbench import environment


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """One thread, as in certification: a ratio of two parallel timings measures the scheduler."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(params=["cpu", "cuda"])
def device(request: pytest.FixtureRequest) -> str:
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    return str(request.param)


def pytest_benchmark_update_machine_info(config: Any, machine_info: dict[str, Any]) -> None:
    """Cores, instruction set and accelerators; nothing that names the machine or its user."""
    machine_info.pop("node", None)
    machine_info["isa"] = torch.backends.cpu.get_cpu_capability()
    machine_info["environment"] = environment.describe()


def pytest_terminal_summary(terminalreporter: Any, config: Any) -> None:
    """A line of ratios a benchmark, below pytest-benchmark's table of times."""
    session = getattr(config, "_benchmarksession", None)
    for bench in session.benchmarks if session else []:
        told = ", ".join(
            f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
            for name, value in bench.extra_info.items()
        )
        terminalreporter.write_line(f"{bench.name}: {told}")
