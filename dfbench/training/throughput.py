"""How fast a study trains: samples per second, against what the hardware could multiply.

The fraction is the arithmetic that the step's multiplications and convolutions need, forward and
backward, over what one large matrix product of the same precision reaches on the same device.
"""

from __future__ import annotations

import time
from typing import Any

import pandas as pd
import torch

from dfbench.training.checkpoint import Row
from dfbench.training.loop import Trainer


def matmul_peak(device: torch.device, dtype: torch.dtype, seconds: float = 0.3) -> float:
    """Floating-point operations per second of the best of several large square products.

    Args:
        device, dtype: of the factors.
        seconds: how long it is tried, after one product that does not count.
    """
    n = 8192 if device.type == "cuda" else 1024
    a, b = (torch.randn((n, n), device=device).to(dtype) for _ in range(2))
    best, until = float("inf"), time.perf_counter() + seconds
    _wait(device, a @ b)
    while True:
        began = time.perf_counter()
        _wait(device, a @ b)
        best = min(best, time.perf_counter() - began)
        if time.perf_counter() > until:
            return 2 * n**3 / best


def operations(trainer: Trainer) -> float:
    """Operations per sample of a training step: of products and convolutions, both passes."""
    from torch.utils.flop_counter import FlopCounterMode

    forward, trainer.forward = trainer.forward, trainer.net  # as written, not as compiled
    try:
        with FlopCounterMode(display=False) as counter:
            each, _, _ = trainer.losses(trainer.step)
            torch.autograd.backward(each.mean())
    finally:
        trainer.forward = forward
        trainer.optimiser.zero_grad(set_to_none=True)
    return float(counter.get_total_flops()) / trainer.loop.batch


def throughput(trainer: Trainer, rows: list[Row]) -> dict[str, Any]:
    """What the log says of the speed, and its fraction of the measured peak.

    The median of the logged stretches, so that compilation and other work of the machine count
    for little.
    """
    dtype = {"float32": torch.float32, "bf16": torch.bfloat16, "float64": torch.float64}
    peak = matmul_peak(trainer.device, dtype[trainer.loop.precision])
    samples = float(pd.Series([row["samples_per_second"] for row in rows]).median())
    each, processes = operations(trainer), int(trainer.accelerator.num_processes)
    return {
        "samples_per_second": samples,
        "operations_per_sample": each,
        "operations_per_second": each * samples,
        "matmul_peak_per_second": peak * processes,
        "fraction_of_peak": each * samples / (peak * processes),
        "precision": trainer.loop.precision,
        "device": trainer.device.type,
        "processes": processes,
        "threads": torch.get_num_threads(),
        "parameters": sum(p.numel() for p in trainer.parameters),
    }


def profile(trainer: Trainer, steps: int = 5) -> pd.DataFrame:
    """Where a step's time goes: a row for each kind of operation, the slowest first.

    The trainer goes on by that many steps (and two before): use one that is not needed any more.

    Returns:
        Columns operation, seconds (of itself, per step), calls (per step), fraction.
    """
    from torch.profiler import ProfilerActivity

    activities = [ProfilerActivity.CPU]
    cuda = trainer.device.type == "cuda"
    if cuda:
        activities.append(ProfilerActivity.CUDA)
    for _ in range(2):
        trainer.advance()
    with torch.profiler.profile(activities=activities) as found:
        for _ in range(steps):
            trainer.advance()
        _wait(trainer.device, torch.zeros((), device=trainer.device))
    rows = [
        {
            "operation": event.key,
            "seconds": (event.self_device_time_total if cuda else event.self_cpu_time_total)
            / (1e6 * steps),
            "calls": event.count / steps,
        }
        for event in found.key_averages()
    ]
    table = pd.DataFrame(rows).sort_values("seconds", ascending=False, ignore_index=True)
    table["fraction"] = table["seconds"] / table["seconds"].sum()
    return table


def _wait(device: torch.device, result: torch.Tensor) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
