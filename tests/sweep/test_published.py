"""Printed tables: their numbers, what counts as reproduced, and whether any spectrum gives them."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from benchmarks.published import predicted, spread
from dfbench.published import half_unit
from dfbench.published.spectra import PrintedNumber, as_released, squares, table
from dfbench.report.sweep.page import _published
from dfbench.sweep import study
from dfbench.sweep.published import PUBLISHED, BesidePrinted, side_by_side
from tests import fake_results as fake

NAME = "pierret_galerne"


def cell(**change):
    return replace(PrintedNumber("Heun", "1e-4", 250, "N_0", 0.44, 0.005), **change)


# The numbers --------------------------------------------------------------------------------------


def test_the_table_is_whole():
    cells = table(NAME)
    assert len(cells) == 6 * 4 * 10
    assert {c.scheme for c in cells} == {"EM", "EI", "DDPM", "Euler", "Heun", "RK4"}
    assert sum(math.isinf(c.value) for c in cells) == 2 * 8  # Heun and RK4 onto ε = 0
    assert cell(text="0.44") in cells


def test_half_a_unit_of_the_last_digit():
    halves = {c.text: c.half for c in table(NAME)}
    assert half_unit("1.0E+02") == pytest.approx(5.0)
    assert halves["4.78"] == pytest.approx(0.005)
    assert halves["6.7E-04"] == pytest.approx(5e-6)
    assert halves["0"] == halves["-"] == 0


@pytest.mark.parametrize(("computed", "right"), [(0.4351, True), (0.4449, True), (0.434, False)])
def test_a_number_is_reproduced_if_it_rounds_to_the_printed_one(computed, right):
    assert BesidePrinted(cell(), computed, 498).reproduced is right


def test_the_label_is_held_against_what_was_spent():
    assert BesidePrinted(cell(), 0.44, 498).mislabelled
    assert not BesidePrinted(cell(scheme="RK4"), 0.44, 244).mislabelled
    assert not BesidePrinted(cell(label=None), 0.44, None).mislabelled


def test_points_are_those_of_the_released_code():
    assert cell().points == 250
    assert cell(scheme="RK4").points == 62
    assert cell(label=None).points is None


# Side by side -------------------------------------------------------------------------------------


def rows(**change):
    base = {
        "study": NAME,
        "target": "t",
        "sampler": "Heun",
        "grid": "1e-4",
        "steps": 249,
        "nfe": 498,
        "metric": "w2",
        "value": 0.4351,
    }
    return fake.row(**base | change)


def test_lines_are_found_by_scheme_grid_and_steps():
    measured = pd.DataFrame(
        [rows(), rows(steps=248), rows(sampler="other"), rows(source="truncation", value=0.031)]
    )
    continuous, found = side_by_side(NAME, measured)
    assert (found.printed, found.computed, found.nfe) == (cell(text="0.44"), 0.4351, 498)
    assert continuous.printed.label is None
    assert continuous.reproduced


def test_the_page_shows_both_and_what_was_spent():
    (shown,) = _published(pd.DataFrame([rows(), rows(steps=249, grid="1e-3", value=9.0)]))
    assert (shown["reproduced"], len(shown["lines"])) == (1, 2)
    assert [each.nfe for each in shown["mislabelled"]] == [498]
    assert _published(pd.DataFrame([rows(study="another")])) == []


def test_the_shipped_study_has_the_grids_of_the_table():
    found = study.load(NAME)
    assert found.name in PUBLISHED
    assert {s.label for s in found.samplers} == {c.scheme for c in table(NAME)}
    assert {g.label for g in found.grids} == {c.epsilon for c in table(NAME)}
    steps = {n for _, n in found.budgets.pairs}
    assert steps == {c.points - 1 for c in table(NAME) if c.points}
    assert sum(found.targets[0].options["counts"]) == 3072


@pytest.mark.slow
def test_the_shipped_spectrum_gives_the_printed_numbers():
    """Of the columns that are quick; `dfbench bench pierret_galerne` has them all."""
    options = study.load(NAME).targets[0].options
    counts = np.array(options["counts"])
    cells = [c for c in table(NAME) if c.label in (None, 50, 250) and c.half]
    cells = [c for c in cells if math.isfinite(c.value)]
    found = np.sqrt(squares(cells, options["values"]) @ counts)
    wrong = [(c, w2) for c, w2 in zip(cells, found, strict=True) if abs(w2 - c.value) > c.half]
    assert wrong == []
    assert len(cells) > 110


# Without the data ---------------------------------------------------------------------------------

SUPPORT = np.concatenate([[0.0], np.geomspace(1e-7, 3e3, 121)])


def quick():
    return [c for c in table(NAME) if c.label == 50 and c.half and math.isfinite(c.value)]


def test_some_spectrum_gives_the_table_and_none_with_other_grids():
    """As released; with N steps for N points; with Heun on as many points as its label says."""
    cells = quick()
    assert spread(cells, squares(cells, SUPPORT), 3072) <= 1

    def one_more(each):
        return as_released(each) + 1

    def as_labelled(each):
        return each.label // 2 if each.scheme == "Heun" else as_released(each)

    assert spread(cells, squares(cells, SUPPORT, one_more), 3072) > 10
    assert spread(cells, squares(cells, SUPPORT, as_labelled), 3072) > 10


@pytest.mark.slow
def test_a_scheme_follows_from_the_others():
    """Heun's numbers of "50" lie in the range that the other five schemes leave."""
    cells = quick()
    matrix = squares(cells, SUPPORT)
    kept = [i for i, each in enumerate(cells) if each.scheme != "Heun"]
    others = [cells[i] for i in kept]
    held_out = [i for i, each in enumerate(cells) if each.scheme == "Heun"]
    assert len(held_out) == 6
    for i in held_out:
        low, high = predicted(others, matrix[kept], 3072, matrix[i])
        assert low <= cells[i].value + cells[i].half
        assert high >= cells[i].value - cells[i].half
        assert high - low < 0.5 * cells[i].value


@pytest.mark.slow
def test_a_table_made_from_a_known_spectrum():
    """What is printed of it is consistent, its numbers are predicted, and a misprint is seen."""
    cells = [c for c in quick() if c.scheme in ("Euler", "Heun", "RK4")]
    matrix = squares(cells, SUPPORT)
    counts = np.zeros(len(SUPPORT))
    counts[[0, 40, 70, 90]] = 12, 2000, 1050, 10
    exact = np.sqrt(matrix @ counts)
    made = [replace(c, value=round(w2, 2), half=0.005) for c, w2 in zip(cells, exact, strict=True)]
    assert spread(made, matrix, 3072) <= 1
    rest = slice(1, None)
    low, high = predicted(made[rest], matrix[rest], 3072, matrix[0])
    assert low <= exact[0] <= high
    made[0] = replace(made[0], value=high + 0.1)
    assert spread(made, matrix, 3072) > 1
    with pytest.raises(ValueError, match="no spectrum"):
        predicted(made, matrix, 3072, matrix[0])
