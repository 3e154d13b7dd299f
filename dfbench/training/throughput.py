"""How fast a study trains: samples per second, against what the hardware could multiply.

The fraction is the arithmetic that the step's multiplications and convolutions need, forward and
backward, over what one large matrix product of the same precision reaches on the same device at
the same time.
"""

from __future__ import annotations

import time
from typing import Any

import pandas as pd
import torch

from dfbench.training.checkpoint import LogRow
from dfbench.training.loop import Trainer


def matmul_peak(device: torch.device, dtype: torch.dtype, seconds: float = 0.3) -> float:
    """Floating-point operations per second of the fastest of many square products.

    Small ones count too: they fit between what else the machine does.

    Args:
        device, dtype: of the factors.
        seconds: how long it is tried, each size as long as the others.
    """
    sizes = (4096, 8192, 16384) if device.type == "cuda" else (256, 512, 1024)
    peak = 0.0
    for n in sizes:
        a, b = (torch.randn((n, n), device=device).to(dtype) for _ in range(2))
        _wait(device, a @ b)
        until = time.perf_counter() + seconds / len(sizes)
        while True:
            began = time.perf_counter()
            _wait(device, a @ b)
            now = time.perf_counter()
            peak = max(peak, 2 * n**3 / (now - began))
            if now > until:
                break
    return peak


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


def step_seconds(trainer: Trainer, seconds: float = 1.0) -> float:
    """Seconds of the fastest of a few steps, which other work of the machine did not touch.

    The trainer goes on by them: use one that is not needed any more.
    """
    for _ in range(2):  # what is compiled is compiled here
        trainer.advance()
    best, until = float("inf"), time.perf_counter() + seconds
    while True:
        began = time.perf_counter()
        loss, _ = trainer.advance()
        _wait(trainer.device, loss)
        best = min(best, time.perf_counter() - began)
        if time.perf_counter() > until:
            return best


def throughput(trainer: Trainer, rows: list[LogRow]) -> dict[str, Any]:
    """How fast it trained, and how fast a step can be beside the peak.

    `samples_per_second` is the median of what was logged, of all processes together; the
    fraction is of one process, its fastest step against the fastest product, taken together, so
    that other work of the machine counts for little.

    Args:
        trainer: one that is not needed any more, and that trains alone.
        rows: the log.
    """
    dtype = {"float32": torch.float32, "bf16": torch.bfloat16, "float64": torch.float64}
    what = trainer.device, dtype[trainer.loop.precision]
    each, before = operations(trainer), matmul_peak(*what)
    fastest = trainer.loop.batch / step_seconds(trainer)
    peak = max(before, matmul_peak(*what))
    return {
        "samples_per_second": float(
            pd.Series([row["samples_per_second"] for row in rows]).median()
        ),
        "fastest_samples_per_second": fastest,
        "operations_per_sample": each,
        "operations_per_second": each * fastest,
        "matmul_peak_per_second": peak,
        "fraction_of_peak": each * fastest / peak,
        "precision": trainer.loop.precision,
        "device": trainer.device.type,
        "processes": int(trainer.accelerator.num_processes),
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
