"""A client tool as a child process: argv without secrets, its messages within a bound, an end when its parent ends.

The system kills it with the worker (PR_SET_PDEATHSIG, Linux); elsewhere its next write finds the pipe closed.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from stewardd.backup.worker.lifetime import children_of, launcher, tied_to
from stewardd.errors import StewardError, ToolFailed, ToolMissing
from stewardd.excerpt import Transcript
from stewardd.postgres.causes import find_cause
from stewardd.postgres.sessions import DUMP_SESSION
from stewardd.postgres.target import DatabaseTarget
from stewardd.postgres.variables import ENGLISH, child_environment

_READ_BYTES = 4096
_PIPE_BYTES = 1 << 20
_TERM_GRACE_S = 2.0
_NOT_CONNECTED = re.compile(r"error: connection to (server|database)\b")


class ClientTool:
    """A running pg_dump, pg_dumpall, pg_restore or psql. `end` must be awaited, whatever happens.

    Its output is read from `stdout`; one that was started with `reads_input` is written to by `stdin`.
    """

    def __init__(
        self,
        name: str,
        process: subprocess.Popen[bytes],
        target: DatabaseTarget | None,
        secrets: list[str],
        on_stderr: Callable[[bytes], None] | None = None,
    ) -> None:
        self._name = name
        self._process = process
        self._target = target
        self._stderr = Transcript(secrets)
        self._on_stderr = on_stderr
        self._reader = threading.Thread(
            target=self._keep_stderr, name=f"{name}-stderr", daemon=True
        )
        self._reader.start()
        self.has_settings = False

    @classmethod
    def start(
        cls,
        program: str,
        arguments: Sequence[str],
        target: DatabaseTarget | None,
        settings: Mapping[str, str],
        *,
        application_name: str = DUMP_SESSION,
        reads_input: bool = False,
        launched: bool = False,
        on_stderr: Callable[[bytes], None] | None = None,
    ) -> ClientTool:
        """Starts it. Call this from the main thread: the system kills the child when the thread that started it ends.

        Without a target it connects to nothing. `settings` are those of the server for its sessions. `on_stderr` is
        called, on a thread, with what it writes to stderr. In a process of many threads it is to be `launched` (see
        lifetime.py). Raises: ToolMissing, ToolFailed when it can't be started.
        """
        connecting: list[str] = []
        secrets: dict[str, str] = {}
        if target is not None:
            way = target.with_options(settings) if settings else target
            conninfo, secrets = way.with_parameters(application_name=application_name).for_child()
            connecting = ["--no-password", f"--dbname={conninfo}"]
        name = Path(program).name
        try:
            process = subprocess.Popen(
                [*(launcher(os.getpid()) if launched else ()), program, *arguments, *connecting],
                env=child_environment(secrets | ENGLISH),
                stdin=subprocess.PIPE if reads_input else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                # After the fork it makes a system call, no more.
                preexec_fn=None if launched else tied_to(os.getpid()),  # noqa: PLW1509
            )
        except FileNotFoundError:
            raise ToolMissing(f"{program} is gone") from None
        except OSError as error:
            raise ToolFailed(f"{program} does not start: {error.strerror}") from error
        _widen(process.stdin)
        _widen(process.stdout)
        started = cls(name, process, target, list(secrets.values()), on_stderr)
        started.has_settings = bool(settings)
        return started

    @property
    def stdout(self) -> IO[bytes]:
        """What it writes."""
        stream = self._process.stdout
        if stream is None:
            raise ValueError(f"{self._name} was started without a pipe")
        return stream

    @property
    def stdin(self) -> IO[bytes]:
        """What it reads."""
        stream = self._process.stdin
        if stream is None:
            raise ValueError(f"{self._name} was started without input")
        return stream

    async def wait(self) -> None:
        """Waits for its end. Raises: ToolFailed, or the cause that its complaint names, unless its exit status is 0."""
        status = await self.exit_status()
        if status != 0:
            raise self.failure(status, self.complaint)

    def failure(self, status: int, said: str) -> StewardError:
        """The error that its end comes to, by what it said."""
        user = self._target.user if self._target is not None else ""
        cause = find_cause(said, user or "its user")
        error: type[StewardError] = cause.error if cause else ToolFailed
        return error(
            f"{self._name} ended with status {status}: {said}",
            hint=cause.hint
            if cause
            else "its message names the cause; put that right, and start it again",
            metadata={"database": self._target.name} if self._target is not None else {},
        )

    async def exit_status(self) -> int:
        """Waits for its end, and returns how it ended. Raises: ToolFailed where a signal killed it."""
        status = await asyncio.to_thread(self._process.wait)
        await asyncio.to_thread(self._reader.join, _TERM_GRACE_S)
        if status < 0:
            name = signal.Signals(-status).name
            raise ToolFailed(f"{self._name} was killed by {name}", metadata={"signal": name})
        return status

    @property
    def complaint(self) -> str:
        """What it wrote to stderr: its beginning and its reasons, on one line, every secret masked."""
        return self._stderr.text() or "it said nothing"

    @property
    def transcript(self) -> str:
        """All that it wrote to stderr, within a bound, line by line, every secret masked."""
        return self._stderr.whole()

    @property
    def never_connected(self) -> bool:
        """Whether it ended because it could not connect."""
        return _NOT_CONNECTED.search(self.complaint) is not None

    def poll(self) -> int | None:
        """Its exit status once it has ended."""
        return self._process.poll()

    def ended_within(self, timeout_s: float) -> int | None:
        """Its exit status, as soon as it has ended; None where it has not ended in this time. Blocks."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """Ends it at once, so that a thread that reads from it comes to the end.

        The workers of a parallel pg_dump would go on until they see that it is gone: they are ended with it.
        """
        workers = children_of(self._process.pid) if self._process.poll() is None else []
        self._process.kill()
        for pid in workers:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    async def end(self) -> None:
        """Makes sure that it has ended: asks first, so that it cancels its statement on the server."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                await asyncio.to_thread(self._process.wait, _TERM_GRACE_S)
            except subprocess.TimeoutExpired:
                self.kill()
                await asyncio.to_thread(self._process.wait)
        self._reader.join(_TERM_GRACE_S)

    def close(self) -> None:
        """Closes its pipes, when it has ended and nobody reads them any more."""
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                with suppress(OSError):
                    stream.close()

    def _keep_stderr(self) -> None:
        stream = self._process.stderr
        while stream is not None and (chunk := stream.read(_READ_BYTES)):
            self._stderr.feed(chunk)
            if self._on_stderr is not None:
                self._on_stderr(chunk)


def _widen(pipe: IO[bytes] | None) -> None:
    """Makes the pipe hold as much as is read at once, where the account may: both sides wait less often."""
    if pipe is not None and sys.platform == "linux":
        with suppress(OSError):
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
