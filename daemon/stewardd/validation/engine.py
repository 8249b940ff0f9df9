"""The threads that the engine works on, shared by all batches in the making.

They stand back behind the event loop, which has little to do and should do it at once: with four uploads on two cores
Health answered within 6 to 7 ms in the median with threads that are equals, within 2 to 3 ms with a niceness of 10. It
costs uploads where other processes want the cores, of which a client on the same machine is one. So there is one thread
more that stands back less, for a batch that has the engine to itself: an upload took 0.51 s there instead of 0.60 s, in
turn on a busy machine, and Health answered within 3 to 4 ms beside it.

A batch may keep its thread from one piece to the next until it should go on elsewhere: `makes_way` tells. What it
judges may be shared with threads that have nothing to do: `helpers`.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from stewardd.telemetry import logger

T = TypeVar("T")
P = ParamSpec("P")

log = logger("validation")

LONE_NICENESS = 2
"""At most so far does the thread stand back that is for a batch without company. With 0 an upload takes as long."""


class EngineThreads(ThreadPoolExecutor):
    """An executor of so many threads, nicer than the process by `niceness` (setpriority(2); Linux only).

    One thread more is less nice; it is for a batch that is judged alone.
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
        self._asked = 0
        self._batches = 0
        self._lent = 0
        self._lock = threading.Lock()

    @property
    def makes_way(self) -> bool:
        """Whether what was given to `submit_batch`, and asks on its thread, should end and be given anew.

        It was alone and has company now, or the other way round; or others wait for its thread.
        """
        if threading.get_ident() == self._lone_thread:
            return self._batches > 1
        return self._batches == 1 or self._asked > self._thread_count

    @contextlib.contextmanager
    def helpers(self, at_most: int) -> Iterator[int]:
        """Yields how many threads more than its own a piece of work may start, which is as many as are idle here.

        Work that comes meanwhile does not wait for them: for that long there are too many.
        """
        with self._lock:
            lent = max(0, min(at_most, self._thread_count - self._asked - self._lent))
            self._lent += lent
        try:
            yield lent
        finally:
            with self._lock:
                self._lent -= lent

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """See Executor.submit."""
        return self._counted(super().submit, fn, *args, **kwargs)

    def submit_batch(self, judge: Callable[[], T]) -> Future[T]:
        """As `submit`, for work on a batch that goes on until there is none, or until it makes way."""
        with self._lock:
            self._batches += 1
            submit = self._lone.submit if self._batches == 1 else super().submit
        try:
            future = self._counted(submit, judge)
        except BaseException:
            self._batch_ended()
            raise
        future.add_done_callback(self._batch_ended)
        return future

    def _counted(self, submit: Callable[..., Future[T]], *work: Any, **named: Any) -> Future[T]:
        with self._lock:
            self._asked += 1
        try:
            future = submit(*work, **named)
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
            self._asked -= 1

    def _batch_ended(self, _future: Future[Any] | None = None) -> None:
        with self._lock:
            self._batches -= 1


def _be_nice(niceness: int) -> None:
    # Linux keeps a nice value for each thread, against POSIX; elsewhere this would slow the whole daemon down.
    if not niceness or sys.platform != "linux":
        return
    thread = threading.get_native_id()
    try:
        os.setpriority(
            os.PRIO_PROCESS, thread, min(19, os.getpriority(os.PRIO_PROCESS, thread) + niceness)
        )
    except (
        OSError
    ) as error:  # a sandbox forbids it: slower answers, and no reason to validate nothing
        log.warning("the engine cannot stand back", error=error.strerror)
