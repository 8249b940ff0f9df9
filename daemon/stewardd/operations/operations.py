"""The operations of every daemon on the repository: those of this one are run, all can be read, watched and cancelled.

An operation whose owner is dead and that has no result gets one, OPERATION_ABANDONED, from whoever sees it first:
create-once, so that it and a result that the owner may yet write can never both be believed.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from stewardd.errors import (
    Cancelled,
    Corrupt,
    Exhausted,
    OperationAbandoned,
    OperationNotFound,
    StewardError,
    Unavailable,
)
from stewardd.operations.kinds import LANES, OperationKind
from stewardd.operations.ledger import Ledger, request_key, request_of
from stewardd.operations.running import Pace, Running, Work
from stewardd.operations.state import Failure, OperationState, Request, Result, fold
from stewardd.repository.backend.store import Store
from stewardd.repository.claims import Claim, Claims, Done
from stewardd.repository.identifiers import uuid7
from stewardd.repository.lease import WriterLease
from stewardd.repository.standing import LeaseRef, Standing, leases
from stewardd.repository.uninterrupted import uninterrupted
from stewardd.telemetry import logger

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
    `max_queued` more of all lanes wait for their turn.
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
        pace: Pace = Pace(),  # noqa: B008  # frozen
    ) -> None:
        self._store = store
        self._ledger = Ledger(store)
        self._lease = lease
        self._claims = Claims(store, lease)
        self._max_running = max_running
        self._max_running_by_lane = max_running_by_lane or {}
        self._most = max_running + max_queued
        self._lanes: dict[str, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(max_running)
        )
        for lane, most in (max_running_by_lane or {}).items():
            self._lanes[lane] = asyncio.Semaphore(most)
        self._clock = clock
        self._watch_interval_s = watch_interval_s
        self._poll_s = poll_s
        self._pace = pace
        self._running: dict[str, Running] = {}
        self._attendants: set[asyncio.Task[None]] = set()
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
            slots = self._max_running_by_lane.get(name, self._max_running)
            found[name] = LaneUse(turns.count(False), turns.count(True), slots)
        return found

    def new_id(self) -> str:
        """An identifier to start an operation under, for who must name it beforehand, as a claim does."""
        return uuid7(lambda: self._clock().timestamp())

    async def start_once(
        self,
        kind: OperationKind,
        request_id: str,
        asked: Mapping[str, Any],
        metadata: Mapping[str, Any],
        work: Work,
    ) -> OperationState:
        """Starts an operation, or returns the one that this request_id started before; "" always starts one.

        `asked` is what the request asks for, as JSON: the same request_id with something else is an error.
        Raises: RequestIdReused, RequestInProgress, and what `start` raises.
        """
        operation_id = self.new_id()
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
            if isinstance(outcome, Done):
                return await self.get(outcome.resource)
            claim = outcome.claim
        try:
            state = await self.start(
                kind.name, metadata, work, lane=kind.lane, operation_id=operation_id
            )
        except BaseException:
            if claim is not None:
                await claim.release()
            raise
        if claim is not None:
            await claim.done(operation_id)
        return state

    async def start(
        self,
        kind: str,
        metadata: Mapping[str, Any],
        run: Work,
        *,
        lane: str = "",
        operation_id: str | None = None,
    ) -> OperationState:
        """Starts an operation; it exists, durably, on return, and its work runs when its lane has a slot for it.

        Raises: Exhausted, Unavailable while the daemon stops, LeaseLost, StorageFull, RepositoryDown.
        """
        if self._closing:
            raise Unavailable("the daemon is stopping and starts nothing any more")
        if len(self._running) >= self._most:
            raise Exhausted(
                f"{self._most} operations are running or waiting to run",
                hint="wait for one to end, or cancel one",
            )
        identifier = operation_id or self.new_id()
        request = Request(kind, dict(metadata), self._lease.ref, self._clock())
        running = Running(
            identifier,
            request,
            lane=lane,
            ledger=self._ledger,
            lease=self._lease,
            clock=self._clock,
            pace=self._pace,
        )
        # A caller that goes away meanwhile leaves an operation that runs, not one that exists and does not.
        await uninterrupted(self._begin(running, run, self._lanes[lane]))
        _log.info("operation started", operation=identifier, kind=kind)
        return running.state

    async def get(self, identifier: str) -> OperationState:
        """An operation as it is now, of whichever daemon. OperationNotFound, RepositoryDown."""
        running = self._running.get(identifier)
        if running is not None:
            return running.state
        return await self._read(identifier, await self._ledger.request(identifier))

    async def list(
        self, *, page_size: int, page_token: str = "", id_prefix: str = ""
    ) -> OperationPage:
        """A page of operations, newest first; one that cannot be read is logged, and left out.

        InvalidRequest for a token of another listing.
        """
        page = await self._ledger.catalog.page(
            page_size=page_size, page_token=page_token, id_prefix=id_prefix
        )
        items: Items = []
        for start in range(0, len(page.entries), _READ_AT_ONCE):
            some = page.entries[start : start + _READ_AT_ONCE]
            reads = (self._entry(each.identifier, each.manifest) for each in some)
            items.extend(state for state in await asyncio.gather(*reads) if state is not None)
        return OperationPage(items, page.next_page_token)

    async def wait(self, identifier: str, timeout_s: float) -> OperationState:
        """An operation when it is done, or as it is when the time is over or the daemon stops. OperationNotFound."""
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

        OperationNotFound; Unavailable when the daemon stops before.
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
        """Lets go of all who watch or wait: an operation may take hours, and the daemon is to stop now."""
        self._stopping.set()

    async def cancel(self, identifier: str) -> None:
        """Asks for an operation to be cancelled; its owner hears of it within seconds. OperationNotFound."""
        running = self._running.get(identifier)
        if running is not None:
            running.cancel(Cancelled("somebody asked for it to be cancelled"))
        elif not (await self.get(identifier)).done:
            await self._ledger.ask_to_cancel(identifier, self._clock())

    async def sweep(self) -> Identifiers:
        """Ends the operations that the dead left; says which."""
        swept: Identifiers = []
        async for owner in leases(self._store):
            ours = (
                self._lease.valid and owner == self._lease.ref
            )  # of those, what could not be begun
            if ours or await self._lease.standing(owner) is not Standing.ALIVE:
                swept += [each async for each in self._sweep_lease(owner)]
        return swept

    async def close(self, grace_s: float = 10) -> None:
        """Cancels what runs, and waits until its results are written, or `grace_s`; starts nothing any more."""
        self._closing = True
        for running in self._running.values():
            running.cancel(Cancelled("the daemon is stopping"))
        if not self._attendants:
            return
        _, pending = await asyncio.wait(self._attendants, timeout=grace_s)
        for attendant in pending:
            attendant.cancel()
        if pending:
            _log.warning("operations left to the sweep", operations=sorted(self._running))
            await asyncio.wait(pending)

    async def _begin(self, running: Running, run: Work, slots: asyncio.Semaphore) -> None:
        self._running[running.identifier] = running
        try:
            await running.open()
        except BaseException:
            del self._running[running.identifier]
            raise
        if self._closing:
            running.cancel(Cancelled("the daemon is stopping"))
        attendant = asyncio.create_task(self._attend(running, run, slots))
        self._attendants.add(attendant)
        attendant.add_done_callback(self._attendants.discard)

    async def _attend(self, running: Running, run: Work, slots: asyncio.Semaphore) -> None:
        try:
            await running.attend(run, slots)
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
        running: Running | None = None
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
            await self._pause(changed)
            if self._stopping.is_set():
                return

    async def _pause(self, changed: asyncio.Event | None) -> None:
        """Waits until it is time to look again, or for the daemon to stop."""
        stopping = asyncio.create_task(self._stopping.wait())
        resting = asyncio.create_task(self._rest(changed))
        try:
            await asyncio.wait([stopping, resting], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            resting.cancel()

    async def _rest(self, changed: asyncio.Event | None) -> None:
        if changed is None:
            await asyncio.sleep(self._poll_s)
        else:
            await asyncio.sleep(self._watch_interval_s)
            await changed.wait()

    async def _entry(self, identifier: str, manifest: Mapping[str, Any]) -> OperationState | None:
        running = self._running.get(identifier)
        if running is not None:
            return running.state
        try:
            return await self._read(identifier, request_of(manifest, identifier))
        except (
            Corrupt
        ) as error:  # its result or its progress; the catalog has looked at its request
            _log.error("left out of a listing", operation=identifier, error=error.message)
            return None

    async def _read(self, identifier: str, request: Request) -> OperationState:
        """Reads an operation that is not ours; the dead one's is ended by being read."""
        result = await self._ledger.result(identifier)
        # Before the standing is asked for: an owner that ends well writes its result, and only then ends its lease.
        if result is None and await self._lease.standing(request.owner) is not Standing.ALIVE:
            result = await self._abandon(identifier, request.owner)
        progress = await self._ledger.progress(identifier)
        return fold(identifier, request, progress, result)

    async def _abandon(self, identifier: str, owner: LeaseRef) -> Result:
        error = OperationAbandoned("the daemon that was at this operation is gone")
        result = Result(self._clock(), {}, None, Failure.of(error))
        try:
            return await self._ledger.put_result(identifier, owner, result)
        except StewardError as failure:
            _log.warning("result not written", operation=identifier, error=failure.message)
            return result

    async def _sweep_lease(self, owner: LeaseRef) -> AsyncIterator[str]:
        async for identifier in self._ledger.marked(owner):
            if identifier in self._running:
                continue
            try:
                await self._ledger.request(identifier)
            except OperationNotFound:
                await self._ledger.unmark(owner, identifier)
                continue
            result = await self._abandon(identifier, owner)
            if result.error is not None and result.error.reason == OperationAbandoned.reason:
                _log.warning("operation abandoned", operation=identifier)
                yield identifier
