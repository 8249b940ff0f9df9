"""pg_dump as a child process: argv without secrets, stderr kept short, dead when its parent is.

The system kills it with the worker (PR_SET_PDEATHSIG, Linux); elsewhere its next write finds the pipe closed.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from typing import IO

from stewardd.backup.lifetime import tied_to
from stewardd.errors import ToolFailed, ToolMissing
from stewardd.postgres.snapshot import Snapshot
from stewardd.postgres.target import DatabaseTarget

_STDERR_LIMIT_BYTES = 4096
_MESSAGE_LIMIT = 600
_PIPE_BYTES = 1 << 20
_TERM_GRACE_S = 2.0
_MASKED_FROM = 5  # a shorter secret is a part of any text, and its absence would give it away


class Dump:
    """A running pg_dump. Its output is read from `stdout`; `end` must be awaited, whatever happens."""

    def __init__(self, process: subprocess.Popen[bytes], secrets: list[str]) -> None:
        self._process = process
        self._secrets = secrets
        self._stderr = bytearray()
        self._reader = threading.Thread(
            target=self._keep_stderr, name="pg_dump-stderr", daemon=True
        )
        self._reader.start()

    @classmethod
    def start(
        cls, pg_dump: str, target: DatabaseTarget, snapshot: Snapshot, lock_timeout_s: float
    ) -> Dump:
        """Starts it. To be called from the thread that lives longest: the death signal is tied to the thread.

        Raises ToolMissing, ToolFailed when it can't be started.
        """
        reader = (
            target.with_options(snapshot.reader_settings) if snapshot.reader_settings else target
        )
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
        # Written here and never read: the worker is a process of its own, and its child inherits this.
        os.environ.update(secrets)
        try:
            process = subprocess.Popen(
                argv,
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
        return cls(process, list(secrets.values()))

    @property
    def stdout(self) -> IO[bytes]:
        """The dump."""
        stream = self._process.stdout
        if stream is None:
            raise ValueError("pg_dump was started without a pipe")
        return stream

    async def wait(self) -> None:
        """Waits for its end. Raises ToolFailed unless it says that all went well."""
        status = await asyncio.to_thread(self._process.wait)
        await asyncio.to_thread(self._reader.join, _TERM_GRACE_S)
        if status == 0:
            return
        if status < 0:
            name = signal.Signals(-status).name
            raise ToolFailed(f"pg_dump was killed by {name}", metadata={"signal": name})
        raise ToolFailed(f"pg_dump ended with status {status}: {self.complaint}")

    @property
    def complaint(self) -> str:
        """The end of what it wrote to stderr, on one line, every secret masked."""
        text = bytes(self._stderr).decode(errors="replace")
        for secret in self._secrets:
            if len(secret) >= _MASKED_FROM:
                text = text.replace(secret, "***")
        return " ".join(text.split())[-_MESSAGE_LIMIT:] or "it said nothing"

    def kill(self) -> None:
        """Ends it at once, so that whoever reads from it comes to the end."""
        self._process.kill()

    async def end(self) -> None:
        """Makes sure that it is gone: asks first, for then it cancels its statement on the server."""
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
        while stream is not None and (chunk := stream.read(_STDERR_LIMIT_BYTES)):
            self._stderr += chunk
            del self._stderr[:-_STDERR_LIMIT_BYTES]


def _widen(pipe: IO[bytes] | None) -> None:
    """Makes the pipe hold as much as is read at once: fewer turns for both sides. Not every account may."""
    if pipe is not None and sys.platform == "linux":
        with suppress(OSError):
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
