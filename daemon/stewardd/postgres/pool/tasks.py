"""What a pool does in the background: tasks that end with it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine

from stewardd.telemetry import logger

log = logger("postgres")


class BackgroundTasks:
    """The tasks of one pool, each named for its database."""

    def __init__(self, database: str) -> None:
        self._database = database
        self._running: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[None, None, None], what: str) -> None:
        """Begins a task."""
        task = asyncio.create_task(work, name=f"pool-{self._database}-{what}")
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def repeat(self, interval_s: float, turn: Callable[[], Awaitable[None]], what: str) -> None:
        """Begins a task that takes its turn after each interval, whatever became of the turn before."""
        self.spawn(self._repeat(interval_s, turn, what), what)

    async def close(self, timeout_s: float) -> None:
        """Cancels all, and waits until they have ended."""
        await asyncio.sleep(
            0
        )  # a task that is cancelled before it began would not run its `finally`
        running = set(self._running)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=timeout_s)

    async def _repeat(
        self, interval_s: float, turn: Callable[[], Awaitable[None]], what: str
    ) -> None:
        while True:
            await asyncio.sleep(interval_s)
            try:
                await turn()
            except Exception as error:  # an edge: without this loop the pool would not come back
                log.error("pool not tended", database=self._database, turn=what, exc_info=error)
