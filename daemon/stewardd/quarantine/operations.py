"""Starts what the quarantine does at length as operations: the same request_id gets the same operation.

What is asked for is kept with the operation, but for the address of an erasure: there its keyed hash stands.
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
from stewardd.quarantine.erasure import EraseRequest, Erasure
from stewardd.quarantine.purge import Purge, PurgeRequest, Report
from stewardd.quarantine.retry import Retry, RetryRequest

Work = Callable[[Report], Awaitable[dict[str, Any]]]


class QuarantineOperations:
    """What RetryQuarantine, PurgeQuarantine and EraseSubject call."""

    def __init__(
        self, operations: Operations, retry: Retry, purge: Purge, erasure: Erasure
    ) -> None:
        self._operations = operations
        self._retry = retry
        self._purge = purge
        self._erasure = erasure

    async def retry(self, request: RetryRequest, request_id: str) -> OperationState:
        """Starts judging rows again. InvalidRequest, RequestIdReused, RequestInProgress, Exhausted."""
        request.check()

        async def work(report: Report) -> dict[str, Any]:
            return asdict(await self._retry.run(request, report))

        return await self._start(RETRY_QUARANTINE, asdict(request), request_id, work)

    async def purge(self, request: PurgeRequest, request_id: str) -> OperationState:
        """Starts removing rows. InvalidRequest, RequestIdReused, RequestInProgress, Exhausted."""
        request.check()

        async def work(report: Report) -> dict[str, Any]:
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
        """Starts purging what was closed so long ago, once a day whoever else serves the repository.

        RequestInProgress where another daemon is just beginning it.
        """
        # By the day, so that all daemons ask for the same.
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
        asked = f"retention {today.date().isoformat()} {keep_s:g} {archive}"
        return await self.purge(request, asked)

    async def erase(self, request: EraseRequest, request_id: str) -> OperationState:
        """Starts erasing a person. RequestIdReused, RequestInProgress, Exhausted."""
        hashed = await self._erasure.hashed(request.subject)

        async def work(report: Report) -> dict[str, Any]:
            outcome = await self._erasure.run(request, hashed, report)
            return {**asdict(outcome), "subject_hash": hashed}

        asked = {"subject": hashed, "dry_run": request.dry_run, "actor": request.actor}
        return await self._start(ERASE_SUBJECT, asked, request_id, work)

    async def _start(
        self, kind: OperationKind, asked: Mapping[str, Any], request_id: str, work: Work
    ) -> OperationState:
        async def run(handle: Handle) -> dict[str, Any]:
            async def report(batches: int, rows: int) -> None:
                handle.report({"batches": batches, "rows": rows})
                handle.check()

            return {**await work(report), "dry_run": asked["dry_run"]}

        kept = json.loads(json.dumps(asked, default=str))
        return await self._operations.start_once(
            kind, request_id, asked, {"asked": kept, "dry_run": asked["dry_run"]}, run
        )
