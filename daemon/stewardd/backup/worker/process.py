"""The daemon's side of a worker process: starts it, reads its events, and makes sure that it ends.

When `run_worker` has returned or raised, neither the worker nor a tool that it started is alive, so that what they made
can be removed.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from stewardd.backup.worker.failure import WorkerFailed, error_of
from stewardd.backup.worker.messages import Messages
from stewardd.errors import Exhausted, ToolFailed
from stewardd.excerpt import Excerpt
from stewardd.postgres.variables import child_environment
from stewardd.telemetry import logger
from stewardd.uninterrupted import uninterrupted

log = logger("backup")
J = TypeVar("J")
E = TypeVar("E")
R = TypeVar("R")

_LINE_LIMIT_BYTES = 16 << 20  # DumpStored names every segment: a hundred bytes for each of 32 MiB
_READ_BYTES = 8192
_END_GRACE_S = 5.0
_OVERTIME_S = 60.0


@dataclass(frozen=True, slots=True)
class WorkerTask(Generic[J, E, R]):
    """What one worker is to do: the module that it runs, its job, and the type of the event with which it succeeds.

    `called` is what errors call it, such as "the backup of 'main'". `secrets` appear in no log line and in no error.
    """

    module: str
    messages: Messages[J, E]
    job: J
    result: type[R]
    called: str
    max_duration_s: float
    secrets: Sequence[str] = field(default=(), repr=False)


async def run_worker(task: WorkerTask[J, E, R], on_event: Callable[[E], None]) -> R:
    """Runs one job to its end, and returns its last event.

    The worker keeps to its maximum duration by itself; this waits a little longer. Raises: what the worker raised;
    ToolFailed when it ended without saying how; Exhausted when it did not end in time.
    """
    try:
        async with (
            asyncio.timeout(task.max_duration_s + _OVERTIME_S),
            _worker(task, on_event) as process,
        ):
            stderr_text = asyncio.create_task(_excerpt_of(process.stderr, task.secrets))
            try:
                return await _converse(process, task, on_event)
            except _BrokenOff:
                status = await process.wait()
                said = await stderr_text
                log.error("worker broke off", task=task.called, status=status, stderr=said)
                raise ToolFailed(
                    f"the worker of {task.called} {_how_it_ended(status)}"
                    + (f": {said}" if said else ""),
                    hint="start it again; where it was killed, see whether the machine's memory is short",
                ) from None
            finally:
                stderr_text.cancel()
    except TimeoutError:
        raise Exhausted(f"the worker of {task.called} did not end in time") from None


class _BrokenOff(Exception):
    """The worker has closed its output without saying how it ended."""


async def _converse(
    process: asyncio.subprocess.Process, task: WorkerTask[J, E, R], on_event: Callable[[E], None]
) -> R:
    if process.stdin is None or process.stdout is None:
        raise ValueError("a worker was started without its pipes")
    # A worker that can't be written to is dead already, and its exit status says more.
    with suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(task.messages.encode_job(task.job))
        await process.stdin.drain()
    while line := await process.stdout.readline():
        try:
            event = task.messages.decode_event(line)
        except ValueError:  # cut off in the middle of a word
            break
        on_event(event)
        if isinstance(event, WorkerFailed):
            raise error_of(event)
        if isinstance(event, task.result):
            return event
    raise _BrokenOff


def _how_it_ended(status: int) -> str:
    if status < 0:
        return f"was killed by {signal.Signals(-status).name}"
    return f"ended with status {status}"


@asynccontextmanager
async def _worker(
    task: WorkerTask[J, E, R], on_event: Callable[[E], None]
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker in a process group of its own, which is gone when the block ends."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # nothing is imported from the folder that the daemon happens to stand in
        "-m",
        task.module,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=child_environment(),
        limit=_LINE_LIMIT_BYTES,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        await uninterrupted(_end(process, task, on_event))


async def _end(
    process: asyncio.subprocess.Process, task: WorkerTask[J, E, R], on_event: Callable[[E], None]
) -> None:
    """Asks it to end, so that it ends its tool in good order, and then kills it."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.terminate()
        with suppress(TimeoutError):
            async with asyncio.timeout(_END_GRACE_S):
                await _hear_out(process, task, on_event)
                await process.wait()
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


async def _hear_out(
    process: asyncio.subprocess.Process, task: WorkerTask[J, E, R], on_event: Callable[[E], None]
) -> None:
    with suppress(ValueError):
        while process.stdout is not None and (line := await process.stdout.readline()):
            on_event(task.messages.decode_event(line))


async def _excerpt_of(stream: asyncio.StreamReader | None, secrets: Sequence[str]) -> str:
    """What is written to a stream, in short. It is read all the time, so that a full pipe never stops the worker."""
    found = Excerpt(secrets)
    while stream is not None and (chunk := await stream.read(_READ_BYTES)):
        found.feed(chunk)
    return found.text()
