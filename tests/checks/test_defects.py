"""One thing wrong in a reference method is caught, and found where it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dfbench.examination import examine
from dfbench.levels import Grid, Level
from dfbench.outcome import Finding
from dfbench.samplers import METHODS
from dfbench.subjects.reference import Defect, MethodSampler
from dfbench.table import Table
from tests.checks.broken import Edited, size_of, with_rows

NAMES = (
    "ddim",
    "ddpm",
    "euler",
    "heun",
    "dpm2",
    "lms",
    "unipc",
    "deis",
    "rk4",
    "sa_solver",
    "dpm_solver_pp_multistep",
    "sde_dpm_solver_pp",
    "euler_ancestral",
)
QUICK = ["counts", "affine", "bookkeeping", "told-level", "identity"]


def failures(subject: MethodSampler, claims: list[str] | None = None) -> dict[str, Finding]:
    return {f.claim: f for f in examine(subject, claims).findings if f.verdict == "fail"}


def place(table: Table, row: int) -> str:
    return "the sample," if row == table.nfe else f"evaluation {row},"


@st.composite
def coefficients(draw: st.DrawFn) -> tuple[str, int, int, float]:
    """A method, a row and a column of its table that may be other than zero, a change."""
    name = draw(st.sampled_from(NAMES))
    table = METHODS[name].table(_grid(5))
    row = draw(st.integers(1, table.nfe))
    drawn = [c for c in range(1 + table.nfe, table.rows.shape[1]) if table.rows[row, c]]
    column = draw(st.sampled_from([0, *range(max(1, row - 2), row + 1), *drawn[-2:]]))
    size = draw(st.floats(1e-3, 1.0))
    if column > table.nfe:  # away from 0: a draw of the other sign is as good
        return name, row, column, float(np.copysign(size, table.rows[row, column]))
    return name, row, column, size * draw(st.sampled_from([-1, 1]))


def _grid(n: int) -> Grid:
    return MethodSampler("ddim").session(n).grid


@pytest.mark.slow
@given(coefficients())
@settings(max_examples=50)
def test_a_wrong_coefficient_is_found_where_it_is(case: tuple[str, int, int, float]) -> None:
    """In runs of five steps only, so that the number of steps has to be found as well."""
    name, row, column, size = case
    nfe = METHODS[name].table(_grid(5)).nfe

    def edit(table: Table) -> Table:
        if table.nfe != nfe:
            return table

        def change(rows: Any) -> None:
            rows[row, column] += size * size_of(table, row, column)

        return with_rows(table, change)

    found = failures(Edited(name, edit=edit), ["identity"])
    where = found["identity"].where or ""
    assert f"{place(METHODS[name].table(_grid(5)), row)} weight of " in where
    e = nfe
    what = (
        "the initial state:"
        if column == 0
        else f"output {column - 1}:"
        if column <= e
        else f"draw {column - 1 - e}:"
    )
    assert what in where
    steps = (found["identity"].counterexample or {})["steps"]
    assert where.startswith(f"{steps} steps, ")
    assert METHODS[name].table(_grid(steps)).nfe == nfe
    shown, should = re.findall(r"-?[0-9.]+(?:e[-+]\d+)?", where.rpartition(":")[2])
    assert float(shown) != float(should)
    assert (found["identity"].measured or 0) == pytest.approx(abs(size), rel=1e-3)


@pytest.mark.slow
@given(st.sampled_from(NAMES), st.integers(0, 10**6))
@settings(max_examples=30)
def test_a_wrong_sign_is_found(name: str, pick: int) -> None:
    def edit(table: Table) -> Table:
        def change(rows: Any) -> None:
            weight = np.abs(table.gaps(replace(table, rows=np.zeros_like(table.rows))))
            weight[0] = 0
            places = np.argwhere(weight > 1e-3)
            row, column = places[pick % len(places)]
            rows[row, column] *= -1

        return with_rows(table, change)

    assert "identity" in failures(Edited(name, edit=edit), ["identity"])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lms", "unipc", "deis", "dpm_solver_pp_multistep", "ipndm"])
def test_swapped_outputs_are_found(name: str) -> None:
    """The last step takes each of the two last outputs for the other."""

    def edit(table: Table) -> Table:
        def change(rows: Any) -> None:
            if table.nfe > 1:
                rows[-1, [table.nfe - 1, table.nfe]] = rows[-1, [table.nfe, table.nfe - 1]]

        return with_rows(table, change)

    found = failures(Edited(name, edit=edit))
    assert "2 steps, the sample, weight of output" in (found["identity"].where or "")


@pytest.mark.slow
@given(
    st.sampled_from(["ddpm", "sde_dpm_solver_pp", "euler_ancestral", "sa_solver"]),
    st.integers(0, 3),
    st.floats(1e-3, 1.0),
)
@settings(max_examples=12)
def test_noise_of_another_size_is_found(name: str, draw: int, size: float) -> None:
    subject = MethodSampler(
        name, defect=Defect(noise=lambda xi, k: xi * (1 + size) if k == draw else xi)
    )
    found = failures(subject, QUICK)
    assert {"bookkeeping", "identity"} <= set(found)
    assert f"weight of draw {draw}:" in (found["identity"].where or "")
    # the state after it is the first that is noisier than it should be
    assert re.search(rf"(at evaluation {draw + 1} |sample after)", found["bookkeeping"].where or "")


@pytest.mark.slow
@given(
    st.sampled_from(["ddim", "euler", "lms", "unipc", "ddpm"]),
    st.integers(1, 4),
    st.floats(1e-3, 1.0),
)
@settings(max_examples=15)
def test_an_output_of_another_size_is_found(name: str, at: int, size: float) -> None:
    subject = MethodSampler(
        name, defect=Defect(output=lambda m, j: m * (1 + size) if j == at else m)
    )
    found = failures(subject, QUICK)
    where = found["identity"].where or ""
    assert f"weight of output {at}:" in where
    # the step at which it enters is the first that differs
    assert f"evaluation {at + 1}," in where or "the sample," in where


@pytest.mark.slow(quick=1)
@pytest.mark.parametrize("name", ["ddim", "ddpm", "euler", "unipc", "dpm_solver_pp_multistep"])
@pytest.mark.parametrize("ahead", [True, False])
def test_levels_off_by_one_are_found(name: str, ahead: bool) -> None:
    """The first step goes one level too far, or nowhere; the model is told what it should be."""

    def edit(table: Table) -> Table:
        e = table.nfe
        if e < 3:
            return table
        left = np.delete(np.arange(e + 1), 1)
        levels = Grid(table.levels.alpha[left], table.levels.sigma[left])
        far = METHODS[name].table(levels, table.prediction)

        def change(rows: Any) -> None:
            rows[1] = rows[0]
            if ahead:
                rows[1, :2] = far.rows[1, :2]
                rows[1, 1 + e : 2 + e] = far.rows[1, e : 1 + e]

        return with_rows(table, change)

    found = failures(Edited(name, edit=edit), QUICK)
    assert (found["identity"].where or "").startswith("3 steps, evaluation 1, weight of ")
    assert "state at evaluation 1 (step 1): mean" in (found["bookkeeping"].where or "")
    assert (found["bookkeeping"].counterexample or {})["steps"] == 3


@pytest.mark.slow
@given(st.integers(0, 4), st.floats(1e-3, 1.0), st.sampled_from([-1, 1]))
@settings(max_examples=15)
def test_a_level_that_the_model_is_not_told_is_found(at: int, size: float, sign: int) -> None:
    def told(level: Level, j: int) -> Level:
        return Level(level.alpha, level.sigma * (1 + sign * size * 0.9)) if j == at else level

    found = failures(MethodSampler("ddim", defect=Defect(told=told)), QUICK)
    assert set(found) >= {"told-level"}
    assert f"evaluation {at} (step {at}): told" in (found["told-level"].where or "")


CONFUSED: list[tuple[str, dict[str, Any], tuple[str, dict[str, Any]]]] = [
    ("ddpm", {}, ("ddpm", {"variance": "beta"})),
    ("ddpm", {"variance": "beta"}, ("ddpm", {})),
    ("ddim", {}, ("ddim", {"eta": 0.05})),
    ("ddim", {"eta": 1.0}, ("ddpm", {"variance": "beta"})),
    ("dpm_solver_pp_multistep", {}, ("dpm_solver_pp_multistep", {"solver_type": "heun"})),
    ("dpm_solver_pp_multistep", {}, ("dpm_solver_pp_multistep", {"order": 1})),
    ("unipc", {}, ("unipc", {"corrector": False})),
    ("unipc", {}, ("unipc", {"variant": "bh1"})),
    ("lms", {}, ("lms", {"order": 3})),
    ("deis", {}, ("deis", {"variable": "log_rho"})),
    ("sa_solver", {}, ("sa_solver", {"tau": 0.9})),
    ("heun", {}, ("rk4", {})),
    ("dpm2", {}, ("heun", {})),
    ("euler_ancestral", {}, ("euler_ancestral", {"eta": 0.95})),
    ("sde_dpm_solver_pp", {}, ("sde_dpm_solver_pp", {"s_noise": 1.01})),
]


@pytest.mark.slow(quick=1)
@pytest.mark.parametrize(("name", "options", "made"), CONFUSED, ids=lambda x: str(x))
def test_a_method_in_place_of_another_is_found(
    name: str, options: dict[str, Any], made: tuple[str, dict[str, Any]]
) -> None:
    found = failures(Edited(name, options, made=made), QUICK)
    assert "identity" in found
    assert "steps" in (found["identity"].counterexample or {})
    assert re.match(r"\d+ steps", found["identity"].where or "")


def test_a_method_of_too_low_an_order_is_found() -> None:
    found = failures(
        Edited("dpm_solver_pp_multistep", made=("dpm_solver_pp_multistep", {"order": 1})), ["order"]
    )
    assert (found["order"].measured or 9) == pytest.approx(1, abs=0.3)


def test_noise_that_is_too_large_leaves_another_law() -> None:
    found = failures(Edited("ddim", {"eta": 1.0}, edit=_louder), ["law"])
    assert "data of standard deviation" in (found["law"].where or "")


def _louder(table: Table) -> Table:
    def change(rows: Any) -> None:
        rows[:, 1 + table.nfe :] *= 1.1

    return with_rows(table, change)


# Noise, rows, state ---------------------------------------------------------------------------


class Drawing(MethodSampler):
    """Ancestral DDIM that draws its noise in a way of its own."""

    def __init__(self, draw: Callable[..., torch.Tensor]) -> None:
        super().__init__("ddim", {"eta": 1.0})
        self.draw = draw

    def session(self, n: int, grid: Grid | None = None, prediction: str | None = None) -> Any:
        plain = super().session(n, grid, prediction)
        draw, method = self.draw, self.method

        class Session(type(plain)):  # type: ignore[misc]
            def __call__(self, model: Any, z: torch.Tensor, generator: Any = None) -> torch.Tensor:
                kept: list[torch.Tensor] = []
                given = self.method

                class Own:
                    def __call__(
                        self, network: Any, z: Any, grid: Any, noise: Any, **o: Any
                    ) -> Any:
                        return method(network, z, grid, lambda: draw(z, generator, kept), **o)

                self.method = Own()
                try:
                    out: torch.Tensor = super().__call__(model, z, generator)
                finally:
                    self.method = given
                return out

        run = Session(plain.method, plain.options, plain.grid, plain.prediction, plain.defect)
        return run


def normal(z: torch.Tensor, generator: Any, shape: Any = None) -> torch.Tensor:
    return torch.randn(shape or z.shape, generator=generator, dtype=z.dtype)


def shared(z: torch.Tensor, generator: Any, kept: Any) -> torch.Tensor:
    return normal(z, generator, (1, *z.shape[1:])).expand_as(z)


def unseeded(z: torch.Tensor, generator: Any, kept: Any) -> torch.Tensor:
    return torch.randn_like(z)


def reseeded(z: torch.Tensor, generator: Any, kept: Any) -> torch.Tensor:
    return normal(z, torch.Generator().manual_seed(0))


def repeated(z: torch.Tensor, generator: Any, kept: Any) -> torch.Tensor:
    return normal(z, generator.manual_seed(generator.initial_seed()))


def mirrored(z: torch.Tensor, generator: Any, kept: Any) -> torch.Tensor:
    half = normal(z, generator, ((len(z) + 1) // 2, *z.shape[1:]))
    return torch.cat([half, -half])[: len(z)]


def uniform(z: torch.Tensor, generator: Any, kept: Any) -> torch.Tensor:
    return (torch.rand(z.shape, generator=generator, dtype=z.dtype) - 0.5) * 12**0.5


def once(z: torch.Tensor, generator: Any, kept: Any) -> torch.Tensor:
    if not kept:
        kept.append(normal(z, generator))
    return kept[0]  # type: ignore[no-any-return]


def louder(z: torch.Tensor, generator: Any, kept: Any) -> torch.Tensor:
    return 1.01 * normal(z, generator)


def seeds_all(z: torch.Tensor, generator: Any, kept: Any) -> torch.Tensor:
    torch.manual_seed(1)
    return normal(z, generator)


def numpy_noise(z: torch.Tensor, generator: Any, kept: Any) -> torch.Tensor:
    return torch.tensor(np.random.standard_normal(tuple(z.shape)), dtype=z.dtype)  # noqa: NPY002


@pytest.mark.parametrize(
    ("draw", "claim", "words"),
    [
        (shared, "noise", "rows share their noise"),
        (unseeded, "noise", "do not use the caller's generator"),
        (reseeded, "noise", "another seed gives the same sample"),
        (repeated, "noise", ", should be 0.000; draws 0 and 2"),
        (mirrored, "noise", "rows share their noise"),
        (uniform, "affine", ""),
        (once, "identity", "Gaussian draws"),
        (louder, "bookkeeping", "evaluation 1 (step 1)"),
        (seeds_all, "noise", "the global random state of torch changed"),
        (numpy_noise, "noise", "the same seed gives another sample"),
    ],
)
def test_noise_that_breaks_its_contract(draw: Any, claim: str, words: str) -> None:
    found = failures(Drawing(draw), [claim])
    assert words in f"{found[claim].where} {found[claim].why}"


def test_noise_that_keeps_its_contract() -> None:
    assert failures(Drawing(lambda z, generator, kept: normal(z, generator))) == {}


@pytest.mark.parametrize("size", [1e-9, 1e-3, 1.0])
def test_rows_that_mix_are_found(size: float) -> None:
    subject = MethodSampler("heun", defect=Defect(output=lambda m, j: m + size * m.mean(0)))
    assert "row" in (failures(subject, ["row-independence"])["row-independence"].where or "")


@given(st.floats(1e-6, 1.0))
@settings(max_examples=5)
def test_a_clip_within_reach_is_found(bound: float) -> None:
    subject = MethodSampler("ddim", defect=Defect(output=lambda m, j: m.clamp(-bound, bound)))
    found = failures(subject, ["affine"])
    assert "evaluation 1" in (found["affine"].where or "")


def test_a_sampler_that_is_nowhere_linear_is_not_given_a_table() -> None:
    subject = MethodSampler("ddim", defect=Defect(output=lambda m, j: m.abs()))
    report = examine(subject)
    verdicts = {f.claim: f.verdict for f in report.findings}
    assert verdicts["affine"] == "fail"
    assert verdicts["identity"] == verdicts["bookkeeping"] == "inconclusive"
    assert "pass" not in {verdicts[c] for c in ("identity", "law", "order", "bookkeeping")}


@pytest.mark.parametrize("steps", [1, 4, 13, 61])
def test_a_step_count_that_breaks_is_named(steps: int) -> None:
    class Fragile(MethodSampler):
        def session(self, n: int, grid: Any = None, prediction: Any = None) -> Any:
            made = super().session(n, grid, prediction)
            if n == steps:
                made.defect = Defect(final=lambda z: z * float("nan"))
            return made

    finding = failures(Fragile("euler"), ["counts"])["counts"]
    assert finding.counterexample == {"steps": steps}
    assert f"{steps} steps: the sample is not finite" in (finding.where or "")


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    assert "identity" not in failures(Edited("lms"), QUICK)
