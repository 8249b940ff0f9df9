"""Runs `steward` or `stewardd` to its end, and returns what it wrote."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import IO, Any

from tests.support.daemon import Daemon
from tests.support.forking import changes_python, fork

MODULES = {"steward": "steward_client.command", "stewardd": "stewardd.main"}


def run_program(
    program: str,
    arguments: Sequence[object],
    environment: Mapping[str, str],
    cwd: Path,
    *,
    stdin: IO[bytes] | IO[str] | None = None,
    text: str | None = None,
    timeout_s: float = 120,
) -> subprocess.CompletedProcess[str]:
    """Runs `steward` or `stewardd`; returns what it wrote, and its exit code. `text` comes by a pipe, not `stdin`."""
    words = [str(each) for each in arguments]
    if changes_python(environment):
        return subprocess.run(
            [sys.executable, "-m", MODULES[program], *words], env=environment, cwd=cwd,
            stdin=stdin or subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s, check=False,
        )  # fmt: skip
    with ExitStack() as opened:
        out, err = (opened.enter_context(tempfile.TemporaryFile("w+")) for _ in range(2))
        if text is not None:
            reading, writing = os.pipe()
            stdin = opened.enter_context(os.fdopen(reading, "rb"))
            with os.fdopen(writing, "w") as pipe:
                pipe.write(text)
        elif stdin is None:
            stdin = opened.enter_context(Path(os.devnull).open("rb"))
        code = fork(program, words, environment, cwd, (stdin, out, err)).wait(timeout_s)
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(words, code, out.read(), err.read())


run_command = partial(run_program, "steward")


def steward_of(
    daemon: Daemon,
    *arguments: object,
    cwd: Path | None = None,
    text: str | None = None,
    **variables: str,
) -> subprocess.CompletedProcess[str]:
    """Runs the command against a daemon, in this environment and what `variables` add to it; `text` is its stdin."""
    environment = {**os.environ, "STEWARD_SERVER": daemon.address, **variables}
    return run_command(arguments, environment, cwd or Path.cwd(), text=text, timeout_s=300)


def steward_json(daemon: Daemon, *arguments: object) -> tuple[int, Any]:
    """Runs it with --output json; returns the exit code and the document, or stderr's text where there is none."""
    done = steward_of(daemon, *arguments, "--output", "json")
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr
