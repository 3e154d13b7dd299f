"""The samplers under every option that has a formula, and the formula."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from dfbench.levels import Grid, Level
from dfbench.samplers import METHODS
from dfbench.samplers.method import Method, Traits
from dfbench.schedules import Cosine
from dfbench.table import Table
from tests.formulas import one_step as one
from tests.formulas.integrals import Integral, adams, between, inside, landing, stages, taking


class Variant(NamedTuple):
    """A method under its options, and the formula that its table has to be that of."""

    method: str
    options: dict[str, Any]
    formula: Any
    prediction: str = "x"
    steps: int = 7
    clean: bool = False  # whether the last level is clean data
    bare: str = ""  # a grid without times and schedule, on a scale of `SIZES`

    @property
    def fixed(self) -> bool:
        """Whether its options are for this number of steps alone."""
        return any(key in self.options for key in STEPWISE)

    @property
    def name(self) -> str:
        said = (f"{key}={_short(value)}" for key, value in self.options.items())
        where = ["onto clean data"] * self.clean + [self.bare] * bool(self.bare)
        return " ".join([self.method, *said, *where])


#: Options that speak of the steps of one grid.
STEPWISE = ("on_grid", "orders", "down", "halfway", "disable_corrector")


def _short(value: Any) -> str:
    if callable(value):
        return "a function"
    return f"{len(value)} values" if isinstance(value, list) else str(value)


#: √(α² + σ²) of levels at λ = log(α/σ)
SIZES: dict[str, Callable[[Any], Any]] = {
    "of size 1": np.ones_like,
    "of size 1.7": lambda lam: 1.7 + 0 * lam,
    "of any size": lambda lam: 1.5 + np.sin(lam),
}


def levels(n: int, pure: bool = False, clean: bool = False, bare: str = "") -> Grid:
    """n uneven steps between λ = −6 and 6 on the cosine schedule, with their times unless `bare`.

    Args:
        pure: the first level is pure noise, α = 0.
        clean: the last level is clean data, σ = 0.
        bare: without times and schedule, on this scale.
    """
    even = np.linspace(0.0, 1.0, n + 1)
    t = Cosine().t_of_log_snr(-6.0 + 12.0 * (even + 0.1 * np.sin(5.0 * even) * even * (1 - even)))
    if pure:
        t[0] = 1.0
    if clean:
        t[-1] = 0.0
    alpha, sigma = Cosine().alpha(t), Cosine().sigma(t)
    if not bare:
        return Grid(alpha, sigma, t, Cosine())
    size = SIZES[bare](np.log(alpha / sigma))
    return Grid(size * alpha, size * sigma)


def table(variant: Variant, grid: Grid) -> Table:
    """What the package has."""
    return METHODS[variant.method].table(grid, variant.prediction, **variant.options)


def gap(variant: Variant, found: Table, grid: Grid) -> float:
    """Its largest difference from the formula's table, in sizes of the state; at inner levels the
    scale is free."""
    paper = Method("", variant.formula, "", lambda: Traits()).table(grid, found.prediction)
    if paper.rows.shape != found.rows.shape:
        return float("inf")
    own, other = (np.hypot(t.levels.alpha, t.levels.sigma)[:, None] for t in (found, paper))
    told = np.abs(found.levels.sigma / own[:, 0] - paper.levels.sigma / other[:, 0]).max()
    gaps = found.rows / own - paper.rows / other
    gaps[:, 0] *= np.hypot(*grid[0])
    together = np.abs(found.covariance - paper.covariance).max(initial=0.0)
    return float(np.max([np.abs(gaps).max(), told, together]))


def _multistep() -> list[Variant]:
    """DPM-Solver and DPM-Solver++, ODE and SDE."""
    found = []
    kinds = (
        ("dpm_solver_multistep", "eps", (0.0,)),
        ("dpm_solver_pp_multistep", "x", (0.0,)),
        ("sde_dpm_solver", "eps", (0.5, 1.0)),
        ("sde_dpm_solver_pp", "x", (0.0, 0.5, 1.0)),
    )
    for (name, kind, etas), order in product(kinds, (1, 2, 3)):
        for eta, solver in product(etas, ("heun", "midpoint")):
            options: dict[str, Any] = {"order": order, "solver_type": solver}
            # the midpoint rule is for two outputs alone, on the way to three as well
            step = Integral(kind, eta, pair="bh2" if solver == "midpoint" else None)
            options |= {"eta": eta} if name.startswith("sde") else {}
            found.append(Variant(name, options, adams(step, order), kind))
            found.append(
                Variant(
                    name,
                    options | {"euler_at_final": True},
                    adams(step, order, final="euler"),
                    kind,
                )
            )
            found.append(
                Variant(
                    name,
                    options | {"lower_order_final": True},
                    adams(step, order, final="falling"),
                    kind,
                )
            )
        halved = Integral(kind, eta, pair="bh2", halved=True)  # of the last η
        found.append(Variant(name, {**options, "halved": True}, adams(halved, order), kind))
    for eta, s in product((0.0, 0.5), (0.7, 0.0)):
        options = {"order": 3, "solver_type": "heun", "eta": eta, "s_noise": s}
        made = adams(Integral("x", eta, s_noise=s), 3)
        found.append(Variant("sde_dpm_solver_pp", options, made))
    return found


def _past_outputs() -> list[Variant]:
    """LMS, DEIS, UniPC and SA-Solver."""
    found = []
    for order in (1, 2, 3, 4):
        made = adams(Integral("eps", variable="rho"), order)
        found.append(Variant("lms", {"order": order}, made, "eps"))
        for variable, last in product(("rho", "log_rho", "t"), (False, True)):
            place = "lam" if variable == "log_rho" else variable
            options: dict[str, Any] = {
                "order": order,
                "variable": variable,
                "lower_order_final": last,
            }
            made = adams(Integral("eps", variable=place), order, final="falling" if last else "")
            found.append(Variant("deis", options, made, "eps"))
    for order, pair, data, corrected, last in product(
        (1, 2, 3), ("bh1", "bh2"), (True, False), (True, False), (True, False)
    ):
        options = {
            "order": order,
            "variant": pair,
            "predict_x0": data,
            "corrector": corrected,
            "lower_order_final": last,
        }
        step = Integral("x" if data else "eps", pair=pair)
        made = adams(step, order, (order + 1) * corrected, "falling" if last else "")
        found.append(Variant("unipc", options, made, step.kind))
    made = adams(Integral("x", pair="bh2"), 2, 3, uncorrected=(1, 3))
    found.append(Variant("unipc", {"disable_corrector": (1, 3)}, made))
    for p, c, tau, data, last in product(
        (1, 2, 3), (0, 1, 2, 3), (0.0, 0.6, 1.0), (True, False), (True, False)
    ):
        orders = {"predictor_order": p, "corrector_order": c, "lower_order_final": last}
        options = {**orders, "tau": tau, "predict_x0": data}
        step = Integral("x" if data else "eps", tau**2)
        made = adams(step, p, c, "falling" if last else "")
        found.append(Variant("sa_solver", options, made, step.kind))
    for last in (True, False):  # a corrector of an order that the last steps do not have
        options = {
            "predictor_order": 3,
            "corrector_order": 4,
            "tau": 0.6,
            "lower_order_final": last,
        }
        made = adams(Integral("x", 0.36), 3, 4, "falling" if last else "")
        found.append(Variant("sa_solver", options, made))
    few = {"predictor_order": 2, "corrector_order": 2, "tau": 0.6, "few_steps": True}
    found.append(Variant("sa_solver", few, adams(Integral("x", 0.36, pair="bh1"), 2, 2)))
    each = [0.1, 0.9, 0.4, 1.0, 0.0, 0.7, 0.3]
    squares: dict[Any, Any] = {
        (lambda s: s.sigma / (s.alpha + s.sigma)): lambda levels: [
            (s.sigma / (s.alpha + s.sigma)) ** 2 for s, _ in levels.steps()
        ],
        tuple(each): lambda _: [tau**2 for tau in each],
    }
    for tau, etas in squares.items():  # by level, and by step
        options = {"predictor_order": 2, "corrector_order": 2, "tau": tau}
        found.append(Variant("sa_solver", options, adams(Integral("x"), 2, 2, etas=etas)))
    return found


def _singlestep() -> list[Variant]:
    """DPM-Solver and DPM-Solver++ with inner levels of their own, or those of the grid."""
    found = []
    for name, kind, exact in (("dpm_solver", "eps", "taylor"), ("dpm_solver_pp", "x", "heun")):
        two, three = Integral(kind, pair="bh2"), Integral(kind)
        for r1, last in product((None, 0.4), (False, True)):
            kept: dict[str, Any] = {"r1": r1} | ({"solver_type": exact} if last else {})
            made = stages(two, inside(r1 or 0.5), last)
            found.append(Variant(name, {"order": 2, **kept}, made, kind))
            for r2, step in ((None, three), (0.7, three), (None, two)):
                options = {"order": 3, "r2": r2, **kept}
                options |= {"inner": "midpoint"} if step is two else {}
                where = inside(r1 or 1 / 3, r2 or 2 / 3)
                found.append(Variant(name, options, stages(step, where, last), kind))
        made = stages(three, inside(1 / 3, 2 / 3), True)
        options = {"order": 3, "solver_type": exact}  # inner levels of the method's own
        found += [Variant(name, options, made, kind, bare=size) for size in SIZES]
        orders: tuple[int, ...] = (2, 1, 2)
        made = stages(two, _mixed(*orders), False)
        found.append(Variant(name, {"orders": orders}, made, kind, 3))
        # DPM-Solver-fast: steps of order 3, then 2 and 1, or 1, or 2 (2206.00927, section 3.4)
        split: tuple[int, ...]
        for split in ((2, 1), (3, 1), (3, 2), (3, 2, 1), (3, 3, 1), (3, 3, 2)):
            made = stages(three, taking(*split), True)
            options = {"order": 3, "on_grid": True, "solver_type": exact}
            found.append(Variant(name, options, made, kind, sum(split)))
        for split in ((2, 2), (2, 2, 1)):
            made = stages(two, taking(*split), False)
            found.append(Variant(name, {"order": 2, "on_grid": True}, made, kind, sum(split)))
        for split in ((3,), (3, 1), (3, 2), (3, 3), (3, 3, 1)):  # onto σ = 0 with a step of order 1
            made = landing(stages(three, taking(*split), True))
            options = {"order": 3, "on_grid": True, "solver_type": exact}
            found.append(Variant(name, options, made, kind, sum(split) + 1, True))
        made = stages(two, taking(1, 2, 2), False)
        options = {"order": 2, "on_grid": True, "orders": (1, 2, 2)}
        found.append(Variant(name, options, made, kind, 5))
    return found


def _mixed(*orders: int) -> Any:
    """Steps of order 1 or 2, the inner level in the middle."""

    def blocks(grid: Grid) -> list[list[Level]]:
        pairs = zip(inside(0.5)(grid), orders, strict=True)
        return [block if k == 2 else [block[0], block[-1]] for block, k in pairs]

    return blocks


def _without_memory() -> list[Variant]:
    """Runge–Kutta, ancestral and stochastic samplers."""
    found = []
    for name in one.RUNGE_KUTTA:
        for end in (False, True):
            options = {"solver": name, "to_the_end": end}
            found.append(Variant("flow_matching", options, one.in_flow_time(name)))
        found += [
            Variant(method, {"solver": name}, one.in_time(name))
            for method in ("velocity", "probability_flow")
        ]
    for eta, s in product((0.0, 0.5, 1.0, 1.3), (1.0, 0.7, 0.0)):
        noise: dict[str, Any] = {"eta": eta, "s_noise": s}
        found.append(Variant("euler_ancestral", noise, one.ancestral(eta, s)))
        if s == 1 and eta <= 1:
            found.append(Variant("ddim", {"eta": eta}, one.ancestral(eta)))
            found.append(Variant("reverse_sde", {"eta": eta}, one.reverse(eta)))
            found += [
                Variant("reverse_sde", {"eta": eta, "solver": by}, one.reverse(eta, by))
                for by in ("euler_heun", "heun", "midpoint", "sra1")
            ]
            found.append(
                Variant("exponential_sde", {"eta": eta, "hold": "score"}, one.score_held(eta))
            )
            found += [
                Variant("exponential_sde", {"eta": eta, "hold": hold}, one.held(eta, hold))
                for hold in ("x", "eps")
            ]
        if eta <= 1:
            found.append(Variant("dpmpp_2s_ancestral", noise, one.dpmpp_2s(eta, s)))
            found.append(Variant("flow_ancestral", noise, one.flow_ancestral(eta, s)))
            found += [
                Variant("dpm2_ancestral", {**noise, "rho": rho}, one.dpm2(rho, eta, s))
                for rho in (None, 3.0)
            ]
            found += [
                Variant(
                    "dpmpp_sde", {**noise, "r": r, "brownian": path}, one.dpmpp_sde(eta, s, r, path)
                )
                for r, path in product((0.5, 0.4), (True, False))
            ]
    found += [Variant("dpm2", {"rho": rho}, one.dpm2(rho)) for rho in (None, 3.0)]
    found += [Variant("ddpm", {"variance": v}, one.ddpm(v)) for v in ("beta", "beta_tilde", 0.3)]
    released = {"fixed_small": "beta_tilde", "fixed_large": "beta"}
    found += [Variant("ddpm", {"variance": v}, one.ddpm(released[v])) for v in released]
    for second, stale, s, low in product((True, False), (None, "eps", "x"), (1.0, 0.7), (0.0, 0.2)):
        options = {
            "s_churn": 1.4,
            "s_noise": s,
            "s_tmin": low,
            "s_tmax": 10 / (1 + 5 * low),
            "second_order": second,
            "stale": stale,
        }
        made = one.edm(0.2, low, 10 / (1 + 5 * low), s, second, stale)
        found.append(Variant("edm", options, made))
    found += [
        Variant("edm", {"s_churn": s}, one.edm(s / 7, 0, 1e9, 1, True, None)) for s in (0.7, 9.0)
    ]
    for name, count, snr, first, clean in product(
        ("reverse_diffusion", "ancestral"), (0, 1, 2), (0.16, 0.0), (True, False), (True, False)
    ):
        options = {
            "predictor": name,
            "n_corrector": count,
            "snr": snr,
            "corrector_first": first,
            "denoise": clean,
        }
        made = one.predictor_corrector(name, count, snr, first, clean)
        found.append(Variant("predictor_corrector", options, made))
    found.append(Variant("annealed_langevin", {"step": 3e-3, "n_steps": 2}, one.annealed(3e-3, 2)))
    found.append(Variant("interpolant_sde", {"epsilon": 0.8}, one.interpolant(lambda t: 0.8)))
    found.append(Variant("interpolant_sde", {"epsilon": 0.0}, one.interpolant(lambda t: 0.0)))
    found.append(Variant("interpolant_sde", {"epsilon": np.sqrt}, one.interpolant(np.sqrt)))
    scaled = {"c_skip": 0.2, "c_out": 0.9, "sigma_min": 0.03}
    found.append(Variant("lcm", scaled, one.consistency([0.2], [0.9], 0.03)))
    skip, out = [0.2, 0.0, 0.1, 0.0, 0.3, 0.0, 0.1], [0.9, 1.0, 0.7, 0.6, 1.0, 0.8, 0.9]
    found.append(Variant("lcm", {"c_skip": skip, "c_out": out}, one.consistency(skip, out)))
    found += [Variant("tcd", {"gamma": gamma}, one.jump(gamma)) for gamma in (0.0, 1.0)]
    for order in (1, 2, 3, 4):
        for start in ("prk", "plms"):
            made = one.pseudo(order, start, _middle)
            found.append(Variant("pndm", {"order": order, "start": start}, made, "eps"))
        found.append(Variant("ipndm", {"order": order}, one.pseudo(order, "", _middle), "eps"))
    ratios = [0.6 * s.ratio for _, s in levels(7).steps()]
    found.append(Variant("tcd", {"down": ratios}, one.drop(0.6)))
    inner = [between(t, s, 0.3) for t, s in levels(7).steps()]
    made = one.pseudo(4, "prk", lambda grid, i: between(grid[i], grid[i + 1], 0.3))
    found.append(Variant("pndm", {"halfway": inner}, made, "eps"))
    untimed = one.pseudo(4, "prk", lambda grid, i: between(grid[i], grid[i + 1], 0.5))
    found += [Variant("pndm", {"order": 4}, untimed, "eps", bare=size) for size in SIZES]
    return found


def _by_default() -> list[Variant]:
    """Every method without options, which is its paper's."""
    midpoint = {kind: Integral(kind, pair="bh2") for kind in ("x", "eps")}
    noisy = {kind: Integral(kind, 1.0, pair="bh2") for kind in ("x", "eps")}
    in_x = {
        "ddim": one.ancestral(0.0),
        "ddpm": one.ddpm("beta_tilde"),
        "probability_flow": one.in_time("euler"),
        "velocity": one.in_time("euler"),
        "flow_matching": one.in_flow_time("euler"),
        "euler": one.in_ratio("euler"),
        "heun": one.in_ratio("heun"),
        "rk4": one.in_ratio("rk4"),
        "dpm2": one.dpm2(None),
        "edm": one.edm(0.0, 0.0, np.inf, 1.0, True, None),
        "euler_ancestral": one.ancestral(1.0),
        "dpm2_ancestral": one.dpm2(None, 1.0, 1.0),
        "dpmpp_2s_ancestral": one.dpmpp_2s(1.0, 1.0),
        "dpmpp_sde": one.dpmpp_sde(1.0, 1.0, 0.5, True),
        "flow_ancestral": one.flow_ancestral(1.0, 1.0),
        "lcm": one.consistency([0.0], [1.0]),
        "scm": one.consistency([0.0], [1.0]),
        "tcd": one.jump(0.3),
        "reverse_sde": one.reverse(1.0),
        "interpolant_sde": one.interpolant(lambda t: 1.0),
        "exponential_sde": one.held(1.0, "x"),
        "predictor_corrector": one.predictor_corrector("reverse_diffusion", 1, 0.16, False, True),
        "annealed_langevin": one.annealed(2e-5, 100),
        "dpm_solver_pp": stages(midpoint["x"], inside(0.5), False),
        "dpm_solver_pp_multistep": adams(midpoint["x"], 2),
        "sde_dpm_solver_pp": adams(noisy["x"], 2),
        "unipc": adams(midpoint["x"], 2, 3),
        "sa_solver": adams(Integral("x", 1.0), 2, 2),
    }
    in_eps = {
        "dpm_solver": stages(midpoint["eps"], inside(0.5), False),
        "dpm_solver_multistep": adams(midpoint["eps"], 2),
        "sde_dpm_solver": adams(noisy["eps"], 2),
        "lms": adams(Integral("eps", variable="rho"), 4),
        "deis": adams(Integral("eps", variable="rho"), 3),
        "pndm": one.pseudo(4, "prk", _middle),
        "ipndm": one.pseudo(4, "", _middle),
    }
    slow = {"annealed_langevin": 2}  # steps, of a hundred each
    found = [Variant(name, {}, made, "x", slow.get(name, 7)) for name, made in in_x.items()]
    return found + [Variant(name, {}, made, "eps") for name, made in in_eps.items()]


def _middle(grid: Grid, i: int) -> Level:
    """Half-way in the time of the cosine schedule."""
    assert grid.t is not None
    return one.cosine(float(grid.t[i] + grid.t[i + 1]) / 2)


#: Those that start at pure noise as well, where others refuse or do not exist.
PURE = (
    "ddim",
    "ddpm",
    "deis",
    "dpm_solver_multistep",
    "dpm_solver_pp_multistep",
    "euler_ancestral",
    "flow_matching",
    "interpolant_sde",
    "lcm",
    "lms",
    "sa_solver",
    "scm",
    "sde_dpm_solver_pp",
    "tcd",
    "unipc",
    "velocity",
)


def from_noise(variant: Variant) -> bool:
    """Whether it starts at α = 0: not with a corrector's equation for the step from there, nor in
    ε with noise, whose first step would be infinite."""
    options = variant.options
    corrected = variant.method == "unipc" and options.get("corrector", True)
    refused = corrected or not options.get("predict_x0", True)
    return variant.method in PURE and not refused


#: Those whose last step, where it ends in clean data, is Euler's: the x̂ of the state before.
ONTO_DATA = (
    "ddim",
    "ddpm",
    "dpm2",
    "dpm2_ancestral",
    "dpm_solver",
    "dpm_solver_pp",
    "dpmpp_2s_ancestral",
    "dpmpp_sde",
    "euler",
    "euler_ancestral",
    "flow_ancestral",
    "flow_matching",
    "heun",
    "rk4",
    "scm",
    "tcd",
)


def _onto_data(variants: list[Variant]) -> list[Variant]:
    """The same, one step less, and then onto clean data."""
    return [
        each._replace(formula=landing(each.formula), clean=True)
        for each in variants
        if each.method in ONTO_DATA
        and not each.fixed
        # these evaluate between the levels only; to the end, no clean sample tells the velocity
        and each.options.get("solver") not in ("midpoint", "heun3")
        and not each.options.get("to_the_end")
        and not each.bare
    ]


def _at_the_ends() -> list[Variant]:
    """Churn between two levels of the grid: S_tmin and S_tmax belong to their interval."""
    high, low = (levels(7)[i].ratio for i in (2, 4))
    options = {"s_churn": 1.4, "s_tmin": low, "s_tmax": high}
    return [Variant("edm", options, one.edm(0.2, low, high, 1, True, None))]


VARIANTS = _multistep() + _past_outputs() + _singlestep() + _without_memory() + _by_default()
VARIANTS += _onto_data(VARIANTS)
#: On these levels alone: on another scale rounding takes them off the ends.
ENDS = _at_the_ends()


def cases() -> dict[str, tuple[Variant, bool]]:
    """From the first level of `levels`, and where that can be from pure noise: (variant, pure)."""
    found = {each.name: (each, False) for each in VARIANTS}
    for each in filter(from_noise, VARIANTS):
        found[f"{each.name} from pure noise"] = (each._replace(prediction="x"), True)
    return found
