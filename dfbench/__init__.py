"""Certify diffusion and flow-matching code against closed-form truth.

The names below are imported on first use, so that `import dfbench` costs nothing:

    >>> import dfbench
    >>> dfbench.__version__
    '0.1.0'
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dfbench._version import __version__

if TYPE_CHECKING:
    from dfbench.certification import certify as certify
    from dfbench.outcome import Certificate as Certificate
    from dfbench.outcome import Finding as Finding
    from dfbench.pytest_plugin import parametrize_with_checks as parametrize_with_checks
    from dfbench.subjects.declared import sampler as sampler
    from dfbench.sweep.run import bench as bench
    from dfbench.table import Table as Table

# Where each public name lives. No module here may be called like a public name: importing
# `dfbench.x` binds the module to the attribute `x` of the package, over whatever was there.
_HOMES = {
    "Certificate": "dfbench.outcome",
    "Finding": "dfbench.outcome",
    "Table": "dfbench.table",
    "bench": "dfbench.sweep.run",
    "certify": "dfbench.certification",
    "parametrize_with_checks": "dfbench.pytest_plugin",
    "sampler": "dfbench.subjects.declared",
}

__all__ = [
    "Certificate",
    "Finding",
    "Table",
    "__version__",
    "bench",
    "certify",
    "parametrize_with_checks",
    "sampler",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
