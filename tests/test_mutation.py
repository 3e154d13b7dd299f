"""Mutations: each operator makes the change it says, and claims notice broken formulas."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.mutation import judges, report, run
from benchmarks.mutation.operators import Mutant, mutants

ROOT = Path(__file__).parents[1]


def changes(source: str) -> set[tuple[str, str, str]]:
    """(operator, before, after) of every mutant; each must be a file that can be compiled."""
    found = mutants(source, "m.py")
    for made in found:
        compile(made.source, "m.py", "exec")
        assert made.source != source
    assert len({made.key for made in found}) == len(found)
    return {(made.operator, made.before, made.after) for made in found}


@pytest.mark.parametrize(
    ("expression", "operator", "before", "after"),
    [
        ("a + b", "sign", "a + b", "a - b"),
        ("a - b", "sign", "a - b", "a + b"),
        ("a + b", "term dropped", "a + b", "b"),
        ("a - b", "term dropped", "a - b", "-b"),
        ("a * b", "product", "a * b", "a / b"),
        ("a / b", "product", "a / b", "a * b"),
        ("a * b", "factor dropped", "a * b", "a"),
        ("a / b", "factor dropped", "a / b", "a"),
        ("a ** b", "exponent", "a ** b", "a ** (b + 1)"),
        ("a ** 2", "constant", "2", "3"),
        ("a @ b", "swapped", "a @ b", "b @ a"),
        ("-a", "minus dropped", "-a", "a"),
        ("a * b", "minus added", "a * b", "-(a * b)"),
        ("3.0 * a", "constant", "3.0", "6.0"),
        ("3.0 * a", "constant", "3.0", "1.5"),
        ("a[i]", "index", "i", "i + 1"),
        ("a[i]", "index", "i", "i - 1"),
        ("a[:-1]", "constant", "-1", "-2"),
        ("a[0]", "constant", "0", "-1"),
        ("level.alpha", "name swapped", "level.alpha", "level.sigma"),
        ("alpha_dot + sigma_dot", "name swapped", "alpha_dot", "sigma_dot"),
        ("out.x", "name swapped", "out.x", "out.eps"),
        ("np.expm1(a)", "function", "np.expm1(a)", "np.exp(a)"),
        ("np.log1p(a)", "function", "np.log1p(a)", "np.log(a)"),
        ("np.sqrt(a)", "function dropped", "np.sqrt(a)", "a"),
        ("max(a, b)", "function", "max(a, b)", "min(a, b)"),
        ("a < b", "comparison", "a < b", "a <= b"),
        ("a >= b", "comparison", "a >= b", "a > b"),
        ("std(a, b)", "swapped", "std(a, b)", "std(b, a)"),
        ("solve(a, lower=True)", "boolean", "True", "False"),
    ],
)
def test_operators(expression: str, operator: str, before: str, after: str) -> None:
    names = "a, b, i, level, out, alpha_dot, sigma_dot, std, solve, σ"
    source = f"def f({names}):\n    return {expression}\n"
    assert (operator, before, after) in changes(source)


def test_defaults_and_augmented_assignments() -> None:
    found = changes("def f(a, eta=0.5, *, last=True):\n    a += eta\n    return a\n")
    assert ("constant", "0.5", "1.0") in found
    assert ("boolean", "True", "False") in found
    assert ("operator", "a += eta", "a -= eta") in found


def test_greek_letters_keep_their_place() -> None:
    """Positions of expressions are in bytes."""
    (made,) = [
        m
        for m in mutants('def f(a, b):\n    return {"ασβ": a - b}["ασβ"]\n')
        if m.operator == "sign"
    ]
    assert made.source == 'def f(a, b):\n    return {"ασβ": (a + b)}["ασβ"]\n'


def test_what_is_no_formula_is_left_alone() -> None:
    source = '''"""Text with 2 and -1."""

from typing import Literal

Kind = Literal["a", "b"]

def f(a: tuple[int, 2]) -> None:
    """Another 3."""
    if a < 0:
        raise ValueError(f"must be above {a - 1}, not {-2}")
    assert a + 1
    name = "x" + f"{a * 2}"
    zero, one = 0 * a, 1 + 0 * a

def _check(a):
    return a < 1
'''
    assert changes(source) == set()


def test_symmetric_calls_are_not_swapped() -> None:
    assert not {c for c in changes("def f(a, b):\n    return hypot(a, b)\n") if c[0] == "swapped"}


def test_scope() -> None:
    """A statement is judged by who executes it, a default by who executes the function."""
    source = "C = 2.0\n\ndef f(a, b=3.0):\n    c = a * b\n    return c\n"
    scopes = {made.before: made.scope for made in mutants(source)}
    assert scopes["2.0"] is None
    assert scopes["3.0"] == (4, 5)
    assert scopes["a * b"] == (4, 4)


def test_who_is_asked() -> None:
    (made, *_) = mutants("def f(a, b):\n    return a * b\n", "analytic/m.py")
    known = [
        run.Known("certify dfbench:ddim {}", ("order",), 0.1, {"analytic/m.py": {2}}),
        run.Known("claim 2", ("claim 2",), 0.2, {"analytic/m.py": {1}}),
        run.Known("claim 3", ("claim 3",), 0.3, {"analytic/m.py": {2}}),
        run.Known("certify dfbench:slow {}", ("order",), 9.0, {"analytic/m.py": {2}}),
    ]
    assert [one.judge for one in run.asked(made, known)] == ["certify dfbench:ddim {}", "claim 3"]


def test_who_is_asked_first() -> None:
    """Who noticed changes of the same function in little time; a new judge before one that
    was asked in vain."""
    (made, *_) = mutants("def f(a, b):\n    return a * b\n", "m.py")
    names = ("slow", "in vain", "new", "often")
    known = [run.Known(name, (name,), 1.0, {"m.py": {2}}) for name in names]
    order = run.Order()
    for by in ("often", "often", "slow", "slow", ""):
        spent = [("slow", 5.0)] if by == "slow" else [("in vain", 0.1), ("often", 0.1)]
        order.learn("m.py", "f", spent, by)
    assert [one.judge for one in order(made, known)] == ["often", "new", "slow", "in vain"]
    recalled = run.Order()
    one = run.Result("k", "m.py", "f", 1, "sign", "", "", "killed", "slow claim (x)", 1, 0.1)
    recalled.recall([one] * 9, known)
    assert next(iter(recalled(made, known))).judge == "slow"


def test_who_is_asked_after_many_tests_of_one_function() -> None:
    """Another one of it costs less, but notices much the same."""
    (made, *_) = mutants("def f(a, b):\n    return a * b\n", "m.py")
    names = [f"test m.py::test_it[{i}]" for i in range(50)]
    known = [run.Known(name, (name,), 0.01, {}) for name in names]
    known.append(run.Known("claim 1", ("claim 1",), 0.1, {}))
    asked = [one.judge for one in run.Order()(made, known)]
    assert sorted(asked) == sorted(one.judge for one in known)
    assert 1 < asked.index("claim 1") < 30


def test_limit_is_in_time_of_a_processor() -> None:
    """Waiting is free; computing without end is not."""

    def wait() -> str:
        time.sleep(1.6)
        return "waited"

    def turn() -> None:
        while True:
            pass

    assert dict(run.forked([wait, turn], 0.5, 2)) == {0: "waited", 1: "timeout"}


def test_patience() -> None:
    """Nobody is asked when the time of a mutant is up."""
    (made, *_) = mutants("def f(a, b):\n    return a * b\n", "analytic/m.py")
    known = [run.Known("claim 1", ("claim 1",), 1.0, {})]
    nothing = judges.Patches(ROOT, {})
    nothing.apply = lambda *_: True  # type: ignore[method-assign]
    assert run.judged(ROOT, made, known, nothing, -1.0) == ("undecided", "", [])


def test_reasons(tmp_path: Path) -> None:
    one = run.Result("k", "m.py", "f", 1, "sign", "a + b", "a - b", "survived", "", 3, 0.1)
    known = {("m.py", "f", "a + b", "a - b"): ("rounding", "why")}
    assert report.reason(one, known) == ("rounding", "why")
    assert report.reason(replace(one, after="a"), known)[0] == report.HOLE
    run.save(tmp_path / "m.csv", [one])
    assert run.load(tmp_path / "m.csv") == {"k": one}
    report.write([one], tmp_path / "m.md", {"m.py": 7})
    assert "`a + b` → `a - b`" in (tmp_path / "m.md").read_text()


def test_a_reason_goes_with_its_survivor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "REASONS", tmp_path / "reasons.csv")
    header = "module,function,before,after,kind,reason\n"
    rows = ['m.py,f,"a, b",a,rounding,why\n', "m.py,g,a,b,guard,why\n"]
    report.REASONS.write_text(header + "".join(rows))
    one = run.Result("k", "m.py", "f", 1, "sign", "a, b", "a", "survived", "", 3, 0.1)
    assert report.prune([one]) == 1
    assert report.REASONS.read_text() == header + rows[0]


HAND_PICKED = [
    ("dfbench/samplers/ddim.py", "posterior_std", "(1 - kept) * (1 + kept)", "1 + kept"),
    ("dfbench/samplers/ddim.py", "ddpm", "variance == 'beta_tilde'", "variance != 'beta_tilde'"),
    (
        "dfbench/samplers/ddim.py",
        "ddim",
        "s.alpha * out.x + direct * out.eps",
        "s.alpha * out.x - direct * out.eps",
    ),
    ("dfbench/samplers/ddim.py", "ddim", "s.alpha", "s.sigma"),
    ("dfbench/samplers/ddim.py", "kept_fraction", "now.alpha", "now.sigma"),
    ("dfbench/samplers/ddim.py", "split", "1 - eta ** 2", "1 + eta ** 2"),
    ("dfbench/predictions.py", "weights", "-sigma", "sigma"),
    ("dfbench/predictions.py", "affine", "-sigma", "sigma"),
    ("dfbench/predictions.py", "_determinant", "alpha + sigma", "alpha - sigma"),
    ("dfbench/schedules/schedule.py", "Schedule._g2", "2", "4"),
]
CLAIMS = ("claim 1", "claim 7", "claim 16", "claim 23", "claim 34", "claim 36", "claim P4")
BOOKS = run.Known('certify dfbench:ddim {"eta": 0.5}', ("bookkeeping",), 0.0, {})
IDENTITIES = "test tests/samplers/test_identities.py::"
TESTS = (
    f"{IDENTITIES}test_ddim_with_eta_one_is_ddpm_with_the_posterior_variance",
    f"{IDENTITIES}test_one_step_by_hand[ddim-options4-row4]",
)

SCRIPT = """
import pickle, sys
from benchmarks.mutation import judges, run
root, todo, known = pickle.load(sys.stdin.buffer)
sys.path.insert(0, str(root))
judges.preload(released=False)
tasks = [lambda m=m: run.judged(root, m, known) for m in todo]
found = dict(run.forked(tasks, 60.0, 2))
sys.stdout.buffer.write(pickle.dumps([found[i] for i in range(len(todo))]))
"""


def judged(todo: list[Mutant], known: list[run.Known]) -> list[Any]:
    """What a run says of these mutants, in a process that has not imported the packages."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input=pickle.dumps((ROOT, todo, known)),
        capture_output=True,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return list(pickle.loads(done.stdout))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("names", "count"), [(CLAIMS, len(HAND_PICKED)), (TESTS, 6)], ids=["claims", "tests"]
)
def test_judges_notice_what_is_broken_and_nothing_else(names: tuple[str, ...], count: int) -> None:
    """Ten mistakes that people make, or those in one file; and one that is only written in another
    way."""
    todo: list[Mutant] = []
    for module, function, before, after in HAND_PICKED[:count]:
        made = mutants((ROOT / module).read_text(), module)
        same = [m for m in made if (m.function, m.before, m.after) == (function, before, after)]
        assert same, (module, before, after)
        todo.append(same[0])
    source = (ROOT / HAND_PICKED[0][0]).read_text()
    same_file = source.replace("now.alpha * to.sigma", "(now.alpha * to.sigma)")
    assert same_file != source
    todo.append(Mutant(HAND_PICKED[0][0], "", 1, 1, None, "none", "", "", same_file))
    known = [run.Known(name, (name,), 0.0, {}) for name in names]
    *broken, unchanged = judged(todo, known + [BOOKS] * (names is CLAIMS))
    assert [verdict for verdict, _, _ in broken] == ["killed"] * count, broken
    assert unchanged[0] == "survived", unchanged


def test_only_some_judges() -> None:
    test = "test tests/formulas/test_weightings.py::test_names"
    assert run.wanted("claim 18", None)
    assert not run.wanted("claim 18", ["claim 1"])
    assert run.wanted(test, ["claim 1", "test tests/formulas"])


def test_files_under_mutation_exist() -> None:
    found = run.sources(ROOT)
    assert "dfbench/predictions.py" in found
    assert {name.split("/")[0] for name in found} == {"dfbench", "analytic"}
    assert set(judges.PACKAGES) == {"dfbench", "analytic"}


def test_every_committed_survivor_has_a_reason_and_every_reason_a_survivor() -> None:
    left = report.alive(run.load(ROOT / "reports" / "claims" / "mutation.csv").values())
    places = {(one.module, one.function, one.before, one.after) for one in left}
    assert places == set(report.reasons())
