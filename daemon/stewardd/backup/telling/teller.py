"""Tells how backups ended: one message after the other, tried again, and given up in the end.

A backup never waits for it: the end of an operation only puts a message into a queue that has room for a few, and what
finds it full is logged and dropped. From there the message goes into the repository, where it waits until somebody was
told: by this daemon, or by another one with the same receiver when this one is gone. Of several daemons one tells it,
by a claim. What was cancelled is neither a success nor a failure, and is not told.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from stewardd.backup.progress import BACKUP_PROGRESS
from stewardd.backup.telling.waiting import MessageDocument, Receiver, Waiting, WaitingMessages
from stewardd.backup.telling.ways import NotTold, TellMessage, Way
from stewardd.errors import Cancelled, Corrupt, DaemonStopping, RequestInProgress, StewardError
from stewardd.operations.kinds import CREATE_BACKUP
from stewardd.operations.state import OperationState
from stewardd.repository.claims import Claims
from stewardd.telemetry import logger

_log = logger("telling")
_CLAIM = "BackupMessage"
_UNTOLD = (Cancelled.reason, DaemonStopping.reason)
_ON_SUCCESS = (Receiver.SUCCESS_WEBHOOK, Receiver.SUCCESS_COMMAND)
_ON_FAILURE = (Receiver.FAILURE_WEBHOOK, Receiver.FAILURE_COMMAND)


@dataclass(frozen=True, slots=True)
class TellOptions:
    """How long one attempt may take, how many there are, the pause after the first, and how many messages wait.

    Messages that other daemons left are looked for every `look_s`; one that waited for `keep` is dropped.
    """

    timeout_s: float = 10.0
    attempts: int = 5
    first_pause_s: float = 2.0
    max_queued: int = 100
    look_s: float = 60.0
    keep: timedelta = timedelta(days=1)


class Teller:
    """Start it once, then stop it once. `count` is told of each message whether it was told."""

    def __init__(
        self,
        ways: Mapping[Receiver, Way],
        messages: WaitingMessages,
        claims: Claims,
        options: TellOptions,
        count: Callable[[str], None] = lambda _: None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._ways = ways
        self._messages = messages
        self._claims = claims
        self._options = options
        self._count = count
        self._clock = clock
        self._queue: asyncio.Queue[Waiting] = asyncio.Queue(options.max_queued)
        self._storing: Waiting | None = None
        self._unstored: list[Waiting] = []
        self._arrived = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._stopped = False

    def start(self) -> None:
        """Begins to tell, what others left first."""
        self._tasks = [
            asyncio.create_task(self._store_all(), name="storing of messages"),
            asyncio.create_task(self._tell_all(), name="telling"),
        ]

    async def stop(self) -> None:
        """Tells no more. What waits is in the repository afterwards, if that answers."""
        self._stopped = True
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        being_stored = [] if self._storing is None else [self._storing]
        for each in [*self._unstored, *being_stored, *_drained(self._queue)]:
            if not await self._store(each):
                _log.error("message lost", message=each.document.message_id)

    async def ended(self, state: OperationState) -> None:
        """Queues what is to be told of an operation that has ended; waits for nothing until this has stopped."""
        if state.kind != CREATE_BACKUP.name or (state.error and state.error.reason in _UNTOLD):
            return
        message = message_of(state)
        document = MessageDocument(self._clock(), message.message_id, message.body.decode())
        for receiver in _ON_FAILURE if state.error else _ON_SUCCESS:
            if receiver not in self._ways:
                continue
            waiting = Waiting(state.id, receiver, document)
            if self._stopped:
                await self._store(waiting)
                continue
            try:
                self._queue.put_nowait(waiting)
            except asyncio.QueueFull:
                self._drop(waiting, "too many wait")

    async def _store_all(self) -> None:
        while True:
            self._storing = await self._queue.get()
            if not await self._store(self._storing):
                self._unstored.append(self._storing)
            self._storing = None
            self._arrived.set()

    async def _store(self, waiting: Waiting) -> bool:
        try:
            await self._messages.put(waiting)
        except StewardError as error:
            _log.warning(
                "message not stored", message=waiting.document.message_id, error=error.message
            )
            return False
        return True

    async def _tell_all(self) -> None:
        while True:
            self._arrived.clear()
            try:
                await self._tell_waiting()
            except StewardError as error:
                _log.warning("messages not looked for", reason=error.reason, error=error.message)
            except Exception as error:  # noqa: BLE001  # the edge of a background loop
                _log.error("telling failed unexpectedly", exc_info=error)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._options.look_s):
                    await self._arrived.wait()

    async def _tell_waiting(self) -> None:
        """Tells what waits in memory, because the repository would not take it, and then what waits there."""
        for waiting in list(self._unstored):
            self._count("told" if await self._told(waiting) else "failed")
            self._unstored.remove(waiting)
        found = [each for each in await self._messages.all() if each.receiver in self._ways]
        for number, waiting in enumerate(found):
            is_old = self._clock() - waiting.document.time >= self._options.keep
            with suppress(RequestInProgress):
                async with self._claims.exclusively(_CLAIM, waiting.key):
                    if not await self._messages.is_there(waiting):
                        continue  # another daemon has told it
                    if is_old or number >= self._options.max_queued:
                        self._drop(waiting, "it waited too long" if is_old else "too many wait")
                    else:
                        self._count("told" if await self._told(waiting) else "failed")
                    await self._messages.remove(waiting)

    async def _told(self, waiting: Waiting) -> bool:
        way, message = self._ways[waiting.receiver], waiting.message
        pause_s = self._options.first_pause_s
        for attempt in range(1, self._options.attempts + 1):
            try:
                await way.tell(message, self._options.timeout_s)
            except NotTold as error:
                _log.warning("not told", way=repr(way), attempt=attempt, error=str(error))
            except Exception as error:  # noqa: BLE001  # the edge of a background loop
                _log.error("not told, unexpectedly", way=repr(way), exc_info=error)
            else:
                return True
            if attempt < self._options.attempts:
                await asyncio.sleep(pause_s)
                pause_s *= 2
        _log.error("given up", way=repr(way), message=message.message_id)
        return False

    def _drop(self, waiting: Waiting, why: str) -> None:
        self._count("dropped")
        _log.error("message dropped", message=waiting.document.message_id, why=why)


def _drained(queue: asyncio.Queue[Waiting]) -> list[Waiting]:
    found = []
    while not queue.empty():
        found.append(queue.get_nowait())
    return found


def message_of(state: OperationState) -> TellMessage:
    """The message that tells of an operation. Its id is the operation's, so that it is told twice as the same."""
    data: dict[str, object] = {"operation": f"operations/{state.id}"}
    try:
        progress = BACKUP_PROGRESS.from_json(state.metadata, f"operations/{state.id}")
        data |= {"database": progress.database, "backup": f"backups/{progress.backup}"}
    except Corrupt as error:
        _log.error("message without its backup", operation=state.id, error=error.message)
    if state.error is not None:
        data |= {"reason": state.error.reason, "message": state.error.message}
    body: Mapping[str, object] = {
        "type": "backup.failed" if state.error is not None else "backup.completed",
        "timestamp": state.update_time.astimezone(UTC).isoformat(),
        "data": data,
    }
    return TellMessage(f"msg_{state.id}", json.dumps(body, ensure_ascii=False).encode())
