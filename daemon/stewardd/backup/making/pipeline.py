"""The daemon's side of a backup worker: starts it, reads its events, and makes sure that it ends.

When `run_worker` has returned or raised, neither the worker nor its pg_dump is alive, so that what they stored can be
removed.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from stewardd.backup.making.protocol import (
    DumpFailed,
    DumpJob,
    DumpStarted,
    DumpStored,
    WorkerEvent,
    decode_event,
    encode_job,
    error_of,
)
from stewardd.errors import Exhausted, ToolFailed
from stewardd.excerpt import Excerpt
from stewardd.postgres.variables import child_environment
from stewardd.telemetry import logger
from stewardd.uninterrupted import uninterrupted

log = logger("backup")
OnEvent = Callable[[WorkerEvent], None]

_LINE_LIMIT_BYTES = 16 << 20  # DumpStored names every segment: a hundred bytes for each of 32 MiB
_READ_BYTES = 8192
_END_GRACE_S = 5.0
_OVERTIME_S = 60.0


async def run_worker(job: DumpJob, on_event: OnEvent) -> tuple[DumpStarted, DumpStored]:
    """Runs one job to its end. The worker keeps to the job's maximum duration by itself; this waits a little longer.

    Raises: what the worker raised; ToolFailed when it ended without saying how; Exhausted when it did not end in time.
    """
    try:
        async with asyncio.timeout(job.max_duration_s + _OVERTIME_S), _worker(on_event) as process:
            stderr_text = asyncio.create_task(_excerpt_of(process.stderr, job.secrets))
            try:
                return await _converse(process, job, on_event)
            except _BrokenOff:
                status = await process.wait()
                said = await stderr_text
                log.error("backup worker broke off", status=status, stderr=said)
                raise ToolFailed(
                    f"the worker of the backup of {job.database!r} {_how_it_ended(status)}"
                    + (f": {said}" if said else ""),
                    hint="start the backup again; where it was killed, see whether the machine's memory is short",
                ) from None
            finally:
                stderr_text.cancel()
    except TimeoutError:
        raise Exhausted(
            f"the worker of the backup of {job.database!r} did not end in time"
        ) from None


class _BrokenOff(Exception):
    """The worker has closed its output without saying how it ended."""


async def _converse(
    process: asyncio.subprocess.Process, job: DumpJob, on_event: OnEvent
) -> tuple[DumpStarted, DumpStored]:
    if process.stdin is None or process.stdout is None:
        raise ValueError("a worker was started without its pipes")
    # A worker that can't be written to is dead already, and its exit status says more.
    with suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(encode_job(job))
        await process.stdin.drain()
    began: DumpStarted | None = None
    while line := await process.stdout.readline():
        try:
            event = decode_event(line)
        except ValueError:  # cut off in the middle of a word
            break
        on_event(event)
        if isinstance(event, DumpFailed):
            raise error_of(event)
        if isinstance(event, DumpStarted):
            began = event
        if isinstance(event, DumpStored) and began is not None:
            return began, event
    raise _BrokenOff


def _how_it_ended(status: int) -> str:
    if status < 0:
        return f"was killed by {signal.Signals(-status).name}"
    return f"ended with status {status}"


@asynccontextmanager
async def _worker(on_event: OnEvent) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker in a process group of its own, which is gone when the block ends."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # nothing is imported from the folder that the daemon happens to stand in
        "-m",
        "stewardd.backup.making.worker",
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
        await uninterrupted(_end(process, on_event))


async def _end(process: asyncio.subprocess.Process, on_event: OnEvent) -> None:
    """Asks it to end, so that it ends pg_dump in good order, and then kills it."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.terminate()
        with suppress(TimeoutError):
            async with asyncio.timeout(_END_GRACE_S):
                await _hear_out(process, on_event)
                await process.wait()
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


async def _hear_out(process: asyncio.subprocess.Process, on_event: OnEvent) -> None:
    with suppress(ValueError):
        while process.stdout is not None and (line := await process.stdout.readline()):
            on_event(decode_event(line))


async def _excerpt_of(stream: asyncio.StreamReader | None, secrets: list[str]) -> str:
    """What is written to a stream, in short. It is read all the time, so that a full pipe never stops the worker."""
    found = Excerpt(secrets)
    while stream is not None and (chunk := await stream.read(_READ_BYTES)):
        found.feed(chunk)
    return found.text()
