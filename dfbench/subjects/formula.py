"""A number that training takes from a formula, as a subject: a weight, or the decay of a step."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from dfbench.errors import SubjectError
from dfbench.levels import Array
from dfbench.subjects.blamed import blamed
from dfbench.subjects.foreign import kind_of, tensor
from dfbench.subjects.function import FunctionSubject


class FormulaSubject(FunctionSubject):
    """A function of a tensor of arguments that returns a number for each.

    Attributes:
        formula: what they should be, float64 in and out; None: nobody says.
        at: the arguments that are asked, (n,).
    """

    kind = "formula"

    def settle(self) -> None:
        assert self.declared is not None
        self.formula = self.declared.formula_of
        self.at = np.array(self.declared.at or (), dtype=float)

    def values(self, at: Array, shape: tuple[int, ...] = (-1,)) -> Array:
        """What it gives for some arguments, handed over in a shape.

        Raises:
            SubjectError: it breaks, or gives another number of values.
        """
        with blamed("it"), torch.no_grad():
            given = torch.tensor(at, dtype=torch.float32).reshape(shape)
            function: Any = self.thing
            out = function(given, **self.call)
        if kind_of(out) is None:
            raise SubjectError(f"returns {type(out).__name__}, and no numbers")
        found = tensor(out)
        if found.shape != given.shape:
            raise SubjectError(f"returns {tuple(found.shape)} for {tuple(given.shape)} arguments")
        return np.asarray(found.double().reshape(-1).numpy())
