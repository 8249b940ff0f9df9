"""The schedules of backups: those of the settings, those of the repository, and the job that runs what is due."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from stewardd.app.assembly import Assembly
from stewardd.app.repository import Repository
from stewardd.backup.creation import BackupCreation
from stewardd.backup.pruning import ACTOR, Pruning
from stewardd.backup.schedules.book import ScheduleBook
from stewardd.backup.schedules.runner import ScheduleRunner
from stewardd.backup.schedules.runs import ScheduleRuns
from stewardd.backup.schedules.schedule import BackupSchedule, ScheduleDefinition
from stewardd.config.schedules import ScheduleSettings
from stewardd.config.settings import Settings
from stewardd.errors import ConfigurationError, ScheduleInvalid
from stewardd.operations.operations import Operations
from stewardd.rpc.schedule.servicer import ScheduleServicer
from stewardd.scheduler.job import Job

LOOK_INTERVAL_S = 1.0
RETRY_AFTER_S = 10.0


def check_schedules(settings: Settings) -> None:
    """Refuses what never comes, before anything is made. Raises: ConfigurationError."""
    names = set(settings.postgres.databases) or {"embedded"}
    for name, own in settings.backup.schedules.items():
        key = f"backup.schedules.{name}"
        try:
            _definition(own).timing.check(datetime.now(UTC))
        except ScheduleInvalid as error:
            raise ConfigurationError(f"{key}: {error.message}", hint=error.hint) from None
        if own.database not in names and (own.database or len(names) > 1):
            raise ConfigurationError(f"{key}.database: there is {', '.join(sorted(names))}")


def build_schedules(
    assembly: Assembly,
    repository: Repository,
    operations: Operations,
    creation: BackupCreation,
    pruning: Pruning,
) -> ScheduleRunner:
    """Adds the service and the job. The retention is applied after each scheduled backup."""
    now = repository.lease.now
    names = creation.database_named
    configured = {
        name: (_definition(own, names(own.database)), own.paused)
        for name, own in assembly.settings.backup.schedules.items()
    }
    book = ScheduleBook(repository.store, configured, now, names)
    runs = ScheduleRuns(repository.store)

    async def prune(schedule: BackupSchedule) -> None:
        await pruning.prune(schedule.definition.database, ACTOR)

    runner = ScheduleRunner(repository.store, book, runs, creation, operations, now, prune)
    assembly.running.push_async_callback(runner.stop)
    assembly.jobs.append(
        Job(
            "schedules of backups",
            runner.look,
            LOOK_INTERVAL_S,
            retry_after_s=RETRY_AFTER_S,
            jitter=0.0,
        )
    )
    assembly.servicers.append(ScheduleServicer(book, runs, runner.expire, now))
    return runner


def next_runs(schedules: Sequence[BackupSchedule], now: datetime) -> dict[str, float]:
    """The next scheduled run of each database that has one, in seconds since 1970."""
    found: dict[str, float] = {}
    for each in schedules:
        if (next_run := each.next_run(now)) is not None:
            database = each.definition.database
            found[database] = min(next_run.timestamp(), found.get(database, next_run.timestamp()))
    return found


def _definition(settings: ScheduleSettings, database: str = "") -> ScheduleDefinition:
    return ScheduleDefinition(
        database or settings.database,
        settings.cron,
        settings.time_zone,
        settings.interval_s,
        settings.jitter_s,
        settings.description,
    )
