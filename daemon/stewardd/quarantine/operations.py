"""Starts retries, purges and erasures as operations. The same request_id gets the same operation.

The request is stored with the operation. Of an erasure only a keyed hash of the address is stored.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from stewardd.batches.filter import BatchFilter
from stewardd.batches.states import State
from stewardd.operations.kinds import (
    ERASE_SUBJECT,
    PURGE_QUARANTINE,
    RETRY_QUARANTINE,
    OperationKind,
)
from stewardd.operations.operations import Operations
from stewardd.operations.running import OperationContext
from stewardd.operations.state import OperationState
from stewardd.quarantine.changing.retry import Retry, RetryRequest
from stewardd.quarantine.finding.batch_selection import ReportProgress
from stewardd.quarantine.removing.erasure import EraseRequest, Erasure
from stewardd.quarantine.removing.purge import Purge, PurgeRequest
from stewardd.repository.document import Codec, Count

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class QuarantineProgress:
    """How far an operation of the quarantine has come, as it keeps it. What was asked for stands beside it."""

    dry_run: bool
    batches: Count = 0
    rows: Count = 0


@dataclass(frozen=True, slots=True)
class RetryResponse:
    """What judging rows again came to, as its operation keeps it."""

    batches: Count
    judged_rows: Count
    resolved_rows: Count
    unfit_batches: Count
    dry_run: bool

    def __post_init__(self) -> None:
        if self.resolved_rows > self.judged_rows:
            raise ValueError("its counts do not add up")


@dataclass(frozen=True, slots=True)
class PurgeResponse:
    """What a purge came to, as its operation keeps it."""

    batches: Count
    purged_by_state: dict[str, Count]
    archived_bytes: Count
    dry_run: bool

    def __post_init__(self) -> None:
        if not {state.name.lower() for state in State}.issuperset(self.purged_by_state):
            raise ValueError("it names a state that there is not")


@dataclass(frozen=True, slots=True)
class EraseResponse:
    """What an erasure came to, as its operation keeps it."""

    scanned_batches: Count
    batches: Count
    quarantined_rows: Count
    valid_rows: Count
    events: Count
    archived_rows: Count
    subject_hash: str
    dry_run: bool


QUARANTINE_PROGRESS = Codec(QuarantineProgress)
RETRY_RESPONSE = Codec(RetryResponse)
PURGE_RESPONSE = Codec(PurgeResponse)
ERASE_RESPONSE = Codec(EraseResponse)


class QuarantineOperations:
    """Starts the operations of the quarantine."""

    def __init__(
        self, operations: Operations, retry: Retry, purge: Purge, erasure: Erasure
    ) -> None:
        self._operations = operations
        self._retry = retry
        self._purge = purge
        self._erasure = erasure

    async def retry(self, request: RetryRequest, request_id: str) -> OperationState:
        """Starts a retry. Raises: InvalidRequest, RequestIdReused, RequestInProgress, Exhausted."""
        request.check()

        async def work(report: ReportProgress) -> RetryResponse:
            outcome = await self._retry.run(request, report)
            return RetryResponse(**asdict(outcome), dry_run=request.dry_run)

        asked = asdict(request)
        return await self._start(RETRY_QUARANTINE, asked, request_id, work, RETRY_RESPONSE)

    async def purge(self, request: PurgeRequest, request_id: str) -> OperationState:
        """Starts a purge. Raises: InvalidRequest, RequestIdReused, RequestInProgress, Exhausted."""
        request.check()

        async def work(report: ReportProgress) -> PurgeResponse:
            outcome = await self._purge.run(request, report)
            rows = {state.name.lower(): count for state, count in sorted(outcome.rows.items())}
            return PurgeResponse(outcome.batches, rows, outcome.archived_bytes, request.dry_run)

        asked = {**asdict(request), "states": sorted(request.states)}
        return await self._start(PURGE_QUARANTINE, asked, request_id, work, PURGE_RESPONSE)

    async def expire(self, keep_s: float, *, archive: bool) -> OperationState:
        """Starts the purge of rows that were closed so long ago, once a day for all daemons of the repository.

        Raises: RequestInProgress where another daemon is starting it just now.
        """
        # Counted from midnight, so that all daemons send the same request.
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        before = today - timedelta(seconds=keep_s)
        request = PurgeRequest(
            batch_id=None,
            batches=BatchFilter(create_before=before),
            states=frozenset({State.RESOLVED, State.DISCARDED}),
            before=before,
            archive=archive,
            dry_run=False,
            actor="retention",
        )
        request_id = f"retention {today.date().isoformat()} {keep_s:g} {archive}"
        return await self.purge(request, request_id)

    async def erase(self, request: EraseRequest, request_id: str) -> OperationState:
        """Starts an erasure. Raises: RequestIdReused, RequestInProgress, Exhausted."""
        hashed = await self._erasure.hashed(request.subject)

        async def work(report: ReportProgress) -> EraseResponse:
            outcome = await self._erasure.run(request, hashed, report)
            return EraseResponse(**asdict(outcome), subject_hash=hashed, dry_run=request.dry_run)

        asked = {"subject": hashed, "dry_run": request.dry_run, "actor": request.actor}
        return await self._start(ERASE_SUBJECT, asked, request_id, work, ERASE_RESPONSE)

    async def _start(
        self,
        kind: OperationKind,
        asked: Mapping[str, Any],
        request_id: str,
        work: Callable[[ReportProgress], Awaitable[T]],
        codec: Codec[T],
    ) -> OperationState:
        dry_run = bool(asked["dry_run"])

        async def run(context: OperationContext) -> dict[str, Any]:
            async def report(batches: int, rows: int) -> None:
                progress = QuarantineProgress(dry_run, batches, rows)
                context.report(QUARANTINE_PROGRESS.to_json(progress))
                context.check()

            return codec.to_json(await work(report))

        stored = json.loads(json.dumps(asked, default=str))
        return await self._operations.start_once(
            kind, request_id, asked, {"asked": stored, "dry_run": dry_run}, run
        )
