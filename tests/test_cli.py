"""The command line: exit status, what goes to which stream, and files."""

import json
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

import dfbench
from dfbench import cli
from dfbench.errors import Unusable
from tests import fake_certificate as fake

ROOT = Path(__file__).parents[1]


@pytest.fixture
def certify(monkeypatch):
    """Sets what certification does; returns the calls it got."""
    calls = []

    def set_outcome(outcome):
        def certified(subjects, **options):
            calls.append((subjects, options))
            for done in range(1, 31):
                options["progress"]("some subject", done, 30)
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

        monkeypatch.setitem(vars(dfbench), "certify", certified)
        return calls

    return set_outcome


def is_one_line_error(text):
    return text.startswith("dfbench: error: ") and text.count("\n") == 1 and text.endswith("\n")


@pytest.mark.parametrize(
    ("certificate", "status"),
    [
        (fake.small("pass"), 0),
        (fake.small("fail"), 1),
        (fake.small("inconclusive"), 1),
        (fake.small("skip"), 1),
        (fake.small("fail", expected="by design"), 0),
        (fake.large(12), 1),
        (fake.nasty(), 1),
    ],
)
def test_exit_status_of_a_certificate(certify, certificate, status, capsys):
    certify(certificate)
    assert cli.main(["certify", "some"]) == status
    out, err = capsys.readouterr()
    assert "subject" in out
    assert "Traceback" not in out + err


def test_options_arrive(certify, tmp_path):
    calls = certify(fake.small())
    (tmp_path / "known.toml").write_text('[law]\nreason = "as I know"\nwithin = 0.5\n')
    assert (
        cli.main(
            [
                "certify",
                "diffusers:DDIMScheduler",
                "a.py:B",
                "--config",
                '{"clip_sample": false}',
                "--call",
                '{"eta": 1.0}',
                "--steps",
                "4, 8",
                "--declare",
                '{"order": 2}',
                "--select",
                "order,law",
                "--seed",
                "7",
                "--configs",
                "all",
                "--workers",
                "2",
                "--for",
                "img2img",
                "--depth",
                "thorough",
                "--as",
                "edm",
                "--expected-failures",
                str(tmp_path / "known.toml"),
            ]
        )
        == 0
    )
    ((subjects, options),) = calls
    assert subjects == ["diffusers:DDIMScheduler", "a.py:B"]
    options.pop("progress")
    assert options == {
        "config": {"clip_sample": False},
        "call": {"eta": 1.0},
        "steps": [4, 8],
        "isolate": False,
        "declare": {"order": 2},
        "select": ["order", "law"],
        "seed": 7,
        "purpose": "img2img",
        "expected_failures": {"law": {"reason": "as I know", "within": 0.5}},
        "configs": "all",
        "workers": 2,
        "depth": "thorough",
        "profile": "edm",
    }


@pytest.mark.slow
def test_files_are_written(certify, tmp_path, capsys):
    certify(fake.large(8))
    names = {"--json": "a/c.json", "--report": "b/c.html", "--junit": "c/c.xml"}
    options = [part for key, name in names.items() for part in (key, str(tmp_path / name))]
    assert cli.main(["certify", "some", *options]) == 1
    content = json.loads((tmp_path / "a/c.json").read_text())
    assert content["environment"]["command"].startswith("dfbench certify some --json ")
    assert "<!doctype html>" in (tmp_path / "b/c.html").read_text()
    assert "<testsuites" in (tmp_path / "c/c.xml").read_text()
    assert len([each for each in tmp_path.rglob("*") if each.is_file()]) == 3
    page = tmp_path / "page.html"
    assert cli.main(["report", str(tmp_path / "a/c.json"), "--out", str(page)]) == 0
    assert cli.main(["report", str(tmp_path / "a"), "--out", str(page), "--title", "My title"]) == 0
    assert "My title" in page.read_text()


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["--nonsense"],
        ["certify"],
        ["certify", "a", "--config", "{"],
        ["certify", "a", "--config", "[1]"],
        ["certify", "a", "--config", "3"],
        ["certify", "a", "--call", "null"],
        ["certify", "a", "--config", "[" * 100_000],
        ["certify", "a", "--declare", "order"],
        ["certify", "a", "--steps", "4,x"],
        ["certify", "a", "--steps", "0"],
        ["certify", "a", "--steps", ","],
        ["certify", "a", "--steps", "-4"],
        ["certify", "a", "--seed", "x"],
        ["certify", "a", "--seed", "-1"],
        ["certify", "a", "--workers", "0"],
        ["certify", "a", "--configs", "some"],
        ["certify", "a", "--select", ","],
        ["certify", "a", "--json"],
        ["certify", "a", "--json", "/"],
        ["certify", "a", "--json", "/dev/null/c.json"],
        ["certify", "a", "--json", "same", "--report", "./same"],
        ["report"],
        ["report", "none.json"],
        ["report", "none.json", "--out", "page.html"],
        ["report", ".", "--out", "page.html"],
        ["report", "wrong.html", "--out", "page.html"],
        ["list", "nonsense"],
        ["self-test", "--json", "/"],
    ],
)
def test_an_unusable_call_is_one_line_and_no_work(
    arguments, certify, capsys, tmp_path, monkeypatch
):
    calls = certify(fake.small())
    monkeypatch.chdir(tmp_path)
    Path("wrong.html").write_text("<p>no certificate")
    before = sorted(tmp_path.iterdir())
    assert cli.main(arguments) == 2
    out, err = capsys.readouterr()
    assert is_one_line_error(err), err
    assert out == ""
    assert calls == []
    assert sorted(tmp_path.iterdir()) == before


def test_without_a_command_there_is_help(capsys):
    assert cli.main([]) == 2
    out, err = capsys.readouterr()
    assert "certify" in out
    assert is_one_line_error(err)


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (
            Unusable("no class X in diffusers;\nthere is Y"),
            2,
            "no class X in diffusers; there is Y",
        ),
        (ZeroDivisionError("oh"), 2, "ZeroDivisionError: oh (DFBENCH_TRACEBACK=1 shows where)"),
        (FileNotFoundError(2, "gone", "x"), 2, "FileNotFoundError"),
        (RecursionError(), 2, "RecursionError"),
        (MemoryError(), 2, "not enough memory"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (SystemExit(0), 2, "called sys.exit(0)"),
        (SystemExit(), 2, "called sys.exit(None)"),
    ],
)
def test_errors_are_one_line(error, status, message, certify, capsys):
    certify(error)
    assert cli.main(["certify", "some"]) == status
    err = capsys.readouterr().err
    last = err.splitlines(keepends=True)[-1]
    assert is_one_line_error(last)
    assert message in last
    assert "Traceback" not in err


def test_the_traceback_can_be_asked_for(certify, capsys, monkeypatch):
    certify(ZeroDivisionError("oh"))
    monkeypatch.setenv("DFBENCH_TRACEBACK", "1")
    assert cli.main(["certify", "some"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_progress_is_sparse_away_from_a_terminal(certify, capsys):
    certify(fake.small())
    cli.main(["certify", "some"])
    err = capsys.readouterr().err.splitlines()
    assert 5 <= len(err) <= 10
    assert err[0] == "dfbench: certifying: 3 of 30"


def test_a_full_disk_does_not_cost_the_summary(certify, capsys, tmp_path, monkeypatch):
    def full(path, text):
        raise OSError(28, "no space left on device", str(path))

    certify(fake.small("fail"))
    monkeypatch.setattr("dfbench.files.write", full)
    assert cli.main(["certify", "some", "--json", str(tmp_path / "c.json")]) == 2
    out, err = capsys.readouterr()
    assert "1 fail" in out
    assert "no space left on device" in err


def test_notes_of_a_report(tmp_path, capsys):
    from dfbench import jsons

    (tmp_path / "c.json").write_text(jsons.text(fake.small("fail")))
    notes = tmp_path / "notes.json"
    call = ["report", str(tmp_path / "c.json"), "--out", str(tmp_path / "p.html"), "--notes"]
    notes.write_text(json.dumps([{"title": "Clipping", "verdict": "by design", "text": "Why."}]))
    assert cli.main([*call, str(notes)]) == 0
    assert "Clipping" in (tmp_path / "p.html").read_text()
    for wrong in ("{}", '[{"title": "x"}]', "[", '[{"title": 1, "verdict": "", "text": ""}]'):
        notes.write_text(wrong)
        assert cli.main([*call, str(notes)]) == 2
    assert cli.main([*call, str(tmp_path / "none")]) == 2
    assert all(is_one_line_error(f"{line}\n") for line in capsys.readouterr().err.splitlines())


@pytest.mark.parametrize(("verdict", "status"), [("pass", 0), ("fail", 1)])
def test_self_test(verdict, status, monkeypatch, capsys, tmp_path):
    outcome = {
        "verdict": verdict,
        "claims": [{"claim": "order", "verdict": "pass", "smallest": 1e-9}],
        "seconds": 1.5,
    }
    module = types.ModuleType("dfbench.self_test")
    module.self_test = lambda progress=None: outcome
    monkeypatch.setitem(sys.modules, "dfbench.self_test", module)
    assert cli.main(["self-test", "--json", str(tmp_path / "s.json")]) == status
    assert json.loads((tmp_path / "s.json").read_text()) == outcome
    assert "1e-09" in capsys.readouterr().out


@pytest.fixture
def libraries(monkeypatch):
    monkeypatch.setattr(
        "dfbench.subjects.libraries", lambda: {"some": ["Class", "Other"]}, raising=False
    )


def test_lists(libraries, capsys):
    assert cli.main(["list"]) == 0
    out = capsys.readouterr().out
    for text in ("some:Class", "bookkeeping", "ddim", "flow_matching", "order"):
        assert text in out


@pytest.mark.parametrize("kind", [each.value for each in cli.Listed])
def test_lists_as_json(kind, libraries, capsys):
    assert cli.main(["list", kind, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert list(content) == [kind]
    assert all(isinstance(entry["name"], str) for entry in content[kind])
    assert cli.main(["list", kind]) == 0
    assert capsys.readouterr().out.strip()


def test_version(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"dfbench {dfbench.__version__}\n"


def run(*arguments, code=None, **options):
    command = [sys.executable, "-c", code] if code else [sys.executable, "-m", "dfbench.cli"]
    return subprocess.run(
        [*command, *arguments], capture_output=True, text=True, cwd=ROOT, check=False, **options
    )


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from dfbench import cli; cli.main(['--help']); cli.main(['certify', '-h']);"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    result = run(code=code)
    assert result.returncode == 0
    loaded = set(result.stdout.splitlines()[-1].split())
    assert "typer" in loaded
    heavy = {"torch", "numpy", "pandas", "scipy", "jinja2", "matplotlib"}
    assert not loaded & heavy


@pytest.mark.slow
def test_a_terminal_without_unicode():
    code = (
        "import sys, dfbench; from dfbench import cli; from tests import fake_certificate as fake;"
        "dfbench.certify = lambda subjects, **options: fake.nasty();"
        "sys.exit(cli.main(['certify', 'some']))"
    )
    result = run(code=code, env={**os.environ, "PYTHONIOENCODING": "ascii", "COLUMNS": "40"})
    assert result.returncode == 1
    assert result.stderr == ""
    assert "x fail" in result.stdout


def test_status_of_the_process():
    result = run("certify", "a", "--config", "{")
    assert result.returncode == 2
    assert is_one_line_error(result.stderr)
