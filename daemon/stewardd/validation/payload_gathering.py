"""Payloads that are quarantined one by one, gathered into batches: a batch for each would cost several syncs a payload.

Payloads of one schema and one source wait for each other for GATHER_S, or until there are MAX_PAYLOADS. They become the
lines of one batch, published as any other, and each caller is told its row once the batch is durable.

A batch has one payload a line, so the line ends in a payload go: in JSON they stand between tokens and become blanks,
and in what is no JSON they become vertical tabs, which are no JSON either.

A payload with a request_id is claimed by it before its batch is published; the claim names the row that the payload
will have. So a request that is sent again finds its row from the moment that the batch exists. Where a claim turns out
to be taken, the gathering begins anew without that payload: the rows of the others have other numbers then.

Each claim is an object of its own, because a store finds an object only by its key: one object for the claims of a
gathering would need an index of all ids of a week in the memory of each daemon. The claims of a gathering are put
together, so that they share the waiting for the disk. In a folder a batch costs 28 syncs, and each request_id 6 more,
half of which find nothing to do: 256 payloads at once took 0.3 s without ids, and 0.5 to 1.5 s with them, on a disk
that others kept busy.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import google_crc32c

from stewardd.batches.manifest import KIND, BatchManifest
from stewardd.errors import Failed, RequestIdReused, StewardError
from stewardd.repository.claims import Answered, Claim
from stewardd.repository.publication import manifest_key
from stewardd.schemas.kinds import SchemaKind
from stewardd.telemetry import logger
from stewardd.uninterrupted import uninterrupted
from stewardd.validation.batch_starter import BatchRequest, BatchStarter
from stewardd.validation.batch_validation import BatchValidation
from stewardd.validation.payload_validation import PayloadRequest, PayloadVerdict
from stewardd.validation.read_options import ReadOptions

log = logger("validation")

METHOD = "ValidatePayload"
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

    @property
    def resource(self) -> str:
        """Its name in a claim."""
        return f"{self.batch_id}/{self.row_number}"

    @classmethod
    def named(cls, resource: str) -> QuarantinedPayload:
        """Reads the name of a claim."""
        batch_id, _, row_number = resource.partition("/")
        return cls(batch_id, int(row_number))


class PayloadOrigin(NamedTuple):
    """Where a payload comes from, and the id of the request that it comes with; "" where it has none."""

    source_file: str
    request_id: str = ""

    def fingerprint(self, request: PayloadRequest) -> str:
        """A hash by which another request under the same request_id is recognised."""
        body = hashlib.sha256(request.payload).hexdigest()
        members = [body, request.schema, request.schema_version, request.strict, self.source_file]
        return hashlib.sha256(json.dumps(members).encode()).hexdigest()


class _Key(NamedTuple):
    schema: str
    version: str
    source_file: str
    strict: bool


@dataclass(slots=True, eq=False)
class _Waiting:
    """A payload that waits, as a line, with its caller. `fingerprint` is empty where it has no request_id."""

    line: bytes
    waiter: asyncio.Future[QuarantinedPayload]
    request_id: str
    fingerprint: str


@dataclass(slots=True)
class _Gathering:
    """Payloads that wait for each other."""

    payloads: list[_Waiting] = field(default_factory=list)
    size_bytes: int = 0
    timer: asyncio.TimerHandle | None = None


class _Serving(NamedTuple):
    """A request with a request_id that this daemon is serving."""

    fingerprint: str
    task: asyncio.Task[QuarantinedPayload]


class PayloadGatherer:
    """Quarantines payloads. Use it on one event loop."""

    def __init__(self, starter: BatchStarter) -> None:
        self._starter = starter
        self._open: dict[_Key, _Gathering] = {}
        self._publishing: set[asyncio.Task[None]] = set()
        self._serving: dict[str, _Serving] = {}

    async def quarantine(
        self, request: PayloadRequest, verdict: PayloadVerdict, origin: PayloadOrigin
    ) -> QuarantinedPayload:
        """Quarantines an invalid payload. Returns when it is durable; under a request_id once, however often it comes.

        Raises: RequestIdReused, RequestInProgress, TooManyRequests, StorageFull, LeaseLost, RepositoryDown, Failed.
        """
        request_id = origin.request_id
        if not request_id:
            return await self._gathered(request, verdict, origin, "")
        fingerprint = origin.fingerprint(request)
        serving = self._serving.get(request_id)
        if serving is None:
            task = asyncio.get_running_loop().create_task(
                self._once(request, verdict, origin, fingerprint)
            )
            serving = self._serving[request_id] = _Serving(fingerprint, task)
            task.add_done_callback(partial(self._served, request_id))
        if serving.fingerprint != fingerprint:
            raise RequestIdReused(
                "this request_id was used for another payload", field="request_id"
            )
        return await asyncio.shield(serving.task)

    def _served(self, request_id: str, task: asyncio.Task[QuarantinedPayload]) -> None:
        del self._serving[request_id]
        if not task.cancelled():
            task.exception()  # read, so that asyncio does not log it where every caller is gone

    async def _once(
        self,
        request: PayloadRequest,
        verdict: PayloadVerdict,
        origin: PayloadOrigin,
        fingerprint: str,
    ) -> QuarantinedPayload:
        found = await self._starter.claims.answer_of(METHOD, origin.request_id, fingerprint)
        if found is not None:
            return QuarantinedPayload.named(found.resource)
        return await self._gathered(request, verdict, origin, fingerprint)

    async def _gathered(
        self,
        request: PayloadRequest,
        verdict: PayloadVerdict,
        origin: PayloadOrigin,
        fingerprint: str,
    ) -> QuarantinedPayload:
        loop = asyncio.get_running_loop()
        schema = verdict.schema
        key = _Key(schema.name, schema.version, origin.source_file, request.strict)
        gathering = self._open.get(key)
        if gathering is None:
            gathering = self._open[key] = _Gathering()
            gathering.timer = loop.call_later(GATHER_S, self._publish, key)
        line = _line_of(request.payload, verdict)
        waiting = _Waiting(line, loop.create_future(), origin.request_id, fingerprint)
        gathering.payloads.append(waiting)
        gathering.size_bytes += len(line)
        if len(gathering.payloads) >= MAX_PAYLOADS or gathering.size_bytes >= MAX_BYTES:
            self._publish(key)
        return await waiting.waiter

    def _publish(self, key: _Key) -> None:
        gathering = self._open.pop(key)
        if gathering.timer is not None:
            gathering.timer.cancel()
        # The loop keeps no strong reference to a task.
        task = asyncio.get_running_loop().create_task(self._batch_of(key, gathering.payloads))
        self._publishing.add(task)
        task.add_done_callback(partial(self._published, gathering))

    def _published(self, gathering: _Gathering, task: asyncio.Task[None]) -> None:
        """Tells the callers of a gathering that failed. A caller who went away is not told."""
        self._publishing.discard(task)
        error = _STOPPED if task.cancelled() else task.exception()
        if error is None:
            return
        waiting = [each for each in gathering.payloads if not each.waiter.done()]
        log.warning("payloads not quarantined", payloads=len(waiting), error=str(error))
        for each in waiting:
            each.waiter.set_exception(error)

    async def _batch_of(self, key: _Key, payloads: Sequence[_Waiting]) -> None:
        """Publishes payloads as a batch, and tells each caller its row. A caller who went away has a row, too."""
        while payloads:
            validation = await self._starter.start(_request_of(key))
            assert isinstance(validation, BatchValidation), (
                "a request without an id is not repeated"
            )
            try:
                claimed = await self._claimed(validation.batch_id, payloads)
                try:
                    if len(claimed.payloads) == len(payloads):
                        await _commit(validation, payloads)
                        claimed.claims.clear()
                        _tell(validation.batch_id, payloads)
                        return
                finally:
                    await uninterrupted(_release(claimed.claims))
            finally:
                await asyncio.shield(validation.close())
            payloads = claimed.payloads

    async def _claimed(self, batch_id: str, payloads: Sequence[_Waiting]) -> _Claimed:
        """Claims the request_ids of payloads, and tells those callers whose request is served elsewhere."""
        outcomes = await asyncio.gather(
            *(
                self._claim(each, QuarantinedPayload(batch_id, row_number))
                for row_number, each in enumerate(payloads, start=1)
            ),
            return_exceptions=True,
        )
        claimed = _Claimed([], [])
        for each, outcome in zip(payloads, outcomes, strict=True):
            if outcome is None or isinstance(outcome, Claim):
                claimed.payloads.append(each)
                if outcome is not None:
                    claimed.claims.append(outcome)
            elif not each.waiter.done():
                if isinstance(outcome, Answered):
                    each.waiter.set_result(QuarantinedPayload.named(outcome.resource))
                else:
                    each.waiter.set_exception(outcome)
        return claimed

    async def _claim(self, each: _Waiting, place: QuarantinedPayload) -> Claim | Answered | None:
        """Claims the request_id of a payload. Returns None where it has none."""
        if not each.request_id:
            return None
        outcome = await self._starter.claims.claim_new(
            METHOD,
            each.request_id,
            each.fingerprint,
            resource=place.resource,
            manifest_key=manifest_key(KIND, place.batch_id),
        )
        return outcome if isinstance(outcome, Answered) else outcome.claim


class _Claimed(NamedTuple):
    """The payloads that are ours to publish, and the claims on them."""

    payloads: list[_Waiting]
    claims: list[Claim]


def _request_of(key: _Key) -> BatchRequest:
    return BatchRequest(
        schema=key.schema,
        schema_version=key.version,
        request_id="",
        source_file=key.source_file,
        uri=None,
        options=ReadOptions(strict=key.strict),
        kind=SchemaKind.PAYLOAD,
    )


async def _commit(validation: BatchValidation, payloads: Sequence[_Waiting]) -> BatchManifest:
    body = b"\n".join(each.line for each in payloads) + b"\n"
    if not body.startswith((b"{", b"[")):
        # So the engine takes no first bytes for a mark of an encoding or a compression.
        body = b" " + body
    await validation.add_chunk(body)
    manifest = await validation.commit(len(body), google_crc32c.value(body))
    if manifest.quarantined_rows != len(payloads):
        raise Failed(f"{len(payloads)} payloads became {manifest.quarantined_rows} rows")
    return manifest


def _tell(batch_id: str, payloads: Sequence[_Waiting]) -> None:
    for row_number, each in enumerate(payloads, start=1):
        if not each.waiter.done():
            each.waiter.set_result(QuarantinedPayload(batch_id, row_number))


async def _release(claims: Sequence[Claim]) -> None:
    """Releases claims of a batch that was not published, so that their requests can be sent again at once."""
    outcomes = await asyncio.gather(*(each.release() for each in claims), return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, StewardError):
            log.warning("claim not released", error=outcome.message)
        elif outcome is not None:
            raise outcome


def _line_of(payload: bytes, verdict: PayloadVerdict) -> bytes:
    """Returns a payload as one line that is not blank."""
    no_json = any(each.keyword in _NO_JSON for each in verdict.report.violations)
    return payload.translate(_TABS if no_json else _BLANKS) if payload.strip() else b"\v"
