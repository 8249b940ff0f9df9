"""One backup's data, made in the worker process: survey, dump, proof, globals, in one snapshot.

What would come out in part is refused before anything is stored. The dump and the reading of the proof go on at the
same time, under the same locks, and the schema is read while these are still held.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from stewardd.backup.keys.encryption import Encryptor
from stewardd.backup.making.arguments import dump_arguments, globals_arguments, schema_arguments
from stewardd.backup.making.packing import Packer
from stewardd.backup.making.protocol import (
    DumpJob,
    DumpProgress,
    DumpStarted,
    DumpStored,
    WorkerEvent,
)
from stewardd.backup.making.schema_hash import schema_sha256
from stewardd.backup.making.segments import Sealing, Segmenter
from stewardd.backup.making.staging import StagedFiles, check_staging_room
from stewardd.backup.making.storing import SegmentStorage
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
from stewardd.errors import (
    DatabaseDown,
    DatabaseFull,
    DatabaseRefused,
    Exhausted,
    StewardError,
)
from stewardd.postgres.catalogue.reading import unchanged
from stewardd.postgres.dump_source import DumpSource, RowsProof, SourceState, Survey
from stewardd.postgres.probe import probe
from stewardd.postgres.snapshot import Snapshot, export_snapshot
from stewardd.postgres.table_proof import METHOD
from stewardd.postgres.target import DatabaseTarget
from stewardd.repository.backend.store import Store

Emit = Callable[[WorkerEvent], None]
SegmentSource = Segmenter | Packer

_PROGRESS_INTERVAL_S = 0.5
_CONNECT_TIMEOUT_S = 15.0
_PROBE_TIMEOUT_S = 5.0
_SHORT_LOCK_TIMEOUT_S = 1.0  # what a dump that waits for a lock anyway waits longer
# Without its indexes and compressed, a database is rarely less than a tenth of its size. Only what can't fit is refused
# before it is tried.
_LEAST_SHARE = 10
_READ_BYTES = 1 << 16
_LARGEST_GLOBALS_BYTES = 64 << 20


class DumpWorker:
    """One job."""

    def __init__(self, job: DumpJob, store: Store, emit: Emit) -> None:
        self._job = job
        self._emit = emit
        self._target = DatabaseTarget(job.database, job.conninfo)
        self._storage = SegmentStorage(store, job.folder, job.database, job.reserve_bytes)
        self._sealing = Sealing(job.compression, Encryptor(job.recipients))
        self._settings: dict[str, str] = {}
        self._proven_tables = 0

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
        source = DumpSource(self._target, snapshot, _CONNECT_TIMEOUT_S)
        survey = await source.survey(job.choice, sessions=3 if job.proof is ProofMode.NONE else 4)
        self._emit(
            DumpStarted(
                snapshot.taken_at,
                snapshot.server_version,
                snapshot.database_size_bytes,
                len(survey.with_rows),
            )
        )
        if job.form is DumpForm.DIRECTORY:
            check_staging_room(Path(job.staging), snapshot.database_size_bytes, job.reserve_bytes)
        await self._storage.check_room(snapshot.database_size_bytes // _LEAST_SHARE)
        before = await self._look(source, _SHORT_LOCK_TIMEOUT_S)
        proving = asyncio.create_task(self._prove(source, survey))
        try:
            began_at = time.monotonic()
            dumped = await self._dump(snapshot, survey)
            dump_s = time.monotonic() - began_at
            schema = await self._schema(snapshot, survey)
            proof, proof_s = await proving
            after = await self._look(source, job.lock_timeout_s)
        finally:
            await _ended(proving)
        began_at = time.monotonic()
        globals_state, globals_object = await self._globals()
        files = dumped.files if isinstance(dumped, Packer) else ()
        contents = await self._storage.put_contents(
            _contents(job, proof, _Looks(before, after), files), self._sealing
        )
        return DumpStored(
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

    async def _dump(self, snapshot: Snapshot, survey: Survey) -> SegmentSource:
        try:
            return await self._dump_once(snapshot, survey)
        except _NeverConnected:
            # The snapshot's own connection was made without these settings: a pooler, which refuses them.
            self._settings = {}
            return await self._dump_once(snapshot, survey)

    async def _dump_once(self, snapshot: Snapshot, survey: Survey) -> SegmentSource:
        if self._job.form is DumpForm.DIRECTORY:
            return await self._dump_folder(snapshot, survey)
        return await self._dump_stream(snapshot, survey)

    async def _dump_stream(self, snapshot: Snapshot, survey: Survey) -> Segmenter:
        job = self._job
        arguments = dump_arguments(
            snapshot.identifier, job.lock_timeout_s, survey, form=DumpForm.CUSTOM
        )
        dump = ClientTool.start(job.pg_dump, arguments, self._target, self._settings)
        try:
            segmenter = Segmenter(
                dump.stdout, segment_bytes=job.segment_bytes, sealing=self._sealing
            )
            async with self._reporting(segmenter):
                await self._storage.store_all(segmenter.next_segment, dump.kill)
            await self._judge(dump)
        finally:
            await dump.end()
        return segmenter

    async def _dump_folder(self, snapshot: Snapshot, survey: Survey) -> Packer:
        job = self._job
        folder = Path(job.staging)
        arguments = dump_arguments(
            snapshot.identifier,
            job.lock_timeout_s,
            survey,
            form=DumpForm.DIRECTORY,
            jobs=job.jobs,
            folder=folder,
        )
        staged = StagedFiles(folder, job.reserve_bytes)
        try:
            dump = ClientTool.start(job.pg_dump, arguments, self._target, self._settings)
            try:
                staged.start(dump.poll, dump.kill)
                packer = Packer(
                    folder,
                    staged.next_file,
                    segment_bytes=job.segment_bytes,
                    sealing=self._sealing,
                )
                try:
                    async with self._reporting(packer):
                        await self._storage.store_all(packer.next_segment, dump.kill)
                finally:
                    packer.close()
                if staged.failure is not None:
                    raise staged.failure
                await self._judge(dump)
            finally:
                await dump.end()
        finally:
            await asyncio.to_thread(staged.close)
        return packer

    async def _schema(self, snapshot: Snapshot, survey: Survey) -> str | None:
        """The hash of the schema, read in the same snapshot while its tables are still held."""
        job = self._job
        if job.proof is ProofMode.NONE:
            return None
        arguments = schema_arguments(snapshot.identifier, job.lock_timeout_s, survey)
        tool = ClientTool.start(job.pg_dump, arguments, self._target, self._settings)
        try:
            found = await asyncio.to_thread(schema_sha256, tool.stdout)
            await self._judge(tool)
        finally:
            await tool.end()
        return found

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
            await tool.end()
        return text

    async def _prove(self, source: DumpSource, survey: Survey) -> tuple[RowsProof, float]:
        began_at = time.monotonic()
        if self._job.proof is ProofMode.NONE:
            return RowsProof(), 0.0
        await source.lock(survey, self._job.lock_timeout_s)

        def count() -> None:
            self._proven_tables += 1

        proof = await source.prove(
            survey.with_rows,
            hashed=self._job.proof is ProofMode.HASH,
            jobs=self._job.jobs,
            on_table=count,
        )
        return proof, time.monotonic() - began_at

    async def _look(self, source: DumpSource, lock_timeout_s: float) -> SourceState:
        if self._job.proof is ProofMode.NONE:
            return SourceState()
        return await source.look(lock_timeout_s)

    async def _judge(self, tool: ClientTool) -> None:
        """A tool that failed because its server went away is the database's failure, not the tool's."""
        try:
            await tool.wait()
        except StewardError as error:
            down = await self._down()
            if (
                down is None
                and self._settings
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

    @asynccontextmanager
    async def _reporting(self, source: SegmentSource) -> AsyncIterator[None]:
        reporting = asyncio.create_task(self._report(source))
        try:
            yield
        finally:
            reporting.cancel()
            self._emit(self._progress(source))

    async def _report(self, source: SegmentSource) -> None:
        while True:
            self._emit(self._progress(source))
            await asyncio.sleep(_PROGRESS_INTERVAL_S)

    def _progress(self, source: SegmentSource) -> DumpProgress:
        tables = source.dumped_tables if isinstance(source, Packer) else 0
        return DumpProgress(source.dumped_bytes, self._storage.stored_bytes, tables)


async def _ended(task: asyncio.Task[tuple[RowsProof, float]]) -> None:
    """Makes sure that a task has ended; how it failed is told by whoever awaited it, or does not matter any more."""
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.exception()


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
        for each in self.after.sequences:
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
    job: DumpJob, proof: RowsProof, looks: _Looks, files: tuple[DumpFile, ...]
) -> BackupContents:
    return BackupContents(
        form=job.form,
        method=METHOD if job.proof is ProofMode.HASH else "",
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
