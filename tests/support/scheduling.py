"""A daemon's schedules without a database: what a run makes is published as a backup is, and takes a moment.

As a program, `python -m tests.support.scheduling REPOSITORY DATA_FOLDER NOW SECONDS`, it is one daemon whose
clock stands at NOW (seconds since 1970), until it is killed; each backup takes so many seconds.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stewardd import telemetry
from stewardd.backup.catalog import KIND
from stewardd.backup.manifest.first_version import FIRST_MANIFEST
from stewardd.backup.progress import BACKUP_PROGRESS, BackupProgress
from stewardd.backup.schedules.book import ScheduleBook
from stewardd.backup.schedules.runner import RunnerIntervals, ScheduleRunner
from stewardd.backup.schedules.runs import ScheduleRuns
from stewardd.backup.schedules.schedule import BackupSchedule, ScheduleDefinition
from stewardd.errors import DatabaseDown
from stewardd.operations.kinds import CREATE_BACKUP
from stewardd.operations.operations import Operations
from stewardd.operations.running import OperationContext, PollIntervals
from stewardd.operations.state import OperationState
from stewardd.repository.backend.folder.store import FolderStore
from stewardd.repository.identifiers import uuid7
from stewardd.repository.lease import WriterLease
from stewardd.repository.publication import publish

from tests.support.backups import SEGMENT, manifest

PACE = PollIntervals(poll_s=0.05, longest_retry_s=0.1)


class QuickCreation:
    """Starts operations that publish a small backup. `failing` makes them fail instead."""

    def __init__(self, operations: Operations, store: FolderStore, lease: WriterLease) -> None:
        self.operations = operations
        self.store = store
        self.lease = lease
        self.takes_s = 0.0
        self.failing = False

    def database_named(self, name: str) -> str:
        return name or "main"

    async def start(self, database: str, description: str, request_id: str) -> OperationState:
        backup_id = uuid7()

        async def work(context: OperationContext) -> dict[str, Any]:
            if self.failing:
                raise DatabaseDown("the database does not answer")
            made = manifest(datetime.now(UTC), database)
            async with publish(self.store, self.lease, KIND, backup_id) as draft:
                for each in made.segments:
                    await self.store.put(draft.key(each.name), SEGMENT)
                await asyncio.sleep(self.takes_s)
                body = FIRST_MANIFEST.encode(made).replace(
                    made.backup_id.encode(), backup_id.encode()
                )
                await draft.commit(body)
            return {}

        return await self.operations.start_once(
            CREATE_BACKUP,
            request_id,
            asked={"database": database, "description": description},
            metadata=BACKUP_PROGRESS.to_json(BackupProgress(backup_id, database)),
            work=work,
        )


class SchedulingDaemon:
    """The schedules of one daemon, by a clock that a test sets."""

    def __init__(
        self, store: FolderStore, lease: WriterLease, now: datetime, configured: Any = None
    ) -> None:
        self.now = now
        self.lease = lease
        self.operations = Operations(
            store, lease, intervals=PACE, watch_interval_s=0.05, poll_s=0.05
        )
        self.creation = QuickCreation(self.operations, store, lease)
        self.book = ScheduleBook(
            store, configured or {}, lambda: self.now, self.creation.database_named
        )
        self.runs = ScheduleRuns(store)
        self.completed: list[str] = []
        self.runner = ScheduleRunner(
            store,
            self.book,
            self.runs,
            self.creation,  # type: ignore[arg-type]  # it has no database
            self.operations,
            lambda: self.now,
            self._on_completed,
            intervals=RunnerIntervals(read_s=0.0, claim_s=0.05),
        )

    @classmethod
    async def begin(
        cls, store: FolderStore, data_dir: Path, now: datetime, configured: Any = None
    ) -> SchedulingDaemon:
        lease = await WriterLease.acquire(store, data_dir)
        return cls(store, lease, now, configured)

    async def look(self) -> None:
        """Looks once, and waits until what is due has run."""
        await self.runner.look()
        await asyncio.gather(*self.runner._tasks.values())

    async def end(self) -> None:
        await self.runner.stop()
        await self.operations.close()
        await self.lease.close()

    async def _on_completed(self, schedule: BackupSchedule) -> None:
        self.completed.append(schedule.name)


def hourly(**fields: Any) -> ScheduleDefinition:
    """A schedule that is due at each full hour."""
    return ScheduleDefinition(**{"database": "main", "cron": "0 * * * *", **fields})


async def main(root: Path, data_dir: Path, now: float, takes_s: float) -> None:
    daemon = await SchedulingDaemon.begin(
        FolderStore(root), data_dir, datetime.fromtimestamp(now, UTC)
    )
    daemon.creation.takes_s = takes_s
    print("begins", flush=True)
    while True:
        await daemon.operations.sweep()
        await daemon.runner.look()
        await asyncio.sleep(0.05)


if __name__ == "__main__":
    telemetry.configure("error", "json")
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])))
