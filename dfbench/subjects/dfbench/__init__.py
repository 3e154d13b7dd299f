"""The reference methods of `dfbench.samplers`, on trial themselves."""

from __future__ import annotations

from typing import Any

from dfbench.errors import Unusable
from dfbench.samplers import METHODS, Method
from dfbench.subjects.contract import Sampler
from dfbench.subjects.library import Library
from dfbench.subjects.reference import MethodSampler

#: Certified by name only; the first takes a minute.
APART = ("annealed_langevin", "exponential_sde", "predictor_corrector")


class ReferenceMethods(Library):
    name = "dfbench"
    shape = "a reference method"

    def names(self) -> list[str]:
        """Those that run on levels alone, without times on a schedule and without options."""
        return [name for name in sorted(METHODS) if name not in APART and _runs(name)]

    def others(self) -> list[str]:
        return sorted(set(METHODS) - set(self.names()))

    def named(self, name: str, config: dict[str, Any], call: dict[str, Any]) -> Sampler:
        if call:
            given = ", ".join(sorted(call))
            raise Unusable(
                f"dfbench:{name}: a reference method takes its options as --config; its call takes "
                f"none, got {given}"
            )
        try:
            return MethodSampler(name, config)
        except (ValueError, TypeError) as error:
            raise Unusable(f"dfbench:{name}: {error}") from error

    def recognises(self, thing: Any) -> bool:
        return isinstance(thing, Method)

    def made_of(
        self, thing: Method, name: str, config: dict[str, Any], call: dict[str, Any]
    ) -> Sampler:
        return self.named(thing.name, config, call)


def _runs(name: str) -> bool:
    try:
        MethodSampler(name)
    except (ValueError, TypeError):
        return False
    return True


LIBRARY = ReferenceMethods()
