"""A program in any language as a sampler, through its standard streams: one JSON object a line.

`./sampler --steps {steps}` is started for every run. It is told, on one line,

    {"steps": 10, "shape": [4, 6], "state": [24 numbers, row after row]}

in float64. Then it asks, as often as it likes,

    {"model": [the state], "time": 0.9}       →  {"output": [as many numbers]}
    {"normal": 24}                            →  {"normal": [as many standard normal numbers]}

and ends with {"sample": [the sample]}. Its lines are flushed; what it writes on stderr is its own.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import subprocess
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import torch

from dfbench.errors import SubjectError, Unusable

PREFIX = "program:"
WAITING = 5.0  # seconds for a program to end when it has given its sample


class Program:
    """A command that makes samples.

    Args:
        command: as for a shell, without one; `{steps}` is the number of steps.

    Raises:
        Unusable: there is no such program.
    """

    def __init__(self, command: str) -> None:
        try:
            self.words = shlex.split(command)
        except ValueError as error:
            raise Unusable(f"--program {command!r}: {error}") from error
        if not self.words:
            raise Unusable("--program is empty")
        import shutil

        if shutil.which(self.words[0]) is None and not Path(self.words[0]).is_file():
            raise Unusable(f"--program: no program {self.words[0]}")

    def __call__(
        self,
        model: Callable[[torch.Tensor, float], torch.Tensor],
        x: torch.Tensor,
        steps: int,
        generator: Any = None,
    ) -> torch.Tensor:
        command = [word.replace("{steps}", str(steps)) for word in self.words]
        told = {"steps": steps, "shape": list(x.shape), "state": _numbers(x)}
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            try:
                return self._answered(process, told, model, x, generator)
            finally:
                process.kill()

    def _answered(
        self,
        process: subprocess.Popen[bytes],
        told: dict[str, Any],
        model: Callable[[torch.Tensor, float], torch.Tensor],
        x: torch.Tensor,
        generator: Any,
    ) -> torch.Tensor:
        """The sample, after all that the program asks has been answered."""
        assert process.stdin is not None
        assert process.stdout is not None

        def tell(content: dict[str, Any]) -> None:
            with contextlib.suppress(BrokenPipeError):  # its end is seen where it is read
                process.stdin.write(json.dumps(content).encode() + b"\n")  # type: ignore[union-attr]
                process.stdin.flush()  # type: ignore[union-attr]

        tell(told)
        while True:
            line = process.stdout.readline()
            if not line:
                raise SubjectError(self._ended(process))
            try:
                asked = json.loads(line)
            except ValueError:
                raise SubjectError(f"the program writes no JSON: {line[:80]!r}") from None
            if not isinstance(asked, dict):
                raise SubjectError(f"the program writes {line[:80]!r}, and no object")
            if "sample" in asked:
                return self._tensor(asked["sample"], x, "sample")
            if "model" in asked:
                state = self._tensor(asked["model"], x, "state")
                if not isinstance(asked.get("time"), int | float):
                    raise SubjectError("the program asks the network, and tells it no time")
                tell({"output": _numbers(model(state, float(asked["time"])))})
            elif isinstance(asked.get("normal"), int):
                count = asked["normal"]
                shape = tuple(x.shape) if count == x.numel() else (count,)
                drawn = torch.randn(shape, generator=generator, dtype=torch.float64)
                tell({"normal": _numbers(drawn)})
            else:
                raise SubjectError(f"the program asks for nothing that is known: {line[:80]!r}")

    def _tensor(self, numbers: Any, like: torch.Tensor, what: str) -> torch.Tensor:
        if not isinstance(numbers, list) or len(numbers) != prod(like.shape):
            got = len(numbers) if isinstance(numbers, list) else type(numbers).__name__
            raise SubjectError(f"the {what} of the program has {got} numbers, not {like.numel()}")
        try:
            made = torch.tensor(numbers, dtype=torch.float64)
        except (TypeError, ValueError) as error:
            raise SubjectError(f"the {what} of the program is no list of numbers") from error
        return made.reshape(like.shape).to(like.dtype)

    def _ended(self, process: subprocess.Popen[bytes]) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(WAITING)
        said = process.stderr.read()[-200:].decode(errors="replace") if process.stderr else ""
        return f"the program ends (exit code {process.returncode}) without a sample: {said.strip()}"


def _numbers(values: torch.Tensor) -> list[float | None]:
    """Row after row; JSON has no numbers that are not finite."""
    found = values.detach().double().reshape(-1).tolist()
    return [v if v == v and abs(v) != float("inf") else None for v in found]
