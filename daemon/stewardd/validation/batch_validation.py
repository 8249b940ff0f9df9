"""The validation of a new batch: its file is validated while it comes, then the batch is published.

Nothing is visible before the publication. The engine works on threads with the interpreter released while the next
chunks arrive; `add_chunk` returns when there is room for the chunk. So an error of one chunk is raised by a later call.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import fastcsv
from stewardd.batches.manifest import BATCH_MANIFEST, KIND, BatchManifest
from stewardd.config.validation import ValidationSettings
from stewardd.errors import InputRefused, StewardError, UploadIncomplete
from stewardd.repository.backend.store import Store
from stewardd.repository.claims import Claim
from stewardd.repository.input_files import InputFile
from stewardd.repository.lease import WriterLease
from stewardd.repository.publication import publish
from stewardd.schemas.kinds import CompiledSchema
from stewardd.schemas.refusals import refusals
from stewardd.telemetry import logger
from stewardd.validation.batch_engine import (
    ENGINE_THREADS,
    BatchEngine,
    BatchProgress,
    EngineOutput,
    MakeEngine,
    SchemaDifference,
)
from stewardd.validation.engine_threads import EngineThreads, Piece, PieceQueue
from stewardd.validation.manifest import BatchOrigin, manifest_of
from stewardd.validation.upload import Outcome, Upload

T = TypeVar("T")
log = logger("validation")

BYTES_A_THREAD = 512 * 1024
"""A thread is started only for so many bytes; for fewer its start costs more than it saves."""
BYTES_A_TURN = 64 * 1024
"""Several threads share the pieces only if these have so many bytes on average."""


@dataclass(frozen=True, slots=True)
class ValidationResources:
    """What all validations share. `wall_clock` gives the time of day."""

    store: Store
    lease: WriterLease
    threads: EngineThreads
    limits: ValidationSettings
    wall_clock: Callable[[], datetime]


class BatchValidation:
    """A new batch. Call `start`, then `add_chunk` or `read_input_file`, then `commit`, and in any case `close`.

    `header` is done when a schema fits the beginning of the file, and fails with what is wrong with it. Not safe for
    two callers at once.
    """

    undo: AsyncExitStack
    """What `close` does; set before the validation is handed out."""
    input_file: InputFile | None = None
    _engine: BatchEngine

    def __init__(
        self,
        resources: ValidationResources,
        folder: Path,
        batch_id: str,
        origin: BatchOrigin,
        claim: Claim | None,
        upload: Upload,
    ) -> None:
        self._upload = upload
        self.batch_id = batch_id
        self.is_upload = not origin.uri
        self._resources = resources
        self._folder = folder
        self._origin = origin
        self._claim = claim
        self._published = False
        self._began_s = time.monotonic()
        self._loop = asyncio.get_running_loop()
        self._starting: asyncio.Future[None] | None = None
        max_waiting_bytes = resources.limits.max_waiting_bytes
        self._queue = PieceQueue(resources.threads, self._validate, max_waiting_bytes)
        self.header: asyncio.Future[None] = self._loop.create_future()

    async def start(self, make_engine: MakeEngine) -> None:
        """Starts the engine on files in a new folder. `discard` undoes it, also where it fails. Raises: StorageFull."""
        quarantined_at = self._resources.wall_clock().strftime("%Y-%m-%dT%H:%M:%SZ")
        output = EngineOutput(self._folder, self.batch_id, self._origin.source_file, quarantined_at)

        def make() -> None:
            self._folder.mkdir(parents=True, mode=0o700)
            self._engine = make_engine(output)

        self._starting = self._loop.run_in_executor(self._resources.threads, make)
        with refusals():
            await asyncio.shield(self._starting)
        if self._engine.schema is not None:
            self._header_fits()

    @property
    def schema(self) -> CompiledSchema | None:
        """The schema that fits the file. None until the header, or the first payload, has been read."""
        return self._engine.schema

    @property
    def difference(self) -> SchemaDifference:
        """The columns that only the header or only the schema has. Empty until the header has been read."""
        return self._engine.difference

    @property
    def progress(self) -> BatchProgress:
        """How many bytes and rows the engine has validated. It does not wait for chunks in flight."""
        return self._engine.progress

    async def add_chunk(self, data: Piece) -> None:
        """Adds the next bytes, once there is room. Raises: InputRefused, HeaderRefused, StorageFull, Failed."""
        if not data:
            return
        self._upload.received_bytes += len(data)
        max_upload_bytes = self._resources.limits.max_upload_bytes
        if self._upload.received_bytes > max_upload_bytes:
            raise InputRefused(
                f"the file is larger than {max_upload_bytes} bytes",
                hint="split the file, or raise `validation.max_upload_bytes`",
            )
        with refusals():
            await self._queue.put(data)

    async def read_input_file(self) -> AsyncIterator[None]:
        """Adds the bytes of the file that a uri names, if any. It yields after each chunk."""
        if self.input_file is None:
            return
        async for data in self.input_file.chunks():
            await self.add_chunk(data)
            yield

    async def commit(self, size_bytes: int, crc32c: int) -> BatchManifest:
        """Publishes the batch.

        Raises: UploadIncomplete where other bytes came than the client says; what `add_chunk` raises; LeaseLost,
        StorageFull, RepositoryDown.
        """
        with refusals():
            await self._queue.settle()
        if self.is_upload or size_bytes:
            came = self.progress
            check_commit(came.size_bytes, came.crc32c, size_bytes, crc32c)
        report = await self._on_thread(self._engine.finish)
        store, lease = self._resources.store, self._resources.lease
        async with publish(store, lease, KIND, self.batch_id) as publication:
            for file in report.files:
                await publication.put_file(file.name, self._folder / file.name)
            manifest = manifest_of(
                report,
                self.batch_id,
                self._origin,
                create_time=self._resources.wall_clock(),
                elapsed_s=time.monotonic() - self._began_s,
            )
            await publication.commit(BATCH_MANIFEST.encode(manifest))
        self._published = True
        self._upload.outcome, self._upload.batch = Outcome.PUBLISHED, manifest
        await self._store_answer()
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
        """Ends the validation, published or not: its folder is removed, and an unused claim released."""
        await self.undo.aclose()

    async def discard(self) -> None:
        """Stops the engine and removes its folder. May be called at any time, and twice."""
        await self._queue.close()
        if self._starting is not None:
            await asyncio.wait([self._starting])
            self._starting.exception()  # read, so that asyncio does not log it; `start` has raised it
            self._starting = None

        def remove() -> None:
            if hasattr(self, "_engine"):
                self._engine.abort()
            shutil.rmtree(self._folder, ignore_errors=True)

        await self._loop.run_in_executor(self._resources.threads, remove)

    async def release_claim(self) -> None:
        """Releases the claim of a batch that was not published, so that its request can be sent again at once."""
        if self._claim is not None and not self._published:
            await self._claim.release()

    async def _store_answer(self) -> None:
        """Marks the claim as done. Without that the next request with this id has to read the manifest."""
        if self._claim is not None:
            try:
                await self._claim.answer(self.batch_id)
            except StewardError as error:
                log.warning("answer not kept", batch=self.batch_id, error=error.message)

    async def _on_thread(self, work: Callable[[], T]) -> T:
        with refusals():
            return await self._loop.run_in_executor(self._resources.threads, work)

    def _validate(self, pieces: Sequence[Piece]) -> None:
        """On an engine thread: validates pieces, and tells the event loop once the header is known."""
        is_header_new = self._engine.schema is None
        try:
            size_bytes = sum(map(len, pieces))
            most = min(ENGINE_THREADS, size_bytes // BYTES_A_THREAD)
            if size_bytes < BYTES_A_TURN * len(pieces):
                most = 1
            with self._resources.threads.helpers(most - 1) as helpers:
                self._engine.feed(*pieces, threads=1 + helpers)
        except (fastcsv.FastcsvError, StewardError, OSError) as error:
            if is_header_new and self._engine.schema is None:
                self._loop.call_soon_threadsafe(self._header_refused, error)
            elif is_header_new:
                self._loop.call_soon_threadsafe(self._header_fits)
            raise
        if is_header_new and self._engine.schema is not None:
            self._loop.call_soon_threadsafe(self._header_fits)

    def _header_fits(self) -> None:
        if not self.header.done():
            self.header.set_result(None)

    def _header_refused(self, error: fastcsv.FastcsvError | StewardError | OSError) -> None:
        if self.header.done():
            return
        try:
            with refusals():
                raise error
        except StewardError as refusal:
            self.header.set_exception(refusal)
            self.header.exception()  # read, so that asyncio does not log it where nobody awaits the header


def check_commit(size_bytes: int, crc32c: int, stated_size_bytes: int, stated_crc32c: int) -> None:
    """Compares what came with what Commit states. Raises: UploadIncomplete."""
    if size_bytes != stated_size_bytes:
        raise UploadIncomplete(
            f"{size_bytes} bytes came, Commit says {stated_size_bytes}", field="commit.size_bytes"
        )
    if crc32c != stated_crc32c:
        raise UploadIncomplete(
            "the CRC-32C of what came is not what Commit says", field="commit.crc32c"
        )
