"""Makes backups, gets one, lists them.

Making one is: wait for its turn (one dump of a database at a time), choose the tools that fit the server, begin to
publish in the repository, let a worker process store the dump, commit. What fails or is cancelled leaves nothing.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from stewardd.backup.asked import BackupAsked, BackupPlan, plan_backup
from stewardd.backup.catalog import KIND, BackupCatalog, BackupPage
from stewardd.backup.keys.keyring import Keyring
from stewardd.backup.making.pipeline import run_dump
from stewardd.backup.making.protocol import (
    DumpJob,
    DumpProgress,
    DumpStarted,
    DumpStored,
    LockWaiterFound,
    ToolOutput,
    WorkerEvent,
)
from stewardd.backup.manifest.backup import BackupManifest, Encryption
from stewardd.backup.manifest.codec import SIGNED_MANIFEST
from stewardd.backup.options import BackupOptions
from stewardd.backup.progress import BackupPhase, BackupProgress
from stewardd.errors import DatabaseUnknown, RepositoryDown
from stewardd.postgres.probe import Sight, probe
from stewardd.postgres.target import DatabaseTarget
from stewardd.postgres.tools import ClientTools, choose_tools, find_tools
from stewardd.repository.backend.store import Store
from stewardd.repository.identifiers import uuid7
from stewardd.repository.lease import WriterLease
from stewardd.repository.publication import Publication, publish
from stewardd.repository.turns import Turns
from stewardd.telemetry import logger
from stewardd.uninterrupted import uninterrupted

log = logger("backup")
_Result = TypeVar("_Result")
ReportProgress = Callable[[BackupProgress], None]

_PROBE_TIMEOUT_S = 5.0
_LEASE_CHECK_S = 10.0


class Backups:
    """The backups of the configured databases in one repository."""

    def __init__(
        self,
        store: Store,
        lease: WriterLease,
        databases: Mapping[str, DatabaseTarget],
        keyring: Keyring,
        options: BackupOptions,
    ) -> None:
        self._store = store
        self._lease = lease
        self._databases = dict(databases)
        self._options = options
        self.keyring = keyring
        self._catalog = BackupCatalog(store)
        self._queues = {name: asyncio.Lock() for name in self._databases}
        self._turns = Turns(store, lease, "dumps")
        self._waiter_listeners: list[Callable[[str], None]] = []
        self.running = 0

    def on_lock_waiter(self, listener: Callable[[str], None]) -> None:
        """Has a listener told the database whose dump keeps somebody waiting, once for each session that waits."""
        self._waiter_listeners.append(listener)

    def _waiter_found(self, database: str) -> None:
        for listener in self._waiter_listeners:
            listener(database)

    def database_named(self, name: str) -> str:
        """The configured name that a request means; "" is the only one. Raises: DatabaseUnknown."""
        names = sorted(self._databases)
        if not name and len(names) == 1:
            return names[0]
        if name in self._databases:
            return name
        said = f"there is no database {name!r}" if name else "the request names no database"
        raise DatabaseUnknown(f"{said}; there is {', '.join(names)}", field="database")

    async def get(self, backup_id: str) -> BackupManifest:
        """One backup. Raises: BackupNotFound, Corrupt."""
        return await self._catalog.get(backup_id)

    async def list(self, page_size: int, page_token: str, id_prefix: str = "") -> BackupPage:
        """A page of backups, newest first. Raises: InvalidRequest."""
        return await self._catalog.page(page_size, page_token, id_prefix)

    def plan(self, asked: BackupAsked) -> BackupPlan:
        """How a backup that is asked for would be made. Raises: InvalidRequest, KeyUnknown."""
        return plan_backup(asked, self._options, self.keyring)

    async def create(
        self,
        database: str,
        description: str,
        report: ReportProgress,
        backup_id: str | None = None,
        asked: BackupAsked | None = None,
    ) -> BackupManifest:
        """Makes a backup, which exists when this returns and doesn't when it raises.

        Cancelling the task ends the worker and its pg_dump first. `backup_id` is a fresh one from uuid7(). Raises:
        DatabaseDown, DatabaseRefused, ToolMissing, ToolFailed, StorageFull, Exhausted, LeaseLost, RepositoryDown,
        InvalidRequest.
        """
        making = _BackupInProgress(
            self.database_named(database),
            description,
            backup_id or uuid7(),
            self.plan(asked or BackupAsked()),
            report,
            self._waiter_found,
        )
        making.enter(BackupPhase.QUEUED)
        # Of this daemon's backups first come is first served; among daemons it is whoever looks first.
        async with self._queues[making.database], self._turns.take(making.database):
            self.running += 1
            try:
                return await self._make(making)
            finally:
                self.running -= 1

    async def _make(self, making: _BackupInProgress) -> BackupManifest:
        began_at = time.monotonic()
        # What is dumped is the server that was probed, reached in the same way: see postgres/pinning.py.
        sight = await probe(self._databases[making.database], _PROBE_TIMEOUT_S)
        tools = await self._tools(sight)
        making.enter(BackupPhase.DUMPING)
        async with (
            publish(self._store, self._lease, KIND, making.backup_id) as draft,
            _staging_folder(self._options.staging_dir, making) as staging,
        ):
            job = self._job(making, sight.way, tools, draft, staging)
            began, done = await _while_leased(draft, self._fill(draft, making, job))
            making.enter(BackupPhase.PUBLISHING)
            elapsed_s = round(time.monotonic() - began_at, 3)
            manifest = self._manifest(making, tools, began, done, elapsed_s)
            await draft.commit(SIGNED_MANIFEST.encode(manifest, self.keyring.signing_key))
        log.info(
            "backup made",
            backup=manifest.backup_id,
            database=manifest.database,
            stored_bytes=manifest.stored_size_bytes,
            elapsed_s=manifest.elapsed_s,
        )
        return manifest

    def _manifest(
        self,
        making: _BackupInProgress,
        tools: ClientTools,
        began: DumpStarted,
        done: DumpStored,
        elapsed_s: float,
    ) -> BackupManifest:
        plan = making.plan
        return BackupManifest(
            backup_id=making.backup_id,
            database=making.database,
            description=making.description,
            snapshot_time=began.snapshot_time.astimezone(UTC),
            create_time=datetime.now(UTC),
            elapsed_s=elapsed_s,
            database_size_bytes=began.database_size_bytes,
            dump_size_bytes=done.dump_size_bytes,
            dump_sha256=done.dump_sha256,
            server_version=began.server_version,
            tool_version=tools.version,
            form=done.form,
            compression=plan.compression,
            encryption=Encryption.AGE if plan.recipients else Encryption.NONE,
            globals=done.globals,
            segments=done.segments,
            stored_size_bytes=sum(segment.size_bytes for segment in done.segments),
            signer=self.keyring.signing_key.public_key,
            recipients=plan.recipients,
            selection=plan.selection,
            proof=plan.proof,
            schema_sha256=done.schema_sha256,
            contents=done.contents,
            source=done.source,
            timings=done.timings,
            globals_object=done.globals_object,
        )

    async def _fill(
        self, draft: Publication, making: _BackupInProgress, job: DumpJob
    ) -> tuple[DumpStarted, DumpStored]:
        try:
            return await run_dump(job, making.on_event)
        except BaseException:
            # A worker that was stopped in the middle of a put may have sent it, and the bucket may still store it.
            draft.straggling = not making.ended_in_order
            raise

    async def _tools(self, sight: Sight) -> ClientTools:
        """Chooses the tools, each time anew: they may be upgraded while the daemon runs."""
        found = await find_tools(self._options.tools_dir)
        return choose_tools(sight.major, found, needs_tls=sight.tls, needs_gss=sight.gss)

    def _job(
        self,
        making: _BackupInProgress,
        way: DatabaseTarget,
        tools: ClientTools,
        draft: Publication,
        staging: Path,
    ) -> DumpJob:
        options, plan = self._options, making.plan
        return DumpJob(
            daemon_pid=os.getpid(),
            database=making.database,
            conninfo=way.conninfo,
            pg_dump=tools.program("pg_dump"),
            pg_dumpall=tools.program("pg_dumpall"),
            psql=tools.psql,
            store_url=options.store_url,
            store_options=dict(options.store_options),
            folder=draft.folder,
            staging=str(staging),
            segment_bytes=options.segment_bytes,
            form=plan.form,
            may_stream=plan.may_stream,
            jobs=plan.jobs,
            compression=plan.compression,
            recipients=plan.recipients,
            choice=plan.choice,
            proof=plan.proof,
            with_globals=plan.with_globals,
            reserve_bytes=options.reserve_bytes,
            max_duration_s=plan.max_duration_s,
            lock_timeout_s=plan.lock_timeout_s,
            max_bytes_per_second=plan.max_bytes_per_second,
            niceness=options.niceness,
        )


class _BackupInProgress:
    """A backup that is being made, and the progress that is reported of it."""

    def __init__(
        self,
        database: str,
        description: str,
        backup_id: str,
        plan: BackupPlan,
        report: ReportProgress,
        on_waiter: Callable[[str], None],
    ) -> None:
        self.database = database
        self.description = description
        self.backup_id = backup_id
        self.plan = plan
        self.ended_in_order = False
        self._report = report
        self._on_waiter = on_waiter
        self._progress = BackupProgress(backup_id, database)

    def enter(self, phase: BackupPhase) -> None:
        """Reports that a phase has begun."""
        self._advance(replace(self._progress, phase=phase))

    def on_event(self, event: WorkerEvent) -> None:
        """Reports what the worker says."""
        progress = self._progress
        if isinstance(event, DumpStarted):
            progress = replace(
                progress,
                database_size_bytes=event.database_size_bytes,
                total_tables=event.total_tables,
            )
        elif isinstance(event, DumpProgress):
            progress = replace(
                progress,
                dumped_bytes=event.dumped_bytes,
                stored_bytes=event.stored_bytes,
                dumped_tables=event.dumped_tables,
                done_bytes=event.done_bytes,
                total_bytes=event.total_bytes,
                time_left_s=event.time_left_s,
            )
        elif isinstance(event, LockWaiterFound):
            log.warning(
                "a dump keeps somebody waiting", database=self.database, waiter=event.message
            )
            self._on_waiter(self.database)
            progress = progress.with_warning(event.message)
        elif isinstance(event, ToolOutput):
            progress = progress.with_output(event.text)
        elif isinstance(event, DumpStored):
            progress = replace(progress, dumped_bytes=event.dump_size_bytes, time_left_s=None)
        else:
            self.ended_in_order = event.reason != RepositoryDown.reason
            return
        self._advance(progress)

    def _advance(self, progress: BackupProgress) -> None:
        self._progress = progress
        self._report(progress)


@asynccontextmanager
async def _staging_folder(parent: Path, making: _BackupInProgress) -> AsyncIterator[Path]:
    """A private folder for what is not stored yet, which is gone when the block ends, whatever ended it."""
    folder = parent / f"backup-{making.backup_id}"
    await asyncio.to_thread(folder.mkdir, 0o700, parents=True)
    try:
        yield folder
    finally:
        await uninterrupted(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))


async def _while_leased(draft: Publication, work: Coroutine[Any, Any, _Result]) -> _Result:
    """Does the work as long as the lease is held. Raises: LeaseLost at once, and not hours later at the commit."""
    working = asyncio.create_task(work)
    watching = asyncio.create_task(_watch(draft))
    try:
        await asyncio.wait([working, watching], return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else watching.result()
    finally:
        watching.cancel()
        working.cancel()
        await uninterrupted(asyncio.wait([working, watching]))


async def _watch(draft: Publication) -> NoReturn:
    while True:
        await asyncio.sleep(_LEASE_CHECK_S)
        await draft.check()
