"""Runs what is due: of all daemons on the repository one, and another where that one is killed.

A run is an operation under a request_id that names schedule, due moment and attempt, so that the claim on it
(repository/claims.py) lets one daemon begin it and gives the others the same operation. They all look how it ends.
Where its daemon is gone, they first look whether it had published its backup, and fence it if not, so that it cannot
any more; then they go on to the next attempt, by the same way. So one backup is completed for a due moment. How it
ended stands in the ledger, which is asked first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from stewardd.backup.catalog import KIND
from stewardd.backup.creation import BackupCreation
from stewardd.backup.progress import BACKUP_PROGRESS
from stewardd.backup.schedules.book import ScheduleBook
from stewardd.backup.schedules.runs import ScheduleRuns
from stewardd.backup.schedules.schedule import BackupSchedule, RunOutcome, ScheduleRun
from stewardd.errors import (
    DaemonStopping,
    LeaseLost,
    OperationAbandoned,
    RequestInProgress,
    StewardError,
)
from stewardd.operations.operations import Operations
from stewardd.operations.state import OperationState
from stewardd.repository.backend.store import Store
from stewardd.repository.identifiers import folder_of
from stewardd.repository.publication import fence, manifest_key
from stewardd.telemetry import logger

_log = logger("schedules")
_MOST_ATTEMPTS = 50
_WAIT_S = 3600.0
_REMEMBERED = 10_000
# The daemon that ran it is gone, and the backup was not made: another attempt follows at once.
_TAKEN_OVER = frozenset({OperationAbandoned.reason, LeaseLost.reason, DaemonStopping.reason})


@dataclass(frozen=True, slots=True)
class RunnerIntervals:
    """How often the schedules are read from the repository, and how long a claim of another daemon is waited for."""

    read_s: float = 15.0
    claim_s: float = 1.0


class ScheduleRunner:
    """Runs the schedules of a repository. `on_completed` is called once for each backup, by one of the daemons."""

    def __init__(
        self,
        store: Store,
        book: ScheduleBook,
        runs: ScheduleRuns,
        creation: BackupCreation,
        operations: Operations,
        now: Callable[[], datetime],
        on_completed: Callable[[BackupSchedule], Awaitable[None]],
        *,
        intervals: RunnerIntervals = RunnerIntervals(),  # frozen
    ) -> None:
        self._store = store
        self._book = book
        self._runs = runs
        self._creation = creation
        self._operations = operations
        self._now = now
        self._on_completed = on_completed
        self._intervals = intervals
        self._schedules: list[BackupSchedule] = []
        self._read_at: float | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._had: dict[tuple[str, datetime], None] = {}

    def known(self) -> list[BackupSchedule]:
        """The schedules as they were last read."""
        return list(self._schedules)

    def expire(self) -> None:
        """Has the schedules read anew at the next look: one has just changed."""
        self._read_at = None

    async def look(self) -> None:
        """Begins what is due and has no run. Raises: RepositoryDown."""
        clock = asyncio.get_running_loop().time()
        if self._read_at is None or clock - self._read_at >= self._intervals.read_s:
            self._read_at = clock
            try:
                self._schedules = await self._book.all()
            except BaseException:
                self._read_at = None
                raise
        now = self._now()
        for schedule in self._schedules:
            due = schedule.due(now)
            if due is None or (schedule.name, due) in self._had or schedule.name in self._tasks:
                continue
            if await self._runs.has_run(schedule.name, due):
                self._remember(schedule.name, due)
                continue
            task = asyncio.create_task(
                self._attend(schedule, due), name=f"schedule {schedule.name}"
            )
            self._tasks[schedule.name] = task
            task.add_done_callback(partial(self._attended, schedule.name))

    async def stop(self) -> None:
        """Attends to no run any more; those that go on are the operations' matter."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _attended(self, name: str, _: asyncio.Task[None]) -> None:
        self._tasks.pop(name, None)

    async def _attend(self, schedule: BackupSchedule, due: datetime) -> None:
        try:
            if await self._run(schedule, due):
                await self._on_completed(schedule)
        except StewardError as error:
            # The next look begins anew: the attempts that were made are found again.
            _log.warning("run not attended", schedule=schedule.name, error=error.message)
        except Exception as error:  # noqa: BLE001  # the edge of a background task
            _log.error("run failed unexpectedly", schedule=schedule.name, exc_info=error)

    async def _run(self, schedule: BackupSchedule, due: datetime) -> bool:
        """Sees to it that a due moment has its run; returns whether this daemon entered a completed one."""
        for attempt in range(1, _MOST_ATTEMPTS + 1):
            state = await self._attempt(schedule, due, attempt)
            reason = state.error.reason if state.error is not None else ""
            if reason not in _TAKEN_OVER:
                break
            if await self._published(state):
                reason = ""
                break
            _log.warning(
                "run taken over", schedule=schedule.name, operation=state.id, reason=reason
            )
        outcome = RunOutcome.FAILED if reason else RunOutcome.COMPLETED
        run = ScheduleRun(due, self._now(), outcome, state.id, attempt, reason)
        is_first = await self._runs.keep(schedule.name, run)
        self._remember(schedule.name, due)
        if is_first:
            _log.info("scheduled backup ended", schedule=schedule.name, outcome=outcome.value)
        return is_first and outcome is RunOutcome.COMPLETED

    async def _attempt(
        self, schedule: BackupSchedule, due: datetime, attempt: int
    ) -> OperationState:
        """Begins an attempt, or finds the one that another daemon began, and waits for its end."""
        moment = due.astimezone(UTC)
        request_id = f"schedule/{schedule.name}/{moment:%Y%m%dT%H%M%SZ}/{attempt}"
        while True:
            try:
                state = await self._creation.start(
                    schedule.definition.database, _description(schedule), request_id
                )
                break
            except RequestInProgress:
                await asyncio.sleep(self._intervals.claim_s)
        while not state.done:
            state = await self._operations.wait(state.id, _WAIT_S)
            if not state.done:
                await asyncio.sleep(self._intervals.claim_s)
        return state

    async def _published(self, state: OperationState) -> bool:
        """Whether the backup of an operation that did not end exists; one that does not yet never will."""
        backup_id = BACKUP_PROGRESS.from_json(state.metadata, f"operations/{state.id}").backup
        begun = False
        async for _ in self._store.list(folder_of(KIND, backup_id)):
            begun = True
            break
        # Without data there is nothing to publish, and no fence is left behind.
        return begun and not await fence(self._store, manifest_key(KIND, backup_id))

    def _remember(self, name: str, due: datetime) -> None:
        self._had[name, due] = None
        while len(self._had) > _REMEMBERED:
            del self._had[next(iter(self._had))]


def _description(schedule: BackupSchedule) -> str:
    return schedule.definition.description or f"schedule {schedule.name}"
