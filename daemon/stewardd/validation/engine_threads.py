"""The threads of the engine, shared by all batches, and the queue of pieces before them: one queue for each batch.

The threads are nicer than the event loop, which has little to do and should do it at once. With four uploads on two
cores the median answer of Health took 6 to 7 ms beside equal threads, and 2 to 3 ms with a niceness of 10. That costs
uploads where other processes want the cores, such as a client on the same machine. So one more thread is less nice, for
a batch that has the engine to itself: an upload took 0.51 s there instead of 0.60 s, and Health 3 to 4 ms beside it.

The engine is the slower end, so it must never wait for the event loop: one thread takes piece after piece (PieceQueue).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from stewardd.telemetry import logger

T = TypeVar("T")
P = ParamSpec("P")
Piece = bytes | memoryview

log = logger("validation")

MAX_PIECES = 1024
"""At most so many pieces wait in a queue: small pieces take more memory than their bytes."""
LONE_NICENESS = 2
"""The most that the thread for a lone batch is nicer. With 0 an upload takes as long."""


class EngineThreads(ThreadPoolExecutor):
    """A pool of threads, nicer than the process by `niceness` (setpriority(2); Linux only).

    One more thread is less nice; it is for a batch that is validated alone.
    """

    def __init__(self, threads: int, niceness: int) -> None:
        super().__init__(
            threads, thread_name_prefix="engine", initializer=_be_nice, initargs=(niceness,)
        )
        self._lone = ThreadPoolExecutor(
            1, "engine-lone", initializer=self._begin_lone, initargs=(min(niceness, LONE_NICENESS),)
        )
        self._lone_thread: int | None = None
        self._thread_count = threads
        self._submitted = 0
        self._batches = 0
        self._lent = 0
        self._lock = threading.Lock()

    @property
    def should_yield(self) -> bool:
        """Whether the work of `submit_batch` that asks, on its thread, should end and be submitted anew.

        It should where it was alone and is no longer, or the other way round; and where other work waits for its
        thread.
        """
        if threading.get_ident() == self._lone_thread:
            return self._batches > 1
        return self._batches == 1 or self._submitted > self._thread_count

    @contextlib.contextmanager
    def helpers(self, at_most: int) -> Iterator[int]:
        """Yields how many more threads a piece of work may start: as many as are idle in the pool.

        Work that is submitted meanwhile does not wait for them. For that long more threads run than the pool has.
        """
        with self._lock:
            lent = max(0, min(at_most, self._thread_count - self._submitted - self._lent))
            self._lent += lent
        try:
            yield lent
        finally:
            with self._lock:
                self._lent -= lent

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """See Executor.submit."""
        return self._counted(super().submit, fn, *args, **kwargs)

    def submit_batch(self, work: Callable[[], T]) -> Future[T]:
        """As `submit`, for work on a batch that runs until nothing is left, or until `should_yield`."""
        with self._lock:
            self._batches += 1
            submit = self._lone.submit if self._batches == 1 else super().submit
        try:
            future = self._counted(submit, work)
        except BaseException:
            self._batch_ended()
            raise
        future.add_done_callback(self._batch_ended)
        return future

    def _counted(
        self, submit: Callable[..., Future[T]], *arguments: Any, **named: Any
    ) -> Future[T]:
        with self._lock:
            self._submitted += 1
        try:
            future = submit(*arguments, **named)
        except BaseException:
            self._ended()
            raise
        future.add_done_callback(self._ended)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """See Executor.shutdown."""
        self._lone.shutdown(wait, cancel_futures=cancel_futures)
        super().shutdown(wait, cancel_futures=cancel_futures)

    def _begin_lone(self, niceness: int) -> None:
        self._lone_thread = threading.get_ident()
        _be_nice(niceness)

    def _ended(self, _future: Future[Any] | None = None) -> None:
        with self._lock:
            self._submitted -= 1

    def _batch_ended(self, _future: Future[Any] | None = None) -> None:
        with self._lock:
            self._batches -= 1


def _be_nice(niceness: int) -> None:
    # Linux keeps a nice value for each thread; elsewhere, as POSIX says, this would slow the whole process down.
    if not niceness or sys.platform != "linux":
        return
    thread = threading.get_native_id()
    try:
        os.setpriority(
            os.PRIO_PROCESS, thread, min(19, os.getpriority(os.PRIO_PROCESS, thread) + niceness)
        )
    except OSError as error:  # a sandbox forbids it: answers take longer, and everything works
        log.warning("the threads of the engine cannot be made nicer", error=error.strerror)


class PieceQueue:
    """The pieces of one file that wait for `validate`: at most `max_waiting_bytes` and MAX_PIECES, or one piece.

    `validate` runs on the engine's threads, in one at a time, in order. It takes up to half of what may wait at once,
    so that idle threads can help with it. A caller that waits for room is woken when half is free, not at every piece,
    and then adds several in a row: an upload on two cores took 0.46 s with a piece at a time, and 0.36 s so. An error
    of `validate` ends the queue; the next call raises it. Not safe for two callers at once.
    """

    def __init__(
        self,
        threads: EngineThreads,
        validate: Callable[[Sequence[Piece]], None],
        max_waiting_bytes: int,
    ) -> None:
        self._threads = threads
        self._validate = validate
        self._max_waiting_bytes = max_waiting_bytes
        self._loop = asyncio.get_running_loop()
        # Critical section: the event loop and an engine thread both use these. The first pieces are being validated.
        self._lock = threading.Lock()
        self._waiting: deque[Piece] = deque()
        self._waiting_bytes = 0
        self._listener: asyncio.Future[None] | None = None
        self._closed = False
        # Only the event loop uses these.
        self._work: asyncio.Future[None] | None = None
        self._failure: BaseException | None = None

    async def put(self, data: Piece) -> None:
        """Adds a piece, once there is room for it. Raises: the error of an earlier piece."""
        while change := self._until(lambda: self._has_room(len(data))):
            await change
        self._raise_failure()
        with self._lock:
            self._waiting.append(data)
            self._waiting_bytes += len(data)
        self._start_work()

    async def settle(self) -> None:
        """Waits until all pieces are validated. Raises: the error of a piece."""
        while change := self._until(lambda: self._work is None):
            await change
        self._raise_failure()

    async def close(self) -> None:
        """Drops the waiting pieces, and waits until no thread validates any more. May be called twice."""
        with self._lock:
            self._closed = True
        while change := self._until(lambda: self._work is None):
            await change

    def _until(self, is_so: Callable[[], bool]) -> asyncio.Future[None] | None:
        """Returns the next change to wait for. None where `is_so`, or after an error."""
        with self._lock:
            if self._failure is not None or is_so():
                return None
            self._listener = self._loop.create_future()
            return self._listener

    def _has_room(self, size_bytes: int) -> bool:
        if not self._waiting:
            return True
        fits = self._waiting_bytes + size_bytes <= self._max_waiting_bytes
        return fits and len(self._waiting) < MAX_PIECES

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _start_work(self) -> None:
        if self._work is None and self._waiting and not self._closed:
            work = self._threads.submit_batch(self._validate_pieces)
            self._work = asyncio.wrap_future(work, loop=self._loop)
            self._work.add_done_callback(self._work_ended)

    def _work_ended(self, work: asyncio.Future[None]) -> None:
        self._work = None
        self._failure = asyncio.CancelledError() if work.cancelled() else work.exception()
        if self._failure is None:
            # Pieces may have come since it found none, or it ended for other work.
            self._start_work()
        self._wake(self._taken_listener())

    def _validate_pieces(self) -> None:
        """On an engine thread: validates until no piece is left, or other work should run."""
        while pieces := self._next_pieces():
            self._validate(pieces)
            with self._lock:
                for piece in pieces:
                    self._waiting.popleft()
                    self._waiting_bytes -= len(piece)
                roomy = (
                    2 * self._waiting_bytes <= self._max_waiting_bytes
                    and 2 * len(self._waiting) <= MAX_PIECES
                )
            listener = self._taken_listener() if roomy else None
            if listener is not None:
                self._loop.call_soon_threadsafe(self._wake, listener)
            if self._threads.should_yield:
                return

    def _next_pieces(self) -> list[Piece]:
        """Returns the pieces to validate together. Empty where none is left."""
        pieces: list[Piece] = []
        size_bytes = 0
        with self._lock:
            for piece in () if self._closed else self._waiting:
                size_bytes += len(piece)
                if pieces and 2 * size_bytes > self._max_waiting_bytes:
                    break
                pieces.append(piece)
        return pieces

    def _taken_listener(self) -> asyncio.Future[None] | None:
        with self._lock:
            listener, self._listener = self._listener, None
            return listener

    @staticmethod
    def _wake(listener: asyncio.Future[None] | None) -> None:
        if listener is not None and not listener.done():
            listener.set_result(None)
