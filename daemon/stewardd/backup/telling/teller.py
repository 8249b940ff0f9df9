"""Tells how the backups of this daemon ended: queued, one after the other, tried again, and given up in the end.

A backup never waits for it: the end of an operation only puts a message into a queue that has room for a few, and what
finds it full is logged and dropped. What was cancelled is neither a success nor a failure, and is not told.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC

from stewardd.backup.progress import BACKUP_PROGRESS
from stewardd.backup.telling.ways import NotTold, TellMessage, Way
from stewardd.errors import Cancelled, Corrupt, DaemonStopping
from stewardd.operations.kinds import CREATE_BACKUP
from stewardd.operations.state import OperationState
from stewardd.telemetry import logger

_log = logger("telling")
_UNTOLD = (Cancelled.reason, DaemonStopping.reason)


@dataclass(frozen=True, slots=True)
class TellOptions:
    """How long one attempt may take, how many there are, the pause after the first, and how many messages wait."""

    timeout_s: float = 10.0
    attempts: int = 5
    first_pause_s: float = 2.0
    max_queued: int = 100


class Teller:
    """Start it once, then stop it once. `count` is told of each message whether it was told."""

    def __init__(
        self,
        on_success: Sequence[Way],
        on_failure: Sequence[Way],
        options: TellOptions,
        count: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._on_success = on_success
        self._on_failure = on_failure
        self._options = options
        self._count = count
        self._queue: asyncio.Queue[tuple[Way, TellMessage]] = asyncio.Queue(options.max_queued)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to tell."""
        self._task = asyncio.create_task(self._run(), name="telling")

    async def stop(self) -> None:
        """Tells no more; what waits is dropped."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def ended(self, state: OperationState) -> None:
        """Queues what is to be told of an operation that has ended; waits for nothing."""
        if state.kind != CREATE_BACKUP.name or (state.error and state.error.reason in _UNTOLD):
            return
        message = message_of(state)
        for way in self._on_failure if state.error else self._on_success:
            try:
                self._queue.put_nowait((way, message))
            except asyncio.QueueFull:
                self._count("dropped")
                _log.error("message dropped: too many wait", message=message.message_id)

    async def _run(self) -> None:
        while True:
            way, message = await self._queue.get()
            self._count("told" if await self._told(way, message) else "failed")

    async def _told(self, way: Way, message: TellMessage) -> bool:
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
