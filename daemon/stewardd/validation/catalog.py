"""What has been published: batches by id, in pages, and their files."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from stewardd.errors import BatchNotFound, InvalidRequest, ObjectNotFound
from stewardd.repository.catalog import Page, list_manifests
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


class BatchCatalog:
    """Reads published batches; nothing here writes."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get(self, batch_id: str) -> BatchManifest:
        """Returns one batch. Raises BatchNotFound."""
        try:
            body = await self._store.get(f"{folder_of(KIND, batch_id)}/manifest.json")
        except (ObjectNotFound, ValueError):
            raise BatchNotFound(f"no batch {batch_id}") from None
        return BatchManifest.from_json(body)

    async def list(self, page_size: int, page_token: str) -> Page[BatchManifest]:
        """Returns a page of batches, newest first."""
        return await list_manifests(
            self._store, KIND, BatchManifest.from_json, page_size=page_size, page_token=page_token
        )

    async def locate(self, batch_id: str, file: str) -> Located:
        """Says where a file of a batch stands. Raises BatchNotFound, also for a file that the batch does not have."""
        manifest = await self.get(batch_id)
        found = manifest.file(file)
        if found is None:
            hint = "validate it again and ask for the valid rows" if file == "valid.csv" else None
            raise BatchNotFound(f"batch {batch_id} has no {file}", hint=hint)
        return Located(f"{folder_of(KIND, batch_id)}/{file}", found.size_bytes)

    async def read_file(self, batch_id: str, file: str, offset: int) -> AsyncIterator[bytes]:
        """Streams a file of a batch from an offset on. Raises BatchNotFound, InvalidRequest for an offset past its end."""
        located = await self.locate(batch_id, file)
        if offset > located.size_bytes:
            raise InvalidRequest(f"{file} has only {located.size_bytes} bytes", field="offset_bytes")
        if offset == located.size_bytes:
            return
        async for data in self._store.read(located.key, offset=offset, chunk_bytes=READ_BYTES):
            yield data
