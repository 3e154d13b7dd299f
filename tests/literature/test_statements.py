"""Every claim of the literature, and every formula as printed: it holds, its control fails, its
figure draws. What more a claim is held to stands in the other files."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from dfbench import literature
from dfbench.literature import PARTS, PRINTED, ROWS
from dfbench.literature.run import named

CLAIMS = {claim.id: claim for claim in named()}

#: Whose measured value comes nearer to its bound than half of it.
CLOSE = {"20", "24", "40"}
#: Studies of a fixed case: they draw none, and so have no smallest counterexample.
STUDIES = {"17", "20", "26", "27", "32", "37", "38", "39", "42", "43", "48", "51"}
#: Whose figures have series of several lengths.
UNEVEN = {"31", "33", "35", "39", "40", "46", "51"}
#: Whose panels are all of what the first one's axis says.
PANELS = {"26", "31", "33"}

#: Those that take seconds; `dfbench claims` and its tests hold them, too.
LONG = [
    *("7", "11", "13", "14", "15", "17", "22", "25", "26", "27", "33", "35", "37", "38", "39"),
    *("41", "42", "43", "44", "47", "48", "49", "51", "53", "P11"),
]


@pytest.mark.slow(only=LONG)
@pytest.mark.parametrize("id", CLAIMS)
def test_it_holds_with_a_margin(id, findings):
    finding = findings(id)
    assert finding.verdict == "pass", (finding.measured, finding.counterexample, finding.why)
    assert finding.measured < (1.0 if id in CLOSE else 0.5) * finding.bound
    assert finding.derivation
    assert finding.unit
    assert all(map(math.isfinite, (finding.quantities or {}).values()))


@pytest.mark.slow(only=LONG)
@pytest.mark.parametrize("id", CLAIMS)
def test_its_control_fails(id):
    claim = CLAIMS[id]
    broken = claim(claim.control(claim.control_size))
    assert broken.verdict == "fail"
    assert broken.counterexample or id in STUDIES


@pytest.mark.slow(only=["22", "25"])
@pytest.mark.parametrize("id", CLAIMS)
def test_what_has_series_has_a_figure_that_draws_from_them_alone(id, findings):
    claim, finding = CLAIMS[id], findings(id)
    assert (claim.figure is not None) == bool(finding.series)
    if claim.figure is None:
        return
    lengths = {len(values) for values in finding.series.values()}
    assert len(lengths) == 1 or id in UNEVEN
    assert all(math.isfinite(v) for values in finding.series.values() for v in values)
    figure = claim.figure(finding)
    figure.canvas.draw()
    for i, axis in enumerate(figure.axes):
        assert axis.has_data()
        assert axis.get_xlabel()
        assert axis.get_ylabel() or axis.patches or (i and id in PANELS)  # bars have their names


@pytest.mark.parametrize("id", CLAIMS)
def test_its_file_is_found_by_its_number(id):
    claim = CLAIMS[id]
    file = claim.check.__module__.rpartition(".")[2]
    letter, number = re.match(r"([cp])(\d+)_", file).groups()
    assert id == letter.replace("c", "").upper() + str(int(number))
    opening = Path(literature.__path__[0], f"{file}.py").read_text("utf-8")
    assert opening.startswith(f'"""{id}. ')


def test_claims_are_numbered_on_from_the_first_and_stand_in_a_part():
    assert list(ROWS) == list(range(1, 1 + len(ROWS)))
    assert list(PRINTED) == list(range(1, 1 + len(PRINTED)))
    assert {claim.part for claim in ROWS.values()} == set(PARTS)
