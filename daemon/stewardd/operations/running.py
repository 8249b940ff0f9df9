"""One operation that this daemon runs: its work, and the loop that keeps the repository informed.

The work is a task that may be cancelled. The loop outlives it: it writes the progress at most once a second, looks
whether the operation was asked to be cancelled, cancels it when the lease is lost, and ends when the result is written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stewardd.errors import Cancelled, LeaseLost, StewardError
from stewardd.operations.documents import OperationDocuments
from stewardd.operations.state import (
    RESULT_CODEC,
    OperationFailure,
    OperationProgress,
    OperationRequest,
    OperationResult,
    OperationState,
    fold,
)
from stewardd.repository.lease import WriterLease
from stewardd.telemetry import logger

_log = logger("operations")

_UNEXPECTED = OperationFailure(
    StewardError.reason,
    "the operation failed in a way that the daemon does not know",
    "see the daemon's log for the whole story",
)


@dataclass(frozen=True, slots=True)
class PollIntervals:
    """How often a running operation is looked after, and how long a failed write of its result waits at most."""

    poll_s: float = 1.0
    longest_retry_s: float = 15.0


class OperationContext:
    """What the work of an operation is given."""

    def __init__(self, identifier: str, report: Callable[[Mapping[str, Any]], None]) -> None:
        self.id = identifier
        self.cancelled = asyncio.Event()
        self._report = report

    def report(self, progress: Mapping[str, Any]) -> None:
        """Reports how far the work has come; the members replace those of the operation's metadata."""
        self._report(progress)

    def check(self) -> None:
        """Looks whether the work was asked to be cancelled. Raises: Cancelled."""
        if self.cancelled.is_set():
            raise Cancelled("somebody asked for it to be cancelled")


OperationWork = Callable[[OperationContext], Awaitable[dict[str, Any]]]


class RunningOperation:
    """An operation of our own, from its start until its result is in the repository."""

    def __init__(
        self,
        identifier: str,
        request: OperationRequest,
        *,
        lane: str = "",
        documents: OperationDocuments,
        lease: WriterLease,
        clock: Callable[[], datetime],
        intervals: PollIntervals,
    ) -> None:
        self.identifier = identifier
        self.lane = lane
        self.has_slot = False
        self.changed = asyncio.Event()
        self.ended = asyncio.Event()
        self.left = False  # without a result, as the daemon stopped
        self._request = request
        self._documents = documents
        self._lease = lease
        self._clock = clock
        self._intervals = intervals
        self._context = OperationContext(identifier, self._advance)
        self._progress: OperationProgress | None = None
        self._unwritten = False
        self._result: OperationResult | None = None
        self._why_cancelled: StewardError | None = None
        self._work: asyncio.Task[dict[str, Any]] | None = None

    @property
    def state(self) -> OperationState:
        """The operation as it is now; done once its result is durable."""
        return fold(self.identifier, self._request, self._progress, self._result)

    def cancel(self, why: StewardError) -> None:
        """Cancels the work, once; the first reason is kept."""
        if self._why_cancelled is None and (self._work is None or not self._work.done()):
            self._why_cancelled = why
            self._context.cancelled.set()
            if self._work is not None:
                self._work.cancel()

    async def create(self) -> None:
        """Makes the operation exist."""
        await self._documents.create(self.identifier, self._request)

    async def keep(self, work: OperationWork, slots: asyncio.Semaphore) -> None:
        """Does the work when there is a slot for it, and returns when its result is written."""
        self._work = asyncio.create_task(
            self._in_turn(work, slots), name=f"operation {self.identifier}"
        )
        if self._why_cancelled is not None:
            self._work.cancel()
        try:
            while not self._work.done():
                await asyncio.wait([self._work], timeout=self._intervals.poll_s)
                if not self._work.done():
                    await self._look_around()
            await self._settle(self._outcome(self._work))
        finally:
            # When this is cancelled, the daemon can wait no longer: the work must not go on without this loop.
            self._work.cancel()
            self.left = self._result is None
            self.ended.set()
            self._tell()

    async def _in_turn(self, work: OperationWork, slots: asyncio.Semaphore) -> dict[str, Any]:
        async with slots:
            self.has_slot = True
            return await work(self._context)

    def _advance(self, progress: Mapping[str, Any]) -> None:
        before = self._progress.metadata if self._progress else {}
        metadata = {**before, **progress}
        if metadata != before:
            self._progress = OperationProgress(self._clock(), metadata)
            self._unwritten = True
            self._tell()

    def _tell(self) -> None:
        """Wakes all tasks that wait for a change; the next change has an event of its own."""
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()

    async def _look_around(self) -> None:
        """Writes the progress, and looks for reasons to cancel. What fails here is tried again at the next turn."""
        if not self._lease.valid or self._lease.ref != self._request.owner:
            self.cancel(
                LeaseLost("the daemon lost its lease on the repository during the operation")
            )
        try:
            if self._unwritten and self._progress is not None:
                self._unwritten = False
                await self._documents.put_progress(self.identifier, self._progress)
            if self._why_cancelled is None and await self._documents.asked_to_cancel(
                self.identifier
            ):
                self.cancel(Cancelled("somebody asked for it to be cancelled"))
        except StewardError as error:
            self._unwritten = True
            _log.info("operation not looked after", operation=self.identifier, error=error.message)

    def _outcome(self, work: asyncio.Task[dict[str, Any]]) -> OperationResult:
        metadata = self._progress.metadata if self._progress else {}
        failure = self._failure(work)
        response = None if failure else work.result()
        try:
            result = OperationResult(self._clock(), metadata, response, failure)
            RESULT_CODEC.encode(result)
        except ValueError:
            _log.exception("operation gave what is no JSON", operation=self.identifier)
            return OperationResult(self._clock(), {}, None, _UNEXPECTED)
        return result

    def _failure(self, work: asyncio.Task[dict[str, Any]]) -> OperationFailure | None:
        error = None if work.cancelled() else work.exception()
        if error is None and not work.cancelled():
            return None
        if self._why_cancelled is not None:
            # The cancellation is why the work ended, however it did: a killed child's exit status says nothing more.
            _log.info("operation cancelled", operation=self.identifier, error=str(error or ""))
            return OperationFailure.of(self._why_cancelled)
        if isinstance(error, StewardError):
            _log.warning(
                "operation failed",
                operation=self.identifier,
                kind=self._request.kind,
                reason=error.reason,
                error=error.message,
            )
            return OperationFailure.of(error)
        if error is None:
            return OperationFailure.of(Cancelled("the work was cancelled"))
        _log.error("operation failed unexpectedly", operation=self.identifier, exc_info=error)
        return _UNEXPECTED

    async def _settle(self, result: OperationResult) -> None:
        """Writes the result, however long it takes: until it is durable the operation is not done."""
        pause_s = 0.5
        while True:
            try:
                owner = self._request.owner
                self._result = await self._documents.put_result(self.identifier, owner, result)
            except StewardError as error:
                _log.warning("result not written", operation=self.identifier, error=error.message)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, self._intervals.longest_retry_s)
            else:
                return
