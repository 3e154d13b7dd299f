"""What the owner of a sampler claims of it, where nobody else knows.

    class Mine:
        dfbench = {"order": 2, "reference": "dpm_solver_pp_multistep", "options": {"order": 2}}

or `--declare`, or `dfbench.certify(Mine, declare={...})`, which go before the class's own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field

from dfbench.errors import Unusable
from dfbench.loading import load_module
from dfbench.outcome import Expected
from dfbench.reading import Positive, Section, Wrong, at, one_of
from dfbench.samplers import METHODS
from dfbench.samplers.method import Traits
from dfbench.subjects.conventions import LEVELS, RETURNS
from dfbench.subjects.densities import density_of
from dfbench.subjects.roles import NAMES
from dfbench.weightings import WEIGHTINGS

Thing = TypeVar("Thing")

PUBLISHED = ("reference", "options")
CONVENTION = ("predicts", "level")
LOOP = (
    "T",
    "scaled",
    "start",
    "lands",
    "ends",
    "output",
    "least",
    "shape",
    "dims",
    "method",
    "roles",
    "arrays",
)
LOSS = ("kind", "weighting", "span", "gives", "plan", "reg", "density", "formula", "at")
NO_TRAITS = (*PUBLISHED, *LOSS, *CONVENTION, *LOOP, "expected")


def _pair(value: Any) -> Any:
    return tuple(map(float, value)) if isinstance(value, list | tuple) else value


def _whole(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


Kind = Literal[
    "sampler",
    "loss",
    "schedule",
    "conversion",
    "coupling",
    "times",
    "likelihood",
    "integrator",
    "formula",
]


class Declared(Section):
    """The traits of `dfbench.samplers.method.Traits`, and the published method that it is.

    Attributes:
        reference, options: the method of `dfbench.samplers` whose coefficients it is to have; its
            traits hold where no others are declared.
        predicts: what the network returns: a kind of `dfbench.predictions`, or "-" and the kind
            for its negative; "velocity" is that of the flow along its time, and of a loss the
            derivative of the path, whatever its schedule.
        level: what the times mean, as the certificate of an unknown sampler says it; or a function
            (or its name, `file.py:NAME`) of the time that gives (α, σ).
        T, start, lands, ends, output, least, roles: of a loop, see `dfbench.subjects.facts`.
        arrays: what a loop computes with.
        kind: "loss" for a training loss, "schedule" for a schedule, whose first and last time are
            its span, "conversion" for one of predictions, "coupling" for one of noise and data,
            "times" for what draws times, "likelihood" for log p of data under a network,
            "integrator" for one that chooses its steps, "formula" for a number of one argument.
        weighting: of `dfbench.weightings`, that a loss has.
        plan, reg: of a coupling: "optimal" for the squared distance, "entropic" with reg Σ P log P,
            or "independent".
        density: of drawn times, like "logit-normal(0, 1)", see `dfbench.subjects.densities`.
        formula, at: of a formula, a function of an array (or its name, `file.py:NAME`), and the
            arguments at which it is asked.
        gives: of a conversion, the kind that comes out; `predicts` is the one that goes in.
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
    level: Any = None
    T: float | None = Field(None, gt=0)
    scaled: bool | None = None
    start: Literal["level", "noise", "drawn"] | None = None
    lands: float | None = None
    ends: bool | None = None
    output: Annotated[tuple[float, float], BeforeValidator(_pair)] | None = None
    least: Positive | None = None
    shape: Annotated[tuple[int, ...], BeforeValidator(_whole)] | None = None
    dims: Positive | None = None
    method: str | None = None
    kind: Kind | None = None
    gives: str | None = None
    plan: Literal["optimal", "entropic", "independent"] | None = None
    reg: float | None = Field(None, gt=0)
    density: str | None = None
    formula: Any = None
    at: Annotated[tuple[float, ...], BeforeValidator(_whole)] | None = None
    span: Annotated[tuple[float, float], BeforeValidator(_pair)] | None = None
    weighting: str | None = None
    roles: dict[str, str] | None = None
    arrays: Literal["torch", "numpy", "jax"] | None = None
    expected: dict[str, Any] = Field(default_factory=dict)

    def model_post_init(self, context: Any) -> None:
        with at("expected"):
            for claim, said in self.expected.items():
                Expected.of(said, claim)
        if self.predicts is not None:
            with at("predicts"):
                one_of(
                    _kind(self.predicts, self.level), (*RETURNS, "velocity", *KINDS), "convention"
                )
        if self.level is not None:
            with at("level"):
                level_of(self.level)
        if self.formula is not None:
            with at("formula"):
                _coded(self.formula)
        if self.density is not None:
            with at("density"):
                density_of(self.density)
        if self.weighting is not None:
            with at("weighting"):
                one_of(self.weighting, WEIGHTINGS, "weighting")
        if self.roles is not None:
            with at("roles"):
                for role in self.roles:
                    one_of(role, NAMES, "role")
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
    def conventions(self) -> dict[str, Any]:
        """What the network returns and what times mean, as far as they are declared."""
        found: dict[str, Any] = {}
        if self.level is not None:
            found["level"] = level_of(self.level)
        if self.predicts is not None:
            found["predicts"] = _kind(self.predicts, found.get("level"))
        return found

    @property
    def formula_of(self) -> Callable[..., Any] | None:
        """The formula that is declared, as code."""
        return None if self.formula is None else _coded(self.formula)

    @property
    def facts(self) -> dict[str, Any]:
        """The other conventions of a loop that are declared."""
        return {k: v for k in LOOP if (v := getattr(self, k)) is not None and k != "arrays"}

    @property
    def given(self) -> dict[str, Any]:
        """What was declared, as it was."""
        return {name: getattr(self, name) for name in sorted(self.model_fields_set)}

    def traits(self, known: Traits) -> dict[str, Any]:
        """The traits that are declared, and those that follow, in place of the known ones."""
        method = METHODS[self.reference].traits_of(**self.options) if self.reference else known
        own = {k: v for k, v in self.given.items() if k not in NO_TRAITS}
        return {**vars(method), **own}


#: What people call it → the kind; a velocity is dx/dt of flow, by the direction of its time.
KINDS: dict[str, str] = {
    **dict.fromkeys(("epsilon", "noise", "eps_theta"), "eps"),
    **dict.fromkeys(("sample", "x0", "denoised", "denoiser", "data", "x_start"), "x"),
    **dict.fromkeys(("v_prediction", "v-prediction"), "v"),
}


def _kind(name: Any, level: Any) -> Any:
    """The kind of a name, its sign included."""
    if name == "velocity" and isinstance(level, str) and level.startswith("flow"):
        return "-u" if level.startswith("flow-up") else "u"
    return KINDS.get(name, name) if isinstance(name, str) else name


def _coded(name: Any) -> Callable[..., Any]:
    """A function, or the one of `path/to/file.py:NAME` or `module:NAME`.

    Raises:
        Unusable: there is none.
    """
    if callable(name):
        return name  # type: ignore[no-any-return]
    where, _, attribute = str(name).rpartition(":")
    found = getattr(load_module(where), attribute, None) if where else None
    if not callable(found):
        raise Unusable(f"{where or name} has no function {attribute}")
    return found  # type: ignore[no-any-return]


def level_of(name: Any) -> Any:
    """A map of levels by its name, or code that is one: `path/to/file.py:NAME`, `module:NAME`.

    Raises:
        Unusable: there is none.
    """
    if callable(name) or (isinstance(name, str) and ":" in name):
        return _coded(name)
    return one_of(str(name).replace(" x T", " × T").replace("*T", " × T"), LEVELS, "convention")


def sampler(**claims: Any) -> Callable[[Thing], Thing]:
    """A decorator that declares what is known of a sampler, so that it can be certified.

    >>> @sampler(predicts="velocity", level="flow-up", order=1)
    ... def sample(model, x, steps):
    ...     for i in range(steps):
    ...         x = x + model(x, i / steps) / steps
    ...     return x

    Args:
        **claims: fields of `Declared`.

    Raises:
        Wrong: there is no such field, or not of this value.
    """
    given = Declared.of(claims).given

    def declaring(thing: Thing) -> Thing:
        thing.dfbench = given  # type: ignore[attr-defined]
        return thing

    return declaring
