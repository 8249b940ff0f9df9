"""The threads that the engine works on, shared by all batches in the making.

They stand back behind the event loop, which has little to do and should do it at once: with four uploads on two cores
Health answered within 6 to 7 ms in the median with threads that are equals, within 2 to 3 ms with a niceness of 10. It
costs uploads where other processes want the cores. A batch may keep its thread from one piece to the next as long as
nobody waits for one: `is_crowded` tells. What it judges may be shared with threads that have nothing to do: `helpers`.
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


class Engine(ThreadPoolExecutor):
    """An executor of so many threads, nicer than the process by `niceness` (setpriority(2); Linux only)."""

    def __init__(self, threads: int, niceness: int) -> None:
        super().__init__(
            threads, thread_name_prefix="engine", initializer=_be_nice, initargs=(niceness,)
        )
        self._thread_count = threads
        self._asked = 0
        self._lent = 0
        self._lock = threading.Lock()

    @property
    def is_crowded(self) -> bool:
        """Whether there is more work than threads."""
        return self._asked > self._thread_count

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
        with self._lock:
            self._asked += 1
        try:
            future = super().submit(fn, *args, **kwargs)
        except BaseException:
            self._ended()
            raise
        future.add_done_callback(self._ended)
        return future

    def _ended(self, _future: Future[Any] | None = None) -> None:
        with self._lock:
            self._asked -= 1


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
