"""psql as a session that reads large tables: statements go in, lines of COPY come out and are hashed on a thread.

After each statement psql prints a line of a backslash and a dot, which no line of COPY is: COPY doubles every backslash
of a value. At the first error psql ends, so what it printed without that line counts for nothing.
"""

from __future__ import annotations

import asyncio
import os
import re
from concurrent.futures import Future, ThreadPoolExecutor

from fastcsv import LineHash
from stewardd.backup.worker.client_tool import ClientTool
from stewardd.postgres.copy_session import CopyFailed, StartCopySession
from stewardd.postgres.target import DatabaseTarget

_ARGUMENTS = (
    "--no-psqlrc",
    "--quiet",
    "--no-align",
    "--tuples-only",
    "--set=ON_ERROR_STOP=1",
    "--set=VERBOSITY=verbose",  # with the SQLSTATE
    "--set=SHOW_CONTEXT=never",
    "--file=-",
)
_CONNECTION_LOST = 2  # its exit status
_READ_BYTES = 1 << 16
_END = b"\\.\n"
_SHOW_END = b"\n\\echo '\\\\.'\n"
_SERVER_ERROR = re.compile(r"[^\s:]+:  ([0-9A-Z]{5}): (.*)")


def psql_sessions(program: str | None, application_name: str) -> StartCopySession | None:
    """What starts such sessions by a psql; None without one."""
    if program is None:
        return None

    def start(target: DatabaseTarget) -> PsqlSession:
        return PsqlSession(
            ClientTool.start(
                program,
                _ARGUMENTS,
                target,
                {},
                application_name=application_name,
                reads_input=True,
                launched=True,
            )
        )

    return start


class PsqlSession:
    """A CopySession of a running psql."""

    def __init__(self, tool: ClientTool) -> None:
        self._tool = tool
        self._thread = ThreadPoolExecutor(1, "psql")
        self._exchange: Future[bool] | None = None

    @property
    def has_ended(self) -> bool:
        """Whether it has ended, so that nothing more can be read by it."""
        return self._tool.poll() is not None

    async def execute(self, statements: str) -> None:
        """Executes statements that answer nothing. Raises: CopyFailed, ToolFailed."""
        await self.copy(statements)

    async def copy(self, statement: str) -> tuple[int, int]:
        """Executes one COPY to STDOUT: how many lines came, and the sum of their hashes.

        Raises: CopyFailed, ToolFailed.
        """
        found = LineHash()
        text = b"%s;%s" % (statement.encode(), _SHOW_END)
        self._exchange = self._thread.submit(self._hash_answer, text, found)
        if not await asyncio.wrap_future(self._exchange):
            raise await self._failure()
        return found.finish()

    async def end(self) -> None:
        """Ends psql, and the thread that reads from it."""
        await self._tool.end()
        if self._exchange is not None and not self._exchange.done():
            await asyncio.wait([asyncio.wrap_future(self._exchange)])
        self._thread.shutdown()
        self._tool.close()

    def _hash_answer(self, text: bytes, found: LineHash) -> bool:
        """Sends statements and hashes the lines that come; False where psql ends before it has shown their end."""
        try:
            self._send(text)
        except BrokenPipeError:
            return False
        descriptor = self._tool.stdout.fileno()
        held = b""  # the last bytes, which may be the beginning of the end; none were hashed where there are none
        while chunk := os.read(descriptor, _READ_BYTES):
            held += chunk
            if held == _END or held.endswith(b"\n" + _END):
                found.feed(memoryview(held)[: -len(_END)])
                return True
            kept = len(_END) + 1
            found.feed(memoryview(held)[:-kept])
            held = held[-kept:]
        return False

    def _send(self, text: bytes) -> None:
        left = memoryview(text)
        while left:
            left = left[self._tool.stdin.write(left) :]

    async def _failure(self) -> CopyFailed:
        """Why psql has ended. Raises: ToolFailed where neither the server nor the connection is the cause."""
        status = await self._tool.exit_status()
        # The last one: a warning may stand before it.
        found = _SERVER_ERROR.findall(self._tool.transcript)
        if not found and status != _CONNECTION_LOST:
            raise self._tool.failure(status, self._tool.complaint)
        sqlstate, said = found[-1] if found else ("", self._tool.complaint)
        return CopyFailed(
            sqlstate,
            said,
            is_lost=status == _CONNECTION_LOST,
            is_made=not self._tool.never_connected,
        )
