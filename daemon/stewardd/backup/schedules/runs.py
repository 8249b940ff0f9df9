"""The ledger of runs: which due moments of a schedule had their run, and how it ended.

    schedule-runs/<name>/<due>.json     create-once, by the first daemon that sees the run ended

A due moment with an entry is never run again, whatever the clock does. That two daemons don't run one without an
entry at once is a matter of the claim (runner.py). Old entries are removed: such a due moment comes again only where a
clock is set back that far.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

from stewardd.backup.schedules.schedule import SCHEDULE_RUN, ScheduleRun
from stewardd.errors import Corrupt, ObjectExists, ObjectNotFound
from stewardd.repository.backend.store import Store
from stewardd.telemetry import logger

ROOT = "schedule-runs"
KEPT = 500

_log = logger("schedules")


class ScheduleRuns:
    """Reads and writes the ledger. Raises: RepositoryDown; StorageFull where it writes."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def has_run(self, name: str, due: datetime) -> bool:
        """Whether a due moment had its run."""
        try:
            await self._store.head(_key(name, due))
        except ObjectNotFound:
            return False
        return True

    async def keep(self, name: str, run: ScheduleRun) -> bool:
        """Enters a run that has ended; returns whether this daemon was the first to do so."""
        try:
            await self._store.put(_key(name, run.due), SCHEDULE_RUN.encode(run))
        except ObjectExists:
            return False
        keys = [meta.key async for meta in self._store.list(f"{ROOT}/{name}")]
        for key in keys[:-KEPT]:
            await self._store.delete(key)
        return True

    async def last(self, name: str) -> ScheduleRun | None:
        """The run of the newest due moment; None before the first, or where it cannot be read."""
        key = ""
        async for meta in self._store.list(f"{ROOT}/{name}"):
            key = meta.key
        if not key:
            return None
        with suppress(ObjectNotFound):
            try:
                return SCHEDULE_RUN.decode(await self._store.get(key), key)
            except Corrupt as error:
                _log.error("run of a schedule not read", schedule=name, error=error.message)
        return None


def _key(name: str, due: datetime) -> str:
    return f"{ROOT}/{name}/{due.astimezone(UTC):%Y%m%dT%H%M%SZ}.json"
