"""The retention of backups: the policies of the settings, what applies them, and the job that does it at times."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from zoneinfo import ZoneInfo

from stewardd.app.assembly import Assembly
from stewardd.app.repository import Repository
from stewardd.backup.catalog import BackupCatalog
from stewardd.backup.copying.retention import RetentionRules, SecondRetention
from stewardd.backup.copying.second_repository import SecondRepository
from stewardd.backup.deletion import BackupDeletion
from stewardd.backup.inventory import BackupInventory
from stewardd.backup.keys.keyring import Keyring
from stewardd.backup.listing import BackupListing
from stewardd.backup.manifest.checked import CheckedManifests
from stewardd.backup.pruning import Pruning
from stewardd.backup.reencryption.reencryption import Reencryption
from stewardd.backup.reencryption.resealing import Resealing
from stewardd.backup.repositories import BackupListings, RepositoryName, Retentions
from stewardd.backup.retention.policy import Counting, RetentionPolicy
from stewardd.backup.states import BackupStates
from stewardd.config.retention import RetentionSettings
from stewardd.scheduler.job import Job

CACHE_FOLDER = "cache"


@dataclass(frozen=True, slots=True)
class Retention:
    """The objects of the retention, each with one thing to do. `second` is that of the second repository."""

    listing: BackupListing
    inventory: BackupInventory
    deletion: BackupDeletion
    pruning: Pruning
    policy_of: Callable[[str], RetentionPolicy]
    second: SecondRetention | None

    @property
    def listings(self) -> BackupListings:
        """The listing of each repository."""
        return BackupListings(self.listing, self.second)

    @property
    def retentions(self) -> Retentions:
        """The retention of each repository."""
        return Retentions(self.pruning, self.second)


def build_retention(
    assembly: Assembly,
    repository: Repository,
    database_named: Callable[[str], str],
    second: SecondRepository | None,
    keyring: Keyring,
) -> Retention:
    """Makes them, and adds the jobs that apply the retention of each repository at times."""
    settings = assembly.settings.backup.retention
    store, now = repository.store, repository.lease.now
    checked = CheckedManifests(assembly.settings.data_dir / CACHE_FOLDER / "checked-manifests")
    catalog, states = BackupCatalog(store, checked), BackupStates(store)
    inventory = BackupInventory(catalog, states, trusts=keyring.trusts)
    policy_of = policies(settings)
    count = assembly.metrics.add_pruning()
    deletion = BackupDeletion(store, catalog, states, inventory, policy_of, now)
    pruning = Pruning(
        inventory, deletion, policy_of, now, database_named, partial(count, RepositoryName.FIRST)
    )
    assembly.jobs.append(_job("retention of backups", pruning.run, settings))
    own = assembly.settings.backup.copies.retention
    of_copies = None
    if second is not None:
        of_copies = SecondRetention(
            second,
            repository.claims,
            states,
            RetentionRules(policies(own), now, database_named, keyring.trusts, checked),
            partial(count, RepositoryName.SECOND),
        )
        assembly.jobs.append(_job("retention of copies", of_copies.run, own))
    listing = BackupListing(catalog, states, deletion.purge_time)
    found = Retention(listing, inventory, deletion, pruning, policy_of, of_copies)
    assembly.metrics.add_retention(found.retentions.seen)
    return found


def build_reencryption(
    repository: Repository, keyring: Keyring, retention: Retention
) -> Reencryption:
    """Makes what encrypts the backups of the first repository anew."""
    return Reencryption(
        repository.store,
        repository.claims,
        Resealing(repository.store, repository.lease, keyring),
        keyring,
        retention.inventory,
        retention.deletion,
        retention.pruning,
    )


def _job(name: str, work: Callable[[], Awaitable[None]], settings: RetentionSettings) -> Job:
    interval_s = settings.interval_s
    return Job(name, work, interval_s, first_after_s=min(60.0, interval_s))


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
