"""What the owner of a sampler claims of it, where nobody else knows.

    class Mine:
        dfbench = {"order": 2, "reference": "dpm_solver_pp_multistep", "options": {"order": 2}}

or `--declare`, or `dfbench.certify(Mine, declare={...})`, which go before the class's own.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from dfbench.outcome import Expected
from dfbench.reading import Positive, Section, Wrong, at, one_of
from dfbench.samplers import METHODS
from dfbench.samplers.method import Traits
from dfbench.subjects.conventions import LEVELS, RETURNS

PUBLISHED = ("reference", "options")
CONVENTION = ("predicts", "level")
NO_TRAITS = (*PUBLISHED, *CONVENTION, "expected")


class Declared(Section):
    """The traits of `dfbench.samplers.method.Traits`, and the published method that it is.

    Attributes:
        reference, options: the method of `dfbench.samplers` whose coefficients it is to have; its
            traits hold where no others are declared.
        predicts: what the network returns: a kind of `dfbench.predictions`, or "-" and the kind
            for its negative.
        level: what the times mean, as the certificate of an unknown scheduler says it.
        expected: claim id → reason, or reason and size, of failures that are by design.
    """

    order: float | None = Field(None, gt=0)
    stochastic: bool = False
    scale_invariant: bool = True
    exact_on_points: bool = True
    evaluations: Positive | None = 1
    biased: str = ""
    reference: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    predicts: str | None = None
    level: str | None = None
    expected: dict[str, Any] = Field(default_factory=dict)

    def model_post_init(self, context: Any) -> None:
        with at("expected"):
            for claim, said in self.expected.items():
                Expected.of(said, claim)
        for name, known in (("predicts", RETURNS), ("level", LEVELS)):
            if (given := getattr(self, name)) is not None:
                with at(name):
                    one_of(given, known, "convention")
        if self.reference is None:
            if self.options:
                raise Wrong("has no reference beside it", "options")
            return
        with at("reference"):
            one_of(self.reference, METHODS, "method")
        with at("options"):
            METHODS[self.reference].traits_of(**self.options)

    @property
    def failures(self) -> dict[str, Expected]:
        """The failures that are by design."""
        return {claim: Expected.of(said, claim) for claim, said in self.expected.items()}

    @property
    def given(self) -> dict[str, Any]:
        """What was declared, as it was."""
        return {name: getattr(self, name) for name in sorted(self.model_fields_set)}

    def traits(self, known: Traits) -> dict[str, Any]:
        """The traits that are declared, and those that follow, in place of the known ones."""
        method = METHODS[self.reference].traits_of(**self.options) if self.reference else known
        own = {
            k: v for k, v in self.given.items() if k not in (*PUBLISHED, *CONVENTION, "expected")
        }
        return {**vars(method), **own}
