"""One backup's data, made in the worker process: survey, dump, proof, globals, in one snapshot.

What would come out in part is refused before anything is stored. The dump and the reading of the proof go on at the
same time, under the same locks, and the schema is read while these are still held.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from stewardd.backup.keys.encryption import Encryptor
from stewardd.backup.making.arguments import globals_arguments, schema_arguments
from stewardd.backup.making.bandwidth import paced_segment_bytes
from stewardd.backup.making.dumping import Dumping, SegmentSource
from stewardd.backup.making.packing import Packer
from stewardd.backup.making.progress_report import ProgressReport
from stewardd.backup.making.protocol import (
    DumpJob,
    DumpStarted,
    DumpStored,
    LockWaiterFound,
    ToolOutput,
    WorkerEvent,
)
from stewardd.backup.making.schema_hash import schema_sha256
from stewardd.backup.making.segments import Sealing, Segmenter
from stewardd.backup.making.staging import check_staging_room
from stewardd.backup.making.storing import SegmentStorage
from stewardd.backup.making.watching import DumpWatcher
from stewardd.backup.manifest.backup import (
    DumpForm,
    Extension,
    Globals,
    ProofMode,
    Source,
    StoredObject,
    Timings,
)
from stewardd.backup.manifest.contents import (
    BackupContents,
    BackupTable,
    DumpFile,
    LargeObjects,
    SchemaContents,
    SequenceContents,
)
from stewardd.backup.worker.client_tool import ClientTool
from stewardd.backup.worker.psql_session import psql_sessions
from stewardd.errors import (
    DatabaseDown,
    DatabaseFull,
    DatabaseRefused,
    Exhausted,
    StewardError,
    StorageFull,
)
from stewardd.postgres.catalogue.reading import unchanged
from stewardd.postgres.dump_source import DumpSource, RowsProof, SourceState, Survey
from stewardd.postgres.probe import probe
from stewardd.postgres.sessions import PROOF_SESSION
from stewardd.postgres.snapshot import Snapshot, export_snapshot
from stewardd.postgres.table_proof import METHOD
from stewardd.postgres.target import DatabaseTarget
from stewardd.repository.backend.store import Store

Emit = Callable[[WorkerEvent], None]
_First = TypeVar("_First")
_Second = TypeVar("_Second")

_CONNECT_TIMEOUT_S = 15.0
_PROBE_TIMEOUT_S = 5.0
_LAST_LOCK_TIMEOUT_S = 5.0  # whoever waits for the dump's locks should not wait much longer
_SHORT_LOCK_TIMEOUT_S = 1.0  # what a dump that waits for a lock anyway waits longer
# Without its indexes and compressed, a database is rarely less than a tenth of its size. Only what can't fit is refused
# before it is tried.
_LEAST_SHARE = 10
_LARGEST_GLOBALS_BYTES = 64 << 20
_LEAST_THREADS = 2
_LEAST_THREADED_BYTES = 16 << 20


class DumpWorker:
    """One job."""

    def __init__(self, job: DumpJob, store: Store, emit: Emit) -> None:
        self._job = job
        self._emit = emit
        self._target = DatabaseTarget(job.database, job.conninfo)
        self._storage = SegmentStorage(
            store, job.folder, job.database, job.reserve_bytes, job.max_bytes_per_second
        )
        self._segment_bytes = paced_segment_bytes(job.segment_bytes, job.max_bytes_per_second)
        self._sealing = Sealing(
            job.compression,
            Encryptor(job.recipients),
            _compressing_threads(job.jobs, self._segment_bytes),
        )
        self._settings: dict[str, str] = {}

    async def run(self) -> DumpStored:
        """Makes the data. Raises: the error with which the backup ends otherwise."""
        try:
            async with asyncio.timeout(self._job.max_duration_s):
                async with export_snapshot(self._target, _CONNECT_TIMEOUT_S) as snapshot:
                    return await self._make(snapshot)
        except TimeoutError:
            raise Exhausted(
                f"the dump of {self._job.database!r} took longer than {self._job.max_duration_s:g} s",
                hint="raise `backup.max_duration_s`, or look for what the dump waits for",
            ) from None

    async def _make(self, snapshot: Snapshot) -> DumpStored:
        job = self._job
        self._settings = snapshot.reader_settings
        source = DumpSource(
            self._target,
            snapshot,
            _CONNECT_TIMEOUT_S,
            psql_sessions(job.psql, PROOF_SESSION),
        )
        survey = await source.survey(job.choice, sessions=3 if job.proof is ProofMode.NONE else 4)
        self._emit(
            DumpStarted(
                snapshot.taken_at,
                snapshot.server_version,
                snapshot.database_size_bytes,
                len(survey.with_rows),
            )
        )
        form = self._form(snapshot.database_size_bytes)
        await self._storage.check_room(snapshot.database_size_bytes // _LEAST_SHARE)
        watcher = DumpWatcher(self._target, lambda waiter: self._emit(LockWaiterFound(str(waiter))))
        report = ProgressReport(
            survey.with_rows,
            self._storage,
            watcher,
            self._emit,
            proves=job.proof is not ProofMode.NONE,
        )
        before = await self._look(source, _SHORT_LOCK_TIMEOUT_S)
        async with _meanwhile(watcher.run()), _meanwhile(report.run()):
            ((dumped, dump_s), schema), (proof, proof_s) = await _both(
                _both(self._dump(snapshot, survey, form, report), self._schema(snapshot, survey)),
                self._prove(source, survey, report),
            )
            after = await self._look(source, min(job.lock_timeout_s, _LAST_LOCK_TIMEOUT_S))
            report.tell()
        began_at = time.monotonic()
        files = dumped.files if isinstance(dumped, Packer) else ()
        found = _contents(form, job.proof, proof, _Looks(before, after), files)
        (globals_state, globals_object), contents = await _both(
            self._globals(), self._storage.put_contents(found, self._sealing)
        )
        return DumpStored(
            form=form,
            dump_size_bytes=dumped.dumped_bytes,
            dump_sha256=dumped.dump_sha256 if isinstance(dumped, Segmenter) else None,
            segments=self._storage.segments,
            contents=contents,
            schema_sha256=schema,
            source=_source(survey, snapshot),
            globals=globals_state,
            globals_object=globals_object,
            timings=Timings(
                round(dump_s, 3), round(proof_s, 3), round(time.monotonic() - began_at, 3)
            ),
        )

    def _form(self, wanted_bytes: int) -> DumpForm:
        """The form of the job, or one stream where a folder has no room and nobody insists on it."""
        job = self._job
        if job.form is DumpForm.CUSTOM:
            return DumpForm.CUSTOM
        try:
            check_staging_room(Path(job.staging), wanted_bytes, job.reserve_bytes)
        except StorageFull:
            if not job.may_stream:
                raise
            return DumpForm.CUSTOM
        return DumpForm.DIRECTORY

    async def _dump(
        self, snapshot: Snapshot, survey: Survey, form: DumpForm, report: ProgressReport
    ) -> tuple[SegmentSource, float]:
        began_at = time.monotonic()
        dumping = Dumping(
            self._job,
            self._target,
            self._storage,
            self._sealing,
            report,
            segment_bytes=self._segment_bytes,
            judge=self._judge,
            end=self._end,
        )
        dumped = await self._connected(
            lambda settings: dumping.dump(snapshot, survey, form, settings)
        )
        report.dumped = True
        return dumped, time.monotonic() - began_at

    async def _schema(self, snapshot: Snapshot, survey: Survey) -> str | None:
        """The hash of the schema, read in the same snapshot.

        At the beginning, as everything that locks tables: whoever asks for an exclusive lock later stands in the queue
        before our next lock and behind those that we hold, and all would wait for ever.
        """
        job = self._job
        if job.proof is ProofMode.NONE:
            return None
        arguments = schema_arguments(snapshot.identifier, job.lock_timeout_s, survey)

        async def read(settings: Mapping[str, str]) -> str:
            tool = ClientTool.start(job.pg_dump, arguments, self._target, settings)
            try:
                found = await asyncio.to_thread(schema_sha256, tool.stdout)
                await self._judge(tool)
            finally:
                await self._end(tool)
            return found

        return await self._connected(read)

    async def _connected(self, run: Callable[[Mapping[str, str]], Awaitable[_First]]) -> _First:
        """Runs a tool with the settings for readers, or without them."""
        try:
            return await run(self._settings)
        except _NeverConnected:
            # The snapshot's own connection was made without these settings: a pooler, which refuses them.
            self._settings = {}
            return await run(self._settings)

    async def _globals(self) -> tuple[Globals, StoredObject | None]:
        if not self._job.with_globals:
            return Globals.NONE, None
        text = await self._read_globals(with_passwords=True)
        state = Globals.COMPLETE
        if text is None:
            text = await self._read_globals(with_passwords=False)
            state = Globals.WITHOUT_PASSWORDS
        if text is None:
            raise DatabaseRefused(
                f"the roles of the server of {self._job.database!r} cannot be read",
                hint="set `backup.globals` to false, or back up as a role that may read them",
            )
        return state, await self._storage.put_object("globals", text, self._sealing)

    async def _read_globals(self, *, with_passwords: bool) -> bytes | None:
        """What pg_dumpall says of roles and tablespaces, or None where the role may not read the passwords."""
        job = self._job
        arguments = globals_arguments(self._target.database, with_passwords=with_passwords)
        tool = ClientTool.start(job.pg_dumpall, arguments, self._target, self._settings)
        try:
            text = await asyncio.to_thread(tool.stdout.read)
            if len(text) > _LARGEST_GLOBALS_BYTES:
                raise Exhausted(f"the roles of the server take {len(text)} bytes")
            try:
                await self._judge(tool)
            except DatabaseRefused as refused:
                if "pg_authid" in refused.message:
                    return None
                raise
        finally:
            await self._end(tool)
        return text

    async def _prove(
        self, source: DumpSource, survey: Survey, report: ProgressReport
    ) -> tuple[RowsProof, float]:
        began_at = time.monotonic()
        if self._job.proof is ProofMode.NONE:
            return RowsProof(), 0.0
        await source.lock(survey, self._job.lock_timeout_s)
        try:
            proof = await source.prove(
                survey.with_rows,
                hashed=self._job.proof is ProofMode.HASH,
                jobs=self._job.jobs,
                lock_timeout_s=self._job.lock_timeout_s,
                on_table=report.count_proven,
            )
        except DatabaseDown as down:
            raise DatabaseDown(
                f"database {self._job.database!r} went away during its dump: {down.message}",
                metadata=down.metadata,
            ) from None
        return proof, time.monotonic() - began_at

    async def _look(self, source: DumpSource, lock_timeout_s: float) -> SourceState:
        if self._job.proof is ProofMode.NONE:
            return SourceState()
        return await source.look(lock_timeout_s)

    async def _end(self, tool: ClientTool) -> None:
        """Makes sure that a tool has ended, and passes on what it said."""
        await tool.end()
        if said := tool.transcript:
            self._emit(ToolOutput(said))

    async def _judge(self, tool: ClientTool) -> None:
        """A tool that failed because its server went away is the database's failure, not the tool's."""
        try:
            await tool.wait()
        except StewardError as error:
            down = await self._down()
            if (
                down is None
                and tool.has_settings
                and tool.never_connected
                and not self._storage.segments
            ):
                raise _NeverConnected from error
            if down is None:
                raise
            raise DatabaseDown(
                f"database {self._job.database!r} went away during its dump: {tool.complaint}",
                metadata=down.metadata,
            ) from error

    async def _down(self) -> DatabaseDown | None:
        try:
            await probe(self._target, _PROBE_TIMEOUT_S)
        except (DatabaseFull, DatabaseRefused):
            return None  # it is there, and the tool has said what it is refused
        except DatabaseDown as down:
            return down
        return None


def _compressing_threads(jobs: int, segment_bytes: int) -> int:
    """As many as tables are read at once, and two for one stream, where the machine has the cores.

    Threads hold some mebibytes each, by which a segment becomes longer than it should: a small one has none.
    """
    if segment_bytes < _LEAST_THREADED_BYTES:
        return 1
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return min(cores, max(jobs, _LEAST_THREADS))


@asynccontextmanager
async def _meanwhile(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Has work that never ends go on as long as the block."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _both(
    first: Coroutine[Any, Any, _First], second: Coroutine[Any, Any, _Second]
) -> tuple[_First, _Second]:
    """Does both at the same time. Where one fails the other is ended at once, and the failure is raised."""
    tasks = one, other = asyncio.create_task(first), asyncio.create_task(second)
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in tasks:
            if task.done():
                task.result()
        return one.result(), other.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _NeverConnected(Exception):
    """A tool could not connect, although the snapshot's connection could."""


@dataclass(frozen=True, slots=True)
class _Looks:
    """The database as it was before the dump, and after it."""

    before: SourceState
    after: SourceState

    @property
    def schema(self) -> SchemaContents | None:
        """What stayed as it was."""
        if self.after.catalogue is None:
            return None
        before = self.before.catalogue or self.after.catalogue
        catalogue = unchanged(before, self.after.catalogue)
        return SchemaContents(catalogue.major, catalogue.to_json())

    @property
    def sequences(self) -> tuple[SequenceContents, ...]:
        """Each sequence as it was after the dump and before it."""
        earlier = {each.name: each for each in self.before.sequences}
        found = []
        for each in self.after.sequences or self.before.sequences:
            first = earlier.get(each.name)
            found.append(
                SequenceContents(
                    each.name.schema,
                    each.name.name,
                    each.last_value,
                    each.is_called,
                    first.last_value if first else None,
                    first.is_called if first else None,
                )
            )
        return tuple(found)


def _contents(
    form: DumpForm,
    mode: ProofMode,
    proof: RowsProof,
    looks: _Looks,
    files: tuple[DumpFile, ...],
) -> BackupContents:
    return BackupContents(
        form=form,
        method=METHOD if mode is ProofMode.HASH else "",
        tables=tuple(
            BackupTable(name.schema, name.name, found.rows, found.hash)
            for name, found in sorted(
                proof.tables.items(), key=lambda item: (item[0].schema, item[0].name)
            )
        ),
        sequences=looks.sequences,
        large_objects=LargeObjects(proof.large_objects.rows, proof.large_objects.hash),
        files=files,
        roles=tuple(looks.after.roles),
        schema=looks.schema,
    )


def _source(survey: Survey, snapshot: Snapshot) -> Source:
    facts = dict(survey.facts)
    extensions = tuple(Extension(name, version) for name, version in facts.pop("extensions"))
    return Source(**facts, snapshot=snapshot.identifier, extensions=extensions)
