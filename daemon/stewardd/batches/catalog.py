"""The published batches: one by its id, pages of them, and their files.

A manifest never changes. The counts of a batch's rows since its publication come from its log (`since`), and every
batch is returned with them.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from stewardd.batches.filter import BatchFilter
from stewardd.batches.manifest import BATCH_MANIFEST, KIND, BatchManifest
from stewardd.batches.summary import LogSummary
from stewardd.errors import BatchNotFound, BatchRewritten, InvalidRequest, ObjectNotFound
from stewardd.repository.backend.store import Store
from stewardd.repository.catalog import Catalog, Entry
from stewardd.repository.rereading import cut_short, reread

READ_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class FileLocation:
    """Where a file of a batch is stored in the repository."""

    key: str
    size_bytes: int
    crc32c: int


@dataclass(frozen=True, slots=True)
class BatchPage:
    """Some batches, newest first, and the token of the next page. The token is empty on the last page."""

    items: list[BatchManifest]
    next_page_token: str


class BatchCatalog:
    """Reads published batches; nothing here writes. `since` returns the counts of a batch's log, by its folder."""

    def __init__(
        self, store: Store, since: Callable[[str], Awaitable[LogSummary]] | None = None
    ) -> None:
        self._store = store
        self._since = since
        self._catalog = Catalog(
            store,
            KIND,
            BATCH_MANIFEST,
            id_of=lambda manifest: manifest.batch_id,
            enrich=None if since is None else self._enriched,
        )

    async def get(self, batch_id: str) -> BatchManifest:
        """Returns one batch. Raises: BatchNotFound, Corrupt."""
        try:
            return await self._catalog.get(batch_id)
        except (ObjectNotFound, InvalidRequest):
            raise BatchNotFound(f"no batch {batch_id}") from None

    async def list(
        self,
        page_size: int,
        page_token: str,
        batch_filter: BatchFilter | None = None,
        id_prefix: str = "",
    ) -> BatchPage:
        """Returns a page of the batches that a filter takes, newest first.

        A batch that cannot be read is logged, and left out.
        """

        def accept(entry: Entry[BatchManifest]) -> bool:
            return batch_filter is None or batch_filter.takes(entry.manifest)

        page = await self._catalog.page(
            page_size=page_size,
            page_token=page_token,
            scope=scope_of(batch_filter),
            accept=accept,
            within=_days(batch_filter),
            id_prefix=id_prefix,
        )
        return BatchPage([entry.manifest for entry in page.entries], page.next_page_token)

    async def newest_first(
        self, batch_filter: BatchFilter, before: str | None = None
    ) -> AsyncGenerator[tuple[str, BatchManifest | None], None]:
        """Yields (id, batch) of the batches before an id, newest first. A batch is None where the filter rejects it."""
        entries = self._catalog.newest_first(before=before, within=_days(batch_filter))
        async with aclosing(entries):
            async for entry in entries:
                batch = entry.manifest
                yield entry.identifier, batch if batch_filter.takes(batch) else None

    async def identifiers(self) -> AsyncGenerator[str, None]:
        """Yields all ids, newest first, also those of batches that cannot be read or are not published."""
        async with aclosing(self._catalog.identifiers()) as found:
            async for identifier in found:
                yield identifier

    async def locate(self, batch_id: str, file: str) -> FileLocation:
        """Returns where a file of a batch is stored. Raises: BatchNotFound, also where the batch has no such file."""
        manifest = await self.get(batch_id)
        found = manifest.file(file)
        if found is None:
            hint = "validate it again and ask for the valid rows" if file == "valid.csv" else None
            raise BatchNotFound(f"batch {batch_id} has no {file}", hint=hint)
        return FileLocation(manifest.key(found), found.size_bytes, found.crc32c)

    async def read_file(
        self, batch_id: str, file: str, offset: int, crc32c: int | None = None
    ) -> AsyncIterator[bytes]:
        """Streams a file of a batch from an offset on. `crc32c` is the checksum of the file that the caller knows.

        Where a rewriting removes the file before the first bytes are read, the new file is read. After the first bytes
        it is not: bytes of two files are never mixed.

        Raises: BatchNotFound; InvalidRequest for an offset past the end; BatchRewritten where the file has another
        checksum, or was removed midway; Corrupt where it is missing.
        """

        async def first(
            located: FileLocation,
        ) -> tuple[FileLocation, bytes | None, AsyncIterator[bytes]]:
            if crc32c not in (None, located.crc32c):
                raise BatchRewritten(f"batch {batch_id} was rewritten, and has another {file}")
            if offset > located.size_bytes:
                raise InvalidRequest(
                    f"{file} has only {located.size_bytes} bytes", field="offset_bytes"
                )
            if offset == located.size_bytes:
                return located, None, _nothing()
            chunks = self._store.read(located.key, offset=offset, chunk_bytes=READ_BYTES)
            return located, await anext(chunks, None), chunks

        located, data, chunks = await reread(
            lambda: self.locate(batch_id, file), lambda located: located.key, first
        )
        if data is None:
            return
        yield data
        try:
            async for data in chunks:
                yield data
        except ObjectNotFound as error:
            raise await cut_short(lambda: self.locate(batch_id, file), located, error) from error

    async def _enriched(self, _: str, manifest: BatchManifest) -> BatchManifest:
        assert self._since is not None
        return manifest.as_of(await self._since(manifest.folder))


def scope_of(batch_filter: BatchFilter | None) -> dict[str, Any]:
    """The filter that a page token is bound to. Empty for a listing without a filter."""
    return {} if not batch_filter else asdict(batch_filter)


def _days(batch_filter: BatchFilter | None) -> tuple[str | None, str | None]:
    """The days in which batches of a filter may lie. An id has the day on which its upload began, not when it ended."""
    if batch_filter is None:
        return (None, None)
    first, last = batch_filter.create_after, batch_filter.create_before
    return (
        None if first is None else (first - timedelta(days=1)).date().isoformat(),
        None if last is None else last.date().isoformat(),
    )


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""
