"""pg_dump as a child process: argv without secrets, an excerpt of its messages, and an end when its parent ends.

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
from contextlib import suppress
from typing import IO

from stewardd.backup.making.lifetime import tied_to
from stewardd.errors import StewardError, ToolFailed, ToolMissing
from stewardd.excerpt import Excerpt
from stewardd.postgres.causes import find_cause
from stewardd.postgres.snapshot import Snapshot
from stewardd.postgres.target import DatabaseTarget
from stewardd.postgres.variables import ENGLISH, child_environment

_READ_BYTES = 4096
_PIPE_BYTES = 1 << 20
_TERM_GRACE_S = 2.0
_NOT_CONNECTED = re.compile(r"error: connection to (server|database)\b")


class PgDump:
    """A running pg_dump. Its output is read from `stdout`; `end` must be awaited, whatever happens."""

    def __init__(
        self, process: subprocess.Popen[bytes], target: DatabaseTarget, secrets: list[str]
    ) -> None:
        self._process = process
        self._target = target
        self._stderr = Excerpt(secrets)
        self._reader = threading.Thread(
            target=self._keep_stderr, name="pg_dump-stderr", daemon=True
        )
        self._reader.start()

    @classmethod
    def start(
        cls,
        pg_dump: str,
        target: DatabaseTarget,
        snapshot: Snapshot,
        lock_timeout_s: float,
        *,
        with_settings: bool,
    ) -> PgDump:
        """Starts it. Call this from the main thread: the system kills the child when the thread that started it ends.

        `with_settings` sends the snapshot's settings for readers along. Raises: ToolMissing, ToolFailed when
        it can't be started.
        """
        reader = target.with_options(snapshot.reader_settings) if with_settings else target
        conninfo, secrets = reader.with_parameters(application_name="stewardd backup").for_child()
        argv = [
            pg_dump,
            "--format=custom",
            "--compress=0",  # what every version takes for none: the worker compresses
            "--no-password",
            f"--snapshot={snapshot.identifier}",
            f"--lock-wait-timeout={round(lock_timeout_s * 1000)}",
            f"--dbname={conninfo}",
        ]
        try:
            process = subprocess.Popen(
                argv,
                env=child_environment(secrets | ENGLISH),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                preexec_fn=tied_to(os.getpid()),  # noqa: PLW1509 - after the fork it makes a system call, no more
            )
        except FileNotFoundError:
            raise ToolMissing(f"{pg_dump} is gone") from None
        except OSError as error:
            raise ToolFailed(f"{pg_dump} does not start: {error.strerror}") from error
        _widen(process.stdout)
        return cls(process, target, list(secrets.values()))

    @property
    def stdout(self) -> IO[bytes]:
        """The dump."""
        stream = self._process.stdout
        if stream is None:
            raise ValueError("pg_dump was started without a pipe")
        return stream

    async def wait(self) -> None:
        """Waits for its end. Raises: ToolFailed, or the cause that its complaint names, unless its exit status is 0."""
        status = await asyncio.to_thread(self._process.wait)
        await asyncio.to_thread(self._reader.join, _TERM_GRACE_S)
        if status == 0:
            return
        if status < 0:
            name = signal.Signals(-status).name
            raise ToolFailed(f"pg_dump was killed by {name}", metadata={"signal": name})
        cause = find_cause(self.complaint, self._target.user or "its user")
        error: type[StewardError] = cause.error if cause else ToolFailed
        raise error(
            f"pg_dump ended with status {status}: {self.complaint}",
            hint=cause.hint
            if cause
            else "its message names the cause; put that right, and start the backup again",
            metadata={"database": self._target.name},
        )

    @property
    def complaint(self) -> str:
        """What it wrote to stderr: its beginning and its reasons, on one line, every secret masked."""
        return self._stderr.text() or "it said nothing"

    @property
    def never_connected(self) -> bool:
        """Whether it ended because it could not connect."""
        return _NOT_CONNECTED.search(self.complaint) is not None

    def kill(self) -> None:
        """Ends it at once, so that a thread that reads from it comes to the end."""
        self._process.kill()

    async def end(self) -> None:
        """Makes sure that it has ended: asks first, so that it cancels its statement on the server."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                await asyncio.to_thread(self._process.wait, _TERM_GRACE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                await asyncio.to_thread(self._process.wait)
        self._reader.join(_TERM_GRACE_S)

    def _keep_stderr(self) -> None:
        stream = self._process.stderr
        while stream is not None and (chunk := stream.read(_READ_BYTES)):
            self._stderr.feed(chunk)


def _widen(pipe: IO[bytes] | None) -> None:
    """Makes the pipe hold as much as is read at once, where the account may: both sides wait less often."""
    if pipe is not None and sys.platform == "linux":
        with suppress(OSError):
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
