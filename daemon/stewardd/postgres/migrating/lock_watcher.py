"""Watches a migration from beside it: which locks it waits for and who holds them, and who waits behind it.

By a connection of its own, since the runner's is busy. The server says since when a lock is waited for; what took less
than a look's interval is not seen.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import psycopg

from stewardd.postgres.connect import Connection
from stewardd.postgres.migrating.replica_lag import ReplicaLag

INTERVAL_S = 0.05
_WAIT = """
SELECT lock.mode, coalesce(lock.relation::regclass::text, lock.locktype),
  greatest(0, extract(epoch FROM clock_timestamp() - lock.waitstart))::float8,
  (SELECT string_agg(format('%%s (process %%s, %%s)', coalesce(nullif(application_name, ''), 'unnamed'), pid,
     coalesce(state, 'unknown')), ', ') FROM pg_stat_activity WHERE pid = ANY (pg_blocking_pids(lock.pid)))
FROM pg_locks AS lock WHERE lock.pid = %s AND NOT lock.granted LIMIT 1
"""
_BEHIND = """
SELECT count(*) FROM (SELECT DISTINCT pid FROM pg_locks WHERE NOT granted) AS waiting
WHERE %s = ANY (pg_blocking_pids(pid))
"""
_POSITIONS = """
SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint, min(pg_wal_lsn_diff(replay_lsn, '0/0'))::bigint
FROM pg_stat_replication
"""


@dataclass(slots=True)
class LockWait:
    """A lock that was waited for: its mode, what it is on, how long, and who held it."""

    mode: str
    on: str
    waited_s: float
    held_by: str


class LockWatcher:
    """What was seen since the beginning; it goes on while `watch` does."""

    def __init__(self, pid: int, connection: Connection) -> None:
        self._pid = pid
        self._connection = connection
        self.waits: list[LockWait] = []
        self.most_behind = 0
        self._lag = ReplicaLag()
        self._busy = asyncio.Lock()

    @property
    def waited_s(self) -> float:
        """How long locks were waited for, in all."""
        return sum(wait.waited_s for wait in self.waits)

    def forget_behind(self) -> None:
        """Begins to count those who wait behind the migration anew."""
        self.most_behind = 0

    async def replica_lag_s(self) -> float:
        """How far the slowest replica is behind; 0 where there is none, or the user may not see it."""
        async with self._busy:
            try:
                row = await (await self._connection.execute(_POSITIONS)).fetchone()
            except psycopg.Error:
                return 0.0
        return self._lag.note(time.monotonic(), *row) if row else 0.0

    async def watch(self) -> None:
        """Looks until it is cancelled, or its connection ends: then the runner's has, too."""
        current: LockWait | None = None
        with suppress(psycopg.Error):
            while True:
                async with self._busy:
                    found = await (await self._connection.execute(_WAIT, [self._pid])).fetchone()
                    behind = await (await self._connection.execute(_BEHIND, [self._pid])).fetchone()
                if behind is not None:
                    self.most_behind = max(self.most_behind, behind[0])
                current = self._note(current, found)
                await asyncio.sleep(INTERVAL_S)

    def _note(
        self, current: LockWait | None, found: tuple[str, str, float | None, str | None] | None
    ) -> LockWait | None:
        if found is None:
            return None
        mode, on, waited_s, held_by = found
        waited_s = waited_s or 0.0
        is_same = current is not None and (current.mode, current.on) == (mode, on)
        if current is None or not is_same or waited_s < current.waited_s:
            current = LockWait(mode, on, waited_s, held_by or "")
            self.waits.append(current)
        current.waited_s = waited_s
        current.held_by = held_by or current.held_by
        return current


@asynccontextmanager
async def watching(pid: int, connection: Connection) -> AsyncIterator[LockWatcher]:
    """Watches a backend by a connection of its own while the block lasts."""
    watcher = LockWatcher(pid, connection)
    task = asyncio.create_task(watcher.watch(), name="migration watcher")
    try:
        yield watcher
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
