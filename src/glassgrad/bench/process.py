"""Processes of contenders, as seen from the one that holds the race."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from types import TracebackType
from typing import Any

from glassgrad.graph.errors import GlassgradError


class Failed(GlassgradError, RuntimeError):
    """A contender's process ended with an error, whose last line this tells."""


def environment(**extra: str) -> dict[str, str]:
    """This process's environment, with the folders that it imports from."""
    path = os.pathsep.join(p for p in sys.path if p)
    return {**os.environ, "PYTHONPATH": path, "PYTHONWARNINGS": "ignore", **extra}


class Worker:
    """A contender's process, which makes steps when it is told to."""

    def __init__(self, workload: str, contender: str) -> None:
        self.name = contender
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  (closed with the worker)
        command = [sys.executable, "-m", "glassgrad.bench.worker", workload, contender]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True,
            env=environment(),
        )  # fmt: skip

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def first_steps(self) -> list[list[float]]:
        """The digests of its first steps, when it is ready."""
        return json.loads(self._line())

    def seconds(self, steps: int) -> float:
        """How long so many steps take now."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{steps}\n")
        self._process.stdin.flush()
        return float(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self._errors.seek(0)
            raise Failed(f"{self.name} failed: {last_line(self._errors.read())}")
        return line


def once(workload: str, contender: str, **variables: str) -> dict[str, Any]:
    """What `glassgrad.bench.once` says of a contender in a process of its own."""
    command = [sys.executable, "-m", "glassgrad.bench.once", workload, contender]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(**variables))
    if done.returncode:
        raise Failed(f"{contender} failed: {last_line(done.stderr)}")
    return json.loads(done.stdout.splitlines()[-1])


def last_line(text: str) -> str:
    """The last line of a traceback, which names the error."""
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it ended without a word"
