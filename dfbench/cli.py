"""The command line: `dfbench certify`, `claims`, `bench`, `train`, `report`, `self-test`, `list`.

Nothing heavy is imported before it is needed, so that `dfbench --help` answers at once.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from dfbench import jsons
from dfbench.errors import Unusable, short
from dfbench.progress import Shown
from dfbench.wording import clean, shorten


def _examples(*lines: str) -> str:
    """The end of a help text; `\b` keeps the lines apart."""
    return "\n".join(["\b", "Examples:", *(f"  dfbench {line}" for line in lines)])


app = typer.Typer(
    name="dfbench",
    help="Certify diffusion and flow-matching code against closed-form truth.",
    epilog="Exit status: 0 all passed; 1 something failed, or could not be decided; 2 the call or "
    "its input is unusable.\n\n"
    + _examples("certify diffusers:DDIMScheduler", "claims 34", "bench quick --out results"),
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

FAILED, UNUSABLE, INTERRUPTED = 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit status. Errors are one line on stderr, never a traceback.

    With DFBENCH_TRACEBACK=1 in the environment the traceback of an unexpected error is shown.
    """
    for stream in (sys.stdout, sys.stderr):
        # a terminal that has not got a character shows a substitute
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    # loky replaces a worker that has grown by 300 MB, which imports alone can do
    warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given")
    given = sys.argv[1:] if arguments is None else list(arguments)
    with _ended_as_by_a_key():
        return _run(given)


class Terminated(KeyboardInterrupt):
    """SIGTERM: what is open is closed as after Ctrl-C."""


@contextmanager
def _ended_as_by_a_key() -> Iterator[None]:
    def end(number: int, frame: object) -> None:
        raise Terminated

    try:
        before = signal.signal(signal.SIGTERM, end)
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupted(given: list[str]) -> int:
    """End the workers, too, and say what to do."""
    reusable = sys.modules.get("joblib.externals.loky.reusable_executor")
    if (executor := getattr(reusable, "_executor", None)) is not None:
        executor.shutdown(wait=True, kill_workers=True)
    goes_on = bool({"bench", "train"} & {*given[:1]})
    more = "; the same command goes on where it stopped" if goes_on else ""
    return _error(f"interrupted{more}", INTERRUPTED)


def _run(given: list[str]) -> int:
    try:
        status = app(given or ["--help"], prog_name="dfbench", standalone_mode=False, obj=given)
        if not given:
            return _error("missing command")
        if status == INTERRUPTED:
            return _interrupted(given)
        return status if isinstance(status, int) else 0
    except (typer.Abort, KeyboardInterrupt):
        return _interrupted(given)
    except SystemExit as exit:
        if isinstance(exit.__context__, BrokenPipeError):
            return FAILED
        return _unexpected(f"the code under certification called sys.exit({exit.code!r})")
    except Exception as error:
        if hasattr(error, "format_message"):  # a usage error: click's, wherever typer keeps it
            return _error(error.format_message())
        if isinstance(error, Unusable):
            return _error(str(error))
        if isinstance(error, MemoryError):
            return _error("there is not enough memory for this: fewer steps, samples or dimensions")
        if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
            return _error(f"{short(error.filename)}: no file can have so long a name")
        return _unexpected(f"{type(error).__name__}: {error}")


def _unexpected(message: str) -> int:
    if os.environ.get("DFBENCH_TRACEBACK") == "1":
        traceback.print_exc()
    return _error(f"{message} (DFBENCH_TRACEBACK=1 shows where)")


def _error(message: str, status: int = UNUSABLE) -> int:
    first, *more = (" ".join(line.split()) for line in message.splitlines() or [""])
    listed = "".join(f"\n  {line}" for line in more if line) if first.endswith(":") else ""
    rest = "" if listed else " ".join(["", *filter(None, more)])
    said = f"dfbench: error: {first}{rest}{listed}"
    print("\n".join(map(clean, said.split("\n"))), file=sys.stderr)
    return status


@contextmanager
def _files() -> Iterator[None]:
    """A file that cannot be written or read is the user's to know of."""
    try:
        yield
    except OSError as error:
        raise Unusable(f"{error.filename}: {(error.strerror or str(error)).lower()}") from error


# Options ------------------------------------------------------------------------------------------


def _json_object(option: str, text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unusable(f"{option} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise Unusable(f'{option} must be a JSON object, like {{"eta": 1.0}}')
    return value


#: What a folder holds that a scheduler, or a pipeline, was saved to.
SAVED = ("scheduler_config.json", "scheduler/scheduler_config.json")


def _config(text: str | None) -> dict[str, Any] | None:
    """A JSON object, a file that holds one, or a folder that holds such a file."""
    if text is None or text.lstrip().startswith("{"):
        return _json_object("--config", text)
    places = [text, *(os.path.join(text, name) for name in SAVED)]
    file = next(filter(os.path.isfile, places), None)
    if file is None:
        raise Unusable(
            f'--config {shorten(text, 80)}: neither a JSON object, like {{"clip_sample": false}}, '
            f"nor a file, nor a folder with {SAVED[0]}"
        )
    content = jsons.read(file)
    if not isinstance(content, dict):
        raise Unusable(f"{file}: must hold a JSON object")
    return content


def _expected(path: Path | None) -> dict[str, Any] | None:
    """What a TOML or JSON file declares of claims."""
    if path is None:
        return None
    if path.suffix != ".toml":
        content = jsons.read(path)
    else:
        import tomllib

        from dfbench.files import SETTINGS
        from dfbench.files import content as read

        with _files():
            text = read(path, SETTINGS)
        try:
            content = tomllib.loads(text.decode())
        except (ValueError, RecursionError) as error:
            raise Unusable(f"{path}: not TOML ({error})") from error
    if not isinstance(content, dict):
        raise Unusable(f"{path}: must hold a table of claims")
    return content


def _claims(text: str | None) -> list[str] | None:
    if text is None:
        return None
    names = [name for name in text.replace(",", " ").split() if name]
    if not names:
        raise Unusable("--select names no claim")
    return names


def _counts(text: str | None) -> list[int]:
    if text is None:
        return []
    names = text.replace(",", " ").split()
    if not names or not all(name.isdecimal() and int(name) for name in names):
        raise Unusable(f"--steps must be positive whole numbers, like 4,8; got {text!r}")
    return [int(name) for name in names]


def _outputs(*paths: Path | None) -> None:
    """Refuse files that cannot be written, and one file for two things, before the work starts."""
    from dfbench.files import check_writable

    given = [path.resolve() for path in paths if path is not None]
    for path in given:
        if given.count(path) > 1:
            raise Unusable(f"{path.name} is asked for twice")
    with _files():
        for wanted in paths:
            if wanted is not None:
                check_writable(wanted)


def _write(path: Path | None, text: Callable[[], str]) -> None:
    """Write a file that was asked for."""
    from dfbench.files import write

    if path is not None:
        with _files():
            write(path, text())


def _output(path: Path | None) -> Path | None:
    """`-` is the standard output."""
    from dfbench.files import STDOUT

    return STDOUT if path == Path("-") else path


def _json(what: str) -> Any:
    help = f"Write the {what}; - to the standard output."
    return typer.Option("--json", metavar="FILE", help=help, callback=_output)


def _study(metavar: str) -> Any:
    shipped = "A TOML file, or the name of a study that is shipped."
    return typer.Argument(metavar=metavar, help=shipped)


Page = Annotated[
    Path | None,
    typer.Option("--report", metavar="FILE.html", help="Write a page.", callback=_output),
]
ResultsDir = Annotated[
    Path, typer.Option(metavar="DIR", help="Directory of the results.", show_default=False)
]


class For(StrEnum):
    """What a verdict is about."""

    samples = "samples"
    img2img = "img2img"
    training = "training"
    all = "all"


class Depth(StrEnum):
    """How much is asked of a subject."""

    quick = "quick"
    thorough = "thorough"


class Configs(StrEnum):
    """Which configurations of a library's subjects are certified."""

    default = "default"
    all = "all"


def _version(wanted: bool) -> None:
    if wanted:
        from dfbench._version import __version__

        print(f"dfbench {__version__}")
        raise typer.Exit


@app.callback()
def _top(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


# certify ------------------------------------------------------------------------------------------


@app.command(
    epilog=_examples(
        "certify dfbench:ddim --config '{\"eta\": 0.5}' --steps 4,8",
        "certify diffusers:DDIMScheduler --for samples --report page.html --json certificate.json",
        "certify my_sampler.py:sample --as k-diffusion",
    )
)
def certify(
    context: typer.Context,
    subjects: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SUBJECT",
            help="LIBRARY, LIBRARY:NAME, package.module:NAME, path/to/file.py:NAME, or a name of "
            "dfbench.toml; by default, all of dfbench.toml.",
            show_default=False,
        ),
    ] = None,
    config: Annotated[
        str | None,
        typer.Option(
            metavar="JSON|FILE",
            help="Arguments of the constructor: an object, a file, or the folder of a scheduler "
            "or a pipeline.",
        ),
    ] = None,
    call: Annotated[
        str | None, typer.Option(metavar="JSON", help="Arguments of the sampling call, an object.")
    ] = None,
    steps: Annotated[
        str | None,
        typer.Option(metavar="LIST", help="Step counts that you run, like 4,8: only these count."),
    ] = None,
    isolate: Annotated[
        bool,
        typer.Option(
            "--isolate", help="A process for every subject; code of your own always has one."
        ),
    ] = False,
    declare: Annotated[
        str | None,
        typer.Option(
            metavar="JSON",
            help="What you claim of a sampler of yours, an object: order, stochastic, reference …",
        ),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="PROFILE",
            help="How it is called, like k-diffusion, edm, flow-up; see `list profiles`.",
        ),
    ] = None,
    programs: Annotated[
        list[str] | None,
        typer.Option(
            "--program",
            metavar="COMMAND",
            help="A sampler in any language, like './sampler {steps}'; see the README.",
        ),
    ] = None,
    json_file: Annotated[Path | None, _json("certificate")] = None,
    report_file: Page = None,
    junit_file: Annotated[
        Path | None,
        typer.Option("--junit", metavar="FILE.xml", help="Write JUnit XML.", callback=_output),
    ] = None,
    select: Annotated[
        str | None,
        typer.Option(metavar="IDS", help="Only these claims, separated by commas; see `list`."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all draws.")] = 0,
    configs: Annotated[
        Configs, typer.Option(help="Configurations of a library's subjects.")
    ] = Configs.default,
    purpose: Annotated[
        For,
        typer.Option(
            "--for",
            help="What decides the verdict and the exit status: samples of this configuration, "
            "image to image too, training (noise added, targets), or all.",
        ),
    ] = For.all,
    expected_failures: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="TOML or JSON: claim → reason, within (its size) and unit; or subject → claims.",
        ),
    ] = None,
    depth: Annotated[
        Depth, typer.Option(help="Thorough: hundreds of ways of running, drawn; takes minutes.")
    ] = Depth.quick,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; by default, as many as are useful.")
    ] = None,
) -> int:
    """Run every check that applies, and say what is wrong and where."""
    constructor, calling = _config(config), _json_object("--call", call)
    chosen, run = _claims(select), _counts(steps)
    expected = _expected(expected_failures)
    _outputs(json_file, report_file, junit_file)

    from dataclasses import replace

    import dfbench
    from dfbench.outcome.coverage import known_purpose

    with Shown("certifying") as progress:
        certificate = dfbench.certify(
            _named(subjects, programs),
            config=constructor,
            call=calling,
            steps=run,
            isolate=isolate,
            declare=_json_object("--declare", declare),
            select=chosen,
            seed=seed,
            configs=configs.value,
            progress=progress,
            workers=workers,
            purpose=known_purpose(purpose.value),
            expected_failures=expected,
            depth="thorough" if depth is Depth.thorough else "quick",
            profile=profile,
        )
    known = {"seed": seed} | certificate.environment
    certificate = replace(certificate, environment=known | {"command": _command(context)})

    for subject in certificate.subjects:
        for note in subject.notes:
            print(f"dfbench: note: {clean(f'{subject.name}: {note}')}", file=sys.stderr)

    from dfbench.report import terminal

    def page() -> str:
        from dfbench.report import html

        return html.render(certificate)

    def junit_xml() -> str:
        from dfbench.report import junit

        return junit.render(certificate)

    try:
        _write(json_file, lambda: jsons.text(certificate))
        _write(report_file, page)
        _write(junit_file, junit_xml)
    finally:
        terminal.summary(certificate, _console(json_file, report_file, junit_file))
    # where every claim was skipped, nothing was shown
    return 0 if certificate.verdict == "pass" else FAILED


def _named(subjects: list[str] | None, programs: list[str] | None) -> list[str]:
    """Subjects and programs, or those of `dfbench.toml` where none is named."""
    if subjects or programs:
        return [*(subjects or []), *(f"program:{command}" for command in programs or [])]
    from dfbench.subjects.listed import FILE, listed

    if not (found := list(listed())):
        raise Unusable(f"name a subject: there is none in {FILE} here")
    return found


def _command(context: typer.Context) -> str:
    import shlex

    return shlex.join(["dfbench", *context.obj])


#: Columns where there is no terminal: nothing is cut, few lines are broken.
WIDE = 200


def _console(*outputs: Path | None) -> Any:
    """Where a summary is printed: beside the standard output where that is one of the outputs."""
    from rich.console import Console

    from dfbench.files import STDOUT

    stream = sys.stderr if STDOUT in outputs else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else WIDE
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)


Trust = Annotated[
    bool,
    typer.Option(
        "--trust", help="Let code run that a received training folder names (a user's network)."
    ),
]


def _trust(wanted: bool) -> None:
    if wanted:
        os.environ["DFBENCH_TRUST"] = "1"  # workers inherit it


# claims -------------------------------------------------------------------------------------------


@app.command(epilog=_examples("claims 34", "claims 34 P6 --report claims.html"))
def claims(
    context: typer.Context,
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="IDS", help="Like 34 or P6; all by default.", show_default=False),
    ] = None,
    json_file: Annotated[Path | None, _json("outcomes")] = None,
    report_file: Page = None,
) -> int:
    """Check the claims of the literature, each with its control; explain a few by their number."""
    _outputs(json_file, report_file)

    from dataclasses import replace

    from dfbench.literature.run import check_claims
    from dfbench.report import literature

    with Shown("claims") as progress:
        found = check_claims(ids or None, progress=progress)
    found = replace(found, environment=found.environment | {"command": _command(context)})
    try:
        _write(json_file, lambda: literature.dumps(found))
        _write(report_file, lambda: literature.render(found))
    finally:
        console = _console(json_file, report_file)
        literature.summary(found, console, explain=bool(ids) and len(found.outcomes) <= 5)
    return 0 if found.verdict == "pass" else FAILED


# bench --------------------------------------------------------------------------------------------


class Backend(StrEnum):
    """What carries cells to workers."""

    loky = "loky"
    dask = "dask"
    ray = "ray"


@app.command(
    epilog=_examples("bench quick --out results", "bench my_study.toml --out mine --workers 2")
)
def bench(
    context: typer.Context,
    out: ResultsDir,
    study: Annotated[str, _study("STUDY")] = "quick",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; by default one for each processor.")
    ] = None,
    backend: Annotated[
        Backend, typer.Option(help="This machine, or a cluster of Dask or Ray.")
    ] = Backend.loky,
    trust: Trust = False,
) -> int:
    """Measure how far samplers are from exact; goes on where it stopped."""
    _trust(trust)
    from dfbench.sweep.run import bench as run

    with Shown("bench", remaining=True) as progress:
        outcome = run(
            study,
            out,
            workers=workers,
            backend=backend.value,
            progress=progress,
            command=_command(context),
        )
    _console().print(outcome.summary(), soft_wrap=True)
    from dfbench.report.sweep import terminal

    if outcome.failed < outcome.cells:
        terminal.answer(out, _console())
    return FAILED if outcome.failed else 0


# train --------------------------------------------------------------------------------------------


@app.command(
    epilog=_examples("train mixture-2d --out trained", "train my_training.toml --out mine-trained")
)
def train(
    context: typer.Context,
    out: ResultsDir,
    study: Annotated[str, _study("CONFIG")] = "mixture-2d",
    profile: Annotated[
        bool, typer.Option("--profile", help="Also write where a step's time goes.")
    ] = False,
    trust: Trust = False,
) -> int:
    """Train a network as a study says, measure it, and hold it to claims; goes on where it was."""
    _trust(trust)
    from dfbench.literature.run import named
    from dfbench.report.training.results import wanted
    from dfbench.training import config
    from dfbench.training.loop import Diverged, main_process
    from dfbench.training.study import run

    chosen = config.read(study)
    named(wanted(chosen.claims), trained=True)
    try:
        with _files(), Shown("training", remaining=True, detail=True) as progress:
            run(chosen, out, progress, command=_command(context), profile=profile)
    except Diverged as error:
        return _error(str(error), FAILED)
    if not main_process():  # of several, the first goes on
        return 0
    from dfbench.report.training import complete

    with _files(), Shown("measuring and claims", detail=True) as progress:
        verdict = complete(out, progress)
    return 0 if verdict == "pass" else FAILED


# report -------------------------------------------------------------------------------------------


@app.command(
    epilog=_examples(
        "report certificate.json --out certificate.html",
        "report results --out results.html --figures figures",
        "report --compare results newer --out changes.html",
    )
)
def report(
    out: Annotated[
        Path,
        typer.Option(metavar="FILE.html", help="The page.", show_default=False, callback=_output),
    ],
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH",
            help="Certificates or directories of them, or directories of `bench`; several are "
            "merged. With --compare: certificates, OLD's first, that may explain a change.",
            show_default=False,
        ),
    ] = None,
    title: Annotated[str | None, typer.Option(help="Title of the page.")] = None,
    notes: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.json",
            help="What a person made of the findings: a list of objects with title, verdict, text.",
        ),
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write the figures of a bench as SVG and PDF, too."),
    ] = None,
    compare: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            metavar="OLD NEW", help="What changed between two directories, or two certificates."
        ),
    ] = None,
) -> None:
    """Make one self-contained page of what other commands wrote."""
    if compare is not None:
        if notes or figures:
            raise Unusable("--notes and --figures do not go with --compare")
        _outputs(out)
        _compare(compare, out, paths or [], title)
        return
    if not paths:
        raise Unusable("name a certificate, or a directory of `dfbench bench`")
    for path in paths:
        if not path.exists():
            raise Unusable(f"{path}: no such file or directory")
    _outputs(out)
    from dfbench.report.kinds import kind_of

    kind = kind_of(paths)
    if figures and kind.figures is None:
        raise Unusable(f"--figures: {kind.name} have none")
    page = kind.render(paths, title, _notes(notes) if notes else [])
    _write(out, lambda: page)
    if figures and kind.figures:
        with _files():
            kind.figures(paths, figures)


def _compare(
    pair: tuple[Path, Path], out: Path, certificates: list[Path], title: str | None
) -> None:
    """What changed from one run to another, on the terminal and as a page."""
    from dfbench.report.compare import compare, render, summary

    with Shown("comparing") as progress:
        found = compare(*pair, certificates, progress=progress)
    _write(out, lambda: render(found, title=title))
    summary(found, _console(out))


def _notes(path: Path) -> list[dict[str, str]]:
    content, keys = jsons.read(path), ("title", "verdict", "text")
    if not isinstance(content, list) or not all(
        isinstance(note, dict) and all(isinstance(note.get(key), str) for key in keys)
        for note in content
    ):
        raise Unusable(f"{path}: must be a list of objects with strings {', '.join(keys)}")
    return content


# self-test ----------------------------------------------------------------------------------------


@app.command("self-test", epilog=_examples("self-test --json self-test.json"))
def self_test(
    json_file: Annotated[Path | None, _json("outcome")] = None,
) -> int:
    """Run every check on a defect it must see, and on methods known to be right."""
    _outputs(json_file)
    from dfbench.report import terminal
    from dfbench.self_test import self_test as run

    with Shown("self-test") as progress:
        outcome = run(progress=progress)
    _write(json_file, lambda: jsons.text(outcome))
    terminal.outcome(outcome, _console(json_file))
    return 0 if outcome.get("verdict") == "pass" else FAILED


# vectors ----------------------------------------------------------------------------------------


@app.command(epilog=_examples("vectors vectors.json"))
def vectors(
    out: Annotated[
        Path,
        typer.Argument(metavar="FILE.json", help="The file.", show_default=False, callback=_output),
    ],
) -> None:
    """Write test vectors: levels, grids, conversions, whole tables, weightings, right and wrong."""
    _outputs(out)
    from dfbench.vectors import vectors as made

    with Shown("vectors"):
        found = made()
    _write(out, lambda: jsons.text(found))
    right = sum(case.valid for case in found.cases)
    wrong = len(found.cases) - right
    _console(out).print(f"{out}: {right} cases, and {wrong} wrong ones that must be missed")


# published ----------------------------------------------------------------------------------------


@app.command(epilog=_examples("published --report published.html"))
def published(
    spectrum: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Eigenvalues (.npy, .csv) from which to compute the tables of Wasserstein errors "
            "anew, a minute; by default what their authors' gave.",
        ),
    ] = None,
    json_file: Annotated[Path | None, _json("numbers")] = None,
    report_file: Page = None,
) -> int:
    """Compute published numbers from their settings, beside what is printed."""
    _outputs(json_file, report_file)
    from dfbench.published import compare
    from dfbench.report import published as shown
    from dfbench.sweep.data import spectrum as read

    eigenvalues = None if spectrum is None else read(str(spectrum))
    with Shown("published numbers"):
        found = compare(eigenvalues)
    _write(json_file, lambda: jsons.text(shown.plain(found)))
    _write(report_file, lambda: shown.render(found))
    shown.summary(found, _console(json_file, report_file))
    return 0 if all(each.reproduced for each in found) else FAILED


# index --------------------------------------------------------------------------------------------


@app.command("index", epilog=_examples("index reports"))
def index_(
    directory: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="A folder of folders of reports.", show_default=False),
    ],
) -> None:
    """Make the front page of a folder of reports, and a bar in each page that leads there.

    Its README.md gives the title, the first paragraph, the first picture, and in its links the
    order of the folders and the question that each answers.
    """
    from dfbench.report.front import PAGE, front, linked, render

    found = front(directory)
    _write(directory / PAGE, lambda: render(found))
    for path, text in linked(directory, found):
        _write(path, partial(str, text))
    pages = sum(len(room.pages) for room in found.rooms)
    _console().print(f"{directory / PAGE}: {len(found.rooms)} folders, {pages} pages")


# list ---------------------------------------------------------------------------------------------


class Listed(StrEnum):
    """What can be listed."""

    subjects = "subjects"
    claims = "claims"
    profiles = "profiles"
    samplers = "samplers"
    schedules = "schedules"
    weightings = "weightings"
    grids = "grids"
    targets = "targets"
    metrics = "metrics"
    studies = "studies"
    sources = "sources"


@app.command("list", epilog=_examples("list claims", "list targets --json"))
def list_(
    kind: Annotated[
        Listed | None, typer.Argument(help="What to list; by default, everything.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As a JSON object.")] = False,
) -> None:
    """Say what there is to certify, and to certify with."""
    from dfbench.report import terminal
    from dfbench.report.catalogue import catalogue

    kinds = [each.value for each in ([kind] if kind else Listed)]
    content = {each: catalogue(each) for each in kinds}
    if as_json:
        sys.stdout.write(jsons.text(content))
        return
    terminal.catalogue(content, _console())


if __name__ == "__main__":
    sys.exit(main())
