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
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import BinaryIO

from stewardd.backup.keys.encryption import Encryptor
from stewardd.backup.making.dump import PgDump
from stewardd.backup.making.lifetime import tied_to
from stewardd.backup.making.protocol import (
    DumpJob,
    DumpProgress,
    DumpStarted,
    DumpStored,
    WorkerEvent,
    decode_job,
    dump_failed,
    encode_event,
)
from stewardd.backup.making.segments import PackedSegment, Sealing, Segmenter
from stewardd.backup.manifest.backup import Segment
from stewardd.errors import (
    Cancelled,
    DatabaseDown,
    DatabaseFull,
    DatabaseRefused,
    Exhausted,
    StewardError,
    StorageFull,
)
from stewardd.postgres.probe import probe
from stewardd.postgres.snapshot import Snapshot, export_snapshot
from stewardd.postgres.target import DatabaseTarget
from stewardd.repository.backend.all import open_store
from stewardd.repository.backend.store import Store
from stewardd.telemetry import configure

Emit = Callable[[WorkerEvent], None]

_PROGRESS_INTERVAL_S = 0.5
_NICENESS = 5
_CONNECT_TIMEOUT_S = 15.0
_PROBE_TIMEOUT_S = 5.0
# Without its indexes and compressed, a database is rarely less than a tenth of its size. Only what can't fit is refused
# before it is tried.
_LEAST_SHARE = 10


class DumpWorker:
    """One job."""

    def __init__(self, job: DumpJob, store: Store, emit: Emit) -> None:
        self._job = job
        self._store = store
        self._emit = emit
        self._target = DatabaseTarget(job.database, job.conninfo)
        self._stored: list[Segment] = []
        self._stored_bytes = 0

    async def run(self) -> DumpStored:
        """Makes the dump. Raises: the error with which the backup ends otherwise."""
        try:
            async with asyncio.timeout(self._job.max_duration_s):
                async with export_snapshot(self._target, _CONNECT_TIMEOUT_S) as snapshot:
                    return await self._dump(snapshot)
        except TimeoutError:
            raise Exhausted(
                f"the dump of {self._job.database!r} took longer than {self._job.max_duration_s:g} s",
                hint="raise `backup.max_duration_s`, or look for what the dump waits for",
            ) from None

    async def _dump(self, snapshot: Snapshot) -> DumpStored:
        self._emit(
            DumpStarted(snapshot.taken_at, snapshot.server_version, snapshot.database_size_bytes)
        )
        await self._check_room(snapshot.database_size_bytes // _LEAST_SHARE)
        try:
            return await self._dump_once(snapshot, with_settings=bool(snapshot.reader_settings))
        except _NeverConnected:
            # The snapshot's own connection was made without these settings: a pooler, which refuses them.
            return await self._dump_once(snapshot, with_settings=False)

    async def _dump_once(self, snapshot: Snapshot, *, with_settings: bool) -> DumpStored:
        job = self._job
        dump = PgDump.start(
            job.pg_dump, self._target, snapshot, job.lock_timeout_s, with_settings=with_settings
        )
        try:
            segmenter = Segmenter(
                dump.stdout,
                segment_bytes=job.segment_bytes,
                sealing=Sealing(job.compression, Encryptor(job.recipients)),
            )
            async with self._reporting(segmenter):
                await self._store_all(segmenter, dump)
            await self._judge(dump, may_try_again=with_settings and not self._stored)
        finally:
            await dump.end()
        return DumpStored(segmenter.dumped_bytes, segmenter.dump_sha256, tuple(self._stored))

    async def _store_all(self, segmenter: Segmenter, dump: PgDump) -> None:
        """Stores segments while the next one is made: two are in memory at most, and one under way."""
        storing: asyncio.Task[None] | None = None
        try:
            while (segment := await asyncio.to_thread(segmenter.next_segment)) is not None:
                if storing is not None:
                    await storing
                storing = asyncio.create_task(self._put(segment))
                storing.add_done_callback(lambda done: dump.kill() if _went_wrong(done) else None)
            if storing is not None:
                await storing
        finally:
            if storing is not None and not storing.done():
                dump.kill()
                storing.cancel()
                with suppress(asyncio.CancelledError, StewardError):
                    await storing

    async def _put(self, segment: PackedSegment) -> None:
        await self._check_room(len(segment.body))
        name = f"segment-{segment.number:06d}"
        await self._store.put(f"{self._job.folder}/{name}", segment.body)
        self._stored.append(Segment(name, len(segment.body), segment.sha256))
        self._stored_bytes += len(segment.body)

    async def _check_room(self, wanted_bytes: int) -> None:
        """Leaves the reserve to others: a full disk stops validation too. Raises: StorageFull."""
        free_bytes = await self._store.free_bytes()
        if free_bytes is not None and free_bytes < wanted_bytes + self._job.reserve_bytes:
            raise StorageFull(
                f"the repository has {free_bytes} bytes free, and the backup of {self._job.database!r} needs at "
                f"least {wanted_bytes} and {self._job.reserve_bytes} in reserve"
            )

    async def _judge(self, dump: PgDump, *, may_try_again: bool) -> None:
        """A pg_dump that failed because its server went away is the database's failure, not the tool's."""
        try:
            await dump.wait()
        except StewardError as error:
            down = await self._down()
            if down is None and may_try_again and dump.never_connected:
                raise _NeverConnected from error
            if down is None:
                raise
            raise DatabaseDown(
                f"database {self._job.database!r} went away during its dump: {dump.complaint}",
                metadata=down.metadata,
            ) from error

    async def _down(self) -> DatabaseDown | None:
        try:
            await probe(self._target, _PROBE_TIMEOUT_S)
        except (DatabaseFull, DatabaseRefused):
            return None  # it is there, and pg_dump has said what it is refused
        except DatabaseDown as down:
            return down
        return None

    @asynccontextmanager
    async def _reporting(self, segmenter: Segmenter) -> AsyncIterator[None]:
        reporting = asyncio.create_task(self._report(segmenter))
        try:
            yield
        finally:
            reporting.cancel()
            self._emit(DumpProgress(segmenter.dumped_bytes, self._stored_bytes))

    async def _report(self, segmenter: Segmenter) -> None:
        while True:
            self._emit(DumpProgress(segmenter.dumped_bytes, self._stored_bytes))
            await asyncio.sleep(_PROGRESS_INTERVAL_S)


class _NeverConnected(Exception):
    """pg_dump could not connect, although the snapshot's connection could."""


def _went_wrong(task: asyncio.Task[None]) -> bool:
    return not task.cancelled() and task.exception() is not None


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
    tie = tied_to(job.daemon_pid)
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
