"""A noise schedule as a subject: a function, or an object, of the time that gives α and σ."""

from __future__ import annotations

import contextlib
import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from dfbench.errors import SubjectError, Unsupported
from dfbench.levels import Array
from dfbench.subjects.blamed import blamed
from dfbench.subjects.foreign import kind_of, tensor
from dfbench.subjects.function import FunctionSubject

#: What people call the parts of a level, its rates, and the way back.
ALPHA = ("alpha", "alpha_t", "a", "mean_coeff", "marginal_alpha", "scale", "s")
SIGMA = ("sigma", "sigma_t", "std", "marginal_std", "noise_std")
RATES = (
    ("d_alpha_t", "d_alpha", "alpha_dot", "dalpha_dt", "alpha_prime"),
    ("d_sigma_t", "d_sigma", "sigma_dot", "dsigma_dt", "sigma_prime"),
)
INVERSE = {
    "log_snr": ("t_of_log_snr", "inverse_log_snr", "log_snr_inverse", "inverse_logsnr"),
    "lambda": ("inverse_lambda", "t_of_lambda", "lambda_inverse"),
    "snr": ("snr_inverse", "inverse_snr", "t_of_snr"),
    "sigma": ("sigma_inv", "sigma_inverse", "inverse_sigma", "t_of_sigma"),
}


class ScheduleSubject(FunctionSubject):
    """A schedule under certification.

    Attributes:
        span: the first and the last time.
    """

    kind = "schedule"

    def settle(self) -> None:
        assert self.declared is not None
        self.span = self.declared.span or (0.0, 1.0)

    def levels(self, times: Array, dtype: torch.dtype = torch.float64) -> tuple[Array, Array]:
        """α and σ at some times, in one call on an array if it takes one.

        Raises:
            SubjectError: it breaks, or gives no pair of numbers for each time.
        """
        with blamed("the schedule"), torch.no_grad():
            try:
                alpha, sigma = pair(self.thing, torch.tensor(times, dtype=dtype))
            except Exception:  # for one time at a time, perhaps
                each = [pair(self.thing, float(t)) for t in times]
                alpha, sigma = (torch.stack([tensor_of(p[k]) for p in each]) for k in (0, 1))
        found = [
            tensor_of(each).double().reshape(-1).expand(len(times)).numpy()
            for each in (alpha, sigma)
        ]
        return found[0], found[1]

    def rates(self, times: Array) -> tuple[Array, Array] | None:
        """α̇ and σ̇ as it says them; None: it does not."""
        given = torch.tensor(times, dtype=torch.float64)
        with blamed("the schedule"), torch.no_grad():
            out = self.thing(given) if callable(self.thing) else None
            found = []
            for names in RATES:
                value = _part(out, names)
                if value is None:
                    function = _method(self.thing, names)
                    value = None if function is None else function(given)
                if value is None:
                    return None
                found.append(tensor_of(value).double().reshape(-1).expand(len(times)).numpy())
        return found[0], found[1]

    def inverse(self) -> tuple[str, Callable[[Any], Any]] | None:
        """The way back to the time: of what, and the function; None: there is none."""
        for of, names in INVERSE.items():
            if (function := _method(self.thing, names)) is not None:
                return of, function
        return None


def pair(thing: Any, t: Any) -> tuple[Any, Any]:
    """(α, σ) of a schedule at a time, in the ways that people give it.

    Raises:
        SubjectError: it gives none.
    """
    alpha, sigma = _method(thing, ALPHA), _method(thing, SIGMA)
    if alpha is not None and sigma is not None:
        return alpha(t), sigma(t)
    if not callable(thing):
        raise SubjectError("it gives no α and σ of a time")
    out = thing(t)
    if isinstance(out, tuple | list) and len(out) >= 2:
        return out[0], out[1]
    found = _part(out, ALPHA), _part(out, SIGMA)
    if found[0] is None or found[1] is None:
        raise SubjectError(f"it returns {type(out).__name__}, and no α and σ")
    return found


def tensor_of(value: Any) -> torch.Tensor:
    return tensor(value) if kind_of(value) is not None else torch.tensor(float(value))


def _method(thing: Any, names: tuple[str, ...]) -> Callable[[Any], Any] | None:
    return next((f for n in names if callable(f := getattr(thing, n, None))), None)


def _part(out: Any, names: tuple[str, ...]) -> Any:
    if isinstance(out, Mapping):
        return next((out[n] for n in names if n in out), None)
    return next((getattr(out, n) for n in names if hasattr(out, n)), None)


def recognises(thing: Any, claims: Mapping[str, Any]) -> bool:
    """Whether something is a schedule: declared so, or it gives α and σ at half time."""
    if claims.get("kind") == "schedule":
        return True
    if inspect.isclass(thing):
        return False
    with contextlib.suppress(Exception):
        if len(inspect.signature(thing).parameters) != 1:
            return False
    for half in (0.5, torch.tensor(0.5, dtype=torch.float64)):
        with contextlib.suppress(Exception):  # it is something else
            level = [float(tensor_of(v)) for v in pair(thing, half)]
            return all(math.isfinite(v) and v >= 0 for v in level)
    return False


def by(of: str, alpha: Array, sigma: Array) -> list[Array]:
    """What an inverse may take.

    Raises:
        Unsupported: unknown.
    """
    with np.errstate(divide="ignore"):
        ratio = alpha / sigma
        if of == "snr":
            return [ratio, ratio**2]
        if of == "lambda":
            return [np.log(ratio), 2 * np.log(ratio)]
        if of == "log_snr":
            return [2 * np.log(ratio)]
    if of == "sigma":
        return [sigma]
    raise Unsupported(f"no inverse of {of}")
