"""The reference methods as subjects: on trial themselves, and the material of the controls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from dfbench._version import __version__
from dfbench.errors import Unsupported
from dfbench.levels import Grid, Level
from dfbench.readout import Call, CalledModel
from dfbench.samplers import METHODS, Method
from dfbench.samplers.method import Output, Traits
from dfbench.subjects.contract import Reference, Sampler, Session


@dataclass(frozen=True)
class Defect:
    """What a control breaks; each hook leaves things as they are unless given.

    Attributes:
        output: (m, evaluation) → m, between the model and the method.
        state: (z, evaluation) → z, what the method passes to the model.
        final: sample → sample.
        noise: (ξ, draw) → ξ.
        told: (level, evaluation) → the level that the model is told.
        generator: what is handed to the draws instead of the caller's generator.
    """

    output: Callable[[torch.Tensor, int], torch.Tensor] = lambda m, j: m
    state: Callable[[torch.Tensor, int], torch.Tensor] = lambda z, j: z
    final: Callable[[torch.Tensor], torch.Tensor] = lambda z: z
    noise: Callable[[torch.Tensor, int], torch.Tensor] = lambda xi, k: xi
    told: Callable[[Level, int], Level] = lambda level, j: level
    generator: Callable[[torch.Generator | None], torch.Generator | None] = lambda g: g


class MethodSession(Session):
    """One run of a reference method on torch tensors."""

    def __init__(
        self, method: Method, options: dict[str, Any], grid: Grid, prediction: str, defect: Defect
    ) -> None:
        self.method, self.options, self.grid, self.defect = method, options, grid, defect
        self.prediction, self.n = prediction, grid.n_steps
        self.evaluations = method.traits_of(**options).evaluations

    def __call__(
        self, model: CalledModel, z: torch.Tensor, generator: torch.Generator | None = None
    ) -> torch.Tensor:
        if isinstance(generator, list):
            raise Unsupported("a reference method takes one generator for all rows")
        calls = draws = 0
        path: Any = None
        each = self.evaluations

        def network(state: torch.Tensor, level: Level) -> Output:
            nonlocal calls
            step = calls // each if each else self._step_at(level)
            told = self.defect.told(level, calls)
            call = Call(level.ratio, told, level, step)
            shown = self.defect.state(state, calls)
            m = self.defect.output(model(shown, call), calls)
            calls += 1
            return Output(m, state, level, self.prediction, self.sigma_data)

        def noise(start: float | None = None, stop: float | None = None) -> torch.Tensor:
            nonlocal draws, path
            if start is None or stop is None:
                seeded = self.defect.generator(generator)
                xi = torch.randn(z.shape, generator=seeded, dtype=z.dtype, device=z.device)
            else:
                path = path or self._path(z, generator)
                # the path is asked forwards; the levels, and so the increments, go backwards
                increment = path(min(start, stop), max(start, stop))
                xi = (increment if start < stop else -increment) / abs(stop - start) ** 0.5
            draws += 1
            return self.defect.noise(xi, draws - 1)

        return self.defect.final(self.method(network, z, self.grid, noise, **self.options))

    def _step_at(self, level: Level) -> int:
        """The step of a level, for methods whose evaluations vary from step to step."""
        lam = self.grid.log_snr
        return max(0, int(np.searchsorted(lam[:-1], level.log_snr + 1e-9, side="right")) - 1)

    def _path(self, z: torch.Tensor, generator: torch.Generator | None) -> Any:
        import torchsde

        span = self.grid.ratio[np.isfinite(self.grid.ratio)]
        seed = int(torch.randint(2**31, (), generator=generator))
        return torchsde.BrownianInterval(
            t0=0.0, t1=float(span.max()), size=z.shape, dtype=z.dtype, entropy=seed
        )

    def reference(self) -> Reference:
        return Reference(self.method, self.grid, self.prediction, None, self.options)


def default_grid(n: int, clean: bool = True) -> Grid:
    """n steps on variance-preserving levels, regular in λ, σ/α from 20 to 0.02, then clean data.

    Without the last step onto clean data, all n of them are regular, if `clean` is False.
    """
    ratio = np.geomspace(20.0, 0.02, n + 1 - clean) if n > clean else np.array([20.0])
    alpha = 1 / np.hypot(1, ratio)
    if not clean:
        return Grid(alpha, ratio * alpha)
    return Grid(np.append(alpha, 1.0), np.append(ratio * alpha, 0.0))


class MethodSampler(Sampler):
    """A reference method under certification.

    Args:
        name: of the method in `METHODS`.
        options: the method's own.
        defect, claimed: for controls, what is broken and traits that are claimed in its place.
        spoil: for controls, changes a run before it is made.
    """

    library = "dfbench"
    predictions = ("eps", "x", "v")

    def __init__(
        self,
        name: str,
        options: dict[str, Any] | None = None,
        *,
        defect: Defect | None = None,
        claimed: dict[str, Any] | None = None,
        spoil: Callable[[MethodSession], None] = lambda run: None,
    ) -> None:
        super().__init__(options)
        self.method = METHODS[name]
        self.defect, self.spoil = defect or Defect(), spoil
        self.name = f"dfbench:{name}" + (" (broken)" if defect or claimed else "")
        self.version = __version__
        traits: Traits = self.method.traits_of(**self.config)
        self.traits = replace(traits, **(claimed or {}))
        try:
            self.clean, table = True, self.method.table(default_grid(2), **self.config)
        except ValueError:  # not every method can land at σ = 0
            table = self.method.table(default_grid(2, clean=False), **self.config)
            self.clean = False
        if table.noise_cov is not None:
            import torchsde  # noqa: F401 - loaded before a read-out looks for it

    @property
    def scales(self) -> dict[str, Sampler]:
        return {"vp": self, "ve": self, "flow": self}

    def session(
        self, n: int, grid: Grid | None = None, prediction: str | None = None
    ) -> MethodSession:
        levels = grid or default_grid(n, self.clean)
        kind = prediction or self.predictions[0]
        made = MethodSession(self.method, self.config, levels, kind, self.defect)
        made.cleanest = 0.0 if self.clean else levels[-1].ratio
        self.spoil(made)
        return made
