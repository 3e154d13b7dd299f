"""DPM-Solver++ in data prediction, for the ODE and the SDE."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.interpolate import RectBivariateSpline

from dfbench.levels import Grid
from dfbench.samplers import METHODS, dpm_solver_pp
from tests.samplers import convergence as c
from tests.samplers import released

SINGLESTEP = [
    {"order": 1},
    {"order": 2},
    {"order": 2, "r1": 0.3, "solver_type": "heun"},
    {"order": 3},
    {"order": 3, "solver_type": "heun"},
    {"order": 3, "inner": "midpoint"},
    {"order": 3, "r1": 0.2, "r2": 0.4},
    {"order": 3, "r1": 0.2, "r2": 0.4, "solver_type": "heun"},
]
MULTISTEP = [
    {"order": 1},
    {"order": 2},
    {"order": 2, "solver_type": "heun"},
    {"order": 3},
    {"order": 3, "halved": True},
    {"order": 3, "lower_order_final": True},
    {"order": 3, "euler_at_final": True},
]


@pytest.mark.parametrize("options", SINGLESTEP)
@pytest.mark.parametrize("scale", ["ve", "vp"])
def test_order(options: dict[str, Any], scale: str) -> None:
    claimed = METHODS["dpm_solver_pp"].traits_of(**options).order
    assert abs(c.order("dpm_solver_pp", scale=scale, **options) - claimed) < 0.3


@pytest.mark.parametrize("options", MULTISTEP)
def test_multistep_order(options: dict[str, Any]) -> None:
    """The released weight of the second derivative ("halved") leaves 3M of order 2."""
    claimed = METHODS["dpm_solver_pp_multistep"].traits_of(**options).order
    measure = c.start_free_order if claimed > 2 else c.order
    counts = (64, 128, 256)
    assert abs(measure("dpm_solver_pp_multistep", counts, **options) - claimed) < 0.3


def test_control_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """With φ_2 one per cent too large no method is of its order."""
    phi = dpm_solver_pp.phi
    monkeypatch.setattr(dpm_solver_pp, "phi", lambda k, x: phi(k, x) * (1.01 if k == 2 else 1))
    assert c.order("dpm_solver_pp", (64, 128, 256), order=3) < 2.3
    assert c.start_free_order("dpm_solver_pp_multistep", order=3) < 2.3


def test_s_noise_is_declared() -> None:
    method = METHODS["sde_dpm_solver_pp"]
    assert method.traits_of(s_noise=1.1).biased
    assert not method.traits_of(s_noise=1.1).exact_on_points
    assert c.point_gap(method.table(c.awkward_grid(), s_noise=1.1)) > 1e-2


def test_2s_by_hand() -> None:
    """Algorithm 1, one step from α = 0.6 to α = 0.8, r = ½: D = x̂ at the middle."""
    h = math.log(0.8 / 0.6) - math.log(0.6 / 0.8)
    half = math.sqrt(0.5)
    table = METHODS["dpm_solver_pp"].table(Grid(np.array([0.6, 0.8]), np.array([0.8, 0.6])), "x")
    expected = [
        [1, 0, 0],
        [half / 0.8, -half * math.expm1(-h / 2), 0],
        [0.6 / 0.8, 0, -0.8 * math.expm1(-h)],
    ]
    np.testing.assert_allclose(table.rows, expected, atol=1e-14)


def test_2m_by_hand() -> None:
    """Algorithm 2, the second step: D = (1 + 1/2r) x̂₁ − 1/2r x̂₀ with r = h₁/h₂."""
    rho = np.exp([0.0, -0.5, -1.3])
    rows = METHODS["dpm_solver_pp_multistep"].table(Grid.from_ratios(rho), "x").rows
    r = 0.5 / 0.8
    expected = math.exp(-0.8) * rows[1]
    expected[1:] += -math.expm1(-0.8) * np.array([-1 / (2 * r), 1 + 1 / (2 * r)])
    np.testing.assert_allclose(rows[2], expected, atol=1e-14)


def test_first_order_is_ddim() -> None:
    grid = c.awkward_grid(clean=True)
    assert c.same("dpm_solver_pp_multistep", {"order": 1}, "ddim", {}, grid) < 1e-14
    assert c.same("sde_dpm_solver_pp", {"order": 1}, "ddim", {"eta": 1.0}, grid) < 1e-14
    assert c.same("sde_dpm_solver_pp", {"order": 1}, "ddim", {"eta": 0.9}, grid) > 1e-2


@pytest.mark.parametrize("options", MULTISTEP[:3])
def test_law(options: dict[str, Any]) -> None:
    """The error of the output's variance is of order 1 with one output, of order 2 with more."""
    method = METHODS["sde_dpm_solver_pp"]
    claimed = method.traits_of(**options).order
    for eta in (0.5, 1.0):
        assert abs(c.weak_order("sde_dpm_solver_pp", eta=eta, **options) - claimed) < 0.3


def test_control_law(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slope of the wrong size, here that of the released third order in sign, is seen."""
    differences = dpm_solver_pp.differences

    def wrong(past: Any, h: float) -> Any:
        d1, d2 = differences(past, h)
        return 1.2 * d1, d2

    monkeypatch.setattr(dpm_solver_pp, "differences", wrong)
    assert c.weak_order("sde_dpm_solver_pp", order=2) < 1.4


def test_refusals() -> None:
    with pytest.raises(ValueError, match="of order 1"):
        METHODS["dpm_solver_pp"].table(
            c.awkward_grid(6, clean=True), on_grid=True, orders=[2, 2, 2]
        )
    with pytest.raises(ValueError, match="solver_type"):
        METHODS["dpm_solver_pp"].table(c.awkward_grid(), solver_type="taylor")


@pytest.mark.parametrize("clean", [False, True])
@pytest.mark.parametrize("kind", ["dpmsolver++", "sde-dpmsolver++"])
@pytest.mark.parametrize(
    "options",
    [
        {"order": 1},
        {"order": 2},
        {"order": 2, "solver_type": "heun"},
        {"order": 3, "halved": True},
    ],
)
def test_released_multistep(kind: str, options: dict[str, Any], clean: bool) -> None:
    """The released code casts states to float32.

    Its SDE of order 3 has −½ where +½ is due in the weight of the second derivative, which then
    does not vanish with h; it converges to another law.
    """
    config = {
        "solver_order": options["order"],
        "solver_type": options.get("solver_type", "midpoint"),
        "algorithm_type": kind,
        "final_sigmas_type": "zero" if clean else "sigma_min",
    }
    method = {"dpmsolver++": "dpm_solver_pp_multistep"}.get(kind, "sde_dpm_solver_pp")
    options = {"lower_order_final": True, **options}
    args = ("DPMSolverMultistepScheduler", config, method, options)
    measured = released.gap(*args, c.awkward_grid(8, clean=clean))
    if kind != "dpmsolver++" and options["order"] == 3 and not clean:
        assert measured > 1e-2
    else:
        assert measured < 1e-5


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("kind", ["midpoint", "heun"])
def test_released_singlestep(order: int, kind: str) -> None:
    config = {
        "solver_order": order,
        "solver_type": kind,
        "lower_order_final": True,
        "final_sigmas_type": "zero",
    }
    options = {"order": order, "on_grid": True, "solver_type": kind}
    options["inner"] = {"midpoint": "midpoint", "heun": "exact"}[kind]
    for n in (6, 7, 8):
        args = ("DPMSolverSinglestepScheduler", config, "dpm_solver_pp", options)
        assert released.gap(*args, c.awkward_grid(n, clean=True)) < 1e-11


def weak_error(n: int, **options: Any) -> float:
    """|E φ(output) − E φ| on the mixture, without Monte Carlo.

    u(z, m) = E[φ(output) | state z, output before it m] goes backwards through the steps, each of
    them z' = a z + b x̂(z) + b' m + c ξ: Gauss–Hermite over ξ, a spline over (z, m).
    """
    grid = c.regular_grid(n)
    table = METHODS["sde_dpm_solver_pp"].table(grid, "x", **options)
    xi, weight = np.polynomial.hermite_e.hermegauss(9)
    points, before = np.linspace(-6, 6, 301), np.linspace(-6, 6, 25)

    def phi(z: Any, _: Any) -> Any:
        return np.cos(1.7 * z + 0.4) + np.tanh(z)

    u = phi
    for i in reversed(range(n)):
        row, now = table.rows[i + 1], table.rows[i]
        a = row[0] / now[0]
        rest = row - a * now
        b, previous, noise = rest[1 + i], rest[i] if i else 0.0, rest[1 + n + i]
        z = points * np.hypot(1, grid.sigma[i])
        x = c.denoise(z, grid.sigma[i])
        end = (a * z + b * x)[:, None, None] + previous * before[:, None] + noise * xi
        mean = u(end, np.broadcast_to(x[:, None, None], end.shape)) @ weight / weight.sum()
        u = RectBivariateSpline(z, before, mean, kx=5, ky=5).ev
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)

    def under_marginal(f: Any, sigma: float) -> float:
        z = c.MEANS[:, None] + np.sqrt(c.VARIANCES + sigma**2)[:, None] * nodes
        return float((c.WEIGHTS[:, None] * weights * f(z, 0.0 * z)).sum() / weights.sum())

    return abs(under_marginal(u, grid.sigma[0]) - under_marginal(phi, grid.sigma[-1]))


@pytest.mark.slow(quick=1)
@pytest.mark.parametrize("options", MULTISTEP[:3])
def test_law_on_a_mixture(options: dict[str, Any]) -> None:
    claimed = METHODS["sde_dpm_solver_pp"].traits_of(**options).order
    counts = (12, 24, 48)
    errors = [weak_error(n, **options) for n in counts]
    assert abs(-np.polyfit(np.log(counts), np.log(errors), 1)[0] - claimed) < 0.3


def k_diffusion_3m_sde(outputs: Any, x: Any, sigmas: Any, draws: Any, eta: float) -> Any:
    """`sample_dpmpp_3m_sde`, with the model's i-th output given."""
    past: list[tuple[Any, float]] = []
    for i, denoised in enumerate(outputs):
        if sigmas[i + 1] == 0:
            return denoised
        h = math.log(sigmas[i] / sigmas[i + 1])
        big = h * (eta + 1)
        x = math.exp(-big) * x - math.expm1(-big) * denoised
        phi_2 = math.expm1(-big) / big + 1
        if len(past) > 1:
            (d1, h1), (d2, h2) = past[-1], past[-2]
            r0, r1 = h1 / h, h2 / h
            d1_0, d1_1 = (denoised - d1) / r0, (d1 - d2) / r1
            slope = d1_0 + (d1_0 - d1_1) * r0 / (r0 + r1)
            x = x + phi_2 * slope - (phi_2 / big - 0.5) * (d1_0 - d1_1) / (r0 + r1)
        elif past:
            x = x + phi_2 * (denoised - past[-1][0]) * h / past[-1][1]
        if eta:
            x = x + draws[i] * sigmas[i + 1] * math.sqrt(-math.expm1(-2 * h * eta))
        past.append((denoised, h))
    return x


@pytest.mark.parametrize("eta", [0.0, 0.7, 1.0])
@pytest.mark.parametrize("clean", [False, True])
def test_k_diffusion_3m_sde(eta: float, clean: bool) -> None:
    """The same halved weight of the second derivative as in the authors' code."""
    grid, rng = c.awkward_grid(scale="ve", clean=clean), np.random.default_rng(0)
    options = {"order": 3, "solver_type": "heun", "eta": eta}
    halved, exact = (
        METHODS["sde_dpm_solver_pp"].table(grid, "x", halved=h, **options) for h in (True, False)
    )
    z, outputs, draws = rng.normal(size=3), rng.normal(size=(7, 3)), rng.normal(size=(7, 3))
    theirs = k_diffusion_3m_sde(outputs, z, grid.sigma, draws, eta)

    def run(table: Any) -> Any:
        last = table.rows[-1]
        return last[0] * z + table.weights() @ outputs + table.C[-1] @ draws[: table.n_draws]

    np.testing.assert_allclose(run(halved), theirs, atol=1e-12)
    if not clean:
        assert np.abs(run(exact) - theirs).max() > 1e-3


def test_no_noise_between_equal_levels() -> None:
    """Levels that agree to float32 make a step without noise; a step towards noise is refused."""
    equal = Grid(np.ones(3), np.array([1.0, 0.5, 0.5 * (1 + 1e-8)]))
    rows = METHODS["sde_dpm_solver_pp"].table(equal, "x").C
    assert np.isreal(rows).all()
    assert np.abs(rows[-1, -1]) < 1e-3
    with pytest.raises(ValueError, match="towards noise"):
        METHODS["sde_dpm_solver_pp"].table(Grid(np.ones(3), np.array([1.0, 0.5, 0.6])), "x")
