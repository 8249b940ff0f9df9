"""One call of ValidateBatch at work: the engine on a new batch, or the replay of one that exists."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

import google_crc32c

import fastcsv
from stewardd.batches.file import BatchFile
from stewardd.batches.manifest import BATCH_MANIFEST, KIND, BatchManifest
from stewardd.errors import RequestIdReused, StewardError, UploadIncomplete
from stewardd.repository.backend.store import Store
from stewardd.repository.claims import Claim
from stewardd.repository.lease import WriterLease
from stewardd.repository.publication import publish
from stewardd.schemas.registry import Registry
from stewardd.telemetry import logger
from stewardd.validation.draft import Draft
from stewardd.validation.intake import Piece
from stewardd.validation.source import Source

log = logger("validation")


@dataclass(frozen=True, slots=True)
class BatchOrigin:
    """Where a batch comes from, as it is kept with it. `uri` is empty for an upload."""

    source_file: str
    uri: str
    request_id: str


class Outcome(StrEnum):
    """What came of an upload. REPEATED: the batch that its request_id had made before was the answer."""

    PUBLISHED = "published"
    REPEATED = "repeated"
    ABANDONED = "abandoned"


@dataclass(slots=True)
class Upload:
    """What is known of an upload when it is over. `batch` is what it published."""

    outcome: Outcome = Outcome.ABANDONED
    received_bytes: int = 0
    batch: BatchManifest | None = None


class Work(Protocol):
    """What ValidateBatch drives: feed, then commit, then close in any case."""

    @property
    def batch_id(self) -> str:
        """The id that the batch has, or will have."""

    @property
    def is_upload(self) -> bool:
        """Whether Chunk messages belong to it."""

    @property
    def header(self) -> asyncio.Future[None]:
        """Done when the header has been read and fits; fails with what is wrong with it."""

    @property
    def schema(self) -> fastcsv.Schema | None:
        """The schema that the header fits, None until that is known."""

    @property
    def difference(self) -> fastcsv.HeaderDifference | BatchManifest:
        """What the header and the schema have not in common."""

    @property
    def progress(self) -> fastcsv.Progress | BatchManifest:
        """How far the work has come."""

    async def feed(self, data: Piece) -> None:
        """Takes the next bytes of an upload."""

    def read_uri(self) -> AsyncIterator[None]:
        """Takes the bytes of the uri, if there is one; yields now and then, for somebody to look at the progress."""

    async def commit(self, size_bytes: int, crc32c: int) -> BatchManifest:
        """Publishes the batch, if what came is what the client says. Raises UploadIncomplete."""

    async def close(self) -> None:
        """Ends the work, published or not."""


@dataclass(frozen=True, slots=True)
class Publisher:
    """What a new batch is published with: where to, under which lease, and the time of day."""

    store: Store
    lease: WriterLease
    wall_clock: Callable[[], datetime]


class NewBatch:
    """The engine on a new batch. `draft`, `undo` and, for a uri, `source` are set before it is handed out."""

    draft: Draft
    undo: AsyncExitStack
    source: Source | None = None

    def __init__(
        self,
        publisher: Publisher,
        batch_id: str,
        origin: BatchOrigin,
        claim: Claim | None,
        upload: Upload,
    ) -> None:
        self._upload = upload
        self.batch_id = batch_id
        self.origin = origin
        self.is_upload = not origin.uri
        self._publisher = publisher
        self._claim = claim
        self._published = False
        self._began_s = time.monotonic()

    @property
    def header(self) -> asyncio.Future[None]:
        """See Work.header."""
        return self.draft.header

    @property
    def schema(self) -> fastcsv.Schema | None:
        """See Work.schema."""
        return self.draft.schema

    @property
    def difference(self) -> fastcsv.HeaderDifference:
        """See Work.difference."""
        return self.draft.difference

    @property
    def progress(self) -> fastcsv.Progress:
        """See Work.progress."""
        return self.draft.progress

    async def feed(self, data: Piece) -> None:
        """See Work.feed."""
        self._upload.received_bytes += len(data)
        await self.draft.feed(data)

    async def read_uri(self) -> AsyncIterator[None]:
        """See Work.read_uri."""
        if self.source is None:
            return
        async for data in self.source.chunks():
            await self.feed(data)
            yield

    async def commit(self, size_bytes: int, crc32c: int) -> BatchManifest:
        """See Work.commit."""
        await self.draft.settle()
        if self.is_upload or size_bytes:
            came = self.draft.progress
            compare(came.size_bytes, came.crc32c, size_bytes, crc32c)
        report = await self.draft.finish()
        async with publish(
            self._publisher.store, self._publisher.lease, KIND, self.batch_id
        ) as publication:
            for file in report.files:
                await publication.put_file(file.name, self.draft.folder / file.name)
            manifest = self._manifest(report)
            await publication.commit(BATCH_MANIFEST.encode(manifest))
        self._published = True
        self._upload.outcome, self._upload.batch = Outcome.PUBLISHED, manifest
        await self._keep_answer()
        log.info(
            "batch published",
            batch=self.batch_id,
            schema=f"{report.schema}/{report.version}",
            total_rows=report.total_rows,
            quarantined_rows=report.quarantined_rows,
            size_bytes=report.size_bytes,
            elapsed_ms=round(manifest.elapsed_s * 1000, 1),
        )
        return manifest

    async def close(self) -> None:
        """See Work.close."""
        await self.undo.aclose()

    async def give_up_claim(self) -> None:
        """Lets the same request be tried again at once, where it came to nothing."""
        if self._claim is not None and not self._published:
            await self._claim.release()

    async def _keep_answer(self) -> None:
        """Spares the next request with this id a look at the manifest; the batch exists without it."""
        if self._claim is not None:
            try:
                await self._claim.answer(self.batch_id)
            except StewardError as error:
                log.warning("answer not kept", batch=self.batch_id, error=error.message)

    def _manifest(self, report: fastcsv.Report) -> BatchManifest:
        return BatchManifest(
            batch_id=self.batch_id,
            schema=report.schema,
            schema_version=report.version,
            source_file=report.source_file,
            uri=self.origin.uri,
            request_id=self.origin.request_id,
            create_time=self._publisher.wall_clock(),
            elapsed_s=time.monotonic() - self._began_s,
            total_rows=report.total_rows,
            valid_rows=report.valid_rows,
            quarantined_rows=report.quarantined_rows,
            recovered_rows=report.recovered_rows,
            errors_by_field=dict(report.errors_by_field),
            errors_by_keyword=dict(report.errors_by_keyword),
            unknown_columns=tuple(report.unknown_columns),
            missing_optional_columns=tuple(report.missing_optional_columns),
            similar_columns=dict(report.similar_columns),
            size_bytes=report.size_bytes,
            crc32c=report.crc32c,
            delimiter=report.delimiter,
            encoding=report.encoding,
            compression="" if report.compression == "none" else report.compression,
            files=tuple(
                BatchFile(file.name, file.size_bytes, file.crc32c) for file in report.files
            ),
        )


class Replay:
    """The same request again: nothing is judged, what is sent is only held against what was sent before."""

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
    def schema(self) -> fastcsv.Schema | None:
        """See Work.schema."""
        return self._registry.get(self._manifest.schema, self._manifest.schema_version)

    @property
    def difference(self) -> BatchManifest:
        """See Work.difference."""
        return self._manifest

    @property
    def progress(self) -> BatchManifest:
        """See Work.progress."""
        return self._manifest

    async def feed(self, data: Piece) -> None:
        """See Work.feed."""
        self._size_bytes += len(data)
        self._upload.received_bytes = self._size_bytes
        self._crc32c.update(bytes(data))

    async def read_uri(self) -> AsyncIterator[None]:
        """See Work.read_uri."""
        for _ in ():
            yield

    async def commit(self, size_bytes: int, crc32c: int) -> BatchManifest:
        """See Work.commit."""
        if self.is_upload:
            checksum = int.from_bytes(self._crc32c.digest(), "big")
            compare(self._size_bytes, checksum, size_bytes, crc32c)
            if (self._size_bytes, checksum) != (self._manifest.size_bytes, self._manifest.crc32c):
                raise RequestIdReused(
                    "this request_id was used for another file", field="open.request_id"
                )
        self._upload.outcome = Outcome.REPEATED
        return self._manifest

    async def close(self) -> None:
        """See Work.close."""
        await self._undo.aclose()


def compare(size_bytes: int, crc32c: int, said_size_bytes: int, said_crc32c: int) -> None:
    """Holds what came against what Commit says of it. Raises UploadIncomplete."""
    if size_bytes != said_size_bytes:
        raise UploadIncomplete(
            f"{size_bytes} bytes came, Commit says {said_size_bytes}", field="commit.size_bytes"
        )
    if crc32c != said_crc32c:
        raise UploadIncomplete(
            "the CRC-32C of what came is not what Commit says", field="commit.crc32c"
        )
