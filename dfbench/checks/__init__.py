"""What is asked of a subject, a few claims a file: a file that is added here is known.

`CLAIMS` has the claims by id, in the order of a certificate.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pkgutil import iter_modules

from dfbench.errors import Unusable
from dfbench.outcome import Claim

#: The files whose order matters to a reader; the others follow.
FIRST = (
    "counts",
    "affine",
    "bookkeeping",
    "landing",
    "identity",
    "order",
    "law",
    "invariance",
    "noise",
    "batch",
    "companions",
    "options",
)
_others = sorted({module.name for module in iter_modules(__path__)} - {*FIRST})

CLAIMS: dict[str, Claim] = {
    claim.id: claim
    for name in (*FIRST, *_others)
    for claim in vars(import_module(f"{__name__}.{name}")).values()
    if isinstance(claim, Claim)
}


def selected(ids: Iterable[str] | None) -> list[str]:
    """The ids of the claims that are asked for, in the order of `CLAIMS`; all of them for None.

    Raises:
        Unusable: there is no such claim.
    """
    wanted = list(CLAIMS if ids is None else ids)
    if unknown := [id for id in wanted if id not in CLAIMS]:
        raise Unusable(f"no claim {', '.join(unknown)}; there are {', '.join(CLAIMS)}")
    return [id for id in CLAIMS if id in wanted]
