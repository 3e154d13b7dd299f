"""What every subject is, of whatever kind: a name, where it comes from, what is declared of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from dfbench.errors import Unusable
from dfbench.outcome import Expected, Finding

if TYPE_CHECKING:
    from dfbench.subjects.declared import Declared

Depth = Literal["quick", "thorough"]
DECLARED = "declared by its owner: "
Kept = TypeVar("Kept")


class Subject:
    """Something under certification.

    Attributes:
        kind: of claims that it is held to.
        name, library, version: what it is and where it comes from.
        config, call: constructor arguments and arguments of the call.
        seed: of the draws that checks make.
        expected: claim id → the reason and the size of a failure that is by design.
        notes: what a reader has to know of how the subject was made.
        steps: the step counts that its user runs; empty: nobody says.
        depth: "quick", or "thorough": what takes minutes is asked, too.
        declared: what its owner claims of it; None: nothing.
        maker: arguments of the function of this name that made it; None: no function did.
    """

    kind: str
    name: str
    library: str
    version: str = ""
    seed: int = 0
    steps: tuple[int, ...] = ()
    depth: Depth = "quick"
    declared: Declared | None = None
    maker: dict[str, Any] | None = None

    def __init__(
        self, config: dict[str, Any] | None = None, call: dict[str, Any] | None = None
    ) -> None:
        self.config, self.call = dict(config or {}), dict(call or {})
        self.expected: dict[str, Expected] = {}
        self.notes: list[str] = []
        self._kept: dict[Any, Any] = {}

    def declare(self, claims: Mapping[str, Any]) -> None:
        """Hold it to what its owner claims, beside what was declared before.

        Raises:
            Unusable: there is no such thing to claim.
        """
        from dfbench.subjects.declared import Declared  # most declare nothing: no pydantic then

        before = self.declared.given if self.declared else {}
        try:
            self.declared = Declared.of({**before, **claims})
        except Unusable as error:
            raise Unusable(f"{self.name}: declared {error}") from error
        self.expected = {**self.expected, **self.declared.failures}
        self.notes = [note for note in self.notes if not note.startswith(DECLARED)]
        self.notes.append(f"{DECLARED}{self.declared.given}")

    @property
    def claimed(self) -> dict[str, Any]:
        """What it claims of itself, for a reader."""
        return {}

    def snippet(self, claim: str) -> str:
        """Python that certifies it again."""
        return (
            "import dfbench\n"
            f"certificate = dfbench.certify({self.name!r}, config={self.config!r}, "
            f"call={self.call!r}, select=[{claim!r}]{self._asked})\n"
            "print(certificate)\n"
        )

    @property
    def _asked(self) -> str:
        """The other arguments of the call that certified it, if any."""
        steps = f", steps={list(self.steps)}" if self.steps else ""
        claims = self.declared.given if self.declared else {}
        written = {name: value for name, value in claims.items() if not callable(value)}
        return steps + (f", declare={written}" if written else "")

    def reproducer(self, claim: str, finding: Finding) -> str | None:
        """Stand-alone Python that shows a failure without dfbench, where there is any."""
        return None

    def kept(self, key: Any, make: Callable[[], Kept]) -> Kept:
        """What `make` gave when it was first asked for under this key, until `forget`."""
        if key not in self._kept:
            self._kept[key] = make()
        found: Kept = self._kept[key]
        return found

    def forget(self) -> None:
        """Drop what was kept: readings, levels of runs."""
        self._kept.clear()
