"""The copies of backups in a second repository: made after each backup, and at times, beside everything else."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from pydantic import SecretStr

from stewardd.app.assembly import Assembly
from stewardd.app.repository import Repository
from stewardd.backup.copying.copies import BackupCopies
from stewardd.backup.copying.imports import BackupImports, ImportRoot
from stewardd.backup.copying.second_repository import SecondRepository
from stewardd.backup.keys.keyring import Keyring
from stewardd.backup.pruning import DatabasePlan
from stewardd.backup.repositories import RepositoryName, Retentions
from stewardd.config.backup import BackupSettings
from stewardd.errors import ConfigurationError, RepositoryDown, RepositoryRefused, StewardError
from stewardd.health import probes
from stewardd.health.monitor import Probe
from stewardd.operations.kinds import CREATE_BACKUP
from stewardd.operations.operations import Operations
from stewardd.operations.state import OperationState
from stewardd.repository.backend.all import open_store
from stewardd.scheduler.job import Job
from stewardd.telemetry import logger

log = logger("app")

COMPONENT = "backup-copies"
PROBE_INTERVAL_S = 60.0
PROBE_TIMEOUT_S = 30.0
FIRST_AFTER_S = 10.0
CLEAR_INTERVAL_S = 3_600.0


@dataclass(frozen=True, slots=True)
class Copying:
    """What goes from one repository to another; without a second repository nothing is copied."""

    copies: BackupCopies | None
    second: SecondRepository | None


async def build_copies(
    assembly: Assembly, repository: Repository, operations: Operations
) -> Copying:
    """Tries the second repository, and adds what copies into it.

    One that is away is tried again later. Raises: ConfigurationError where it refuses, or is the first one.
    """
    settings = assembly.settings.backup.copies
    if not settings.url:
        return Copying(None, None)
    if settings.url.rstrip("/") == assembly.settings.repository_url.rstrip("/"):
        raise ConfigurationError(
            "backup.copies.url is the repository itself",
            hint="name another bucket, or a folder on another disk",
        )
    second = SecondRepository(settings.url, clear_options(settings.options))
    try:
        await second.store()
    except RepositoryRefused as error:
        raise ConfigurationError(error.message, hint=error.hint) from None
    except RepositoryDown as error:
        log.warning("the second repository is away", error=error.message)
    copies = BackupCopies(repository.store, repository.claims, second, assembly.scratch)
    catching_up: set[asyncio.Task[None]] = set()

    async def catch_up() -> None:
        with suppress(StewardError):  # of the first repository, which tells of itself
            await copies.catch_up()

    async def after_backup(state: OperationState) -> None:
        if state.kind == CREATE_BACKUP.name and state.error is None:
            task = asyncio.create_task(catch_up())
            catching_up.add(task)
            task.add_done_callback(catching_up.discard)

    async def stop() -> None:
        for task in list(catching_up):
            task.cancel()
        await asyncio.gather(*catching_up, return_exceptions=True)

    assembly.running.push_async_callback(stop)
    operations.on_end(after_backup)
    assembly.jobs.append(
        Job(
            "copies of backups",
            copies.catch_up,
            settings.interval_s,
            first_after_s=min(FIRST_AFTER_S, settings.interval_s),
        )
    )
    assembly.metrics.add_copies(copies)
    return Copying(copies, second)


def watch_copies(
    assembly: Assembly, copying: Copying, databases: Collection[str], retention: Retentions
) -> None:
    """Adds a component of Health, if there is a second repository: copies that are missing, or all old."""
    if copying.copies is None:
        return

    def without_recent_copy() -> list[DatabasePlan]:
        plans = retention.seen().get(RepositoryName.SECOND, {})
        return [
            plan for name, plan in plans.items() if name in databases and plan.has_no_recent_backup
        ]

    look = probes.copies(copying.copies, without_recent_copy)
    assembly.monitor.add(Probe(COMPONENT, look, PROBE_INTERVAL_S, PROBE_TIMEOUT_S))


def build_imports(
    assembly: Assembly, repository: Repository, keyring: Keyring, second: SecondRepository | None
) -> BackupImports:
    """Adds the imports, and the job that removes what they left."""
    imports = BackupImports(
        repository.store,
        repository.claims,
        keyring,
        second,
        import_roots(assembly.settings.backup),
        assembly.scratch,
    )
    assembly.jobs.append(Job("imports that were left", imports.clear, CLEAR_INTERVAL_S))
    return imports


def import_roots(settings: BackupSettings) -> list[ImportRoot]:
    """The places that backups may be imported from, each opened with options of its own when it is needed."""
    return [
        ImportRoot(root.url, partial(open_store, root.url, clear_options(root.options)))
        for root in settings.import_roots.values()
    ]


def clear_options(options: Mapping[str, SecretStr]) -> dict[str, str]:
    """The options of a bucket's client, as the client takes them."""
    return {name: value.get_secret_value() for name, value in options.items()}
