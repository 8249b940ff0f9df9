"""Starts the validation of a batch: the way that every upload takes.

    start       claim the request_id, find the candidate schemas, start the engine
    add_chunk   validate, beside the event loop (batch_validation.py)
    commit      compare with what the client says it sent; sync the files; publish them
    close       in any case: no folder, no open claim and nothing half visible is left

A batch exists when its manifest does. The data comes first, under the batch's own keys; the manifest is put last and
create-once, after the writer has checked its lease. Until then nobody can see any of it, and the sweep removes what a
killed daemon left, by its lease.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

from stewardd.batches.catalog import BatchCatalog
from stewardd.batches.manifest import KIND
from stewardd.config.validation import ValidationSettings
from stewardd.errors import TooManyRequests
from stewardd.repository.backend.store import Store
from stewardd.repository.claims import Answered, Claims
from stewardd.repository.identifiers import uuid7
from stewardd.repository.input_files import InputRoots
from stewardd.repository.lease import WriterLease
from stewardd.repository.publication import manifest_key
from stewardd.schemas.kinds import SchemaKind
from stewardd.schemas.registry import Registry
from stewardd.validation.batch_engine import MakeEngine, csv_engine, payload_engine
from stewardd.validation.batch_validation import BatchValidation, ValidationResources
from stewardd.validation.engine_threads import EngineThreads
from stewardd.validation.manifest import BatchOrigin
from stewardd.validation.read_options import ReadOptions
from stewardd.validation.replay import BatchReplay
from stewardd.validation.upload import Upload

# The method under which the request_id of an upload is claimed, by what is uploaded.
METHODS = {SchemaKind.CSV: "ValidateBatch", SchemaKind.PAYLOAD: "ValidatePayloads"}


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """What a caller asks for. `uri` is None for an upload."""

    schema: str | None
    schema_version: str | None
    request_id: str
    source_file: str
    uri: str | None
    options: ReadOptions
    kind: SchemaKind = SchemaKind.CSV

    def fingerprint(self) -> str:
        """A hash by which another request under the same request_id is recognised. An upload's bytes come later."""
        members = asdict(self)
        del members["kind"]  # each kind has a method of its own
        return hashlib.sha256(json.dumps(members, sort_keys=True).encode()).hexdigest()

    def origin(self) -> BatchOrigin:
        """Where the bytes come from, as the batch's manifest states it."""
        name = self.source_file or unquote(self.uri or "").rpartition("/")[2]
        return BatchOrigin(
            source_file=name,
            uri=self.uri or "",
            request_id=self.request_id,
            kind=self.kind,
            strict=self.options.strict,
        )


class BatchLimit:
    """Limits how many batches are `running` at once. More are refused, not queued: their clients keep the bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.running = 0

    def enter(self) -> None:
        """Counts a batch. Raises: TooManyRequests."""
        if self.running >= self._limit:
            raise TooManyRequests(
                f"{self.running} batches are being validated",
                hint="wait, and try again; the bound is `server.max_concurrent_batches`",
                retry_after_s=1.0,
            )
        self.running += 1

    def leave(self) -> None:
        """Ends the count of a batch."""
        self.running -= 1


@dataclass(frozen=True, slots=True)
class BatchStarter:
    """Starts batches. `wall_clock` gives the time of day. `on_end` is called when an upload is over."""

    registry: Registry
    catalog: BatchCatalog
    store: Store
    lease: WriterLease
    claims: Claims
    scratch: Path
    threads: EngineThreads
    limits: ValidationSettings
    roots: InputRoots
    batch_limit: BatchLimit
    wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    on_end: Callable[[Upload], None] = lambda _: None

    async def start(self, request: BatchRequest) -> BatchValidation | BatchReplay:
        """Starts a batch, or the replay of the batch that the same request_id made before.

        Raises: UnknownSchema, UriRefused, RequestIdReused, RequestInProgress, TooManyRequests, StorageFull.
        """
        make_engine = self._engine(request)
        batch_id = uuid7(lambda: self.wall_clock().timestamp())
        # What is undone when the batch ends, in reverse order; a failed start undoes what it has done so far.
        async with AsyncExitStack() as undo:
            self.batch_limit.enter()
            undo.callback(self.batch_limit.leave)
            upload = Upload()
            undo.callback(self.on_end, upload)
            claim = None
            if request.request_id:
                outcome = await self.claims.claim(
                    METHODS[request.kind],
                    request.request_id,
                    request.fingerprint(),
                    resource=batch_id,
                    manifest_key=manifest_key(KIND, batch_id),
                )
                if isinstance(outcome, Answered):
                    manifest = await self.catalog.get(outcome.resource)
                    return BatchReplay(self.registry, manifest, undo.pop_all(), upload)
                claim = outcome.claim
            resources = ValidationResources(
                self.store, self.lease, self.threads, self.limits, self.wall_clock
            )
            validation = BatchValidation(
                resources, self.scratch / batch_id, batch_id, request.origin(), claim, upload
            )
            undo.push_async_callback(validation.release_claim)
            if request.uri is not None:
                validation.input_file = await self.roots.open(request.uri, self.threads)
                undo.push_async_callback(validation.input_file.close)
            undo.push_async_callback(validation.discard)
            await validation.start(make_engine)
            validation.undo = undo.pop_all()
        return validation

    def _engine(self, request: BatchRequest) -> MakeEngine:
        """Returns what makes the engine of a batch. Raises: UnknownSchema."""
        registry, limits = self.registry, self.limits
        name, version = request.schema, request.schema_version
        if request.kind is SchemaKind.CSV:
            return csv_engine(registry.row_candidates(name, version), request.options, limits)
        candidates = registry.payload_candidates(name, version)
        if name is not None:
            candidates = candidates[-1:]  # the newest version
        return payload_engine(registry, candidates, request.options, limits)
