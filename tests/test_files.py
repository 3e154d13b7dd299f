"""Outputs that are no regular files, links, and what a kill leaves."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from dfbench import cli, files
from dfbench.errors import Unusable

pytestmark = pytest.mark.skipif(os.name == "nt", reason="devices, pipes and links of POSIX")


def test_a_link_stays_and_what_it_leads_to_is_written(tmp_path):
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "page", tmp_path / "link"
    target.write_text("old")
    target.chmod(0o600)
    link.symlink_to(target)
    files.check_writable(link)
    files.write(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600  # who may read it is not ours to change


def test_a_device_is_written_to_and_stays(tmp_path, monkeypatch):
    """A link to it first: were it replaced, only the link would be lost."""
    link = tmp_path / "null"
    link.symlink_to("/dev/null")
    files.check_writable(link)
    files.write(link, "gone")
    assert stat.S_ISCHR(link.stat().st_mode)
    link.unlink()
    link.symlink_to("/dev/full")
    with pytest.raises(OSError, match="no space left"):
        files.write(link, "text")


def test_a_pipe_gets_the_content(tmp_path):
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    files.check_writable(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()))
    reader.start()
    files.write(pipe, "through")
    reader.join()
    assert got == ["through"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize("name", ["-", "/dev/stdout", "/dev/fd/1"])
def test_standard_output_is_no_file(name, tmp_path, monkeypatch):
    """Into a file that the shell has opened: nothing before or after is overwritten."""
    monkeypatch.chdir(tmp_path)
    code = (
        "import os, types, sys; from dfbench import cli;"
        "m = types.ModuleType('dfbench.self_test');"
        "m.self_test = lambda progress: {'verdict': 'pass', 'claims': []};"
        "sys.modules[m.__name__] = m; os.write(1, b'before');"
        "cli.main(['self-test', '--json', sys.argv[1]]); os.write(1, b'after')"
    )
    with Path("out").open("wb") as out:
        run = subprocess.run(
            [sys.executable, "-c", code, name], stdout=out, stderr=subprocess.PIPE, check=True
        )
    text = Path("out").read_text()
    assert text.startswith('before{\n "verdict": "pass"')
    assert text.endswith("after")
    if name != "/dev/fd/1":
        assert text.endswith("}\nafter")  # the summary is elsewhere
        assert run.stderr.strip()
    assert [each.name for each in tmp_path.iterdir()] == ["out"]


def test_what_a_kill_left_is_removed_and_nothing_else(tmp_path):
    old, new = (tmp_path / f".page.{each}{files.UNFINISHED}" for each in ("old", "new"))
    mine = tmp_path / ".page.12345678"
    for file in (old, new, mine):
        file.touch()
    for file in (old, mine):
        os.utime(file, (time.time() - 1000,) * 2)
    files.check_writable(tmp_path / "page")
    assert {each.name for each in tmp_path.iterdir()} == {new.name, mine.name}


def test_a_folder_has_one_run_at_a_time(tmp_path):
    with files.alone(tmp_path), pytest.raises(Unusable, match="another run"), files.alone(tmp_path):
        pass
    with files.alone(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def test_an_error_carries_no_escapes_of_a_terminal(capsys, tmp_path):
    study = tmp_path / "s.toml"
    study.write_text('"\\u001b[31mred" = 1\n')
    assert cli.main(["bench", str(study), "--out", str(tmp_path / "out")]) == 2
    assert "\x1b" not in capsys.readouterr().err


STUDY = """
samples = 200000
metrics = ["sliced_w2"]
samplers = ["ddim"]
schedules = ["cosine"]
grids = ["uniform_t"]
seeds = [0, 1, 2, 3, 4, 5, 6, 7]
targets = [{ kind = "isotropic", dimension = 100 }]
[budgets]
nfe = [50, 60]
"""


def test_the_end_of_a_run_is_the_end_of_its_workers(tmp_path):
    """SIGTERM while two workers are at it: status 130, what to do next, and nobody left."""
    psutil = pytest.importorskip("psutil")
    (tmp_path / "long.toml").write_text(STUDY)
    command = [sys.executable, "-m", "dfbench.cli", "bench", "long.toml", "--out", "out"]
    child = subprocess.Popen(
        [*command, "--workers", "2"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    began, workers = time.monotonic(), []
    while len(workers) < 2 and child.poll() is None and time.monotonic() - began < 60:
        time.sleep(0.1)
        found = psutil.Process(child.pid).children(recursive=True)
        workers = [each for each in found if "LokyProcess" in " ".join(each.cmdline())]
    assert len(workers) == 2
    child.terminate()
    _, said = child.communicate(timeout=30)
    assert child.returncode == 130
    assert "interrupted; the same command goes on where it stopped" in said.splitlines()[-1]
    assert "Traceback" not in said
    _, alive = psutil.wait_procs(workers, timeout=5)
    assert not alive
    assert not (tmp_path / "out" / ".lock").exists()
