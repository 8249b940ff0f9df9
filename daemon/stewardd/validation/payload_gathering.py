"""Payloads that are quarantined one by one, gathered into batches: a batch for each would cost several syncs a payload.

Payloads of one schema and one source wait for each other for GATHER_S, or until there are MAX_PAYLOADS. They become the
lines of one batch, published as any other, and each caller is told its row once the batch is durable.

A batch has one payload a line, so the line ends in a payload go: in JSON they stand between tokens and become blanks,
and in what is no JSON they become vertical tabs, which are no JSON either.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import google_crc32c

from stewardd.batches.manifest import BatchManifest
from stewardd.errors import Failed
from stewardd.schemas.kinds import SchemaKind
from stewardd.telemetry import logger
from stewardd.validation.batch_starter import BatchRequest, BatchStarter
from stewardd.validation.batch_validation import BatchValidation
from stewardd.validation.payload_validation import PayloadVerdict
from stewardd.validation.read_options import ReadOptions

log = logger("validation")

GATHER_S = 0.05
MAX_PAYLOADS = 256
MAX_BYTES = 8 * 1024 * 1024
"""A gathering with so many bytes waits no longer."""
# Violations of a payload that is not JSON as far as it was read.
_NO_JSON = frozenset({"json", "encoding"})
_BLANKS = bytes.maketrans(b"\r\n", b"  ")
_TABS = bytes.maketrans(b"\r\n\0", b"\v\v\v")
_STOPPED = Failed("the daemon stopped before the payload was quarantined", hint="send it again")


class QuarantinedPayload(NamedTuple):
    """Where a payload is: its batch, and its row there."""

    batch_id: str
    row_number: int


class _Key(NamedTuple):
    schema: str
    version: str
    source_file: str
    strict: bool


@dataclass(slots=True)
class _Gathering:
    """Payloads that wait, as lines, each with the caller who waits for it."""

    lines: list[bytes] = field(default_factory=list)
    waiters: list[asyncio.Future[QuarantinedPayload]] = field(default_factory=list)
    size_bytes: int = 0
    timer: asyncio.TimerHandle | None = None


class PayloadGatherer:
    """Quarantines payloads. Use it on one event loop."""

    def __init__(self, starter: BatchStarter) -> None:
        self._starter = starter
        self._open: dict[_Key, _Gathering] = {}
        self._publishing: set[asyncio.Task[BatchManifest]] = set()

    async def quarantine(
        self, payload: bytes, verdict: PayloadVerdict, *, source_file: str, strict: bool
    ) -> QuarantinedPayload:
        """Quarantines an invalid payload. Returns when it is durable.

        Raises: TooManyRequests, StorageFull, LeaseLost, RepositoryDown, Failed.
        """
        loop = asyncio.get_running_loop()
        key = _Key(verdict.schema.name, verdict.schema.version, source_file, strict)
        gathering = self._open.get(key)
        if gathering is None:
            gathering = self._open[key] = _Gathering()
            gathering.timer = loop.call_later(GATHER_S, self._publish, key)
        line = _line_of(payload, verdict)
        waiter: asyncio.Future[QuarantinedPayload] = loop.create_future()
        gathering.lines.append(line)
        gathering.waiters.append(waiter)
        gathering.size_bytes += len(line)
        if len(gathering.lines) >= MAX_PAYLOADS or gathering.size_bytes >= MAX_BYTES:
            self._publish(key)
        return await waiter

    def _publish(self, key: _Key) -> None:
        gathering = self._open.pop(key)
        if gathering.timer is not None:
            gathering.timer.cancel()
        # The loop keeps no strong reference to a task.
        task = asyncio.get_running_loop().create_task(self._batch_of(key, gathering.lines))
        self._publishing.add(task)
        task.add_done_callback(partial(self._published, gathering))

    def _published(self, gathering: _Gathering, task: asyncio.Task[BatchManifest]) -> None:
        """Tells every caller what became of a gathering. A caller who went away is not told; the payload stays."""
        self._publishing.discard(task)
        error = _STOPPED if task.cancelled() else task.exception()
        if error is not None:
            log.warning("payloads not quarantined", payloads=len(gathering.lines), error=str(error))
        for row_number, waiter in enumerate(gathering.waiters, start=1):
            if waiter.done():
                continue
            if error is not None:
                waiter.set_exception(error)
            else:
                waiter.set_result(QuarantinedPayload(task.result().batch_id, row_number))

    async def _batch_of(self, key: _Key, lines: Sequence[bytes]) -> BatchManifest:
        request = BatchRequest(
            schema=key.schema,
            schema_version=key.version,
            request_id="",
            source_file=key.source_file,
            uri=None,
            options=ReadOptions(strict=key.strict),
            kind=SchemaKind.PAYLOAD,
        )
        body = b"\n".join(lines) + b"\n"
        if not body.startswith((b"{", b"[")):
            # So the engine takes no first bytes for a mark of an encoding or a compression.
            body = b" " + body
        validation = await self._starter.start(request)
        assert isinstance(validation, BatchValidation), "a request without an id is not repeated"
        try:
            await validation.add_chunk(body)
            manifest = await validation.commit(len(body), google_crc32c.value(body))
        finally:
            await asyncio.shield(validation.close())
        if manifest.quarantined_rows != len(lines):
            raise Failed(f"{len(lines)} payloads became {manifest.quarantined_rows} rows")
        return manifest


def _line_of(payload: bytes, verdict: PayloadVerdict) -> bytes:
    """Returns a payload as one line that is not blank."""
    no_json = any(each.keyword in _NO_JSON for each in verdict.report.violations)
    return payload.translate(_TABS if no_json else _BLANKS) if payload.strip() else b"\v"
