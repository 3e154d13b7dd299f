"""Steps for an SDE whose noise does not depend on the state, where Itô's and Stratonovich's agree.

A step goes from a to b in dz = f(z, t) dt + g(t) dw, b before or after a. `noise()` is a standard
normal; what has no noise gives 0.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Any

Drift = Callable[[Any, float], Any]
Diffusion = Callable[[float], float]
Step = Callable[[Drift, Diffusion, Any, float, float, Callable[[], Any]], Any]


def euler(f: Drift, g: Diffusion, z: Any, a: float, b: float, noise: Callable[[], Any]) -> Any:
    """Euler–Maruyama, and Milstein's method, which has no more where g' is 0."""
    return z + (b - a) * f(z, a) + g(a) * sqrt(abs(b - a)) * noise()


def euler_heun(f: Drift, g: Diffusion, z: Any, a: float, b: float, noise: Callable[[], Any]) -> Any:
    """Euler's drift with the mean of the noise at both ends."""
    return z + (b - a) * f(z, a) + 0.5 * (g(a) + g(b)) * sqrt(abs(b - a)) * noise()


def heun(f: Drift, g: Diffusion, z: Any, a: float, b: float, noise: Callable[[], Any]) -> Any:
    """The mean of both ends, the last of them by `euler` with the same noise."""
    h, k = b - a, f(z, a)
    dw = sqrt(abs(h)) * noise()
    return z + 0.5 * h * (k + f(z + h * k + g(a) * dw, b)) + 0.5 * (g(a) + g(b)) * dw


def midpoint(f: Drift, g: Diffusion, z: Any, a: float, b: float, noise: Callable[[], Any]) -> Any:
    """Half a step of `euler` with half the noise, and a step with what is found there."""
    h, mid = b - a, 0.5 * (a + b)
    dw = sqrt(abs(h)) * noise()
    return z + h * f(z + 0.5 * h * f(z, a) + 0.5 * g(a) * dw, mid) + g(mid) * dw


def sra1(f: Drift, g: Diffusion, z: Any, a: float, b: float, noise: Callable[[], Any]) -> Any:
    """Rößler 2010, SIAM J. Numer. Anal. 48, SRA1: two stages, and two normals a step.

    The second is of ∫ w dt over the step: `area`, its value over h, has the covariance ½ |h| with
    dw and the variance |h|/3.
    """
    h, k = b - a, f(z, a)
    dw = sqrt(abs(h)) * noise()
    area = 0.5 * dw + sqrt(abs(h) / 12) * noise()
    ahead = z + 0.75 * h * k + 1.5 * g(b) * area
    last = f(ahead, a + 0.75 * h)
    return z + h / 3 * (k + 2 * last) + g(b) * (dw - area) + g(a) * area


STEPS: dict[str, Step] = {
    "euler": euler,
    "euler_heun": euler_heun,
    "heun": heun,
    "midpoint": midpoint,
    "sra1": sra1,
}
