"""How the last backups ended, for Health: read from the operations in the repository, as any daemon left them.

A failure counts until a later backup of its database has succeeded, also over restarts. A backup that was cancelled
says nothing about whether backups work, and neither counts nor ends the counting.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from stewardd.backup.failures import BackupFailures
from stewardd.backup.progress import BACKUP_PROGRESS
from stewardd.errors import Cancelled, Corrupt, DaemonStopping
from stewardd.operations.kinds import CREATE_BACKUP
from stewardd.operations.operations import Operations
from stewardd.operations.state import OperationState
from stewardd.telemetry import logger

log = logger("backup")

_FRESH_S = 60.0  # other daemons' backups are seen this late; our own at once
_PAGE_SIZE = 50
_PAGES_READ = 4


class BackupOutcomes:
    """Reads operations from the newest back to the last success of each database."""

    def __init__(
        self,
        operations: Operations,
        databases: Iterable[str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._operations = operations
        self._databases = frozenset(databases)
        self._clock = clock
        self._found: list[BackupFailures] = []
        self._read_at: float | None = None

    def expire(self) -> None:
        """Has the operations read anew at the next look: one has just ended."""
        self._read_at = None

    def known(self) -> list[BackupFailures]:
        """The databases whose last backup had failed when `failures` was last asked."""
        return list(self._found)

    async def failures(self) -> list[BackupFailures]:
        """The databases whose last backup failed. Raises: RepositoryDown."""
        now = self._clock()
        if self._read_at is None or now - self._read_at > _FRESH_S:
            self._read_at = now  # before the reading: what ends meanwhile expires it again
            try:
                self._found = await self._read()
            except BaseException:
                self._read_at = None
                raise
        return list(self._found)

    async def _read(self) -> list[BackupFailures]:
        failed: dict[str, BackupFailures] = {}
        open_databases = set(self._databases)
        token = ""
        for _ in range(_PAGES_READ):
            page = await self._operations.list(page_size=_PAGE_SIZE, page_token=token)
            for state in page.items:
                _count(state, open_databases, failed)
            token = page.next_page_token
            if not token or not open_databases:
                break
        return [failed[name] for name in sorted(failed)]


def _count(
    state: OperationState, open_databases: set[str], failed: dict[str, BackupFailures]
) -> None:
    """Takes an operation into account. They come from the newest to the oldest."""
    if state.kind != CREATE_BACKUP.name or not state.done:
        return
    try:
        database = BACKUP_PROGRESS.from_json(state.metadata, f"operations/{state.id}").database
    except Corrupt as error:  # it must not hide the others
        log.error("left out of the failed backups", operation=state.id, error=error.message)
        return
    if database not in open_databases:
        return
    if state.error is None:
        open_databases.discard(database)
    elif state.error.reason in (Cancelled.reason, DaemonStopping.reason):
        return
    elif database in failed:
        failed[database] = replace(failed[database], count=failed[database].count + 1)
    else:
        failed[database] = BackupFailures(
            database, 1, state.id, state.update_time, state.error.reason, state.error.message
        )
