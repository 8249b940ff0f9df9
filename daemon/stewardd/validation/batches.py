"""From Open to a published batch: the way that every upload takes.

    begin    claim the request_id, pick the candidate schemas, make the engine's folder
    feed     judge, beside the event loop (draft.py)
    commit   compare with what the client says it sent; finish and sync the files; publish them
    close    whatever happened: no folder, no open claim, nothing half visible stays

A batch exists when its manifest does. The data goes first, under the batch's own keys; the manifest is put last and
create-once, after the writer has made sure that it was not given up for dead meanwhile. Until then nobody can see any
of it, and what a killed daemon left is found by its lease and swept.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import fastcsv
import google_crc32c

from stewardd.errors import InputRefused, RequestIdReused, TooManyRequests, UploadIncomplete
from stewardd.repository.claims import Claim, Claims, Done
from stewardd.repository.identifiers import uuid7
from stewardd.repository.lease import WriterLease
from stewardd.repository.publication import publish
from stewardd.repository.store import Store
from stewardd.schemas.registry import Registry
from stewardd.telemetry import logger
from stewardd.validation.catalog import KIND, BatchCatalog
from stewardd.validation.draft import Bounds, Draft, ReadOptions
from stewardd.validation.manifest import BatchFile, BatchManifest
from stewardd.validation.uri import open_uri

log = logger("validation")

METHOD = "ValidateBatch"
READ_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """What a caller asks for. `uri` is None for an upload."""

    schema: str | None
    schema_version: str | None
    request_id: str
    source_file: str
    uri: str | None
    options: ReadOptions

    def fingerprint(self) -> str:
        """Returns what tells this request from another under the same request_id; an upload's bytes come later."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


class Work(Protocol):
    """One call of ValidateBatch at work: the engine on a new batch, or the replay of one that exists."""

    batch_id: str
    is_upload: bool

    @property
    def schema(self) -> fastcsv.Schema | None:
        """The schema that the header fits, None until that is known."""

    @property
    def unknown_columns(self) -> tuple[str, ...]:
        """Columns of the header that the schema does not know."""

    @property
    def progress(self) -> fastcsv.Progress | BatchManifest:
        """How far the work has come."""

    async def feed(self, data: bytes) -> None:
        """Takes the next bytes of an upload."""

    def read_uri(self) -> AsyncIterator[None]:
        """Takes the bytes of the uri, if there is one; yields now and then, for somebody to look at the progress."""

    async def commit(self, size_bytes: int, crc32c: int) -> BatchManifest:
        """Publishes the batch, if what came is what the client says."""

    async def close(self) -> None:
        """Ends the work, published or not."""


@dataclass(frozen=True, slots=True)
class Batches:
    """What all batches share. `wall_clock` gives the time of day."""

    registry: Registry
    catalog: BatchCatalog
    store: Store
    lease: WriterLease
    claims: Claims
    scratch: Path
    executor: Executor
    bounds: Bounds
    uri_roots: Sequence[Path]
    admission: Admission
    wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    async def begin(self, request: BatchRequest) -> Work:
        """Starts a batch, or the replay of the one that this request_id made before.

        Raises UnknownSchema, UriRefused, RequestIdReused, RequestInProgress, TooManyRequests, StorageFull.
        """
        candidates = self.registry.candidates(request.schema, request.schema_version)
        batch_id = str(uuid7())
        claim: Claim | None = None
        if request.request_id:
            outcome = await self.claims.claim(METHOD, request.request_id, request.fingerprint(), batch_id)
            if isinstance(outcome, Done):
                manifest = await self.catalog.get(outcome.resource)
                return _Replay(self.registry, request, manifest)
            claim = outcome
        self.admission.enter()
        file: int | None = None
        try:
            if request.uri is not None:
                file = open_uri(request.uri, self.uri_roots)
            draft = await Draft.begin(
                candidates,
                self.scratch / batch_id,
                self.executor,
                self.bounds,
                request.options,
                batch_id=batch_id,
                source_file=request.source_file or (request.uri or "").rpartition("/")[2],
                quarantined_at=self.wall_clock().strftime("%Y-%m-%dT%H:%M:%SZ"),
            )
        except BaseException:
            self.admission.leave()
            if file is not None:
                os.close(file)
            if claim is not None:
                await claim.release()
            raise
        return _NewBatch(self, request, batch_id, draft, claim, file)


class Admission:
    """Bounds how many batches are in the making; more are refused, not queued: their clients hold the bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.running = 0

    def enter(self) -> None:
        """Counts one in. Raises TooManyRequests."""
        if self.running >= self._limit:
            raise TooManyRequests(
                f"{self.running} batches are being validated",
                hint="wait, and try again; the bound is `server.max_concurrent_batches`",
                retry_after_s=1.0,
            )
        self.running += 1

    def leave(self) -> None:
        """Counts one out."""
        self.running -= 1


class _NewBatch:
    """The engine on a new batch."""

    def __init__(
        self, batches: Batches, request: BatchRequest, batch_id: str, draft: Draft, claim: Claim | None, file: int | None
    ) -> None:
        self.batch_id = batch_id
        self.is_upload = request.uri is None
        self._batches = batches
        self._request = request
        self._draft = draft
        self._claim = claim
        self._file = file
        self._published = False
        self._closed = False
        self._began_s = time.monotonic()

    @property
    def schema(self) -> fastcsv.Schema | None:
        return self._draft.schema

    @property
    def unknown_columns(self) -> tuple[str, ...]:
        return self._draft.unknown_columns

    @property
    def progress(self) -> fastcsv.Progress:
        return self._draft.progress

    async def feed(self, data: bytes) -> None:
        await self._draft.feed(data)

    async def read_uri(self) -> AsyncIterator[None]:
        if self._file is None:
            return
        before = os.fstat(self._file)
        while data := await self._draft.on_thread(os.read, self._file, READ_BYTES):
            await self._draft.feed(data)
            yield
        after = os.fstat(self._file)
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise InputRefused("the file was changed while it was read", hint="name a file that nobody writes to")

    async def commit(self, size_bytes: int, crc32c: int) -> BatchManifest:
        await self._draft.settle()
        if self.is_upload or size_bytes:
            _compare(self._draft.progress.size_bytes, self._draft.progress.crc32c, size_bytes, crc32c)
        report = await self._draft.finish()
        batches = self._batches
        async with publish(batches.store, batches.lease, KIND, self.batch_id) as publication:
            for file in report.files:
                await publication.put_file(file.name, self._draft.folder / file.name)
            manifest = self._manifest(report)
            await publication.commit(manifest.to_json())
        self._published = True
        if self._claim is not None:
            await self._claim.complete(self.batch_id)
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
        if self._closed:
            return
        self._closed = True
        try:
            if self._file is not None:
                os.close(self._file)
            await self._draft.discard()
            if self._claim is not None and not self._published:
                await self._claim.release()
        finally:
            self._batches.admission.leave()

    def _manifest(self, report: fastcsv.Report) -> BatchManifest:
        return BatchManifest(
            batch_id=self.batch_id,
            schema=report.schema,
            schema_version=report.version,
            source_file=report.source_file,
            uri=self._request.uri or "",
            request_id=self._request.request_id,
            create_time=self._batches.wall_clock(),
            elapsed_s=time.monotonic() - self._began_s,
            total_rows=report.total_rows,
            valid_rows=report.valid_rows,
            quarantined_rows=report.quarantined_rows,
            recovered_rows=report.recovered_rows,
            errors_by_field=dict(report.errors_by_field),
            errors_by_keyword=dict(report.errors_by_keyword),
            unknown_columns=tuple(report.unknown_columns),
            size_bytes=report.size_bytes,
            crc32c=report.crc32c,
            delimiter=report.delimiter,
            encoding=report.encoding,
            compression=report.compression or "",
            files=tuple(BatchFile(file.name, file.size_bytes, file.crc32c) for file in report.files),
        )


class _Replay:
    """The same request again: nothing is judged, what is sent is only held against what was sent before."""

    def __init__(self, registry: Registry, request: BatchRequest, manifest: BatchManifest) -> None:
        self.batch_id = manifest.batch_id
        self.is_upload = request.uri is None
        self._registry = registry
        self._manifest = manifest
        self._size_bytes = 0
        self._crc32c = google_crc32c.Checksum()

    @property
    def schema(self) -> fastcsv.Schema | None:
        return self._registry.get(self._manifest.schema, self._manifest.schema_version)

    @property
    def unknown_columns(self) -> tuple[str, ...]:
        return self._manifest.unknown_columns

    @property
    def progress(self) -> BatchManifest:
        return self._manifest

    async def feed(self, data: bytes) -> None:
        self._size_bytes += len(data)
        self._crc32c.update(data)

    async def read_uri(self) -> AsyncIterator[None]:
        return
        yield

    async def commit(self, size_bytes: int, crc32c: int) -> BatchManifest:
        if self.is_upload:
            checksum = int.from_bytes(self._crc32c.digest(), "big")
            _compare(self._size_bytes, checksum, size_bytes, crc32c)
            if (self._size_bytes, checksum) != (self._manifest.size_bytes, self._manifest.crc32c):
                raise RequestIdReused("this request_id was used for another file", field="open.request_id")
        return self._manifest

    async def close(self) -> None:
        return


def _compare(size_bytes: int, crc32c: int, said_size_bytes: int, said_crc32c: int) -> None:
    if size_bytes != said_size_bytes:
        raise UploadIncomplete(f"{size_bytes} bytes came, Commit says {said_size_bytes}", field="commit.size_bytes")
    if crc32c != said_crc32c:
        raise UploadIncomplete("the CRC-32C of what came is not what Commit says", field="commit.crc32c")
