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
from stewardd.repository.lease import WriterLease
from stewardd.repository.publication import manifest_key
from stewardd.schemas.registry import Registry
from stewardd.validation.draft import Draft, ReadOptions
from stewardd.validation.engine import EngineThreads
from stewardd.validation.source import Roots
from stewardd.validation.work import BatchOrigin, NewBatch, Publisher, Replay, Upload, Work

METHOD = "ValidateBatch"


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

    def origin(self) -> BatchOrigin:
        """Returns where the bytes come from, as it is kept with the batch."""
        name = self.source_file or unquote(self.uri or "").rpartition("/")[2]
        return BatchOrigin(source_file=name, uri=self.uri or "", request_id=self.request_id)


class BatchLimit:
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


@dataclass(frozen=True, slots=True)
class Batches:
    """What all batches share. `wall_clock` gives the time of day; `on_end` is called when an upload is over."""

    registry: Registry
    catalog: BatchCatalog
    store: Store
    lease: WriterLease
    claims: Claims
    scratch: Path
    engine: EngineThreads
    bounds: ValidationSettings
    roots: Roots
    limit: BatchLimit
    wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    on_end: Callable[[Upload], None] = lambda _: None

    async def begin(self, request: BatchRequest) -> Work:
        """Starts a batch, or the replay of the one that this request_id made before.

        Raises UnknownSchema, UriRefused, RequestIdReused, RequestInProgress, TooManyRequests, StorageFull.
        """
        candidates = self.registry.candidates(request.schema, request.schema_version)
        batch_id = uuid7(lambda: self.wall_clock().timestamp())
        # What is undone when the work ends, in reverse; whatever fails on the way undoes what came before it.
        async with AsyncExitStack() as undo:
            self.limit.enter()
            undo.callback(self.limit.leave)
            upload = Upload()
            undo.callback(self.on_end, upload)
            claim = None
            if request.request_id:
                outcome = await self.claims.claim(
                    METHOD,
                    request.request_id,
                    request.fingerprint(),
                    resource=batch_id,
                    manifest_key=manifest_key(KIND, batch_id),
                )
                if isinstance(outcome, Answered):
                    manifest = await self.catalog.get(outcome.resource)
                    return Replay(self.registry, manifest, undo.pop_all(), upload)
                claim = outcome.claim
            publisher = Publisher(self.store, self.lease, self.wall_clock)
            work = NewBatch(publisher, batch_id, request.origin(), claim, upload)
            undo.push_async_callback(work.give_up_claim)
            if request.uri is not None:
                work.source = await self.roots.open(request.uri, self.engine)
                undo.push_async_callback(work.source.close)
            work.draft = Draft(self.scratch / batch_id, self.engine, self.bounds)
            undo.push_async_callback(work.draft.discard)
            await work.draft.open(
                candidates,
                request.options,
                batch_id=batch_id,
                source_file=work.origin.source_file,
                quarantined_at=self.wall_clock().strftime("%Y-%m-%dT%H:%M:%SZ"),
            )
            work.undo = undo.pop_all()
        return work
