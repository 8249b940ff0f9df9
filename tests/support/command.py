"""Runs the command `steward` as a process of its own that begins where its modules are loaded.

Loading them takes ten times as long as most commands, and tests run hundreds: a process that has loaded them forks for
each (command_server.py). A command whose environment changes Python itself gets an interpreter of its own.
"""

from __future__ import annotations

import atexit
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import IO, Any

COMMAND = (sys.executable, "-m", "steward_client.command")
_SERVER = Path(__file__).with_name("command_server.py")


def run_command(
    arguments: Sequence[object],
    environment: Mapping[str, str],
    cwd: Path,
    *,
    stdin: IO[bytes] | IO[str] | None = None,
    text: str | None = None,
    timeout_s: float = 120,
) -> subprocess.CompletedProcess[str]:
    """Runs the command and returns what it wrote, and its exit code. `text` comes by a pipe, instead of `stdin`."""
    words = [str(each) for each in arguments]
    if changes_python(environment):
        return subprocess.run(
            [*COMMAND, *words], env=environment, cwd=cwd, stdin=stdin or subprocess.DEVNULL,
            capture_output=True, text=True, timeout=timeout_s, check=False,
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
        code = start(words, environment, cwd, (stdin, out, err)).wait(timeout_s)
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(words, code, out.read(), err.read())


class Running:
    """A command that was started."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def wait(self, timeout_s: float) -> int:
        """Returns its exit code once it has ended."""
        with self._connection:
            self._connection.settimeout(timeout_s)
            return int(self._connection.recv(16))


def start(
    words: Sequence[str],
    environment: Mapping[str, str],
    cwd: Path,
    files: tuple[IO[Any] | int, IO[Any] | int, IO[Any] | int],
) -> Running:
    """Starts the command on files for stdin, stdout and stderr."""
    request = {"arguments": list(words), "environment": dict(environment), "cwd": str(cwd)}
    descriptors = [each if isinstance(each, int) else each.fileno() for each in files]
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.connect(_address())
    socket.send_fds(connection, [json.dumps(request).encode()], descriptors)
    return Running(connection)


def changes_python(environment: Mapping[str, str]) -> bool:
    """Whether an interpreter reads something else there than where these tests run."""
    names = {name for name in (*environment, *os.environ) if name.startswith("PYTHON")}
    return any(environment.get(name) != os.environ.get(name) for name in names)


@cache
def _address() -> str:
    """Starts the process that forks, once for each process of tests, and returns its address."""
    folder = tempfile.TemporaryDirectory(prefix="steward-test-")
    address = f"{folder.name}/socket"
    server = subprocess.Popen(
        [sys.executable, "-P", str(_SERVER), address], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    assert server.stdout.readline() == "listening\n"

    def end() -> None:
        server.kill()
        server.wait()
        folder.cleanup()

    atexit.register(end)
    return address
