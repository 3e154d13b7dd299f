"""Exact Wasserstein errors of samplers on Gaussian data, with the four sources of error apart.

For data N(μ, Σ) the exact model is affine, so that every direction of the spectrum of Σ is a
scalar recursion and the law of the output is a Gaussian that can be written down: no sampling,
no network. Give the eigenvalues of a covariance, and the error of any sampler follows:

    import numpy as np
    from dfbench.grids import uniform_t
    from dfbench.schedules import LinearVP
    from dfbench.wasserstein import error, errors, split

    spectrum = np.load("eigenvalues.npy")                 # of the data's covariance, shape (D,)
    grid = uniform_t(LinearVP(), 999, 1.0, 1e-3)          # 1000 points from T = 1 to 1e-3
    error("reverse_sde", grid, spectrum)                  # W2 to the data, all sources on
    split("reverse_sde", grid, spectrum)                  # each source alone, and together
    errors({"EM": "reverse_sde", "Heun": ("probability_flow", {"solver": "heun"})},
           {n: uniform_t(LinearVP(), n, 1.0, 1e-3) for n in (50, 250)}, spectrum)

The sources, each switched on by its name in `on`:

    initialisation  the run starts from a standard normal (`start`), not from the marginal p_T
    truncation      the run stops at the level (α, σ) of its last state, and is compared with the
                    data; off: it is compared with the marginal of that level
    discretisation  finitely many steps; off: the SDE (η > 0) or ODE (η = 0) that the sampler
                    discretises, solved exactly between the same two levels
    score           the model has learned another Gaussian, `learned` eigenvalues and
                    `learned_mean`; off, or where none is given: the exact score

Source: PG (Pierret and Galerne, arXiv 2405.14250), whose tables this generalises to every sampler,
schedule, grid, mean and learned spectrum.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from analytic import gaussian_kl
from dfbench.levels import Array, Grid, Level
from dfbench.samplers import METHODS, Method
from dfbench.samplers.method import Output, Traits
from dfbench.samplers.ode import times
from dfbench.table import Law, Table

if TYPE_CHECKING:
    from pandas import DataFrame


def _ddpm_chain(model: Any, z: Any, grid: Grid, noise: Any) -> Any:
    """DDPM as PG discretises it: b = g² Δt instead of 1 − (α_t/α_s)², and the variance b.

    Raises:
        ValueError: b ≥ 1, where the chain does not exist.
    """
    ts, schedule = times(grid)
    for i, (level, _) in enumerate(grid.steps()):
        b = float(schedule.g2(ts[i])) * (ts[i] - ts[i + 1])
        if b >= 1:
            raise ValueError(f"PG's DDPM needs g² Δt < 1, got {b:.3g}: take more steps")
        z = (1 - b) ** -0.5 * (z - b / level.sigma * model(z, level).eps) + b**0.5 * noise()
    return z


#: The schemes of PG's tables by their names there: (method, options), as `errors` takes them.
#: Heun and RK4 onto σ = 0 take Euler's last step, where PG looks at the score of the data.
SCHEMES: dict[str, tuple[str | Method, dict[str, Any]]] = {
    "EM": ("reverse_sde", {}),
    "EI": ("exponential_sde", {"hold": "score"}),
    "DDPM": (Method("ddpm_chain", _ddpm_chain, "PG", lambda: Traits(order=1, stochastic=True)), {}),
    "Euler": ("probability_flow", {"solver": "euler"}),
    "Heun": ("probability_flow", {"solver": "heun"}),
    "RK4": ("probability_flow", {"solver": "rk4"}),
}

SOURCES = ("initialisation", "truncation", "discretisation", "score")
#: The sets of sources that `split` takes, by name.
CASES: dict[str, tuple[str, ...]] = {"none": (), **{s: (s,) for s in SOURCES}, "all": SOURCES}
Sampler = str | Method | Table


def error(
    sampler: Sampler,
    grid: Grid | None,
    spectrum: ArrayLike,
    *,
    mean: ArrayLike = 0.0,
    on: Collection[str] = SOURCES,
    **options: Any,
) -> float:
    """W2 between the law of the output and the data's, over all directions; arguments of `law`.

    With "truncation" off, to the data's marginal at the level of the last state.
    """
    return float(np.linalg.norm(_distances(sampler, grid, spectrum, mean, on, options)))


def split(
    sampler: Sampler, grid: Grid | None, spectrum: ArrayLike, **options: Any
) -> dict[str, float]:
    """W2 with each source alone (by its name), with "none" and with "all"; arguments of `law`."""
    return {name: error(sampler, grid, spectrum, on=on, **options) for name, on in CASES.items()}


def kl(
    sampler: Sampler,
    grid: Grid | None,
    spectrum: ArrayLike,
    *,
    mean: ArrayLike = 0.0,
    on: Collection[str] = SOURCES,
    **options: Any,
) -> float:
    """KL(output | data) in nats, over all directions; arguments as `error`.

    Infinite where the output has no variance in a direction in which the data has.

    Raises:
        ValueError: a direction in which the reference has no variance.
    """
    s = _vector(spectrum)
    last = _ends(sampler, grid)[1]
    scale = 1.0 if "truncation" in on else last.alpha
    mu = np.broadcast_to(np.asarray(mean, dtype=np.float64), s.shape)
    found = law(sampler, grid, s, mean=mu, on=on, **options)
    return gaussian_kl(found.mean, found.variance, scale * mu, _reference(last, s, on))


def response(
    sampler: Sampler,
    grid: Grid | None,
    spectrum: ArrayLike,
    *,
    on: Collection[str] = SOURCES,
    **options: Any,
) -> Array:
    """Relative error of the standard deviation in every direction, shape (D,); as `law`."""
    s = _vector(spectrum)
    truth = _reference(_ends(sampler, grid)[1], s, on)
    return np.asarray(np.sqrt(law(sampler, grid, s, on=on, **options).variance / truth) - 1)


def errors(
    samplers: Mapping[str, Sampler | tuple[Sampler, dict[str, Any]]],
    grids: Mapping[Any, Grid],
    spectrum: ArrayLike,
    *,
    cases: Iterable[Collection[str]] = (SOURCES,),
    **options: Any,
) -> DataFrame:
    """A tidy table of errors: every sampler on every grid, with every set of sources.

    Args:
        samplers: by name; one with options of its own as (sampler, options).
        grids: by name, number of points for instance.
        spectrum, options: of `law`.
        cases: sets of sources.

    Returns:
        Columns sampler, grid, steps, nfe (evaluations really spent), on ("+" between sources) and
        w2.
    """
    import pandas as pd

    rows = []
    for name, entry in samplers.items():
        sampler, own = entry if isinstance(entry, tuple) else (entry, {})
        for key, grid in grids.items():
            use, extra, spent = _prepared(sampler, grid, own)
            for on in cases:
                w2 = error(use, grid, spectrum, on=on, **{**extra, **options})
                rows.append(
                    {
                        "sampler": name,
                        "grid": key,
                        "steps": grid.n_steps,
                        "nfe": spent,
                        "on": "+".join(s for s in SOURCES if s in on),
                        "w2": w2,
                    }
                )
    return pd.DataFrame(rows)


def evaluations(sampler: Sampler, grid: Grid | None = None, **options: Any) -> int:
    """Model evaluations that a run on this grid really spends."""
    if isinstance(sampler, Table):
        return sampler.nfe
    count = 0

    def model(z: Any, level: Level) -> Output:
        nonlocal count
        count += 1
        return _Affine(z, level, 1.0, 0.0, 0.0)

    _method(sampler)(model, 0.0, _grid(grid), lambda *_: 0.0, **options)
    return count


def law(
    sampler: Sampler,
    grid: Grid | None,
    spectrum: ArrayLike,
    *,
    mean: ArrayLike = 0.0,
    on: Collection[str] = SOURCES,
    start: ArrayLike | None = None,
    learned: ArrayLike | None = None,
    learned_mean: ArrayLike | None = None,
    eta: float | None = None,
    **options: Any,
) -> Law:
    """Exact law of the output: mean and variance along every direction of the data's spectrum.

    Args:
        sampler: the name of a method, a method, or a table of any implementation.
        grid: the levels of the run, noise first. A table does without, if its first evaluation is
            at the level at which it starts (a sampler that churns starts below).
        spectrum, mean: eigenvalues of the data's covariance, shape (D,), and its mean in the
            eigenbasis.
        on: the sources of error that are switched on.
        start: variance of the initial state N(0, start) where "initialisation" is on: 1 by
            default on variance-preserving levels, σ_T² on others.
        learned, learned_mean: the Gaussian whose score the model has where "score" is on, in the
            same eigenbasis.
        eta: of the continuous process where "discretisation" is off, dz = (f z − ½(1 + η²) g² s)
            dt + η g dw; by default the method's own η, else 1 if it draws noise and 0 if not.
        options: the method's own; its `eta` is this one.

    Raises:
        ValueError: unknown source or option, a spectrum that is negative or not finite, shapes
            that do not fit.
    """
    if unknown := set(on) - set(SOURCES):
        raise ValueError(f"sources of error are {', '.join(SOURCES)}, got {sorted(unknown)}")
    s = _vector(spectrum)
    mu = np.broadcast_to(np.asarray(mean, dtype=np.float64), s.shape)
    wrong = "score" in on
    model_s = _vector(learned, s.shape) if wrong and learned is not None else s
    model_mu = np.broadcast_to(_given(learned_mean, mu) if wrong else mu, s.shape)
    first, last = _ends(sampler, grid)
    if "initialisation" in on:
        preserving = np.isclose(np.hypot(*first), 1.0, rtol=1e-9)
        default = 1.0 if preserving else first.sigma**2
        z = (np.zeros_like(s), np.broadcast_to(_given(start, default), s.shape))
    else:
        z = (first.alpha * mu, first.alpha**2 * s + first.sigma**2)
    method = None if isinstance(sampler, Table) else _method(sampler)
    if method is not None and "eta" in method.defaults and eta is not None:
        options = {**options, "eta": eta}
    if "discretisation" not in on:
        rate = _rate(sampler, method, options) if eta is None else float(eta)
        return _continuous(first, last, rate, z, model_s, model_mu)
    if method is None:
        assert isinstance(sampler, Table)
        return _through(sampler, z, model_s, model_mu)
    try:  # without noise the method itself carries both coefficients along
        return _direct(method, _grid(grid), z, model_s, model_mu, options)
    except _Draws:
        table = method.table(_grid(grid), _form(_grid(grid)), **options)
        return _through(table, z, model_s, model_mu)


def _prepared(
    sampler: Sampler, grid: Grid, options: dict[str, Any]
) -> tuple[Sampler, dict[str, Any], int]:
    """The sampler with the options of `law`, read once if it draws noise; and its evaluations."""
    if isinstance(sampler, Table):
        return sampler, options, sampler.nfe
    method = _method(sampler)
    own = {name: value for name, value in options.items() if name in method.defaults}
    if not method.traits_of(**own).stochastic:
        return method, options, evaluations(method, grid, **own)
    table = method.table(grid, _form(grid), **own)
    rest = {name: value for name, value in options.items() if name not in own}
    return table, {"eta": _rate(method, method, own), **rest}, table.nfe


def _form(grid: Grid) -> str:
    """The prediction in which a table is read: ε̂ does not determine x̂ at α = 0."""
    return "x" if (grid.alpha == 0).any() else "eps"


class _Draws(Exception):
    """The method asks for noise."""


class _Affine(Output):
    """The exact model of N(μ, s) along directions; x̂ and ε̂ each in a form that cancels nothing.

    The state has a row of what multiplies z_T and a row of constants; μ enters the second.
    """

    def __init__(self, z: Any, level: Level, variance: Any, mean: Any, constant: Any) -> None:
        super().__init__(None, z, level, "x")
        alpha, sigma = level
        total = alpha**2 * variance + sigma**2
        safe = np.where(total > 0, total, 1.0)  # σ = 0 and a direction without variance: x̂ = μ
        gain, noise = alpha * variance / safe, sigma / safe
        self.x = gain * z + (1 - alpha * gain) * mean * constant
        self.eps = noise * (z - alpha * mean * constant)
        self.u = self.eps - self.x


def _direct(
    method: Method, grid: Grid, z: tuple[Array, Array], s: Array, mu: Array, options: dict[str, Any]
) -> Law:
    """The law by running the method on the pair (weight of z_T, constant) in every direction."""
    constant = np.array([[0.0], [1.0]])

    def refuse(start: float | None = None, stop: float | None = None) -> Any:
        raise _Draws

    pair = np.stack([np.ones_like(s), np.zeros_like(s)])
    gain, shift = method(
        lambda state, level: _Affine(state, level, s, mu, constant), pair, grid, refuse, **options
    )
    return Law(gain * z[0] + shift, gain**2 * z[1])


def _through(table: Table, z: tuple[Array, Array], s: Array, mu: Array) -> Law:
    """The law of a table, backwards: what each state weighs in the sample, per direction.

    A step is a few terms (`Table.steps`), so this takes E · D operations times a handful, where
    E² · D would forbid a thousand steps of thousands of directions.
    """
    e, steps, slopes = table.nfe, table.steps(), table.slopes(s)
    state = np.ones_like(s)
    outputs = np.zeros((e, len(s)))  # weights of the outputs met so far
    draws = np.zeros((table.n_draws, len(s)))
    gain, shift = np.zeros_like(s), np.zeros_like(s)
    for j in range(e, -1, -1):
        step = steps[j]
        if j < e:
            level = table.levels[j]
            known = level.alpha * s / (level.alpha**2 * s + level.sigma**2)
            weight = table.affine("x", table.prediction, level)[1]
            shift += outputs[j] * weight * (1 - level.alpha * known) * mu
            state = state + outputs[j] * slopes[j]
        for i, w in step.outputs.items():
            outputs[i] += w * state
        for k, w in step.draws.items():
            draws[k] += w * state
        gain += step.start * state
        state = step.carry * state
    gain += state
    paired = draws if table.noise_cov is None else np.asarray(table.noise_cov) @ draws
    return Law(gain * z[0] + shift, gain**2 * z[1] + np.einsum("kd,kd->d", draws, paired))


def _continuous(
    first: Level, last: Level, eta: float, z: tuple[Array, Array], s: Array, mu: Array
) -> Law:
    """The SDE or ODE solved exactly: a deviation from the model's marginal shrinks by the factor
    p = (V'/V)^((1 + η²)/2) (α/α')^(η²), its excess variance by p². (PG for η = 0 and 1)"""
    before, after = (level.alpha**2 * s + level.sigma**2 for level in (first, last))
    kept = (after / before) ** ((1 + eta**2) / 2)
    if eta:
        kept = kept * (first.alpha / last.alpha) ** eta**2
    mean = last.alpha * mu + kept * (z[0] - first.alpha * mu)
    return Law(mean, np.maximum(after + kept**2 * (z[1] - before), 0.0))


def _distances(
    sampler: Sampler,
    grid: Grid | None,
    spectrum: ArrayLike,
    mean: ArrayLike,
    on: Collection[str],
    options: dict[str, Any],
) -> Array:
    s = _vector(spectrum)
    last = _ends(sampler, grid)[1]
    scale = 1.0 if "truncation" in on else last.alpha
    found = law(sampler, grid, s, mean=mean, on=on, **options)
    return found.wasserstein(scale * np.asarray(mean, dtype=np.float64), _reference(last, s, on))


def _reference(last: Level, s: Array, on: Collection[str]) -> Array:
    """The variance that the output is compared with."""
    return s if "truncation" in on else last.alpha**2 * s + last.sigma**2


def _rate(sampler: Sampler, method: Method | None, options: dict[str, Any]) -> float:
    """η of the process that a sampler discretises."""
    if method is None:
        assert isinstance(sampler, Table)
        return 1.0 if sampler.normal_draws().n_draws else 0.0
    chosen = {**method.defaults, **options}
    if "eta" in chosen:
        return float(chosen["eta"])
    return 1.0 if method.traits_of(**options).stochastic else 0.0


def _ends(sampler: Sampler, grid: Grid | None) -> tuple[Level, Level]:
    levels = sampler.levels if grid is None and isinstance(sampler, Table) else _grid(grid)
    return levels[0], levels[-1]


def _grid(grid: Grid | None) -> Grid:
    if grid is None:
        raise ValueError("a method needs a grid; only a table has its own levels")
    return grid


def _method(sampler: Sampler) -> Method:
    if isinstance(sampler, Method):
        return sampler
    if not isinstance(sampler, str) or sampler not in METHODS:
        raise ValueError(f"no method {sampler!r}; there are {', '.join(sorted(METHODS))}")
    return METHODS[sampler]


def _given(value: ArrayLike | None, default: ArrayLike) -> Array:
    return np.asarray(default if value is None else value, dtype=np.float64)


def _vector(values: ArrayLike, shape: tuple[int, ...] | None = None) -> Array:
    s = np.atleast_1d(np.asarray(values, dtype=np.float64))
    if s.ndim != 1 or not (np.isfinite(s).all() and (s >= 0).all()):
        raise ValueError("a spectrum is a vector of finite eigenvalues ≥ 0")
    return np.array(np.broadcast_to(s, shape)) if shape else s
