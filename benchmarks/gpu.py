"""What an accelerator makes of it: the oracle, the executor and training, beside measured ceilings.

    python benchmarks/gpu.py OUT.json [--tiny]

Ceilings are measured first: the largest matrix product of each precision and the plain copy. Every
time is the least of several, with the device waited for. `--tiny` tries the script anywhere.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from analytic import GaussianMixture
from dfbench.levels import Grid
from dfbench.oracle import TorchMixture
from dfbench.samplers import METHODS
from dfbench.training import config, throughput
from dfbench.training.loop import Trainer

TINY = "--tiny" in sys.argv
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
LEVEL = (0.6, 0.8)


def wait() -> None:
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()


def seconds(run: Callable[[], Any], enough: float = 0.5) -> float:
    """The least time of a few runs."""
    run()
    wait()
    best, until = float("inf"), time.perf_counter() + enough
    while True:
        began = time.perf_counter()
        run()
        wait()
        best = min(best, time.perf_counter() - began)
        if time.perf_counter() > until:
            return best


def ceilings() -> dict[str, float]:
    """Operations a second of products, bytes a second of copies (read and written)."""
    found = {}
    for name, dtype, fast in (
        ("float64", torch.float64, False),
        ("float32", torch.float32, False),
        ("tf32", torch.float32, True),
        ("bfloat16", torch.bfloat16, True),
    ):
        torch.backends.cuda.matmul.allow_tf32 = fast
        found[name] = throughput.matmul_peak(DEVICE, dtype, 0.2 if TINY else 2.0)
    torch.backends.cuda.matmul.allow_tf32 = False
    x = torch.randn(1 << (20 if TINY else 28), device=DEVICE)
    y = torch.empty_like(x)
    found["copy"] = 2 * x.numel() * 4 / seconds(lambda: y.copy_(x))
    return found


def oracle(peaks: dict[str, float]) -> list[dict[str, Any]]:
    """The score of mixtures: seconds, and how often the two products alone fit in."""
    rng = np.random.default_rng(0)
    cases = [(65536, 100, 2), (65536, 100, 64), (8192, 100, 784), (4096, 50000, 784)]
    cases += [(2048, 50000, 3072)]
    rows = []
    for n, k, d in [(256, 20, 8)] if TINY else cases:
        means = rng.standard_normal((k, d))
        mixture = GaussianMixture.isotropic(np.full(k, 1 / k), means, 0.05)
        z = rng.standard_normal((n, d))
        exact = mixture.score(z[:16], *LEVEL)
        for dtype in (torch.float32, torch.float64):
            made = TorchMixture(mixture, dtype=dtype, device=DEVICE)
            states = torch.as_tensor(z, dtype=dtype, device=DEVICE)
            spent = seconds(lambda made=made, states=states: made.score(states, *LEVEL))
            name = str(dtype).removeprefix("torch.")
            floor = 2 * n * k * d * (1 / peaks["float64"] + 1 / peaks[name])
            at = states[:16].double().cpu().numpy()
            exact = mixture.score(at, *LEVEL)
            off = np.abs(made.score(states[:16], *LEVEL).double().cpu().numpy() - exact).max()
            rows.append(
                {
                    "states": n,
                    "components": k,
                    "dimensions": d,
                    "dtype": name,
                    "milliseconds": 1e3 * spent,
                    "over_the_products": spent / floor,
                    "off": float(off / np.abs(exact).max()),
                }
            )
    return rows


def executor(peaks: dict[str, float]) -> list[dict[str, Any]]:
    """`Table.run` of 20 steps in float32, beside the bytes that its steps have to move."""
    rows = []
    ratio = np.geomspace(20.0, 0.02, 21)
    grid = Grid(1 / np.hypot(1, ratio), ratio / np.hypot(1, ratio))
    for name in ("ddim", "dpm_solver_pp_multistep", "unipc", "heun"):
        method = METHODS[name]
        table = method.table(grid, "eps")
        for shape in [(16, 8)] if TINY else [(65536, 2), (8, 3, 256, 256), (64, 3, 256, 256)]:
            z, m = (torch.randn(shape, device=DEVICE) for _ in range(2))
            spent = seconds(lambda table=table, z=z, m=m: table.run(lambda x, level: m, z))
            moved = (
                sum(1 + (step.carry != 0) + len(step.outputs) for step in table.steps())
                * z.numel()
                * 4
            )
            rows.append(
                {
                    "method": name,
                    "shape": list(shape),
                    "milliseconds": 1e3 * spent,
                    "over_the_bytes": spent / (moved / peaks["copy"]),
                }
            )
    return rows


def training() -> list[dict[str, Any]]:
    """The fastest step of each study, as written and compiled."""
    rows = []
    for study in ("mixture-2d",) if TINY else ("mixture-2d", "digits", "image-32"):
        for compiled in ("off",) if TINY else ("off", "on"):
            made = config.read(config.shipped()[study])
            loop = made.loop.model_copy(update={"compile": compiled})
            trainer = Trainer(made.model_copy(update={"loop": loop}), alone=True)
            torch.manual_seed(0)
            dtype = torch.bfloat16 if loop.precision == "bf16" else torch.float32
            each = throughput.operations(trainer)
            spent = throughput.step_seconds(trainer, 0.2 if TINY else 4.0)
            peak = throughput.matmul_peak(DEVICE, dtype, 0.2 if TINY else 1.0)
            rows.append(
                {
                    "study": study,
                    "compile": compiled,
                    "precision": loop.precision,
                    "batch": loop.batch,
                    "milliseconds": 1e3 * spent,
                    "samples_per_second": loop.batch / spent,
                    "fraction_of_peak": each * loop.batch / spent / peak,
                }
            )
            print(rows[-1], flush=True)
    return rows


def main() -> None:
    out = Path(sys.argv[1])
    found: dict[str, Any] = {
        "device": torch.cuda.get_device_name() if DEVICE.type == "cuda" else platform.processor(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    for name, part in (("ceilings", ceilings),):
        found[name] = part()
        print(name, found[name], flush=True)
    peaks = found["ceilings"]
    for name, measure in (
        ("oracle", lambda: oracle(peaks)),
        ("executor", lambda: executor(peaks)),
        ("training", training),
    ):
        found[name] = measure()
        for row in found[name]:
            print(row, flush=True)
        out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
