"""What is asked of a subject, a few claims a file: a file that is added here is known.

`CLAIMS` has the claims by id, in the order of a certificate.
"""

from __future__ import annotations

from collections.abc import Iterable

from dfbench.errors import Unusable
from dfbench.loading import modules_of
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
CLAIMS: dict[str, Claim] = {
    claim.id: claim
    for module in modules_of(__name__, FIRST)
    for claim in vars(module).values()
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
