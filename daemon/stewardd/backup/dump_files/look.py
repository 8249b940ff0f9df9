"""A look at a dump file before anything is begun: what it is, and what its beginning says."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

from stewardd.backup.dump_files.form import HEAD_BYTES, form_of, packing_of
from stewardd.backup.dump_files.places import DumpPlaces
from stewardd.backup.dump_files.sql_scan import SqlFacts, SqlScan
from stewardd.backup.dump_files.tar import (
    DATA_FILE,
    LARGE_OBJECTS,
    TABLE_OF_CONTENTS,
    TarMembers,
)
from stewardd.backup.dump_files.unpacking import close_chunks, unpacked
from stewardd.backup.restoring.archive_head import read_stream_head
from stewardd.backup.restoring.documents import FileForm, Packing
from stewardd.backup.restoring.table_of_contents import (
    NeedMore,
    TableOfContents,
    read_table_of_contents,
)
from stewardd.errors import Corrupt, DumpUnreadable

_LARGEST_TABLE_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class DumpLook:
    """What a look saw: `table` is an archive's table of contents, `sql` what the beginning of a plain dump says."""

    packing: Packing
    form: FileForm
    size_bytes: int
    table: TableOfContents | None = None
    sql: SqlFacts | None = None


@dataclass(frozen=True, slots=True)
class OpenedDump:
    """A dump whose beginning was read: its form, and its bytes from the first one, unpacked."""

    packing: Packing
    form: FileForm
    head: bytes
    chunks: AsyncGenerator[bytes]


async def open_dump(raw: AsyncIterator[bytes]) -> OpenedDump:
    """Recognises a dump by its first bytes. Raises: DumpUnreadable."""
    raw_head, raw = await _with_head(raw)
    packing = packing_of(raw_head)
    head, chunks = await _with_head(unpacked(raw, packing))
    return OpenedDump(packing, form_of(head), head, chunks)


async def look_at(places: DumpPlaces, uri: str) -> DumpLook:
    """Looks at the file that a URI names. Raises: UriRefused, DumpUnreadable, RepositoryDown."""
    file = await places.open(uri)
    try:
        size_bytes = await file.size_bytes()
        dump = await open_dump(file.chunks())
        try:
            if dump.form is FileForm.SQL:
                scan = SqlScan()
                scan.feed(dump.head)
                return DumpLook(dump.packing, dump.form, size_bytes, sql=scan.facts)
            table = await _table_of(dump)
            return DumpLook(dump.packing, dump.form, size_bytes, table=table)
        finally:
            await dump.chunks.aclose()
    finally:
        await file.close()


async def _table_of(dump: OpenedDump) -> TableOfContents:
    try:
        if dump.form is FileForm.CUSTOM:
            return await read_stream_head(dump.chunks)
        table = read_table_of_contents(await _table_in_tar(dump.chunks))
    except NeedMore:
        raise DumpUnreadable(
            "the dump is cut off: its table of contents does not come to its end",
            hint="have the file sent again",
        ) from None
    except Corrupt as error:
        raise DumpUnreadable(error.message) from None
    check_files(table)
    return table


def check_files(table: TableOfContents) -> None:
    """Refuses a table of contents that names other files than pg_dump does. Raises: DumpUnreadable.

    pg_restore opens a file by the name that stands there: another one may lead out of the folder.
    """
    for entry in table.entries:
        name = entry.file
        if name and not (DATA_FILE.fullmatch(name) or LARGE_OBJECTS.fullmatch(name)):
            raise DumpUnreadable(f"the dump names a file that no dump has: {name[:200]!r}")


async def _table_in_tar(chunks: AsyncIterator[bytes]) -> bytes:
    members, found = TarMembers(), bytearray()
    async for chunk in chunks:
        for member, piece in members.feed(chunk):
            if member.name != TABLE_OF_CONTENTS:
                continue
            if member.size_bytes > _LARGEST_TABLE_BYTES:
                raise DumpUnreadable(
                    f"the dump has a table of contents of {member.size_bytes} bytes"
                )
            found += piece
            if len(found) == member.size_bytes:
                return bytes(found)
    members.finish()
    raise NeedMore


async def _with_head(chunks: AsyncIterator[bytes]) -> tuple[bytes, AsyncGenerator[bytes]]:
    """Reads the beginning of a stream, and returns it with all of the stream."""
    head = bytearray()
    async for chunk in chunks:
        head += chunk
        if len(head) >= HEAD_BYTES:
            break
    beginning = bytes(head)

    async def whole() -> AsyncGenerator[bytes]:
        try:
            if beginning:
                yield beginning
            async for chunk in chunks:
                yield chunk
        finally:
            await close_chunks(chunks)

    return beginning, whole()
