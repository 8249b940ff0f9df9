"""The same request again: nothing is validated. What the client sends is only compared with what it sent before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import google_crc32c

from stewardd.batches.manifest import BatchManifest
from stewardd.errors import RequestIdReused
from stewardd.schemas.kinds import CompiledSchema
from stewardd.schemas.registry import Registry
from stewardd.validation.batch_validation import check_commit
from stewardd.validation.engine_threads import Piece
from stewardd.validation.upload import Outcome, Upload


class BatchReplay:
    """Answers from an existing batch. It has the methods of BatchValidation that a call uses."""

    def __init__(
        self, registry: Registry, manifest: BatchManifest, undo: AsyncExitStack, upload: Upload
    ) -> None:
        self._upload = upload
        self.batch_id = manifest.batch_id
        self.is_upload = not manifest.uri
        self._registry = registry
        self._manifest = manifest
        self._undo = undo
        self._size_bytes = 0
        self._crc32c = google_crc32c.Checksum()
        self.header: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.header.set_result(None)

    @property
    def schema(self) -> CompiledSchema | None:
        """The schema of the batch."""
        return self._registry.find(self._manifest.schema, self._manifest.schema_version).compiled

    @property
    def difference(self) -> BatchManifest:
        """The columns that only the header or only the schema has."""
        return self._manifest

    @property
    def progress(self) -> BatchManifest:
        """The counts of the whole batch."""
        return self._manifest

    async def add_chunk(self, data: Piece) -> None:
        """Takes the next bytes, for their checksum."""
        self._size_bytes += len(data)
        self._upload.received_bytes = self._size_bytes
        self._crc32c.update(bytes(data))

    async def read_input_file(self) -> AsyncIterator[None]:
        """Reads nothing."""
        for _ in ():
            yield

    async def commit(self, size_bytes: int, crc32c: int) -> BatchManifest:
        """Returns the batch. Raises: UploadIncomplete; RequestIdReused where another file came."""
        if self.is_upload:
            checksum = int.from_bytes(self._crc32c.digest(), "big")
            check_commit(self._size_bytes, checksum, size_bytes, crc32c)
            if (self._size_bytes, checksum) != (self._manifest.size_bytes, self._manifest.crc32c):
                raise RequestIdReused(
                    "this request_id was used for another file", field="open.request_id"
                )
        self._upload.outcome = Outcome.REPEATED
        return self._manifest

    async def close(self) -> None:
        """Ends the call."""
        await self._undo.aclose()
