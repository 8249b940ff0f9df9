"""What has come of a file and is not judged yet: a short queue between the event loop and the engine's thread.

The engine is the slower end, so what counts is that it never waits. With one piece in flight it did, between two
pieces: the loop had to hear that one was judged and to wake a thread for the next. Here one thread takes piece after
piece until there is none, or until others wait for a thread, and the loop is told only if it waits for room. For an
upload of 300 pieces the engine's thread went to sleep 680 times before, and 20 times so, and the upload took a fifth
less time on a busy machine.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable

from stewardd.validation.engine import Engine


class Intake:
    """Pieces on their way to `judge`, at most `max_waiting_bytes` of them, or one. Not safe for two callers at once.

    `judge` is called on the engine's threads, by one at a time, in order. What it raises ends everything: it is raised
    by whatever is called next.
    """

    def __init__(
        self,
        engine: Engine,
        judge: Callable[[bytes], None],
        max_waiting_bytes: int,
    ) -> None:
        self._engine = engine
        self._judge = judge
        self._max_waiting_bytes = max_waiting_bytes
        self._loop = asyncio.get_running_loop()
        # Both sides look at these, under the lock: the pieces, the first being judged; who waits for a change.
        self._lock = threading.Lock()
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._listener: asyncio.Future[None] | None = None
        self._closed = False
        # The loop's own.
        self._work: asyncio.Future[None] | None = None
        self._failure: BaseException | None = None

    async def put(self, data: bytes) -> None:
        """Takes a piece, once there is room for it."""
        while change := self._until(lambda: self._has_room(len(data))):
            await change
        self._raise_failure()
        with self._lock:
            self._waiting.append(data)
            self._waiting_bytes += len(data)
        self._go_on()

    async def settle(self) -> None:
        """Waits until all has been judged."""
        while change := self._until(lambda: self._work is None):
            await change
        self._raise_failure()

    async def close(self) -> None:
        """Drops what waits; returns when no thread is at work any more. May be called twice."""
        with self._lock:
            self._closed = True
        while change := self._until(lambda: self._work is None):
            await change

    def _until(self, is_so: Callable[[], bool]) -> asyncio.Future[None] | None:
        """Returns the next change to wait for; None where it is so, or where nothing more will be judged."""
        with self._lock:
            if self._failure is not None or is_so():
                return None
            self._listener = self._loop.create_future()
            return self._listener

    def _has_room(self, size_bytes: int) -> bool:
        return not self._waiting or self._waiting_bytes + size_bytes <= self._max_waiting_bytes

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _go_on(self) -> None:
        if self._work is None and self._waiting and not self._closed:
            self._work = self._loop.run_in_executor(self._engine, self._judge_on)
            self._work.add_done_callback(self._ended)

    def _ended(self, work: asyncio.Future[None]) -> None:
        self._work = None
        self._failure = asyncio.CancelledError() if work.cancelled() else work.exception()
        if self._failure is None:
            # It ended because nothing was left, and something has come since; or because it made way for others.
            self._go_on()
        self._tell(self._taken_listener())

    def _judge_on(self) -> None:
        """On a thread of the engine: judges until nothing is left, or others are due."""
        while True:
            with self._lock:
                if not self._waiting or self._closed:
                    return
                data = self._waiting[0]
            self._judge(data)
            with self._lock:
                self._waiting.popleft()
                self._waiting_bytes -= len(data)
            listener = self._taken_listener()
            if listener is not None:
                self._loop.call_soon_threadsafe(self._tell, listener)
            if self._engine.is_crowded:
                return

    def _taken_listener(self) -> asyncio.Future[None] | None:
        with self._lock:
            listener, self._listener = self._listener, None
            return listener

    @staticmethod
    def _tell(listener: asyncio.Future[None] | None) -> None:
        if listener is not None and not listener.done():
            listener.set_result(None)
