"""Published numbers: which come out, and that a number that is off does not."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import torch

from dfbench.cli import main
from dfbench.published import SOURCES, Numbers, compare, figures, half_unit, loops, spectra
from dfbench.published.formulas import ncsnv2, weightings
from dfbench.report.published import headline, plain, render
from dfbench.schedules import DiscreteSchedule
from dfbench.wasserstein import SCHEMES

#: Sources of which everything comes out; of the others, how many sets do not.
WHOLE = {"gao", "gao_weightings", "pg2025", "pg2024", "lin_steps"}
OFF = {"pg_nfe": 6, "lin": 1, "ncsnv2": 1, "ays": 1, "diffusers": 19}


@cache
def found() -> list[Numbers]:
    return compare()


def of(source: str, start: str = "") -> list[Numbers]:
    return [each for each in found() if each.source == source and each.setting.startswith(start)]


def test_what_comes_out_and_what_does_not():
    assert {each.source for each in found()} == set(SOURCES) == WHOLE | set(OFF)
    missed = [each for each in found() if not each.reproduced]
    assert {s: sum(each.source == s for each in missed) for s in OFF} == OFF
    assert len(missed) == sum(OFF.values())
    assert len(found()) > 200


def test_every_miss_has_its_reason_and_no_reason_is_left_over():
    missed = {each.setting for each in of("diffusers") if not each.reproduced}
    assert missed == set(loops.REASONS)
    for each in found():
        assert bool(each.why) == (not each.reproduced)
        assert each.why != "not found"


# The rule -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("printed", ["0.16", "6.7E-04", "4.77", "999", "2.428735e-09"])
def test_a_unit_of_the_last_digit_is_seen(printed):
    unit, value = 2 * half_unit(printed), float(printed)
    exact = Numbers("lin", "s", "q", (printed,), (value,))
    assert exact.reproduced
    for off in (unit, -unit):
        moved = replace(exact, computed=(value + off,))
        assert (moved.agreeing, moved.why) == (0, "not found")


def test_a_digit_changed_in_any_set_is_seen():
    """The last digit that counts, of one number of every set that comes out."""
    seen = 0
    for each in found():
        if each.reproduced:
            middle = each.total // 2
            text = each.printed[middle]
            half = half_unit(text) if each.decimals is None else 0.5 * 10.0**-each.decimals
            changed = f"{float(text) + 2.5 * half:.12g}"
            printed = (*each.printed[:middle], changed, *each.printed[middle + 1 :])
            kept = each.decimals if each.decimals is not None else round(-math.log10(2 * half))
            assert replace(each, printed=printed, decimals=kept).agreeing < each.total
            seen += 1
    assert seen > 170


def test_as_many_numbers_are_computed_as_are_printed():
    with pytest.raises(ValueError, match="2 printed numbers, 1 computed"):
        Numbers("lin", "s", "q", ("1", "2"), (1.0,))


def test_what_has_no_number_does_not_come_out():
    none = Numbers("pg2024", "s", "W2", ("7.09", "0.72"), (math.nan, 0.73), reason="no score")
    assert (none.agreeing, none.why) == (0, "no score")
    assert none.largest == pytest.approx(0.01)
    assert math.isnan(Numbers("pg2024", "s", "W2", ("7.09",), (math.nan,)).largest)


# Gao et al. ---------------------------------------------------------------------------------------


def test_the_figures_are_whole():
    weights = [each for each in of("gao") if each.quantity == "weights of v̂"]
    assert (len(weights), sum(each.total for each in weights)) == (6, 600)
    paths = [each for each in of("gao") if each.quantity.startswith("paths")]
    assert len(paths) == (8 + 2 * 5) * 3
    assert sum(each.total for each in paths) == 18 * 6 * (256 + 6 + 6)


def test_churn_is_on_the_truncated_cosine_schedule(monkeypatch):
    monkeypatch.setattr(figures, "Cosine", lambda low, high: figures.FlowMatching())
    assert not any(each.reproduced for each in figures.weights())


def test_two_kinds_of_panels_begin_at_a_level_with_signal(monkeypatch):
    """At λ = −14; without signal there, five steps of DDIM are seen to be others."""
    plain_grid = lambda figure, position, steps: figures.uniform_t(  # noqa: E731
        figures.panel(figure, position)[0], steps
    )
    monkeypatch.setattr(figures, "grid_of", plain_grid)
    figures.factors.cache_clear()
    try:
        off = {each.setting for each in figures.paths() if not each.reproduced}
    finally:
        figures.factors.cache_clear()
    assert {figures.named("scaling", "0"), figures.named("FM", "1")} <= off
    assert not off & {figures.named("scaling", "7"), figures.named("VP", "1")}


def test_ground_truth_is_ddim_and_not_the_exact_flow():
    """At variance 1 the exact flow stays where it is."""
    truth = [each for each in of("gao") if "ground truth" in each.quantity]
    assert len(truth) == 18
    assert max(abs(each.largest) for each in truth) < 3.6e-6
    np.testing.assert_allclose(figures.exact("VP", "1", 255), 1.0, atol=1e-15)
    (still,) = [each for each in truth if each.setting == figures.named("VP", "1")]
    states = np.array([float(each) for each in still.printed]).reshape(6, -1)
    assert 2 - states[-1, -1] == pytest.approx(0.01006, abs=1e-4)
    flow = np.outer(states[:, 0], figures.exact("VP", "1", 255))
    assert replace(still, computed=tuple(flow.ravel())).agreeing < still.total / 4


# Pierret and Galerne ------------------------------------------------------------------------------


def test_every_number_of_both_editions_comes_out():
    for key, total in (("pg2025", 218), ("pg2024", 156)):
        assert sum(each.total for each in of(key)) == total
        assert sum(each.agreeing for each in of(key)) == total


def test_what_is_kept_belongs_to_what_is_printed():
    text = spectra.written(spectra.kept())
    kept = (
        spectra.resources.files("dfbench.published") / "pierret_galerne_computed.csv"
    ).read_text()
    assert text == kept


SPECTRUM = np.geomspace(1e-5, 200.0, 12)


@cache
def of_this_spectrum() -> dict:
    quick = [
        c
        for name in ("pg2025", "pg2024")
        for c in spectra.table(spectra.TABLES[name])
        if c.label in (None, 50)
    ]
    return dict(zip(quick, np.sqrt(spectra.squares(quick, SPECTRUM).sum(axis=1)), strict=True))


def by_hand(scheme: str, epsilon: str, n: int, start: str, s: np.ndarray) -> float:
    """W2 by the recursion of Heun and RK4 written out in t, onto the data, too."""

    def rate(t: float) -> np.ndarray:
        grown = 0.05 * t + 9.95 * t * t / 2
        variance = np.exp(-2 * grown) * s - np.expm1(-2 * grown)
        return (0.05 + 9.95 * t) * (1 / variance - 1)

    t = np.linspace(1.0, float(epsilon), n)
    grown = 0.05 + 9.95 / 2
    z = np.ones_like(s) if start == "N_0" else np.sqrt(np.exp(-2 * grown) * (s - 1) + 1)
    for now, then in pairwise(t):
        h, a, b, m = now - then, rate(now), rate(then), rate((now + then) / 2)
        if scheme == "Heun":
            z = z * (1 - h / 2 * (a + b * (1 - h * a)))
        else:
            k2 = m * (1 - h / 2 * a)
            k3 = m * (1 - h / 2 * k2)
            z = z * (1 - h / 6 * (a + 2 * k2 + 2 * k3 + b * (1 - h * k3)))
    return float(np.linalg.norm(np.abs(z) - np.sqrt(s)))


@pytest.mark.parametrize("scheme", ["Heun", "RK4"])
@pytest.mark.parametrize("epsilon", ["0", "1e-3"])
@pytest.mark.parametrize("start", ["p_T", "N_0"])
def test_solvers_look_at_the_score_of_the_data(scheme, epsilon, start):
    ours = next(
        w2
        for cell, w2 in of_this_spectrum().items()
        if (cell.scheme, cell.epsilon, cell.label, cell.start) == (scheme, epsilon, 50, start)
    )
    n = 12 if scheme == "RK4" else 50
    assert ours == pytest.approx(by_hand(scheme, epsilon, n, start, SPECTRUM), rel=1e-9)


def test_where_there_is_no_score_there_is_no_number():
    cell = next(c for c in spectra.table("pierret_galerne_2024") if c.solver and c.label == 50)
    found = spectra.squares([cell], [1.0, 0.0])[0]
    assert np.isfinite(found[0])
    assert np.isnan(found[1])


def test_only_these_two_look_there_and_only_in_the_end():
    looking = {(c.scheme, c.epsilon) for c in spectra.table("pierret_galerne") if c.solver}
    assert looking == {("Heun", "0"), ("RK4", "0")}


@pytest.mark.slow
def test_another_spectrum_is_told_from_the_authors(tmp_path, capsys):
    """A row that has no number says so; the others do not come out."""
    file = tmp_path / "eigenvalues.csv"
    np.savetxt(file, [0.0, 0.5, 2.0])
    assert main(["published", "--spectrum", str(file)]) == 1
    said = capsys.readouterr().out
    assert "Pierret and Galerne 2025: 0 of 24 sets" in said
    assert "Heun, ε = 0, W2: 0 of 9" in said
    assert "where an eigenvalue is 0 the data has no score" in said


@pytest.mark.parametrize(
    ("content", "why"),
    [("1\n-2\n", "negative"), ("", "empty"), ("x\ny\n", "not an array"), (None, "no such")],
)
def test_a_spectrum_that_is_none_is_one_line(tmp_path, capsys, content, why):
    file = tmp_path / "eigenvalues.csv"
    if content is not None:
        file.write_text(content)
    assert main(["published", "--spectrum", str(file)]) == 2
    said = capsys.readouterr().err.strip()
    assert "\n" not in said
    assert why in said.lower()


@pytest.mark.slow
def test_evaluations_are_those_that_are_made():
    from dfbench.literature.p11_wasserstein_table import measured

    for each in of("pg_nfe"):
        assert [measured(each.setting, int(n))[0] for n in each.printed] == list(each.computed)
    assert {each.setting for each in of("pg_nfe")} == set(SCHEMES)


# Formulas -----------------------------------------------------------------------------------------


def test_the_cosine_row_is_that_of_float32():
    n = np.arange(1001) / 1000
    bar = np.cos((n + 0.008) / 1.008 * np.pi / 2) ** 2
    beta = torch.tensor(np.minimum(1 - bar[1:] / bar[:-1], 0.999), dtype=torch.float32)
    last = torch.cumprod(1 - beta, 0)[-1]
    (cosine,) = of("lin", "cosine")
    in_float32 = (last / (1 - last)).item(), last.sqrt().item()
    assert replace(cosine, computed=in_float32).reproduced


def test_no_number_of_steps_gives_the_step_size_for_churches():
    """What is said to have no reason found."""
    sizes = [
        ncsnv2(f"σ_1 140, σ_L 0.01, L 788, T {steps}", "step size")[0] for steps in range(1, 7)
    ]
    assert 2.15e-6 < min(sizes) < max(sizes) < 2.45e-6


def test_another_weighting_is_told_apart():
    """The sigmoid of KG has a bias of 2; SD3's curve is not EDM's."""
    for each in of("gao_weightings"):
        assert abs(each.largest) < 1e-15
        name, points = each.setting.split(", ")
        other = {"SD3": "EDM", "EDM": "SD3", "sigmoid": "SD3", "v-pred and FM": "sigmoid"}[name]
        moved = tuple(weightings(f"{other}, {points}", each.quantity))
        if {name, other} != {"v-pred and FM", "sigmoid"}:
            assert replace(each, computed=moved).agreeing == 0
        else:  # e^(−λ/2) against sigmoid(−λ): the same at λ = 10
            assert replace(each, computed=moved).agreeing < each.total


def test_a_level_lies_between_two_indices():
    ratios = DiscreteSchedule.scaled_linear().ratios
    assert f"{ratios[124]:.4f} {ratios[125]:.4f}" == "0.3977 0.4000"


def test_steps_and_sigmas_are_those_of_the_release():
    schedules = pytest.importorskip("diffusers.schedulers").AysSchedules
    for model, said in (("StableDiffusion", "SD 1.5"), ("StableDiffusionXL", "SDXL")):
        (kept,) = of("ays", said)
        sigmas = [float(each) for each in kept.setting.partition(": ")[2].split()]
        assert [int(each) for each in kept.printed] == list(schedules[f"{model}Timesteps"])
        assert sigmas == list(schedules[f"{model}Sigmas"][:-1])  # the last σ is 0


# diffusers ----------------------------------------------------------------------------------------

TRAINED = {"beta_start": 1e-4, "beta_end": 0.02, "beta_schedule": "linear"}


def released(name: str, *, dtype=torch.float64, n=10, elements=768, **config) -> float:
    """Σ|z| of the release itself, its levels in float32, its arithmetic in this dtype."""
    cls = getattr(pytest.importorskip("diffusers"), name)
    scheduler = cls(**{**TRAINED, **config})
    for kept in ("alphas_cumprod", "final_alpha_cumprod", "one"):
        if hasattr(scheduler, kept):
            setattr(scheduler, kept, torch.as_tensor(getattr(scheduler, kept)).to(dtype))
    scheduler.set_timesteps(n)
    z = torch.tensor(loops.ramp(elements)[0].copy(), dtype=dtype)
    times = list(getattr(scheduler, "prk_timesteps", [])) or list(scheduler.timesteps)
    for t in times:
        step = scheduler.step_prk if hasattr(scheduler, "prk_timesteps") else scheduler.step
        z = step(z * t / (t + 1), t, z).prev_sample
    for t in list(getattr(scheduler, "plms_timesteps", [])):
        z = scheduler.step_plms(z * t / (t + 1), t, z).prev_sample
    return float(z.double().abs().sum())


@pytest.mark.parametrize(
    ("setting", "name", "config"),
    [
        (
            "DDIM: 10 leading steps, ε̂, clipped, β from 0.01, ends at σ = 0",
            "DDIMScheduler",
            {"beta_start": 0.01},
        ),
        ("PNDM: 10 leading steps, ε̂", "PNDMScheduler", {}),
        (
            "PNDM: 10 leading steps, ε̂, β from 0.01, ends at σ = 0",
            "PNDMScheduler",
            {"beta_start": 0.01, "set_alpha_to_one": True},
        ),
    ],
)
def test_in_float64_the_release_gives_what_is_computed(setting, name, config):
    (ours,) = of("diffusers", setting) if "β" in setting else of("diffusers", setting)[:1]
    assert not ours.reproduced
    assert released(name, **config) == pytest.approx(ours.computed[0], rel=1e-9)
    in_float32 = released(name, dtype=torch.float32, **config)
    assert in_float32 != pytest.approx(ours.computed[0], rel=1e-8)


KARRAS = {"prediction_type": "v_prediction", "use_karras_sigmas": True}
SIGMA_MIN = {"final_sigmas_type": "sigma_min"}


@pytest.mark.parametrize(
    ("setting", "name", "config", "elements"),
    [
        (
            "DPM-Solver++ 2M: 10 steps on Karras' levels, v̂",
            "DPMSolverMultistepScheduler",
            {**KARRAS, **SIGMA_MIN, "lower_order_final": False},
            768,
        ),
        (
            "UniPC 2: 10 steps on Karras' levels, v̂",
            "UniPCMultistepScheduler",
            {**KARRAS, **SIGMA_MIN},
            768,
        ),
        (
            "UniPC 2, 96 elements: 10 steps, v̂",
            "UniPCMultistepScheduler",
            {"prediction_type": "v_prediction", **SIGMA_MIN},
            96,
        ),
    ],
)
def test_the_release_itself_gives_what_is_computed_and_not_what_is_pinned(
    setting, name, config, elements
):
    (ours,) = of("diffusers", setting)
    mean = released(name, dtype=torch.float32, elements=elements, **config) / elements
    assert mean == pytest.approx(ours.computed[0], abs=1e-7)
    assert abs(mean - float(ours.printed[0])) > 2e-4


def test_the_last_two_steps_of_ddpm_in_both_precisions(monkeypatch):
    """1 − ᾱ_1/ᾱ_0 in float32 is off by 1e-4 of itself, and x̂ counts by so much more or less."""
    diffusers = pytest.importorskip("diffusers")
    (ours,) = of("diffusers", "DDPM: the last 2")
    sums = {}
    for dtype in (torch.float32, torch.float64):
        scheduler = diffusers.DDPMScheduler(**TRAINED, variance_type="fixed_small")
        scheduler.alphas_cumprod = bar = scheduler.alphas_cumprod.to(dtype)
        scheduler.one = scheduler.one.to(dtype)
        data, noise = (torch.tensor(each.copy(), dtype=dtype) for each in loops.ramp())
        z = bar[1].sqrt() * data + (1 - bar[1]).sqrt() * noise
        draw = torch.randn(z.shape, generator=torch.Generator().manual_seed(0)).to(dtype)
        monkeypatch.setattr(
            "diffusers.schedulers.scheduling_ddpm.randn_tensor", lambda *_, draw=draw, **__: draw
        )
        for t in (1, 0):
            z = scheduler.step(z * t / (t + 1), t, z).prev_sample
        sums[dtype] = float(z.double().abs().sum())
        beta = (1 - bar[1] / bar[0]).double()
        exact = 1 - bar[1].double() / bar[0].double()
        if dtype == torch.float32:
            assert abs(beta / exact - 1) == pytest.approx(1e-4, rel=0.1)
    assert sums[torch.float64] == pytest.approx(ours.computed[0], rel=1e-6)
    assert sums[torch.float32] == pytest.approx(float(ours.printed[0]), rel=1e-6)


def test_a_start_that_is_off_is_seen(monkeypatch):
    """A ramp that starts sixteen elements late: nothing that is pinned comes out."""
    shifted = lambda elements=768: tuple(  # noqa: E731
        each + 16 / elements for each in RAMP(elements)
    )
    monkeypatch.setattr(loops, "ramp", shifted)
    for each in of("diffusers"):
        if each.reproduced and "mean" in each.quantity and not FORGETS & {each.setting[:3]}:
            values = tuple(loops.run(each.setting, each.quantity))
            assert not replace(each, computed=values).reproduced, each.setting


RAMP = loops.ramp
FORGETS = {"EDM", "LCM"}  # of EDM too few digits are pinned; LCM's noise outweighs the start


# The page -----------------------------------------------------------------------------------------


def test_the_page_answers_first():
    text = render(found())
    assert headline(found()) in text
    assert f"{sum(each.reproduced for each in found())} of {len(found())} sets" in text
    assert "218 of 218 numbers" in text
    assert "not shipped" in text
    assert text.index("<svg") < text.index("What does not come out")


def test_json_has_every_set_and_no_nan():
    made = plain([*found(), Numbers("pg2024", "s", "W2", ("7.09",), (math.nan,), reason="none")])
    text = json.dumps(made, allow_nan=False)
    assert made["sets"] == len(found()) + 1 == len(json.loads(text)["found"])


def test_command(tmp_path):
    page, data = tmp_path / "page.html", tmp_path / "numbers.json"
    assert main(["published", "--json", str(data), "--report", str(page)]) == 1  # some are off
    made = json.loads(data.read_text("utf-8"))
    assert made["sets"] == len(made["found"]) == len(found())
    assert "sets of published numbers come out" in page.read_text("utf-8")
