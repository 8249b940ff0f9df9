"""The operations of every daemon on the repository: those of this one are run, all can be read, watched and cancelled.

An operation whose owner is dead and that has no result gets one, OPERATION_ABANDONED, from the first daemon that reads
it: create-once, so that it and a result that the owner may yet write can never both be believed.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from stewardd.errors import (
    Cancelled,
    Corrupt,
    DaemonStopping,
    Exhausted,
    OperationAbandoned,
    OperationNotFound,
    StewardError,
    Unavailable,
)
from stewardd.operations.documents import OperationDocuments, request_key
from stewardd.operations.kinds import LANES, OperationKind
from stewardd.operations.running import OperationWork, PollIntervals, RunningOperation
from stewardd.operations.state import (
    OperationFailure,
    OperationRequest,
    OperationResult,
    OperationState,
    fold,
)
from stewardd.repository.backend.store import Store
from stewardd.repository.claims import Answered, Claim, Claims
from stewardd.repository.identifiers import uuid7
from stewardd.repository.lease import WriterLease
from stewardd.repository.liveness import LeaseRef, Liveness, leases
from stewardd.telemetry import logger
from stewardd.uninterrupted import uninterrupted

_log = logger("operations")

_READ_AT_ONCE = 16

# Inside a class with a method `list`, that word no longer means the type.
Identifiers = list[str]
Items = list[OperationState]


@dataclass(frozen=True, slots=True)
class LaneUse:
    """How full a lane is: operations that wait for a slot, those that have one, and how many slots there are."""

    queued: int
    running: int
    slots: int


@dataclass(frozen=True, slots=True)
class OperationPage:
    """Some operations, newest first, and the token of the page after; "" after the last."""

    items: list[OperationState]
    next_page_token: str


class Operations:
    """Starts, finds and ends operations.

    At most `max_running` of each lane run at once here, or as many as `max_running_by_lane` says of it; at most
    `max_queued` more of each lane wait for their turn.
    """

    def __init__(
        self,
        store: Store,
        lease: WriterLease,
        *,
        max_running: int = 2,
        max_running_by_lane: Mapping[str, int] | None = None,
        max_queued: int = 100,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        watch_interval_s: float = 0.5,
        poll_s: float = 1.0,
        intervals: PollIntervals = PollIntervals(),  # noqa: B008  # frozen
    ) -> None:
        self._store = store
        self._documents = OperationDocuments(store)
        self._lease = lease
        self._claims = Claims(store, lease)
        self._max_running = max_running
        self._max_running_by_lane = max_running_by_lane or {}
        self._max_queued = max_queued
        self._lanes: dict[str, asyncio.Semaphore] = {}
        self._clock = clock
        self._watch_interval_s = watch_interval_s
        self._poll_s = poll_s
        self._intervals = intervals
        self._running: dict[str, RunningOperation] = {}
        self._keepers: set[asyncio.Task[None]] = set()
        self._closing = False
        self._stopping = asyncio.Event()
        self._listeners: list[Callable[[OperationState], Awaitable[None]]] = []

    def on_end(self, listener: Callable[[OperationState], Awaitable[None]]) -> None:
        """Calls the listener after each operation of this daemon whose result is durable."""
        self._listeners.append(listener)

    def lanes(self) -> dict[str, LaneUse]:
        """How full each lane of this daemon is now."""
        found = {}
        for name in LANES:
            turns = [each.has_slot for each in self._running.values() if each.lane == name]
            found[name] = LaneUse(turns.count(False), turns.count(True), self._slots(name))
        return found

    async def start_once(
        self,
        kind: OperationKind,
        request_id: str,
        asked: Mapping[str, Any],
        metadata: Mapping[str, Any],
        work: OperationWork,
        admit: Callable[[], Awaitable[None]] | None = None,
    ) -> OperationState:
        """Starts an operation, or returns the one that this request_id started before; "" always starts one.

        `asked` is what the request asks for, as JSON: the same request_id with something else is an error. `admit` is
        called before an operation is started, and not for a request that started one before. Raises: RequestIdReused,
        RequestInProgress, and what `admit` and `start` raise.
        """
        operation_id = self._new_id()
        claim: Claim | None = None
        if request_id:
            words = json.dumps(asked, sort_keys=True, default=str)
            # The operation answers the request from the moment that it exists, even if this call dies right after.
            outcome = await self._claims.claim(
                kind.name,
                request_id,
                hashlib.sha256(words.encode()).hexdigest(),
                resource=operation_id,
                manifest_key=request_key(operation_id),
            )
            if isinstance(outcome, Answered):
                return await self.get(outcome.resource)
            claim = outcome.claim
        try:
            if admit is not None:
                await admit()
            state = await self.start(
                kind.name, metadata, work, lane=kind.lane, operation_id=operation_id
            )
        except BaseException:
            if claim is not None:
                await claim.release()
            raise
        if claim is not None:
            await claim.answer(operation_id)
        return state

    async def start(
        self,
        kind: str,
        metadata: Mapping[str, Any],
        run: OperationWork,
        *,
        lane: str = "",
        operation_id: str | None = None,
    ) -> OperationState:
        """Starts an operation; it exists, durably, on return, and its work runs when its lane has a slot for it.

        Raises: Exhausted, Unavailable while the daemon stops, LeaseLost, StorageFull, RepositoryDown.
        """
        if self._closing:
            raise Unavailable("the daemon is stopping and starts nothing any more")
        self._check_room(lane)
        identifier = operation_id or self._new_id()
        request = OperationRequest(kind, dict(metadata), self._lease.ref, self._clock())
        running = RunningOperation(
            identifier,
            request,
            lane=lane,
            documents=self._documents,
            lease=self._lease,
            clock=self._clock,
            intervals=self._intervals,
        )
        # A caller that goes away meanwhile leaves an operation that runs, and not one that exists and never runs.
        slots = self._lanes.setdefault(lane, asyncio.Semaphore(self._slots(lane)))
        await uninterrupted(self._begin(running, run, slots))
        _log.info("operation started", operation=identifier, kind=kind)
        return running.state

    async def get(self, identifier: str) -> OperationState:
        """An operation as it is now, of any daemon. Raises: OperationNotFound, RepositoryDown, Corrupt."""
        running = self._running.get(identifier)
        if running is not None:
            return running.state
        return await self._read(identifier, await self._documents.request(identifier))

    async def list(
        self, *, page_size: int, page_token: str = "", id_prefix: str = ""
    ) -> OperationPage:
        """A page of operations, newest first; one that cannot be read is logged, and left out.

        Raises: InvalidRequest for a token of another listing, RepositoryDown.
        """
        page = await self._documents.catalog.page(
            page_size=page_size, page_token=page_token, id_prefix=id_prefix
        )
        items: Items = []
        for start in range(0, len(page.entries), _READ_AT_ONCE):
            some = page.entries[start : start + _READ_AT_ONCE]
            reads = (self._entry(each.identifier, each.manifest) for each in some)
            items.extend(state for state in await asyncio.gather(*reads) if state is not None)
        return OperationPage(items, page.next_page_token)

    async def wait(self, identifier: str, timeout_s: float) -> OperationState:
        """An operation when it is done, or as it is when the time is over or the daemon stops.

        Raises: OperationNotFound.
        """
        state = await self.get(identifier)
        try:
            async with asyncio.timeout(timeout_s), aclosing(self._watch(identifier)) as states:
                async for each in states:
                    state = each
        except TimeoutError:
            pass
        return state

    async def watch(self, identifier: str) -> AsyncGenerator[OperationState, None]:
        """An operation at once, then when it has changed, until it is done.

        Raises: OperationNotFound; Unavailable when the daemon stops before.
        """
        async with aclosing(self._watch(identifier)) as states:
            async for state in states:
                yield state
        if not state.done:
            raise Unavailable(
                "the daemon is stopping, and tells no more of the operation",
                hint="watch it again, at this daemon when it is back or at another of the repository",
            )

    def announce_stop(self) -> None:
        """Ends all watching and waiting: an operation may take hours, and the daemon is to stop now."""
        self._stopping.set()

    async def cancel(self, identifier: str) -> None:
        """Asks for an operation to be cancelled; its owner hears of it within seconds. Raises: OperationNotFound."""
        running = self._running.get(identifier)
        if running is not None:
            running.cancel(Cancelled("somebody asked for it to be cancelled"))
        elif not (await self.get(identifier)).done:
            await self._documents.ask_to_cancel(identifier, self._clock())

    async def sweep(self) -> Identifiers:
        """Ends the operations that dead writers left; returns which."""
        swept: Identifiers = []
        async for owner in leases(self._store):
            # Of our own, those that could not be begun.
            ours = self._lease.valid and owner == self._lease.ref
            if ours or await self._lease.liveness(owner) is not Liveness.ALIVE:
                swept += [each async for each in self._sweep_lease(owner)]
        return swept

    async def close(self, grace_s: float = 10) -> None:
        """Starts nothing any more, cancels what runs, and waits for the results at most `grace_s`."""
        self._closing = True
        for running in self._running.values():
            running.cancel(DaemonStopping("the daemon is stopping"))
        if not self._keepers:
            return
        _, pending = await asyncio.wait(self._keepers, timeout=grace_s)
        for keeper in pending:
            keeper.cancel()
        if pending:
            _log.warning("operations left to the sweep", operations=sorted(self._running))
            await asyncio.wait(pending)

    def _slots(self, lane: str) -> int:
        return self._max_running_by_lane.get(lane, self._max_running)

    def _check_room(self, lane: str) -> None:
        """Refuses an operation for which its lane has no room. Raises: Exhausted."""
        there = sum(each.lane == lane for each in self._running.values())
        if there >= self._slots(lane) + self._max_queued:
            raise Exhausted(
                f"{there} operations of the lane {lane!r} are running or waiting to run",
                hint="wait for one to end, or cancel one; the bounds are in `[operations]`",
            )

    def _new_id(self) -> str:
        return uuid7(lambda: self._clock().timestamp())

    async def _begin(
        self, running: RunningOperation, run: OperationWork, slots: asyncio.Semaphore
    ) -> None:
        self._running[running.identifier] = running
        try:
            await running.create()
        except BaseException:
            del self._running[running.identifier]
            raise
        if self._closing:
            running.cancel(DaemonStopping("the daemon is stopping"))
        keeper = asyncio.create_task(self._keep(running, run, slots))
        self._keepers.add(keeper)
        keeper.add_done_callback(self._keepers.discard)

    async def _keep(
        self, running: RunningOperation, run: OperationWork, slots: asyncio.Semaphore
    ) -> None:
        try:
            await running.keep(run, slots)
        finally:
            del self._running[running.identifier]
        state = running.state
        _log.info(
            "operation done",
            operation=state.id,
            kind=state.kind,
            reason=state.error.reason if state.error else None,
        )
        for listener in self._listeners:
            await listener(state)

    async def _watch(self, identifier: str) -> AsyncGenerator[OperationState, None]:
        """An operation at once, then when it has changed, until it is done or the daemon stops."""
        running: RunningOperation | None = None
        last: OperationState | None = None
        while True:
            running = self._running.get(identifier, running)
            if running is not None and running.left:
                running = None  # the daemon is stopping, and could not write its result
            changed = running.changed if running is not None else None
            state = running.state if running is not None else await self.get(identifier)
            if state != last:
                yield state
                last = state
            if state.done:
                return
            await self._pause(running, changed)
            if self._stopping.is_set():
                return

    async def _pause(self, running: RunningOperation | None, changed: asyncio.Event | None) -> None:
        """Waits until it is time to look again, or for the daemon to stop."""
        stopping = asyncio.create_task(self._stopping.wait())
        resting = asyncio.create_task(self._rest(running, changed))
        try:
            await asyncio.wait([stopping, resting], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            resting.cancel()

    async def _rest(self, running: RunningOperation | None, changed: asyncio.Event | None) -> None:
        """Waits for a change; progress is told now and then, the end at once."""
        if running is None or changed is None:
            await asyncio.sleep(self._poll_s)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(self._watch_interval_s):
                await running.ended.wait()
        await changed.wait()

    async def _entry(self, identifier: str, request: OperationRequest) -> OperationState | None:
        running = self._running.get(identifier)
        if running is not None:
            return running.state
        try:
            return await self._read(identifier, request)
        except Corrupt as error:  # in its result or its progress
            _log.error("left out of a listing", operation=identifier, error=error.message)
            return None

    async def _read(self, identifier: str, request: OperationRequest) -> OperationState:
        """Reads an operation that is not ours. Where its owner is dead, this ends it."""
        result = await self._documents.result(identifier)
        # The result is read before the lease: an owner that ends well writes its result, and only then ends its lease.
        if result is None and await self._lease.liveness(request.owner) is not Liveness.ALIVE:
            result = await self._abandon(identifier, request.owner)
        progress = await self._documents.progress(identifier)
        return fold(identifier, request, progress, result)

    async def _abandon(self, identifier: str, owner: LeaseRef) -> OperationResult:
        error = OperationAbandoned("the daemon that was at this operation is gone")
        result = OperationResult(self._clock(), {}, None, OperationFailure.of(error))
        try:
            return await self._documents.put_result(identifier, owner, result)
        except StewardError as failure:
            _log.warning("result not written", operation=identifier, error=failure.message)
            return result

    async def _sweep_lease(self, owner: LeaseRef) -> AsyncIterator[str]:
        async for identifier in self._documents.marked(owner):
            if identifier in self._running:
                continue
            try:
                await self._documents.request(identifier)
            except OperationNotFound:
                await self._documents.unmark(owner, identifier)
                continue
            result = await self._abandon(identifier, owner)
            if result.error is not None and result.error.reason == OperationAbandoned.reason:
                _log.warning("operation abandoned", operation=identifier)
                yield identifier
