"""What has been published: batches by id, in pages, and their files."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from stewardd.errors import BatchNotFound, InvalidRequest, ObjectNotFound
from stewardd.repository.catalog import Catalog
from stewardd.repository.identifiers import folder_of
from stewardd.repository.store import Store
from stewardd.validation.manifest import BatchManifest

KIND = "batches"
READ_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Located:
    """Where a file of a batch stands in the repository."""

    key: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class BatchPage:
    """Some batches, newest first, and the token of the page after; "" after the last."""

    items: list[BatchManifest]
    next_page_token: str


class BatchCatalog:
    """Reads published batches; nothing here writes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._catalog = Catalog(
            store, KIND, check=lambda entry: BatchManifest.from_document(entry.manifest)
        )

    async def get(self, batch_id: str) -> BatchManifest:
        """Returns one batch. Raises BatchNotFound, Corrupt."""
        try:
            document = await self._catalog.get(batch_id)
        except (ObjectNotFound, InvalidRequest):
            raise BatchNotFound(f"no batch {batch_id}") from None
        return BatchManifest.from_document(document)

    async def list(self, page_size: int, page_token: str) -> BatchPage:
        """Returns a page of batches, newest first; one that cannot be read is logged, and left out."""
        page = await self._catalog.page(page_size=page_size, page_token=page_token)
        batches = [BatchManifest.from_document(entry.manifest) for entry in page.entries]
        return BatchPage(batches, page.next_page_token)

    async def locate(self, batch_id: str, file: str) -> Located:
        """Says where a file of a batch stands. Raises BatchNotFound, also for a file that the batch does not have."""
        manifest = await self.get(batch_id)
        found = manifest.file(file)
        if found is None:
            hint = "validate it again and ask for the valid rows" if file == "valid.csv" else None
            raise BatchNotFound(f"batch {batch_id} has no {file}", hint=hint)
        return Located(f"{folder_of(KIND, batch_id)}/{file}", found.size_bytes)

    async def read_file(self, batch_id: str, file: str, offset: int) -> AsyncIterator[bytes]:
        """Streams a file of a batch from an offset on. Raises BatchNotFound, InvalidRequest past its end."""
        located = await self.locate(batch_id, file)
        if offset > located.size_bytes:
            raise InvalidRequest(
                f"{file} has only {located.size_bytes} bytes", field="offset_bytes"
            )
        if offset == located.size_bytes:
            return
        async for data in self._store.read(located.key, offset=offset, chunk_bytes=READ_BYTES):
            yield data
