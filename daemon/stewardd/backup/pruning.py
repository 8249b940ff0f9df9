"""Applies the retention of each database to its backups: plans, and carries a plan out.

The plan is pure (retention/plan.py). What goes by it is marked as deleted and loses its data later (deletion.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from stewardd.backup.deletion import BackupDeletion
from stewardd.backup.inventory import BackupInventory, KnownBackup, by_database, of_database
from stewardd.backup.retention.plan import RetentionPlan, RetentionReason, plan
from stewardd.backup.retention.policy import RetentionPolicy
from stewardd.telemetry import logger

_log = logger("backup")
ACTOR = "retention"
_SAME_PLAN_FOR = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class DatabasePlan:
    """The plan of one database at one moment. `backups` are those that are not deleted, `deleted` those that are."""

    database: str
    policy: RetentionPolicy
    made_at: datetime
    plan: RetentionPlan
    backups: tuple[KnownBackup, ...]
    deleted: tuple[KnownBackup, ...]

    @property
    def going(self) -> list[KnownBackup]:
        """The backups that go."""
        names = {each.backup_id for each in self.plan.going}
        return [each for each in self.backups if each.backup_id in names]

    @property
    def has_no_recent_backup(self) -> bool:
        """Whether there are backups, and all are older than the window."""
        times = [each.facts.snapshot_time for each in self.backups]
        return bool(times) and self.made_at - max(times) >= self.policy.window


@dataclass(frozen=True, slots=True)
class Pruned:
    """What a pruning did: the marked, how many were kept, and the databases where nothing may be deleted."""

    deleted: tuple[str, ...]
    kept: int
    halted: tuple[str, ...]


class Pruning:
    """Plans and prunes in one repository. `count` is told how many backups each pruning marks."""

    def __init__(
        self,
        inventory: BackupInventory,
        deletion: BackupDeletion,
        policy_of: Callable[[str], RetentionPolicy],
        now: Callable[[], datetime],
        database_named: Callable[[str], str],
        count: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._inventory = inventory
        self._deletion = deletion
        self._policy_of = policy_of
        self._now = now
        self._database_named = database_named
        self._count = count
        self._made: dict[str, DatabasePlan] = {}
        self._seen: dict[str, DatabasePlan] = {}

    @property
    def seen(self) -> Mapping[str, DatabasePlan]:
        """The plan of each database that had backups when the retention was last applied to all."""
        return self._seen

    async def plan(self, database: str) -> DatabasePlan:
        """The plan of one database, configured or not; "" is the only configured one.

        Raises: DatabaseUnknown where none is configured and there are no backups of one; RepositoryDown.
        """
        asked, backups = database, await self._inventory.read()
        own = of_database(backups, database)
        if not own:
            database = self._database_named(database)
            own = of_database(backups, database)
        made = self._plan(database, own)
        self._made = {asked: made, made.database: made}
        return made

    async def same_plan(self, database: str) -> DatabasePlan:
        """The plan that `plan` made last of a database, for its next page; a new one after a minute."""
        made = self._made.get(database)
        if made is not None and timedelta(0) <= self._now() - made.made_at < _SAME_PLAN_FOR:
            return made
        return await self.plan(database)

    async def plans(self) -> list[DatabasePlan]:
        """The plans of all databases that have backups. Raises: RepositoryDown."""
        backups = await self._inventory.read()
        self._seen = {name: self._plan(name, own) for name, own in by_database(backups).items()}
        return list(self._seen.values())

    async def prune(
        self, database: str | None, actor: str, report: Callable[[int], None] = lambda _: None
    ) -> Pruned:
        """Marks what goes, of one database or of all. `report` is told how many are marked.

        Raises: RepositoryDown, StorageFull; what was marked before stays so.
        """
        plans = await self.plans() if database is None else [await self.plan(database)]
        deleted: list[str] = []
        for each in plans:
            marked = await self._deletion.mark(each.going, each.database, actor)
            if marked:
                _log.info("backups pruned", database=each.database, deleted=len(marked))
                self._count(len(marked))
            deleted += marked
            report(len(deleted))
        return Pruned(
            tuple(deleted),
            sum(len(each.backups) for each in plans) - len(deleted),
            tuple(each.database for each in plans if each.plan.halted),
        )

    async def drop_replaced(self, actor: str) -> list[str]:
        """Marks what was encrypted anew, and nothing else; returns the marked. Raises: RepositoryDown, StorageFull."""
        marked: list[str] = []
        for each in await self.plans():
            replaced = {
                verdict.backup_id
                for verdict in each.plan.going
                if verdict.reason is RetentionReason.REPLACED
            }
            going = [backup for backup in each.going if backup.backup_id in replaced]
            marked += await self._deletion.mark(going, each.database, actor)
        return marked

    async def run(self) -> None:
        """Applies all retentions, and removes the data whose grace is over."""
        await self.prune(None, ACTOR)
        await self._deletion.purge()

    def _plan(self, database: str, own: Sequence[KnownBackup]) -> DatabasePlan:
        policy, now = self._policy_of(database), self._now()
        there = tuple(each for each in own if not each.state.deleted)
        return DatabasePlan(
            database,
            policy,
            now,
            plan((each.candidate for each in there), policy, now),
            there,
            tuple(each for each in own if each.state.deleted),
        )
