"""The worker's side: a process that does one job, says how it ended, and ends with the daemon that started it.

It is a process of its own, so that hashing, compressing and decrypting never slow the daemon, and so that all of it can
be killed.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, BinaryIO, Protocol, TypeVar

from stewardd.backup.worker.failure import WorkerFailed, failure_of
from stewardd.backup.worker.lifetime import tied_to
from stewardd.backup.worker.messages import Messages
from stewardd.errors import Cancelled, StewardError
from stewardd.telemetry import configure

NICENESS = 5
_LAST_SECONDS = 15


class WorkerJob(Protocol):
    """What every job says."""

    @property
    def daemon_pid(self) -> int:
        """The process that started the worker."""
        ...

    @property
    def called(self) -> str:
        """What errors call the job, such as "the backup of 'main'"."""
        ...


J = TypeVar("J", bound=WorkerJob)
E = TypeVar("E")
Emit = Callable[[Any], None]
DoJob = Callable[[J, Emit], Coroutine[Any, Any, Any]]


def run(
    messages: Messages[J, Any], do: DoJob[J], niceness_of: Callable[[J], int] = lambda _: NICENESS
) -> int:
    """The main program of a worker. Only events go to stdout: anything else that is printed there goes to stderr."""
    events = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    configure("warning", "json", sys.stderr)
    for number in (
        signal.SIGINT,
        signal.SIGHUP,
    ):  # the daemon acts upon Ctrl-C and a terminal's end
        signal.signal(number, signal.SIG_IGN)
    job = messages.decode_job(sys.stdin.buffer.readline())
    os.nice(niceness_of(job))  # and its tool with it: validation comes first
    # By a signal that it hears: the tool and its workers are to be ended with it.
    tie = tied_to(job.daemon_pid, signal.SIGTERM)
    if tie is not None:
        tie()

    def emit(event: Any) -> None:
        _write(events, messages.encode_event(event))

    return asyncio.run(_serve(job, emit, do))


async def _serve(job: J, emit: Emit, do: DoJob[J]) -> int:
    """Does the job unless it is cancelled, by SIGTERM or by the end of stdin, and says how it ended."""
    work = asyncio.create_task(do(job, emit))
    loop = asyncio.get_running_loop()

    def stop() -> None:
        loop.remove_reader(sys.stdin.fileno())
        # Once: a second cancellation would interrupt the ending of the tool.
        if not work.cancelling():
            signal.alarm(_LAST_SECONDS)  # whatever happens, it does not stay
            work.cancel()

    loop.add_signal_handler(signal.SIGTERM, stop)
    loop.add_reader(sys.stdin.fileno(), stop)  # nothing more is ever sent: readable means closed
    try:
        emit(await work)
    except StewardError as error:
        emit(failure_of(error))
        return 1
    except asyncio.CancelledError:
        emit(_cancelled(job))
        return 1
    finally:
        loop.remove_reader(sys.stdin.fileno())
    return 0


def _cancelled(job: WorkerJob) -> WorkerFailed:
    return failure_of(Cancelled(f"{job.called} was cancelled"))


def _write(stream: BinaryIO, line: bytes) -> None:
    with suppress(BrokenPipeError):  # the daemon is gone, and the end of stdin says so too
        stream.write(line)
        stream.flush()
