"""MONAI's schedulers, read from what they do as any class like those of diffusers is."""

from __future__ import annotations

from typing import Any

from dfbench.subjects.contract import Sampler
from dfbench.subjects.library import Library, library
from dfbench.subjects.stubs import imported

_EPS = {"predicts": "eps", "level": "add_noise"}
_CLIPS = {"expected": {"affine": "clips the predicted sample, by default and by design"}}
#: name → what is declared of it.
_SCHEDULERS: dict[str, dict[str, Any]] = {
    "DDIMScheduler": _EPS | _CLIPS,
    "DDPMScheduler": _EPS | _CLIPS,
    "RFlowScheduler": {"predicts": "-u", "level": "add_noise"},
}
_PNDM = "its Runge–Kutta start tells times twice, and no convention that is known keeps its books"


class Monai(Library):
    name = "monai"
    word = "scheduler"
    shape = ""

    def names(self) -> list[str]:
        return list(_SCHEDULERS)

    def others(self) -> list[str]:
        return list(self.excluded())

    def excluded(self) -> dict[str, str]:
        return {"PNDMScheduler": _PNDM}

    def named(self, name: str, config: dict[str, Any], call: dict[str, Any]) -> Sampler:
        module, _ = imported("monai.networks.schedulers")
        like = library("diffusers")
        made = like.made_of(getattr(module, name), f"{self.name}:{name}", config, call)
        made.declare(_SCHEDULERS[name])
        made.library = self.name
        return made

    def recognises(self, thing: Any) -> bool:
        return False  # its classes are recognised as anybody's are

    def made_of(
        self, thing: Any, name: str, config: dict[str, Any], call: dict[str, Any]
    ) -> Sampler:
        return library("diffusers").made_of(thing, name, config, call)


LIBRARY = Monai()
