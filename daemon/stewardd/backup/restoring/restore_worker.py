"""One restore, done in the worker process: every byte is checked first, then pg_restore gets them.

A stream is read twice: once to compare all checksums, once to decrypt, unpack and hand it to pg_restore. A folder is
unpacked into a private place, where the checksum of each file is compared too, and restored by several jobs.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path

from stewardd.backup.keys.encryption import read_identities
from stewardd.backup.making.staging import TABLE_OF_CONTENTS
from stewardd.backup.manifest.backup import DumpForm
from stewardd.backup.manifest.contents import BackupContents
from stewardd.backup.reading.ahead import ended
from stewardd.backup.reading.contents import read_contents
from stewardd.backup.reading.dump import read_dump
from stewardd.backup.reading.folder import read_folder
from stewardd.backup.reading.segment import read_segment
from stewardd.backup.restoring.archive_head import read_head
from stewardd.backup.restoring.complaints import RestoreComplaints
from stewardd.backup.restoring.options import RestorePhase, RestoreProgress
from stewardd.backup.restoring.protocol import RestoreEnded, RestoreJob
from stewardd.backup.restoring.roles import Roles
from stewardd.backup.restoring.selection import ChosenEntries, choose_entries
from stewardd.backup.worker.client_tool import ClientTool
from stewardd.backup.worker.feeding import feed
from stewardd.backup.worker.repeating import repeating
from stewardd.backup.worker.serving import Emit
from stewardd.errors import (
    Corrupt,
    DatabaseDown,
    Exhausted,
    StorageFull,
)
from stewardd.postgres.probe import look_for_outage
from stewardd.postgres.target import DatabaseTarget
from stewardd.repository.backend.store import Store

_PROBE_TIMEOUT_S = 5.0
_APPLICATION = "stewardd restore"
_LIST_FILE = "chosen.list"
_SAID_LIMIT = 400
# pg_restore's words for a dump that is none, or not whole.
_UNREADABLE = re.compile(
    r"could not read from input file|unexpected end of file|not appear to be a valid archive|unexpected block ID|"
    r"unrecognized data block type|unexpected data offset|could not uncompress|corrupt|bad dumpId|too large dumpId"
)


class RestoreWorker:
    """One job."""

    def __init__(self, job: RestoreJob, store: Store, emit: Emit) -> None:
        self._job = job
        self._manifest = job.manifest
        self._store = store
        self._emit = emit
        self._target = DatabaseTarget(job.database, job.conninfo)
        self._identities = (
            tuple(read_identities("\n".join(job.identities))) if job.identities else ()
        )
        self._complaints = RestoreComplaints()
        self._roles = Roles(job.role_map)
        self._phase = RestorePhase.CHECKING
        self._read_bytes = 0
        self._total_bytes = self._manifest.stored_size_bytes
        self._total_tables = 0

    async def run(self) -> RestoreEnded:
        """Restores. Raises: the error with which the restore ends otherwise."""
        job = self._job
        began_at = time.monotonic()
        try:
            async with asyncio.timeout(job.max_duration_s), repeating(self._tell):
                checked_s = await self._restore()
        except TimeoutError:
            raise Exhausted(f"{job.called} took longer than {job.max_duration_s:g} s") from None
        return RestoreEnded(
            self._complaints.issues,
            self._complaints.text,
            self._complaints.begun_tables,
            self._read_bytes,
            round(checked_s, 3),
            round(time.monotonic() - began_at, 3),
        )

    async def _restore(self) -> float:
        """Restores, and returns how long the reading before the first row took."""
        began_at = time.monotonic()
        if self._manifest.form is DumpForm.CUSTOM:
            await self._check_segments()
            arguments = await self._choice_of_stream()
            checked_s = time.monotonic() - began_at
            self._begin_restoring(self._manifest.dump_size_bytes)
            await self._restore_stream(arguments)
            return checked_s
        folder = Path(self._job.staging) / "dump"
        await asyncio.to_thread(folder.mkdir, 0o700)
        arguments = await self._stage(folder)
        checked_s = time.monotonic() - began_at
        self._phase = RestorePhase.RESTORING
        await self._restore_folder(folder, arguments)
        return checked_s

    async def _check_segments(self) -> None:
        """Compares every stored byte with its checksum, before any of it is used; the next one is read meanwhile."""
        manifest = self._manifest
        ahead: asyncio.Task[bytearray] | None = None
        try:
            for number, segment in enumerate(manifest.segments):
                body = await (ahead or read_segment(self._store, manifest, segment))
                ahead = None
                if number + 1 < len(manifest.segments):
                    following = manifest.segments[number + 1]
                    ahead = asyncio.create_task(read_segment(self._store, manifest, following))
                self._read_bytes += len(body)
        finally:
            await ended(ahead)

    async def _choice_of_stream(self) -> list[str]:
        """The arguments that choose the wanted part of a stream."""
        if not self._is_partial:
            contents = await read_contents(self._store, self._manifest, self._identities)
            self._total_tables = len(contents.tables)
            return []
        return await self._write_list(await self._choose(BackupContents(self._manifest.form)))

    async def _choose(self, contents: BackupContents) -> ChosenEntries:
        """The wanted part, by the table of contents."""
        head = await read_head(
            self._store, self._manifest, contents, self._identities, Path(self._job.staging)
        )
        return choose_entries(
            head.entries,
            schemas=self._job.schemas,
            tables=self._job.tables,
            with_needs=not self._job.in_place,
        )

    async def _stage(self, folder: Path) -> list[str]:
        """Unpacks the wanted files into a folder; returns the arguments that choose the wanted part."""
        contents = await read_contents(self._store, self._manifest, self._identities)
        self._total_bytes = sum(each.size_bytes for each in contents.files)
        self._total_tables = len(contents.tables)
        if not self._is_partial:
            self._check_room(self._total_bytes)
            await self._read_files(contents, folder, None)
            return []
        chosen = await self._choose(contents)
        names = {TABLE_OF_CONTENTS, *chosen.files}
        if chosen.has_large_objects:
            names |= {each.name for each in contents.files if each.name.startswith("blob")}
        self._total_bytes = sum(each.size_bytes for each in contents.files if each.name in names)
        self._check_room(self._total_bytes)
        await self._read_files(contents, folder, names)
        return await self._write_list(chosen)

    async def _read_files(
        self, contents: BackupContents, folder: Path, names: set[str] | None
    ) -> None:
        await read_folder(
            self._store,
            self._manifest,
            contents,
            folder,
            identities=self._identities,
            names=names,
            on_written=self._count,
        )

    def _count(self, size_bytes: int) -> None:
        self._read_bytes += size_bytes

    async def _write_list(self, chosen: ChosenEntries) -> list[str]:
        self._total_tables = len(chosen.tables)
        path = Path(self._job.staging) / _LIST_FILE
        await asyncio.to_thread(path.write_text, chosen.list_file)
        return [f"--use-list={path}"]

    async def _restore_stream(self, arguments: list[str]) -> None:
        tool = self._start(["--format=custom", *arguments], reads_input=True)
        try:
            await feed(tool, self._dump(), self._count, reads_all=not self._is_partial)
            await self._judge(tool)
        finally:
            await tool.end()

    async def _restore_folder(self, folder: Path, arguments: list[str]) -> None:
        if self._job.role_map:
            await asyncio.to_thread(self._roles.replace_in_file, folder / TABLE_OF_CONTENTS)
        jobs = [f"--jobs={self._job.jobs}"] if self._job.jobs > 1 else []
        tool = self._start(["--format=directory", *jobs, *arguments, str(folder)])
        try:
            await self._judge(tool)
        finally:
            await tool.end()

    def _start(self, arguments: list[str], *, reads_input: bool = False) -> ClientTool:
        job = self._job
        return ClientTool.start(
            job.pg_restore,
            ["--verbose", *job.arguments, *arguments],
            self._target,
            job.settings,
            application_name=_APPLICATION,
            reads_input=reads_input,
            on_stderr=self._complaints.feed,
        )

    def _dump(self) -> AsyncIterator[bytes]:
        """The stream as pg_restore is to have it."""
        dump = read_dump(self._store, self._manifest, self._identities)
        return self._roles.replaced_in(dump) if self._job.role_map else dump

    async def _judge(self, tool: ClientTool) -> None:
        """Sees how it ended: errors that it went on after are told in the result."""
        status = await tool.exit_status()
        went_on, has_issues = self._complaints.went_on, bool(self._complaints.issues)
        if status == 0 or (went_on and not (has_issues and self._job.stop_at_first_error)):
            return
        down = await look_for_outage(self._target, _PROBE_TIMEOUT_S)
        if down is not None:
            raise DatabaseDown(
                f"database {self._job.database!r} went away during its restore: {self._said()}",
                metadata=down.metadata,
            )
        if _UNREADABLE.search(self._said()):
            raise Corrupt(f"backup {self._manifest.backup_id} cannot be read: {self._said()}")
        raise tool.failure(status, self._said())

    def _said(self) -> str:
        issues = self._complaints.issues
        return (
            str(issues[0]) if issues else self._complaints.text[-_SAID_LIMIT:] or "it said nothing"
        )

    @property
    def _is_partial(self) -> bool:
        return bool(self._job.schemas or self._job.tables)

    def _begin_restoring(self, total_bytes: int) -> None:
        self._phase = RestorePhase.RESTORING
        self._read_bytes = 0
        self._total_bytes = total_bytes

    def _check_room(self, wanted_bytes: int) -> None:
        free_bytes = shutil.disk_usage(self._job.staging).free
        if free_bytes < wanted_bytes + self._job.reserve_bytes:
            raise StorageFull(
                f"the disk of the daemon's scratch folder has {free_bytes} bytes free, and unpacking backup "
                f"{self._manifest.backup_id} needs {wanted_bytes} and {self._job.reserve_bytes} in reserve",
                hint="free room there, or restore it where there is more",
            )

    def _tell(self) -> None:
        self._emit(
            RestoreProgress(
                self._phase,
                self._read_bytes,
                self._total_bytes,
                self._complaints.begun_tables,
                self._total_tables,
            )
        )
