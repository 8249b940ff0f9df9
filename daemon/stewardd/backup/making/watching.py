"""Watches a dump while it goes on: how far its tables are, and who waits behind its locks; each waiter is told once.

What can't be seen is not told: a watch that fails, such as where the server is full, never ends the dump.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from stewardd.errors import StewardError
from stewardd.postgres.dump_watch import LockWaiter, watch_dump
from stewardd.postgres.target import DatabaseTarget

_INTERVAL_S = 1.0
_RETRY_S = 10.0
_CONNECT_TIMEOUT_S = 15.0


class DumpWatcher:
    """Keeps what was last seen. `copied_rows` holds every table that was ever seen, `running` those of now."""

    def __init__(self, target: DatabaseTarget, on_waiter: Callable[[LockWaiter], None]) -> None:
        self._target = target
        self._on_waiter = on_waiter
        self._told: set[tuple[object, ...]] = set()
        self.copied_rows: dict[int, int] = {}
        self.running: frozenset[int] = frozenset()

    async def run(self) -> None:
        """Looks every second until it is cancelled."""
        while True:
            try:
                async with watch_dump(self._target, _CONNECT_TIMEOUT_S) as watch:
                    while True:
                        found = await watch.copied_rows()
                        self.copied_rows |= found
                        self.running = frozenset(found)
                        for waiter in await watch.lock_waiters():
                            self._tell(waiter)
                        await asyncio.sleep(_INTERVAL_S)
            except StewardError:
                await asyncio.sleep(_RETRY_S)

    def _tell(self, waiter: LockWaiter) -> None:
        key = (waiter.pid, waiter.started, waiter.mode, waiter.table)
        if key not in self._told:
            self._told.add(key)
            self._on_waiter(waiter)
