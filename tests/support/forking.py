"""Runs a program of steward as a process of its own that begins where its modules are loaded.

Loading them takes a second of the daemon's start and ten times as long as most commands, and tests run hundreds of
each: a process that has loaded them forks for each run (fork_server.py). A run whose environment changes Python itself
needs an interpreter of its own.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any

_SERVER = Path(__file__).with_name("fork_server.py")


class Forked:
    """A program that was started: what subprocess.Popen has of a process, as far as tests use it."""

    def __init__(self, words: Sequence[str], connection: socket.socket) -> None:
        self.args = list(words)
        self.returncode: int | None = None
        self._connection = connection
        said = connection.recv(16)
        assert said, f"no process was forked for {self.args}"
        self.pid = int(said)

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        if self.returncode is None and self._has_ended(0):
            self._end()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Returns the exit code once it has ended. Raises: subprocess.TimeoutExpired."""
        if self.returncode is None:
            if not self._has_ended(timeout):
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            self._end()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _has_ended(self, timeout_s: float | None) -> bool:
        return bool(select.select([self._connection], [], [], timeout_s)[0])

    def _end(self) -> None:
        with self._connection:
            self.returncode = int(self._connection.recv(16))


def fork(
    program: str,
    words: Sequence[str],
    environment: Mapping[str, str],
    cwd: Path,
    files: tuple[IO[Any] | int, IO[Any] | int, IO[Any] | int],
) -> Forked:
    """Starts `steward` or `stewardd` on files for stdin, stdout and stderr."""
    request = {"arguments": list(words), "environment": dict(environment), "cwd": str(cwd)}
    descriptors = [each if isinstance(each, int) else each.fileno() for each in files]
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.connect(_address(program))
    socket.send_fds(connection, [json.dumps(request).encode()], descriptors)
    return Forked([program, *words], connection)


def changes_python(environment: Mapping[str, str]) -> bool:
    """Whether an interpreter reads something else there than where these tests run."""
    names = {name for name in (*environment, *os.environ) if name.startswith("PYTHON")}
    return any(environment.get(name) != os.environ.get(name) for name in names)


@cache
def _address(program: str) -> str:
    """Starts the process that forks, once for each process of tests, and returns its address."""
    folder = tempfile.TemporaryDirectory(prefix="steward-test-")
    address = f"{folder.name}/socket"
    server = subprocess.Popen(
        [sys.executable, "-P", str(_SERVER), address, program], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    assert server.stdout.readline() == "listening\n"

    def end() -> None:
        server.kill()
        server.wait()
        folder.cleanup()

    atexit.register(end)
    return address
