"""The retention of backups: the policies of the settings, what applies them, and the job that does it at times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from stewardd.app.assembly import Assembly
from stewardd.app.repository import Repository
from stewardd.backup.catalog import BackupCatalog
from stewardd.backup.deletion import BackupDeletion
from stewardd.backup.inventory import BackupInventory
from stewardd.backup.listing import BackupListing
from stewardd.backup.pruning import Pruning
from stewardd.backup.retention.policy import Counting, RetentionPolicy
from stewardd.backup.states import BackupStates
from stewardd.config.retention import RetentionSettings
from stewardd.scheduler.job import Job


@dataclass(frozen=True, slots=True)
class Retention:
    """The objects of the retention, each with one thing to do."""

    listing: BackupListing
    inventory: BackupInventory
    deletion: BackupDeletion
    pruning: Pruning
    policy_of: Callable[[str], RetentionPolicy]


def build_retention(
    assembly: Assembly, repository: Repository, database_named: Callable[[str], str]
) -> Retention:
    """Makes them, and adds the job that applies the retention at times."""
    settings = assembly.settings.backup.retention
    store, now = repository.store, repository.lease.now
    catalog, states = BackupCatalog(store), BackupStates(store)
    inventory = BackupInventory(catalog, states)
    policy_of = policies(settings)
    deletion = BackupDeletion(store, catalog, states, inventory, policy_of, now)
    pruning = Pruning(inventory, deletion, policy_of, now, database_named)
    assembly.jobs.append(
        Job(
            "retention of backups",
            pruning.run,
            settings.interval_s,
            first_after_s=min(60.0, settings.interval_s),
        )
    )
    return Retention(BackupListing(catalog, states), inventory, deletion, pruning, policy_of)


def policies(settings: RetentionSettings) -> Callable[[str], RetentionPolicy]:
    """Returns what gives the policy of a database: its own settings, before those of all."""
    common = _policy(settings, None)
    own = {name: _policy(settings, name) for name in settings.databases}
    return lambda database: own.get(database, common)


def _policy(settings: RetentionSettings, database: str | None) -> RetentionPolicy:
    chosen = settings.model_dump(exclude={"databases"})
    if database is not None:
        chosen |= settings.databases[database].model_dump(exclude_none=True)
    return RetentionPolicy(
        window=timedelta(seconds=chosen["window_s"]),
        min_keep=chosen["min_keep"],
        counting=Counting(chosen["counting"]),
        daily=chosen["keep_daily"],
        weekly=chosen["keep_weekly"],
        monthly=chosen["keep_monthly"],
        yearly=chosen["keep_yearly"],
        zone=ZoneInfo(chosen["time_zone"]),
        grace=timedelta(seconds=chosen["grace_s"]),
    )
