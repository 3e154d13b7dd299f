"""What a result was computed with."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from typing import Any

from dfbench._version import __version__

#: Distributions whose version can change a certificate.
DISTRIBUTIONS = (
    "numpy",
    "scipy",
    "torch",
    "hypothesis",
    "POT",
    "diffusers",
    "torchsde",
    "k-diffusion",
    "flow-matching",
    "torchdiffeq",
    "torchcfm",
    "azula",
    "deepinv",
    "monai",
    "sbi",
)


def describe(**more: Any) -> dict[str, Any]:
    """Versions, platform and devices, and whatever else is given (the seed, for instance).

    No name of a machine, user or directory is in it. Nothing is imported for it: what torch
    knows (threads, accelerators) is told if torch is loaded already.
    """
    torch = sys.modules.get("torch")
    known: dict[str, Any] = {
        "dfbench": version("dfbench"),
        "python": f"{platform.python_version()} ({platform.python_implementation()})",
        "platform": f"{platform.system()} {platform.machine()}",
        "cpus": os.cpu_count(),
    }
    if torch is not None:
        known["threads"] = torch.get_num_threads()
        if torch.cuda.is_available():
            known["accelerators"] = [
                torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())
            ]
    installed = {name: version(name) for name in DISTRIBUTIONS}
    known["packages"] = {name: each for name, each in installed.items() if each}
    return {**known, **more}


def version(distribution: str) -> str | None:
    """The installed version of a distribution; None where there is none."""
    if distribution == "dfbench":
        return __version__
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
