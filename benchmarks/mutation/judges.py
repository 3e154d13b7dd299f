"""What may notice a mutant: claims of the literature, tests, certification of known-good samplers.

Nothing of the packages under mutation is imported before it is asked for: a process imports the
third-party packages once, and every fork of it imports the (mutated) packages itself.
"""

from __future__ import annotations

import gc
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import inspect
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

from benchmarks.mutation import suite

PACKAGES = ("analytic", "dfbench")
FILES = (
    "dfbench/predictions.py",
    "dfbench/weightings.py",
    "dfbench/schedules/*.py",
    "dfbench/samplers/*.py",
    "analytic/*.py",
)
#: Without times on a schedule these do not run (dfbench.subjects), or they take half a minute.
NOT_HELD = (
    "annealed_langevin",
    "interpolant_sde",
    "probability_flow",
    "reverse_sde",
    "tcd",
    "velocity",
)
#: Options of the reference methods, each a known-good subject.
OPTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("ddim", {"eta": 0.5}),
    ("ddim", {"eta": 1.0}),
    ("ddpm", {"variance": "beta"}),
    ("ddpm", {"variance": 0.3}),
    ("flow_matching", {"solver": "midpoint"}),
    ("flow_matching", {"solver": "rk4"}),
    ("flow_matching", {"solver": "heun"}),
    ("edm", {"s_churn": 5.0}),
    ("edm", {"second_order": False}),
    ("edm", {"stale": "eps"}),
    ("euler_ancestral", {"eta": 0.5}),
    ("dpm2_ancestral", {"eta": 0.5}),
    ("dpm2", {"rho": 7.0}),
    ("dpm2_ancestral", {"rho": 7.0}),
    ("dpmpp_2s_ancestral", {"eta": 0.5}),
    ("dpmpp_sde", {"eta": 0.5}),
    ("dpmpp_sde", {"r": 0.4, "brownian": False}),
    ("flow_ancestral", {"eta": 0.5}),
    ("exponential_sde", {"eta": 0.5}),
    ("exponential_sde", {"hold": "eps"}),
    ("exponential_sde", {"eta": 0.5, "hold": "eps"}),
    ("exponential_sde", {"eta": 0.0}),
    ("predictor_corrector", {"predictor": "ancestral", "snr": 0.0}),
    ("predictor_corrector", {"corrector_first": True, "n_corrector": 2}),
    ("predictor_corrector", {"n_corrector": 0}),
    ("predictor_corrector", {"denoise": False}),
    ("dpm_solver", {"order": 1}),
    ("dpm_solver", {"order": 3}),
    ("dpm_solver", {"solver_type": "taylor"}),
    ("dpm_solver", {"order": 3, "solver_type": "taylor"}),
    ("dpm_solver_multistep", {"order": 1}),
    ("dpm_solver_multistep", {"order": 3}),
    ("dpm_solver_multistep", {"solver_type": "heun"}),
    ("sde_dpm_solver", {"eta": 0.5}),
    ("sde_dpm_solver", {"order": 3}),
    ("sde_dpm_solver", {"solver_type": "heun"}),
    ("sde_dpm_solver", {"order": 1}),
    ("dpm_solver_pp", {"order": 1}),
    ("dpm_solver_pp", {"order": 3}),
    ("dpm_solver_pp", {"solver_type": "heun"}),
    ("dpm_solver_pp_multistep", {"order": 1}),
    ("dpm_solver_pp_multistep", {"order": 3}),
    ("dpm_solver_pp_multistep", {"solver_type": "heun"}),
    ("sde_dpm_solver_pp", {"eta": 0.5}),
    ("sde_dpm_solver_pp", {"order": 3}),
    ("sde_dpm_solver_pp", {"solver_type": "heun"}),
    ("sde_dpm_solver_pp", {"order": 1}),
    ("lms", {"order": 2}),
    ("deis", {"order": 2}),
    ("pndm", {"start": "plms"}),
    ("ipndm", {"order": 3}),
    ("unipc", {"order": 3}),
    ("unipc", {"variant": "bh1"}),
    ("unipc", {"predict_x0": False}),
    ("unipc", {"corrector": False}),
    ("unipc", {"order": 1}),
    ("sa_solver", {"tau": 0.5}),
    ("sa_solver", {"predict_x0": False}),
    ("sa_solver", {"predictor_order": 3, "corrector_order": 3}),
    ("sa_solver", {"few_steps": True}),
)
#: Options of released schedulers that choose times and clip, and leave the formulas alone.
TIMES = (
    "spacing",
    "beta_schedule",
    "betas",
    "karras",
    "exponential",
    "use_beta",
    "threshold",
    "clip",
    "flow",
    "rescale",
    "offset",
    "snr_shift",
    "mu",
    "set_alpha",
    "timesteps",
    "shift",
    "sigma_",
    "noise_sampler_seed",
    "scaler",
    "steps",
)
#: Claims about an implementation's arithmetic and state, not about its formulas.
NOT_FORMULAS = ("row-independence", "dtype", "state", "precision", "noise")


class Mutated(importlib.abc.SourceLoader):
    """Loads a module from a given source."""

    def __init__(self, path: str, source: str) -> None:
        self.path, self.source = path, source

    def get_filename(self, fullname: str) -> str:
        return self.path

    def get_data(self, path: str) -> bytes:
        if path == self.path:
            return self.source.encode()
        raise OSError

    def path_stats(self, path: str) -> dict[str, Any]:
        raise OSError  # no bytecode cache


class Finder(importlib.abc.MetaPathFinder):
    """Gives one module's mutated source."""

    def __init__(self, root: Path, module: str, source: str) -> None:
        self.file = str(root / module)
        dotted = module.removesuffix(".py").replace("/", ".")
        self.package = dotted.endswith(".__init__")
        self.name = dotted.removesuffix(".__init__")
        self.source = source

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name != self.name:
            return None
        places = [str(Path(self.file).parent)] if self.package else None
        return importlib.util.spec_from_file_location(
            name,
            self.file,
            loader=Mutated(self.file, self.source),
            submodule_search_locations=places,
        )


def preload(released: bool = True) -> None:
    """Third-party packages, which take far longer to import than what is under test.

    Args:
        released: the schedulers of diffusers too.
    """
    for name in (
        "numpy",
        "scipy.integrate",
        "scipy.interpolate",
        "scipy.linalg",
        "scipy.optimize",
        "scipy.special",
        "scipy.stats",
        "torch",
        "torchsde",
        "torchdiffeq",
        "hypothesis",
        "hypothesis.strategies",
        "hypothesis.extra.numpy",
        "matplotlib.figure",
        "mpmath",
        "pandas",
        "ot",
        "seaborn",
        "rich",
        "joblib",
        *["diffusers"] * released,
    ):
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    if "diffusers" in sys.modules:
        for name in dir(sys.modules["diffusers"]):
            if name.endswith("Scheduler"):
                try:
                    getattr(sys.modules["diffusers"], name)
                except (ImportError, RuntimeError):
                    continue
    sys.modules["torch"].set_num_threads(1)
    assert not any(name.partition(".")[0] in PACKAGES for name in sys.modules)


@dataclass(frozen=True)
class Judgement:
    """What one judge said: findings by claim that do not pass, and those it made."""

    judge: str
    bad: dict[str, str]
    passed: tuple[str, ...] = ()
    seconds: float = 0.0


def names() -> list[str]:
    """All judges: "claim 34", "test tests/test_grids.py::test_regular", "certify dfbench:ddim {}",
    "certify diffusers:DDIMScheduler 2"."""
    from dfbench.literature.run import named
    from dfbench.samplers import METHODS

    found = [f"claim {claim.id}" for claim in named()]
    found += [f"test {name}" for file in suite.files() for name in suite.tests(file)]
    found += [f"certify dfbench:{name} {{}}" for name in METHODS if name not in NOT_HELD]
    found += [f"certify dfbench:{name} {json.dumps(options)}" for name, options in OPTIONS]
    return found + [f"certify {name} {i}" for name, i in _released()]


def _released() -> list[tuple[str, int]]:
    """Released schedulers with their defaults, and with options that change a formula."""
    from dfbench.subjects import libraries, resolve

    found = []
    for name in libraries().get("diffusers", []):
        for i, subject in enumerate(resolve(f"diffusers:{name}", configs="all")):
            told = [*subject.config, *subject.call]
            if i == 0 or (told and not any(word in option for word in TIMES for option in told)):
                found.append((f"diffusers:{name}", i))
    return found


def ask(judge: str, expected: tuple[str, ...] | None = None) -> Judgement:
    """Ask one judge, up to the first claim that does not pass, if those to pass are given."""
    start = time.process_time()
    bad: dict[str, str] = {}
    passed: list[str] = []
    for claim, verdict in _verdicts(judge, expected):
        if verdict in ("fail", "inconclusive"):
            bad[claim] = verdict
            if expected is not None:
                break
        else:
            passed.append(claim)
    return Judgement(judge, bad, tuple(passed), time.process_time() - start)


def _verdicts(judge: str, expected: tuple[str, ...] | None) -> Iterator[tuple[str, str]]:
    kind, _, name = judge.partition(" ")
    if kind == "claim":
        from dfbench.literature.run import named

        (claim,) = named([name])
        yield judge, claim(claim.subject()).verdict  # type: ignore[arg-type]
        return
    if kind == "test":
        yield judge, suite.ask(name)
        return
    from dfbench.checks import CLAIMS

    sampler = _subject(name)
    sampler.seed = 0
    for each in expected or [c for c in CLAIMS if c not in NOT_FORMULAS]:
        try:
            finding = CLAIMS[each](sampler)
        except Exception:  # the check itself broke
            yield each, "fail"
        else:
            yield each, "fail" if finding.expected else finding.verdict


def _subject(name: str) -> Any:
    from dfbench.subjects import resolve
    from dfbench.subjects.reference import MethodSampler

    full, _, options = name.partition(" ")
    library, _, each = full.partition(":")
    if library == "dfbench":
        return MethodSampler(each, json.loads(options))
    return resolve(full, configs="all")[int(options)]


def without_shrinking() -> None:
    """The first counterexample will do."""
    import hypothesis

    from dfbench.literature import statement

    def settings(**options: Any) -> Any:
        return hypothesis.settings(**{**options, "phases": (hypothesis.Phase.generate,)})

    statement.settings = settings  # type: ignore[assignment]


def forget() -> None:
    """Import the packages under mutation, and the tests, anew when they are next asked for."""
    suite.forget()
    for name in [n for n in sys.modules if n.partition(".")[0] in PACKAGES]:
        del sys.modules[name]


def functions(code: CodeType) -> list[CodeType]:
    """The outermost functions of a file or class."""
    found: list[CodeType] = []
    for each in code.co_consts:
        if isinstance(each, CodeType):
            found += [each] if each.co_flags & inspect.CO_OPTIMIZED else functions(each)
    return found


def bodies(code: CodeType) -> tuple[Any, ...]:
    """What a file or class does when it is imported, apart from the bodies of its functions."""
    consts = tuple(
        (each.co_qualname if each.co_flags & inspect.CO_OPTIMIZED else bodies(each))
        if isinstance(each, CodeType)
        else (type(each), repr(each))
        for each in code.co_consts
    )
    return code.co_code, consts, code.co_names


class Patches:
    """Puts mutated functions in the place of those that are imported.

    Where that is the same as importing the mutated file: the function has not run at import, and
    nothing but functions has changed. It saves the import, half of the time.
    """

    def __init__(self, root: Path, imported: dict[str, set[int]]) -> None:
        self.root, self.imported = root, imported
        self.before: dict[str, CodeType] = {}
        self.live: dict[tuple[str, int, str], list[FunctionType]] = {}
        for one in gc.get_objects():
            # type(), as some objects of torch warn when they are asked for their class
            if type(one) is FunctionType and one.__code__.co_filename.startswith(f"{root}/"):
                self.live.setdefault(self._key(one.__code__), []).append(one)

    @staticmethod
    def _key(code: CodeType) -> tuple[str, int, str]:
        return code.co_filename, code.co_firstlineno, code.co_qualname

    def unchanged(self, module: str) -> CodeType:
        """The code of a file as it is; kept, where it was compiled before a fork."""
        if module not in self.before:
            text = (self.root / module).read_text()
            file = str(self.root / module)
            self.before[module] = compile(text, file, "exec", dont_inherit=True)
        return self.before[module]

    def apply(self, module: str, source: str) -> bool:
        """Whether it could be done; if not, nothing has changed."""
        file = str(self.root / module)
        before = self.unchanged(module)
        after = compile(source, file, "exec", dont_inherit=True)
        if bodies(before) != bodies(after):
            return False
        todo: list[tuple[FunctionType, CodeType]] = []
        for old, new in zip(functions(before), functions(after), strict=True):
            if old == new:
                continue
            last = max((line for *_, line in old.co_lines() if line), default=0)
            ran = any(old.co_firstlineno <= line <= last for line in self.imported.get(module, ()))
            found = [each for each in self.live.get(self._key(old), []) if each.__code__ == old]
            if ran or not found or old.co_freevars != new.co_freevars:
                return False
            todo += [(each, new) for each in found]
        for each, new in todo:
            each.__code__ = new
        return bool(todo)


@dataclass
class Recorder:
    """Which lines of the functions in the files under mutation are executed."""

    root: Path
    files: frozenset[str]
    lines: dict[str, set[int]] = field(default_factory=dict)

    def __enter__(self) -> Recorder:
        self._known: dict[CodeType, set[int] | None] = {}
        sys.settrace(self._call)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _call(self, frame: FrameType, event: str, arg: Any) -> Any:
        code = frame.f_code
        if code not in self._known:
            name = code.co_filename.removeprefix(f"{self.root}/")
            self._known[code] = None
            if name in self.files and code.co_flags & inspect.CO_OPTIMIZED:
                self._known[code] = self.lines.setdefault(name, set())
        seen = self._known[code]
        if seen is None:
            return None
        seen.add(frame.f_lineno)

        def line(frame: FrameType, event: str, arg: Any) -> Any:
            seen.add(frame.f_lineno)
            return line

        return line
