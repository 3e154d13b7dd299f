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

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from analytic import gaussian_kl
from dfbench.errors import expect, short
from dfbench.levels import Array, Grid, Level
from dfbench.reals import finite, number, reals, shaped
from dfbench.samplers import Method, named
from dfbench.samplers.method import HasTable, Traits
from dfbench.samplers.ode import times
from dfbench.table import Law, Table, relative

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
GIVEN = ("mean", "on", "start", "learned", "learned_mean")  # to `law`; the rest are the sampler's


def error(sampler: HasTable, grid: Grid | None, spectrum: ArrayLike, **options: Any) -> float:
    """W2 between the law of the output and the data's, over all directions; arguments of `law`.

    With "truncation" off, to the data's marginal at the level of the last state.
    """
    found, truth = _compared(sampler, grid, spectrum, **options)
    return float(np.linalg.norm(found.wasserstein(truth.mean, truth.variance)))


def kl(sampler: HasTable, grid: Grid | None, spectrum: ArrayLike, **options: Any) -> float:
    """KL(output | data) in nats, over all directions; arguments as `error`.

    Infinite where the output has no variance in a direction in which the data has.

    Raises:
        ValueError: a direction in which the reference has no variance.
    """
    found, truth = _compared(sampler, grid, spectrum, **options)
    return gaussian_kl(found.mean, found.variance, truth.mean, truth.variance)


def response(sampler: HasTable, grid: Grid | None, spectrum: ArrayLike, **options: Any) -> Array:
    """Relative error of the standard deviation in every direction, shape (D,); as `law`."""
    found, truth = _compared(sampler, grid, spectrum, **options)
    return relative(found.variance, truth.variance)


def split(
    sampler: HasTable,
    grid: Grid | None,
    spectrum: ArrayLike,
    *,
    of: Callable[..., float] = error,
    **options: Any,
) -> dict[str, float]:
    """`error` (or `kl`) with each source alone (by its name), with "none" and with "all"."""
    table, options = prepared(sampler, grid, **options)
    return {name: of(table, grid, spectrum, on=on, **options) for name, on in CASES.items()}


def errors(
    samplers: Mapping[str, HasTable | tuple[HasTable, dict[str, Any]]],
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

    for what, given in (("samplers", samplers), ("grids", grids)):
        if not isinstance(given, Mapping):
            raise TypeError(f"{what} must be a dictionary by name, got {short(given)}")
    rows = []
    for name, entry in samplers.items():
        sampler, own = entry if isinstance(entry, tuple) else (entry, {})
        for key, grid in grids.items():
            table, known = prepared(sampler, grid, **{**own, **options})
            for on in cases:
                rows.append(
                    {
                        "sampler": name,
                        "grid": key,
                        "steps": grid.n_steps,
                        "nfe": table.nfe,
                        "on": "+".join(s for s in SOURCES if s in on),
                        "w2": error(table, grid, spectrum, on=on, **known),
                    }
                )
    return pd.DataFrame(rows, columns=["sampler", "grid", "steps", "nfe", "on", "w2"])


def law(
    sampler: HasTable,
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
    _check_sources(on)
    s = _vector(spectrum)
    mu = shaped("mean", finite("mean", mean), s.shape)
    wrong = "score" in on
    other_s = s if learned is None else _vector(learned, s.shape, "learned")
    other_mu = mu
    if learned_mean is not None:
        other_mu = shaped("learned_mean", finite("learned_mean", learned_mean), s.shape)
    model_s, model_mu = (other_s, other_mu) if wrong else (s, mu)
    first, last = _ends(sampler, grid)
    given = None if start is None else _vector(start, s.shape, "start")
    if "initialisation" in on:
        preserving = np.isclose(np.hypot(*first), 1.0, rtol=1e-9)
        default = 1.0 if preserving else first.sigma**2
        z = (np.zeros_like(s), np.full_like(s, default) if given is None else given)
    else:
        z = (first.alpha * mu, first.alpha**2 * s + first.sigma**2)
    rate = {} if eta is None else {"eta": number("eta", eta, 0.0, 1e100)}
    own, rest = _sorted(sampler, {**options, **rate})
    if "discretisation" not in on:
        return _continuous(first, last, rest["eta"], z, model_s, model_mu)
    table = _read(sampler, grid, own)
    return table.law(model_s, model_mu, start_mean=z[0], start_variance=z[1])


def prepared(sampler: HasTable, grid: Grid | None, **options: Any) -> tuple[Table, dict[str, Any]]:
    """The table of a sampler, and the options of `law` that are left, with the η of the sampler.

    For a sampler that is asked about more than once: its coefficients are then read once.
    """
    own, rest = _sorted(sampler, options)
    return _read(sampler, grid, own), rest


def _sorted(sampler: HasTable, options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options of the sampler, checked, and those of `law`, with the sampler's η."""
    method = None if isinstance(sampler, Table) else named(sampler)
    defaults = method.defaults if method else {}
    rest = {k: v for k, v in options.items() if k in GIVEN or (k == "eta" and k not in defaults)}
    own = {k: v for k, v in options.items() if k not in rest}
    if method:
        eta = {**defaults, **own}.get("eta", method.traits_of(**own).stochastic)
        return own, {"eta": float(eta)} | rest
    if own:
        raise ValueError("a table has no options: they are in it")
    assert isinstance(sampler, Table)
    return own, {"eta": float(sampler.C.any())} | rest


def _read(sampler: HasTable, grid: Grid | None, options: dict[str, Any]) -> Table:
    if isinstance(sampler, Table):
        return sampler
    method, levels = named(sampler), _grid(grid)
    try:
        return method.table(levels, "x", **options)
    except ValueError:  # at σ = 0 x̂ does not tell ε̂
        return method.table(levels, "eps", **options)


def _compared(
    sampler: HasTable,
    grid: Grid | None,
    spectrum: ArrayLike,
    *,
    mean: ArrayLike = 0.0,
    on: Collection[str] = SOURCES,
    **options: Any,
) -> tuple[Law, Law]:
    """The law of the output, and the one it is compared with."""
    _check_sources(on)
    s, last = _vector(spectrum), _ends(sampler, grid)[1]
    truth = Law(shaped("mean", finite("mean", mean), s.shape), s)
    if "truncation" not in on:
        truth = Law(last.alpha * truth.mean, last.alpha**2 * s + last.sigma**2)
    return law(sampler, grid, s, mean=mean, on=on, **options), truth


def _check_sources(on: Collection[str]) -> None:
    listed = isinstance(on, Collection) and not isinstance(on, str | np.ndarray)
    if not listed or not all(isinstance(each, str) and each in SOURCES for each in on):
        raise ValueError(f"on must list sources of error, {', '.join(SOURCES)}; got {short(on)}")


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


def _ends(sampler: HasTable, grid: Grid | None) -> tuple[Level, Level]:
    levels = sampler.levels if grid is None and isinstance(sampler, Table) else _grid(grid)
    return levels[0], levels[-1]


def _grid(grid: Grid | None) -> Grid:
    if grid is None:
        raise ValueError("a method needs a grid; only a table has its own levels")
    expect("grid", grid, Grid)
    return grid


def _vector(
    values: ArrayLike, shape: tuple[int, ...] | None = None, name: str = "a spectrum"
) -> Array:
    s = np.atleast_1d(reals(name, values))
    if s.ndim != 1 or not s.size or not (np.isfinite(s).all() and (s >= 0).all()):
        raise ValueError(f"{name} must be a vector of finite numbers ≥ 0, got {short(values)}")
    return np.array(shaped(name, s, shape)) if shape else s
