"""The process that makes one backup's data: `python -m stewardd.backup.making.worker`, started by the daemon.

It is a process of its own, so that hashing and compressing never slow the daemon, and so that all of it can be killed.
It stores segments and nothing else: only the daemon, which holds the lease, makes a backup exist. It dies with the
daemon, and pg_dump dies with it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from typing import BinaryIO

from stewardd.backup.making.dump_worker import DumpWorker, Emit
from stewardd.backup.making.lifetime import tied_to
from stewardd.backup.making.protocol import (
    DumpJob,
    WorkerEvent,
    decode_job,
    dump_failed,
    encode_event,
)
from stewardd.errors import Cancelled, StewardError
from stewardd.repository.backend.all import open_store
from stewardd.telemetry import configure

_NICENESS = 5
_LAST_SECONDS = 15


async def serve(job: DumpJob, emit: Emit) -> int:
    """Does the job unless it is cancelled, by SIGTERM or by the end of stdin, and says how it ended."""
    work = asyncio.create_task(
        DumpWorker(job, open_store(job.store_url, job.store_options), emit).run()
    )
    loop = asyncio.get_running_loop()

    def stop() -> None:
        loop.remove_reader(sys.stdin.fileno())
        # Once: a second cancellation would interrupt the ending of pg_dump.
        if not work.cancelling():
            signal.alarm(_LAST_SECONDS)  # whatever happens, it does not stay
            work.cancel()

    loop.add_signal_handler(signal.SIGTERM, stop)
    loop.add_reader(sys.stdin.fileno(), stop)  # nothing more is ever sent: readable means closed
    try:
        emit(await work)
    except StewardError as error:
        emit(dump_failed(error))
        return 1
    except asyncio.CancelledError:
        emit(dump_failed(Cancelled(f"the backup of {job.database!r} was cancelled")))
        return 1
    finally:
        loop.remove_reader(sys.stdin.fileno())
    return 0


def main() -> int:
    """The process. Only events go to stdout: anything else that is printed there goes to stderr."""
    events = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    configure("warning", "json", sys.stderr)
    os.nice(_NICENESS)  # and pg_dump with it: validation comes first
    for number in (
        signal.SIGINT,
        signal.SIGHUP,
    ):  # the daemon acts upon Ctrl-C and a terminal's end
        signal.signal(number, signal.SIG_IGN)
    job = decode_job(sys.stdin.buffer.readline())
    # By a signal that it hears: pg_dump and its workers are to be ended with it.
    tie = tied_to(job.daemon_pid, signal.SIGTERM)
    if tie is not None:
        tie()

    def emit(event: WorkerEvent) -> None:
        _write(events, encode_event(event))

    return asyncio.run(serve(job, emit))


def _write(stream: BinaryIO, line: bytes) -> None:
    with suppress(BrokenPipeError):  # the daemon is gone, and the end of stdin says so too
        stream.write(line)
        stream.flush()


if __name__ == "__main__":
    sys.exit(main())
