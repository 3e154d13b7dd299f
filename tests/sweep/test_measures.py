"""The measures of the bench: each against another way to the same number, or where it must fail."""

import numpy as np
import pytest

from analytic import GaussianMixture, gaussian_kl, gaussian_w2
from dfbench import trajectories
from dfbench.grids import uniform_log_snr, uniform_t
from dfbench.schedules import Cosine
from dfbench.sweep.laws import TARGETS
from dfbench.sweep.measures import MEASURES
from dfbench.sweep.samplers import reference
from dfbench.sweep.sampling import Samples
from dfbench.sweep.targets import Target

SAMPLED = ("sliced_w2", "mmd", "ksd", "mode_weights", "rosenblatt", "energy_distance")
LINE = TARGETS["mixture"]([-1.0, 1.0], [0.04, 0.09], [0.4, 0.6])
PLANE = TARGETS["separated"](2, 3, std=0.3)
WRONG = TARGETS["power_law"](12, learned=1.3)
SPECTRUM = TARGETS["power_law"](12)


def run_of(method="ddim", n=8, **options):
    return reference(method, uniform_log_snr(Cosine(), n, -7.0, 9.0), options, "x")


def measured(name, target, run, n=512, seed=0):
    assert MEASURES[name].applies(target, run) is None
    return MEASURES[name](target, run, Samples(target, run, seed, n))


def by_source(values):
    return {v.source: v.value for v in values}


@pytest.mark.parametrize("method", ["ddim", "ddpm"])
def test_gaussian_errors_are_those_of_the_table(method):
    run = run_of(method)
    law = run.table.law(SPECTRUM.spectrum, start_variance=1.0, start_mean=0.0)
    zero = np.zeros(12)
    w2 = by_source(measured("w2", SPECTRUM, run))
    assert w2["all"] == pytest.approx(
        gaussian_w2(zero, law.variance, zero, SPECTRUM.spectrum), rel=1e-9
    )
    kl = by_source(measured("kl", SPECTRUM, run))
    assert kl["all"] == pytest.approx(
        gaussian_kl(zero, law.variance, zero, SPECTRUM.spectrum), rel=1e-9
    )
    assert set(w2) == set(kl) == {"none", "initialisation", "truncation", "discretisation", "all"}
    assert w2["none"] < 1e-12 < w2["initialisation"]
    assert kl["none"] < 1e-12 < kl["discretisation"]
    assert kl["none"] < kl["initialisation"] < kl["discretisation"]
    response = measured("spectral_response", SPECTRUM, run)
    found = {v.at: v.value for v in response if v.source == "all"}
    for s, variance in zip(SPECTRUM.spectrum, law.variance, strict=True):
        assert found[s] == pytest.approx(np.sqrt(variance / s) - 1, rel=1e-9)


def test_a_learned_spectrum_is_a_source_of_error():
    run = run_of(n=400)
    exact = by_source(measured("w2", SPECTRUM, run))
    wrong = by_source(measured("w2", WRONG, run))
    assert wrong["score"] > 10 * wrong["discretisation"]
    assert wrong["discretisation"] == pytest.approx(exact["discretisation"], rel=1e-9)
    assert by_source(measured("kl", WRONG, run))["score"] > 0.1
    seen = [v.value for v in measured("spectral_response", WRONG, run) if v.source == "all"]
    assert np.mean(seen) == pytest.approx(np.sqrt(1.3) - 1, abs=0.02)


def test_many_directions_are_represented():
    target = TARGETS["power_law"](3072)
    values = [v for v in measured("spectral_response", target, run_of()) if v.source == "all"]
    at = np.array([v.at for v in values])
    assert 40 <= len(values) <= 64
    assert (np.diff(at) < 0).all()
    assert (at[0], at[-1]) == (target.spectrum[0], target.spectrum[-1])


@pytest.mark.parametrize("method", ["ddim", "ddpm", "dpm_solver_pp_multistep"])
def test_the_law_on_the_line_agrees_with_the_closed_form(method):
    target = TARGETS["isotropic"](1, 0.3)
    run = run_of(method)
    exact = by_source(measured("w2", target, run))["all"]
    (found,) = measured("w2_1d", target, run)
    assert found.low <= exact <= found.high
    assert found.high - found.low < 1e-5 * exact
    variance = float(run.table.law([0.3], start_variance=1.0, start_mean=0.0).variance[0])
    x = np.linspace(-6, 6, 200_001)[:, None]
    p, q = (
        np.exp(GaussianMixture.isotropic([1.0], [[0.0]], s).log_density(x)) for s in (variance, 0.3)
    )
    (tv,) = measured("total_variation_1d", target, run)
    assert tv.value == pytest.approx(0.5 * np.trapezoid(np.abs(p - q), x[:, 0]), rel=1e-5)
    (other,) = measured("w2_1d", target, run_of(method, 9))
    assert not found.low <= other.value <= found.high


def test_strong_error_on_gaussian_data_is_a_difference_of_gains():
    target, run = TARGETS["isotropic"](1, 0.3), run_of(n=6)
    (found,) = measured("strong_error", target, run, n=4096)
    gain = np.sqrt(float(run.table.law([0.3], start_variance=1.0, start_mean=0.0).variance[0]))
    (a, s), (a1, s1) = run.grid[0], run.grid[-1]
    exact = np.sqrt((a1**2 * 0.3 + s1**2) / (a**2 * 0.3 + s**2))
    assert found.low < abs(gain - exact) < found.high
    assert found.high - found.low < 0.1 * found.value
    assert found.source == "discretisation"


@pytest.mark.parametrize("target", [LINE, PLANE], ids=["line", "plane"])
def test_strong_error_falls_with_the_order_of_the_method(target):
    def error(method, n):
        return measured(
            "strong_error",
            target,
            reference(method, uniform_t(Cosine(), n, 0.98, 0.05), {}, "x"),
            n=64,
        )[0].value

    assert error("ddim", 40) / error("ddim", 80) == pytest.approx(2.0, rel=0.2)
    assert error("heun", 60) / error("heun", 120) == pytest.approx(4.0, rel=0.35)


def test_exact_ends_are_made_once_for_all_samplers(monkeypatch):
    from dfbench.sweep.measures import strong

    calls = []
    monkeypatch.setattr(
        strong,
        "exact_trajectory",
        lambda *a, **k: calls.append(1) or trajectories.exact_trajectory(*a, **k),
    )
    target = TARGETS["mixture"]([-1.0, 1.0], [0.04, 0.09])
    for method, n in (("ddim", 4), ("ddim", 8), ("heun", 4)):
        measured("strong_error", target, run_of(method, n))
    assert len(calls) == 1
    measured("strong_error", target, run_of("ddim", 4), seed=1)
    assert len(calls) == 2


@pytest.mark.slow(quick=5)
@pytest.mark.parametrize("name", SAMPLED)
def test_a_good_run_is_at_the_floor_and_a_bad_one_above_it(name):
    (good,) = measured(name, PLANE, run_of("heun", 150), n=1024)
    (bad,) = measured(name, PLANE, run_of("heun", 6), n=1024)
    assert good.floor == bad.floor
    assert good.floor < good.floor_high
    assert good.value < 1.5 * good.floor_high
    assert bad.low <= bad.value <= bad.high
    if name != "mode_weights":  # of which a symmetric target with equal weights loses nothing
        assert bad.value > good.value
        assert bad.value > bad.floor_high
    (again,) = measured(name, PLANE, run_of("heun", 6), n=1024)
    assert again == bad


def test_lost_mass_is_seen_where_weights_are_unequal():
    """A run that starts where the modes are apart already gives them the wrong weights."""
    target = TARGETS["mixture"]([-3.0, 3.0], 0.01, [0.9, 0.1])
    run = reference("ddim", uniform_log_snr(Cosine(), 3, 0.0, 9.0), {}, "x")
    (found,) = measured("mode_weights", target, run, n=1024)
    assert found.low > found.floor_high


def test_sampled_measures_agree_with_the_exact_law_on_the_line():
    run = run_of("ddim", 5)
    (exact,) = measured("w2_1d", LINE, run)
    (found,) = measured("sliced_w2", LINE, run, n=20_000)
    assert found.low < exact.value < found.high


@pytest.mark.parametrize("method", ["ddim", "ddpm"])
def test_paths_start_and_end_where_the_run_does(method):
    run = run_of(method, 5)
    values = measured("path", LINE, run)
    own = [v for v in values if v.source == "all" and v.series == 2]
    flow = [v for v in values if v.source == "none" and v.series == 2]
    assert len(own) == len(flow) == 6
    assert own[0] == own[0]
    assert own[0].value == flow[0].value
    assert own[0].at > 0.95
    assert own[-1].at < 0.05
    assert [v.at for v in own] == sorted((v.at for v in own), reverse=True)
    if method == "ddim":
        a, s = run.grid[-1]
        z = run.initial(np.array([[own[0].value * sum(run.grid[0])]]))
        end = run.execute(LINE.model("x"), z, lambda k: z)[0, 0] / (a + s)
        assert own[-1].value == pytest.approx(end, rel=1e-12)
        assert own[-1].value != pytest.approx(flow[-1].value, rel=1e-3)


def test_what_does_not_apply_says_why():
    points = Target("points", 1, GaussianMixture.points([[0.0], [1.0]]))
    flat = TARGETS["eigenvalues"](values=[1.0, 0.0])
    reasons = [
        ("w2", LINE, run_of(), "not Gaussian"),
        ("kl", flat, run_of(), "without variance"),
        ("w2_1d", PLANE, run_of(), "not on the line"),
        ("w2_1d", points, run_of(), "no density"),
        ("w2_1d", LINE, run_of("sde_dpm_solver_pp", order=2), "more than one dimension"),
        ("strong_error", LINE, run_of("ddpm"), "noise"),
        ("strong_error", WRONG, run_of(), "not the exact one"),
        ("ksd", points, run_of(), "singular"),
        ("mode_weights", SPECTRUM, run_of(), "single component"),
        ("path", PLANE, run_of(), "not on the line"),
    ]
    for name, target, run, words in reasons:
        assert words in str(MEASURES[name].applies(target, run)), (name, target)


def test_what_is_kept_belongs_to_its_target():
    one, two = (Target(name, 1, LINE.law) for name in ("one", "two"))
    assert one.kept.of("a", lambda: 1) == 1
    assert one.kept.of("a", lambda: 2) == 1
    assert two.kept.of("a", lambda: 2) == 2
    for key in range(100):
        one.kept.of(key, lambda key=key: key)
    assert one.kept.of("a", lambda: 3) == 3
