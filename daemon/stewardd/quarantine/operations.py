"""Starts retries, purges and erasures as operations. The same request_id gets the same operation.

The request is stored with the operation. Of an erasure only a keyed hash of the address is stored.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from stewardd.batches.filter import BatchFilter
from stewardd.batches.states import State
from stewardd.operations.kinds import (
    ERASE_SUBJECT,
    PURGE_QUARANTINE,
    RETRY_QUARANTINE,
    OperationKind,
)
from stewardd.operations.operations import Operations
from stewardd.operations.running import Handle
from stewardd.operations.state import OperationState
from stewardd.quarantine.changing.retry import Retry, RetryRequest
from stewardd.quarantine.finding.batch_selection import ReportProgress
from stewardd.quarantine.removing.erasure import EraseRequest, Erasure
from stewardd.quarantine.removing.purge import Purge, PurgeRequest

_Work = Callable[[ReportProgress], Awaitable[dict[str, Any]]]


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

        async def work(report: ReportProgress) -> dict[str, Any]:
            return asdict(await self._retry.run(request, report))

        return await self._start(RETRY_QUARANTINE, asdict(request), request_id, work)

    async def purge(self, request: PurgeRequest, request_id: str) -> OperationState:
        """Starts a purge. Raises: InvalidRequest, RequestIdReused, RequestInProgress, Exhausted."""
        request.check()

        async def work(report: ReportProgress) -> dict[str, Any]:
            outcome = await self._purge.run(request, report)
            rows = {state.name.lower(): count for state, count in sorted(outcome.rows.items())}
            return {
                "batches": outcome.batches,
                "purged_by_state": rows,
                "archived_bytes": outcome.archived_bytes,
            }

        asked = {**asdict(request), "states": sorted(request.states)}
        return await self._start(PURGE_QUARANTINE, asked, request_id, work)

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

        async def work(report: ReportProgress) -> dict[str, Any]:
            outcome = await self._erasure.run(request, hashed, report)
            return {**asdict(outcome), "subject_hash": hashed}

        asked = {"subject": hashed, "dry_run": request.dry_run, "actor": request.actor}
        return await self._start(ERASE_SUBJECT, asked, request_id, work)

    async def _start(
        self, kind: OperationKind, asked: Mapping[str, Any], request_id: str, work: _Work
    ) -> OperationState:
        async def run(handle: Handle) -> dict[str, Any]:
            async def report(batches: int, rows: int) -> None:
                handle.report({"batches": batches, "rows": rows})
                handle.check()

            return {**await work(report), "dry_run": asked["dry_run"]}

        stored = json.loads(json.dumps(asked, default=str))
        return await self._operations.start_once(
            kind, request_id, asked, {"asked": stored, "dry_run": asked["dry_run"]}, run
        )
