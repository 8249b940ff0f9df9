"""One dump file, read in the worker process: to its end, before anything is made, and once more into the database.

psql is restricted before it gets the first byte of a plain dump (psql.py). The members of a tar archive are written to
a private folder under names that were checked, from which pg_restore reads them with several jobs. The second reading
has to give the checksum of the first: a file that was changed meanwhile is never restored to its end.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import re
import secrets
import shutil
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import IO

from stewardd.backup.dump_files.form import BYTE_ORDER_MARK
from stewardd.backup.dump_files.left_out_lines import LeftOutLines
from stewardd.backup.dump_files.look import OpenedDump, check_files, open_dump
from stewardd.backup.dump_files.places import DumpPlaces, DumpRoot, changed
from stewardd.backup.dump_files.protocol import (
    DumpFileJob,
    FileExamined,
    FileRestore,
    FileRestored,
)
from stewardd.backup.dump_files.psql import ARGUMENTS, PsqlComplaints
from stewardd.backup.dump_files.sql_scan import SqlScan
from stewardd.backup.dump_files.tar import (
    DATA_FILE,
    LARGE_OBJECTS,
    PACKED,
    TABLE_OF_CONTENTS,
    TarMember,
    TarMembers,
)
from stewardd.backup.restoring.complaints import RestoreComplaints
from stewardd.backup.restoring.documents import FileForm
from stewardd.backup.restoring.options import RestorePhase, RestoreProgress
from stewardd.backup.restoring.roles import Roles
from stewardd.backup.restoring.table_of_contents import NeedMore, read_table_of_contents
from stewardd.backup.worker.client_tool import ClientTool
from stewardd.backup.worker.feeding import feed
from stewardd.backup.worker.repeating import repeating
from stewardd.backup.worker.serving import Emit
from stewardd.errors import (
    DatabaseDown,
    DumpUnreadable,
    Exhausted,
    StorageFull,
    ToolMissing,
)
from stewardd.postgres.probe import look_for_outage
from stewardd.postgres.target import DatabaseTarget

_PROBE_TIMEOUT_S = 5.0
_APPLICATION = "stewardd restore"
_LIST_FILE = "chosen.list"
_FOLDER = "dump"
_READ_BYTES = 1 << 16
_SAID_LIMIT = 400
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
_ROOM_HINT = "free room there, or restore a dump of one stream (--format=custom), which needs none"
_LARGE_OBJECT_LINE = re.compile(rb"\d+ blob_\d+\.dat")
_UNREADABLE = re.compile(
    r"could not read from input file|unexpected end of file|not appear to be a valid|unexpected block ID|corrupt|"
    r"unrecognized data block type|could not find block ID|could not uncompress|bad dumpId|too large dumpId|"
    r"unsupported version|could not open input file"
)
_PACKED_OTHERWISE = re.compile(r"compression (?:is )?not supported|does not support compression")


class DumpFileWorker:
    """One job."""

    def __init__(self, job: DumpFileJob, emit: Emit) -> None:
        self._job = job
        self._emit = emit
        self._places = DumpPlaces([DumpRoot(url, options) for url, options in job.roots])
        self._phase = RestorePhase.CHECKING if job.restore is None else RestorePhase.RESTORING
        self._read_bytes = 0
        self._total_bytes = 0
        self._hash = hashlib.sha256()
        self._complaints = RestoreComplaints()

    async def run(self) -> FileExamined | FileRestored:
        """Does it. Raises: the error with which it ends otherwise."""
        job = self._job
        began_at = time.monotonic()
        try:
            async with asyncio.timeout(job.max_duration_s), repeating(self._tell):
                file = await self._places.open(job.uri)
                try:
                    self._total_bytes = await file.size_bytes()
                    dump = await open_dump(self._counted(file.chunks()))
                    if job.restore is None:
                        return await self._examine(dump)
                    if dump.form is not job.restore.form:
                        raise changed()
                    await self._restore(job.restore, dump.chunks)
                finally:
                    await file.close()
        except TimeoutError:
            raise Exhausted(f"{job.called} took longer than {job.max_duration_s:g} s") from None
        return FileRestored(
            self._complaints.begun_tables,
            self._read_bytes,
            round(time.monotonic() - began_at, 3),
        )

    async def _counted(self, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
        """The bytes of the file as they are; each reading of them makes a checksum."""
        async for chunk in chunks:
            await asyncio.to_thread(self._hash.update, chunk)
            self._read_bytes += len(chunk)
            yield chunk

    async def _examine(self, dump: OpenedDump) -> FileExamined:
        scan = SqlScan() if dump.form is FileForm.SQL else None
        members = TarMembers() if dump.form is FileForm.TAR else None
        size_bytes = 0
        async for chunk in dump.chunks:
            size_bytes += len(chunk)
            if scan is not None:
                await asyncio.to_thread(scan.feed, chunk)
            if members is not None:
                for _ in members.feed(chunk):
                    pass
        if members is not None:
            members.finish()
        found = FileExamined(dump.form, self._hash.hexdigest(), self._read_bytes, size_bytes)
        if scan is None:
            return found
        facts = scan.finish()
        return replace(
            found,
            server_version=facts.server_version,
            tool_version=facts.tool_version,
            encoding=facts.encoding,
            own_key=facts.own_key,
            roles=tuple(sorted(facts.roles)),
            extensions=tuple(sorted(facts.extensions)),
            tables=facts.tables,
            fits_transaction=facts.fits_transaction,
            sets_newer_setting=facts.sets_newer_setting,
        )

    async def _restore(self, into: FileRestore, chunks: AsyncIterator[bytes]) -> None:
        if into.form is FileForm.SQL:
            await self._run_sql(into, chunks)
        elif into.form is FileForm.CUSTOM:
            await self._restore_stream(into, chunks)
        else:
            await self._restore_folder(into, chunks)

    async def _run_sql(self, into: FileRestore, chunks: AsyncIterator[bytes]) -> None:
        complaints = PsqlComplaints(lines_before=1)
        tool = _start(into, [*ARGUMENTS, *into.arguments], complaints.feed, reads_input=True)
        draining = asyncio.create_task(asyncio.to_thread(_drain, tool.stdout))
        try:
            await feed(tool, self._restricted(into, chunks), lambda _: None, reads_all=False)
            status = await tool.exit_status()
            if status != 0:
                await self._check_server(into)
                if complaints.error is not None:
                    raise complaints.error.raised()
                raise tool.failure(status, complaints.other or "it said nothing")
        finally:
            await tool.end()
            await draining
            tool.close()

    async def _restricted(
        self, into: FileRestore, chunks: AsyncIterator[bytes]
    ) -> AsyncGenerator[bytes]:
        """The dump as psql gets it: behind a line that restricts it by a key that nobody else knows."""
        yield b"\\restrict " + secrets.token_hex(32).encode() + b"\n"
        lines = LeftOutLines(into.own_key, leaves_setting_out=into.leaves_setting_out)
        is_first = True
        async for chunk in chunks:
            yield lines.feed(chunk.removeprefix(BYTE_ORDER_MARK) if is_first else chunk)
            is_first = False
        yield lines.finish()
        self._check_unchanged(into)

    async def _restore_stream(self, into: FileRestore, chunks: AsyncIterator[bytes]) -> None:
        arguments = ["--format=custom", *await self._listed(into)]

        async def whole() -> AsyncGenerator[bytes]:
            async for chunk in (
                Roles(into.role_map).replaced_in(chunks) if into.role_map else chunks
            ):
                yield chunk
            self._check_unchanged(into)

        tool = self._start_pg_restore(into, arguments, reads_input=True)
        try:
            await feed(tool, whole(), lambda _: None)
            await self._judge(into, tool)
        finally:
            await tool.end()

    async def _restore_folder(self, into: FileRestore, chunks: AsyncIterator[bytes]) -> None:
        folder = Path(into.staging) / _FOLDER
        await asyncio.to_thread(folder.mkdir, 0o700)
        members = TarMembers()
        async for chunk in chunks:
            await asyncio.to_thread(_write_members, members, chunk, folder, into.reserve_bytes)
        members.finish()
        self._check_unchanged(into)
        await asyncio.to_thread(_settle_large_objects, folder)
        if into.role_map:
            roles = Roles(into.role_map)
            await asyncio.to_thread(roles.replace_in_file, folder / TABLE_OF_CONTENTS)
        arguments = ["--format=directory", *await self._listed(into), str(folder)]
        tool = self._start_pg_restore(into, arguments)
        try:
            await self._judge(into, tool)
        finally:
            await tool.end()

    async def _listed(self, into: FileRestore) -> list[str]:
        if not into.list_file:
            return []
        path = Path(into.staging) / _LIST_FILE
        await asyncio.to_thread(path.write_text, into.list_file)
        return [f"--use-list={path}"]

    def _start_pg_restore(
        self, into: FileRestore, arguments: list[str], *, reads_input: bool = False
    ) -> ClientTool:
        all_arguments = ["--verbose", *into.arguments, *arguments]
        return _start(into, all_arguments, self._complaints.feed, reads_input=reads_input)

    async def _judge(self, into: FileRestore, tool: ClientTool) -> None:
        status = await tool.exit_status()
        issues = self._complaints.issues
        if status == 0 or (self._complaints.went_on and not issues):
            return
        await self._check_server(into)
        said = (
            str(issues[0]) if issues else self._complaints.text[-_SAID_LIMIT:] or "it said nothing"
        )
        if _PACKED_OTHERWISE.search(said):
            raise ToolMissing(
                f"{into.program} cannot unpack the rows of this dump: {said}",
                hint="name a folder of client tools with that compression in `postgres.tools_dir`, or have the dump "
                "made with --compress=gzip",
            )
        if _UNREADABLE.search(said) and "ERROR:" not in said:
            raise DumpUnreadable(
                f"pg_restore cannot read the dump: {said}", hint="have the file sent again"
            )
        raise tool.failure(status, said)

    async def _check_server(self, into: FileRestore) -> None:
        down = await look_for_outage(DatabaseTarget(into.database, into.conninfo), _PROBE_TIMEOUT_S)
        if down is not None:
            raise DatabaseDown(
                f"database {into.database!r} went away during the restore: {down.message}",
                metadata=down.metadata,
            )

    def _check_unchanged(self, into: FileRestore) -> None:
        if self._hash.hexdigest() != into.sha256:
            raise changed()

    def _tell(self) -> None:
        tables = self._complaints.begun_tables
        self._emit(RestoreProgress(self._phase, self._read_bytes, self._total_bytes, tables, 0))


def _start(
    into: FileRestore,
    arguments: list[str],
    on_stderr: Callable[[bytes], None],
    *,
    reads_input: bool = False,
) -> ClientTool:
    return ClientTool.start(
        into.program,
        arguments,
        DatabaseTarget(into.database, into.conninfo),
        into.settings,
        application_name=_APPLICATION,
        reads_input=reads_input,
        on_stderr=on_stderr,
    )


def _drain(stream: IO[bytes]) -> None:
    """Reads what psql prints in spite of all, so that a full pipe never stops it."""
    while stream.read(_READ_BYTES):
        pass


def _write_members(members: TarMembers, chunk: bytes, folder: Path, reserve_bytes: int) -> None:
    for member, piece in members.feed(chunk):
        if not piece:
            _check_room(member, folder, reserve_bytes)
        try:
            with (folder / member.name).open("ab") as file:
                file.write(piece)
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            raise StorageFull(
                f"no room to unpack {member.name} of the dump into {folder}", hint=_ROOM_HINT
            ) from error


def _check_room(member: TarMember, folder: Path, reserve_bytes: int) -> None:
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < member.size_bytes + reserve_bytes:
        raise StorageFull(
            f"the disk of the daemon's scratch folder has {free_bytes} bytes free, and {member.name} of the dump needs "
            f"{member.size_bytes} and {reserve_bytes} in reserve",
            hint=_ROOM_HINT,
        )


def _settle_large_objects(folder: Path) -> None:
    """Looks at the lists of large objects: pg_restore opens the files that they name, wherever they lie.

    An archive of the form tar calls a list otherwise in its table of contents than its member is called.
    """
    try:
        table = read_table_of_contents((folder / TABLE_OF_CONTENTS).read_bytes())
    except NeedMore:
        raise DumpUnreadable("the table of contents of the dump is cut off") from None
    check_files(table)
    for entry in table.entries:
        path = folder / entry.file
        if entry.kind == "BLOBS" and DATA_FILE.fullmatch(entry.file) and not path.exists():
            lists = (folder / f"blobs_{path.stem}.toc", folder / "blobs.toc")
            path.symlink_to(next((each for each in lists if each.exists()), lists[0]).name)
    named = {entry.file for entry in table.entries if entry.kind == "BLOBS" and entry.file}
    for path in folder.iterdir():
        stem = path.name.removesuffix(path.suffix) if path.suffix in PACKED else path.name
        if stem not in named and not LARGE_OBJECTS.fullmatch(stem):
            continue
        if stem != path.name:
            raise DumpUnreadable(f"the dump's list of large objects {path.name!r} is compressed")
        for line in path.read_bytes().splitlines():
            if not _LARGE_OBJECT_LINE.fullmatch(line):
                raise DumpUnreadable(
                    "the dump's list of large objects names a file that no dump has"
                )
