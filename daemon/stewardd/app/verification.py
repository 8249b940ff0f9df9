"""Verification and drills: the objects that prove backups, and the jobs that begin what is due."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from stewardd.app.assembly import Assembly
from stewardd.app.repository import Repository
from stewardd.app.retention import Retention
from stewardd.backup.catalog import BackupCatalog
from stewardd.backup.keys.keyring import Keyring
from stewardd.backup.schedules.timing import Timing
from stewardd.backup.states import BackupStates
from stewardd.backup.verifying.drills import DrillBook, Drills
from stewardd.backup.verifying.overview import ProofOverviews
from stewardd.backup.verifying.source_check import SourceChecks
from stewardd.backup.verifying.trial import BackupTrials, TrialOptions
from stewardd.backup.verifying.verification import BackupVerification, VerificationPolicy
from stewardd.config.settings import Settings
from stewardd.errors import ConfigurationError, ScheduleInvalid, StewardError
from stewardd.operations.kinds import CREATE_BACKUP, IMPORT_BACKUP
from stewardd.operations.operations import Operations
from stewardd.operations.state import OperationState
from stewardd.postgres.scratch import ScratchServers
from stewardd.postgres.target import DatabaseTarget
from stewardd.scheduler.job import Job

FIRST_AFTER_S = 30.0
DRILL_LOOK_INTERVAL_S = 60.0


@dataclass(frozen=True, slots=True)
class Proving:
    """The objects of verification."""

    verification: BackupVerification
    drills: Drills
    book: DrillBook
    overviews: ProofOverviews


def check_drills(settings: Settings) -> None:
    """Refuses what never comes, before anything is made. Raises: ConfigurationError."""
    timing = _timing(settings)
    if timing is None:
        return
    try:
        timing.check(datetime.now(UTC))
    except ScheduleInvalid as error:
        raise ConfigurationError(f"backup.drills: {error.message}", hint=error.hint) from None


def build_verification(
    assembly: Assembly,
    repository: Repository,
    operations: Operations,
    retention: Retention,
    keyring: Keyring,
    servers: ScratchServers,
    databases: Mapping[str, DatabaseTarget],
) -> Proving:
    """Makes them, and adds the jobs. A backup of this daemon is tried as soon as it is made."""
    settings = assembly.settings.backup.verification
    store, now = repository.store, repository.lease.now
    catalog, states = BackupCatalog(store), BackupStates(store)
    options = TrialOptions(
        store_url=assembly.settings.repository_url,
        store_options=assembly.store_options,
        staging_dir=assembly.scratch,
        tools_dir=assembly.settings.postgres.tools_dir,
        jobs=settings.jobs or max(1, (os.cpu_count() or 1) // 2),
        max_duration_s=settings.max_duration_s,
        verifier=repository.lease.ref.daemon_id,
    )
    verification = BackupVerification(
        operations,
        BackupTrials(store, servers, keyring, options, now),
        catalog,
        states,
        retention.inventory,
        SourceChecks(databases, jobs=options.jobs, max_duration_s=options.max_duration_s),
        VerificationPolicy(settings.automatic, timedelta(seconds=settings.interval_s)),
        now,
    )
    book = DrillBook(store)
    drills = Drills(
        operations,
        verification,
        book,
        catalog,
        retention.inventory,
        _timing(assembly.settings),
        now,
    )
    overviews = ProofOverviews(retention.inventory, book, list(databases))
    _look_after_backups(assembly, operations, verification)
    first_after_s = min(FIRST_AFTER_S, settings.interval_s)
    assembly.jobs.append(
        Job(
            "verification of backups",
            verification.look,
            settings.interval_s,
            first_after_s=first_after_s,
        )
    )
    assembly.jobs.append(
        Job("drills", drills.look, DRILL_LOOK_INTERVAL_S, first_after_s=first_after_s)
    )
    return Proving(verification, drills, book, overviews)


def _look_after_backups(
    assembly: Assembly, operations: Operations, verification: BackupVerification
) -> None:
    looking: set[asyncio.Task[None]] = set()

    async def look() -> None:
        with suppress(StewardError):  # the job looks again, and logs what fails
            await verification.look()

    async def hear(state: OperationState) -> None:
        verification.hear(state)
        if state.kind in (CREATE_BACKUP.name, IMPORT_BACKUP.name) and state.error is None:
            task = asyncio.create_task(look())
            looking.add(task)
            task.add_done_callback(looking.discard)

    async def stop() -> None:
        for task in list(looking):
            task.cancel()
        await asyncio.gather(*looking, return_exceptions=True)

    assembly.running.push_async_callback(stop)
    operations.on_end(hear)


def _timing(settings: Settings) -> Timing | None:
    own = settings.backup.drills
    return Timing(own.cron, own.time_zone) if own.cron else None
