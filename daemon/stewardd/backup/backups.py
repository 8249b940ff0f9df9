"""Backups, from outside: make one, get one, list them.

Making one is: wait for its turn (one dump of a database at a time), choose the tools that fit the server, open a draft
in the repository, let a worker process fill it, publish. What fails or is cancelled on the way leaves nothing.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from stewardd.backup.catalog import KIND, BackupCatalog, BackupPage
from stewardd.backup.manifest import BackupManifest
from stewardd.backup.pipeline import run_worker
from stewardd.backup.protocol import Began, Done, Event, Job, Progressed
from stewardd.errors import DatabaseUnknown, RepositoryDown
from stewardd.postgres.probe import Sight, probe
from stewardd.postgres.target import DatabaseTarget
from stewardd.postgres.tools import ClientTools, choose_tools, find_tools
from stewardd.repository.backend.store import Store
from stewardd.repository.identifiers import uuid7
from stewardd.repository.lease import WriterLease
from stewardd.repository.publication import Draft, publish
from stewardd.repository.uninterrupted import uninterrupted
from stewardd.telemetry import logger

log = logger("backup")
_Result = TypeVar("_Result")
# Takes the newest progress: backup, database, phase, dumped_bytes, stored_bytes, database_size_bytes.
Report = Callable[[Mapping[str, object]], None]

QUEUED, DUMPING, PUBLISHING = "QUEUED", "DUMPING", "PUBLISHING"
_PROBE_TIMEOUT_S = 5.0
_LEASE_CHECK_S = 10.0


@dataclass(frozen=True, slots=True)
class BackupOptions:
    """How backups are made. `reserve_bytes` of the repository's disk are left to others, where its room is known."""

    store_url: str
    store_options: Mapping[str, str] = field(default_factory=dict)
    tools_dir: Path | None = None
    segment_bytes: int = 32 << 20
    compression_level: int = 3
    max_duration_s: float = 6 * 3600.0
    lock_timeout_s: float = 60.0
    reserve_bytes: int = 256 << 20


class Backups:
    """The backups of some databases in one repository."""

    def __init__(
        self,
        store: Store,
        lease: WriterLease,
        databases: Mapping[str, DatabaseTarget],
        options: BackupOptions,
    ) -> None:
        self._store = store
        self._lease = lease
        self._databases = dict(databases)
        self._options = options
        self._catalog = BackupCatalog(store)
        self._turns = {name: asyncio.Lock() for name in self._databases}
        self.running = 0

    def database_named(self, name: str) -> str:
        """The configured name that a request means; "" is the only one. Raises DatabaseUnknown."""
        names = sorted(self._databases)
        if not name and len(names) == 1:
            return names[0]
        if name in self._databases:
            return name
        said = f"there is no database {name!r}" if name else "the request names no database"
        raise DatabaseUnknown(f"{said}; there is {', '.join(names)}", field="database")

    async def get(self, backup_id: str) -> BackupManifest:
        """One backup. Raises BackupNotFound, Corrupt."""
        return await self._catalog.get(backup_id)

    async def list(self, page_size: int, page_token: str, id_prefix: str = "") -> BackupPage:
        """A page of backups, newest first. Raises InvalidRequest."""
        return await self._catalog.page(page_size, page_token, id_prefix)

    async def create(
        self, database: str, description: str, report: Report, backup_id: str | None = None
    ) -> BackupManifest:
        """Makes a backup, which exists when this returns and doesn't when it raises.

        Cancelling the task ends the worker and its pg_dump first. `backup_id` is one from uuid7() that nobody used
        before. Raises: DatabaseDown, DatabaseRefused, ToolMissing, ToolFailed, StorageFull, Exhausted, LeaseLost,
        RepositoryDown, InvalidRequest.
        """
        making = _Making(self.database_named(database), description, backup_id or uuid7(), report)
        making.report(QUEUED)
        async with self._turns[making.database]:
            self.running += 1
            try:
                return await self._make(making)
            finally:
                self.running -= 1

    async def _make(self, making: _Making) -> BackupManifest:
        began_at = time.monotonic()
        # What is dumped is the server that was probed, reached in the same way: see postgres/pinning.py.
        sight = await probe(self._databases[making.database], _PROBE_TIMEOUT_S)
        tools = await self._tools(sight)
        making.report(DUMPING)
        async with publish(self._store, self._lease, KIND, making.backup_id) as draft:
            began, done = await _while_leased(
                draft, self._fill(draft, making, self._job(making, sight.way, tools, draft))
            )
            making.report(PUBLISHING)
            manifest = BackupManifest(
                backup_id=making.backup_id,
                database=making.database,
                description=making.description,
                snapshot_time=began.snapshot_time.astimezone(UTC),
                create_time=datetime.now(UTC),
                elapsed_s=round(time.monotonic() - began_at, 3),
                database_size_bytes=began.database_size_bytes,
                dump_size_bytes=done.dump_size_bytes,
                dump_sha256=done.dump_sha256,
                server_version=began.server_version,
                tool_version=tools.version,
                segments=done.segments,
            )
            await draft.commit(manifest.to_document())
        log.info(
            "backup made",
            backup=manifest.backup_id,
            database=manifest.database,
            stored_bytes=manifest.stored_size_bytes,
            elapsed_s=manifest.elapsed_s,
        )
        return manifest

    async def _fill(self, draft: Draft, making: _Making, job: Job) -> tuple[Began, Done]:
        try:
            return await run_worker(job, making.hear)
        except BaseException:
            # A worker that was stopped in the middle of a put may have sent it to a bucket that acts upon it yet.
            draft.straggling = not making.ended_in_order
            raise

    async def _tools(self, sight: Sight) -> ClientTools:
        """Looked for anew each time: they are upgraded while the daemon runs."""
        found = await find_tools(self._options.tools_dir)
        return choose_tools(sight.major, found, needs_tls=sight.tls, needs_gss=sight.gss)

    def _job(self, making: _Making, way: DatabaseTarget, tools: ClientTools, draft: Draft) -> Job:
        options = self._options
        return Job(
            daemon_pid=os.getpid(),
            database=making.database,
            conninfo=way.conninfo,
            pg_dump=tools.program("pg_dump"),
            store_url=options.store_url,
            store_options=dict(options.store_options),
            folder=draft.folder,
            segment_bytes=options.segment_bytes,
            compression_level=options.compression_level,
            reserve_bytes=options.reserve_bytes,
            max_duration_s=options.max_duration_s,
            lock_timeout_s=options.lock_timeout_s,
        )


class _Making:
    """A backup on its way, and what is told of it."""

    def __init__(self, database: str, description: str, backup_id: str, report: Report) -> None:
        self.database = database
        self.description = description
        self.backup_id = backup_id
        self.ended_in_order = False
        self._report = report
        self._progress: dict[str, object] = {
            "backup": backup_id,
            "database": database,
            "phase": QUEUED,
            "dumped_bytes": 0,
            "stored_bytes": 0,
            "database_size_bytes": 0,
        }

    def report(self, phase: str) -> None:
        """Says that a phase has begun."""
        self._tell(phase=phase)

    def hear(self, event: Event) -> None:
        """Passes on what the worker says."""
        if isinstance(event, Began):
            self._tell(database_size_bytes=event.database_size_bytes)
        elif isinstance(event, Progressed):
            self._tell(dumped_bytes=event.dumped_bytes, stored_bytes=event.stored_bytes)
        elif isinstance(event, Done):
            self._tell(dumped_bytes=event.dump_size_bytes)
        else:
            self.ended_in_order = event.reason != RepositoryDown.reason

    def _tell(self, **news: object) -> None:
        self._progress |= news
        self._report(dict(self._progress))


async def _while_leased(draft: Draft, work: Coroutine[Any, Any, _Result]) -> _Result:
    """Ends the work with LeaseLost as soon as the lease is lost, and not hours later at the commit."""
    working = asyncio.create_task(work)
    watching = asyncio.create_task(_watch(draft))
    try:
        await asyncio.wait([working, watching], return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else watching.result()
    finally:
        watching.cancel()
        working.cancel()
        await uninterrupted(asyncio.wait([working, watching]))


async def _watch(draft: Draft) -> NoReturn:
    while True:
        await asyncio.sleep(_LEASE_CHECK_S)
        await draft.check()
