"""The migrations of each database: their status, and bringing it to a version.

Whoever changes something holds the lock of the database from the plan to the end. A backup comes first, by the callable
that the daemon is built with; where the proof of each migration is asked for, it is looked at before anything is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from stewardd.errors import (
    DatabaseDown,
    DatabaseNotFound,
    DatabaseRefused,
    MigrationChanged,
    MigrationInProgress,
    MigrationNotFound,
    MigrationUnproven,
    NotNow,
    StewardError,
)
from stewardd.migrations.files import Direction, Migration, MigrationSet, read_set
from stewardd.migrations.known_sets import KnownSets
from stewardd.migrations.plan import Step, check, plan, steps
from stewardd.migrations.progress import MigratedStep, MigrateProgress, MigrateResult
from stewardd.migrations.runner import ConnectionLost, Runner, RunnerOptions, applied_row
from stewardd.postgres.connect import Connection
from stewardd.postgres.migrating.failures import StatementFailure
from stewardd.postgres.migrating.ledger import (
    HistoryEntry,
    InvalidIndex,
    Ledger,
    make_ledger,
    read_ledger,
    record_applied,
)
from stewardd.postgres.migrating.lock_watcher import LockWatcher, watching
from stewardd.postgres.migrating.session import (
    MigrationSession,
    connect_directly,
    open_session,
    open_session_after,
)
from stewardd.postgres.migrating.verifying import unmet_of
from stewardd.postgres.target import DatabaseTarget
from stewardd.telemetry import logger

log = logger("migrations")

PLATFORM = Path(__file__).parent / "platform"
"""The set of the platform's own tables."""

_READ_ONLY = "25006"
Report = Callable[[MigrateProgress], None]
BackUp = Callable[[str, str], Awaitable[str]]
"""Makes a backup of a database with a description, and returns its name."""
FindProven = Callable[[Sequence[Migration], int], Awaitable[frozenset[int]]]
"""The numbers of those of some migrations that are proven, as their files are now, on a major version."""


@dataclass(frozen=True, slots=True)
class MigratedDatabase:
    """A database and its set: `require_proof` is production mode."""

    target: DatabaseTarget
    folder: Path
    require_proof: bool


@dataclass(frozen=True, slots=True)
class MigrationsOptions:
    """The bounds of looking and of running."""

    runner: RunnerOptions = field(default_factory=RunnerOptions)
    connect_timeout_s: float = 10.0


@dataclass(frozen=True, slots=True)
class MigrationStatus:
    """What a database has of its set. `version` is the last migration that it has."""

    database: str
    folder: Path
    server_major: int
    version: int
    steps: tuple[Step, ...]
    unproven: frozenset[int]
    requires_proof: bool
    invalid_indexes: tuple[InvalidIndex, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks, which unproven migrations are forced, by label, and whether a backup comes first.

    `dry_run` changes nothing: the statements are tried on a scratch server.
    """

    actor: str
    forced: frozenset[str] = frozenset()
    back_up: bool = True
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """A database that is only read."""

    connection: Connection

    @property
    def major(self) -> int:
        """The server's major version."""
        return self.connection.info.server_version // 10000

    @property
    def server_version(self) -> str:
        """The server's version as it says it: `18.6`."""
        said = self.connection.info.parameter_status("server_version") or str(self.major)
        return said.partition(" ")[0]

    async def ledger(self) -> Ledger:
        """What the database has of migrations. Raises: StatementFailure."""
        return await read_ledger(self.connection)


class Migrations:
    """The migrations of all databases of a daemon."""

    def __init__(
        self,
        databases: Mapping[str, MigratedDatabase],
        options: MigrationsOptions,
        *,
        back_up: BackUp,
        find_proven: FindProven,
        random: Random | None = None,
    ) -> None:
        self._databases = dict(databases)
        self._options = options
        self._back_up = back_up
        self._find_proven = find_proven
        self._random = random or Random()  # noqa: S311 - jitter, no secret
        self._known_sets = KnownSets()

    def database(self, name: str) -> MigratedDatabase:
        """Returns one database. Raises: DatabaseNotFound."""
        found = self._databases.get(name)
        if found is None:
            raise DatabaseNotFound(f"there is no database {name!r}")
        return found

    async def read_set(self, name: str) -> MigrationSet:
        """Reads the set of a database as its files are now. Raises: DatabaseNotFound, MigrationSetInvalid."""
        return await asyncio.to_thread(read_set, self.database(name).folder)

    async def known_set(self, name: str) -> MigrationSet:
        """The same, without reading files again that look as they did: for what changes nothing in the database."""
        return await asyncio.to_thread(self._known_sets.read, self.database(name).folder)

    async def find_proven(self, migrations: Sequence[Migration], major: int) -> frozenset[int]:
        """The numbers of those of some migrations that are proven, as their files are now, on a major version."""
        return await self._find_proven(migrations, major)

    async def status(self, name: str) -> MigrationStatus:
        """What a database has of its set; changes nothing, and takes no lock.

        Raises: DatabaseNotFound, MigrationSetInvalid, DatabaseDown, DatabaseRefused.
        """
        database = self.database(name)
        found = await self.known_set(name)
        async with self.looking(name) as look:
            ledger = await look.ledger()
            major = look.major
        proven = await self._find_proven(found.migrations, major)
        return MigrationStatus(
            name,
            database.folder,
            major,
            max((each.number for each in ledger.applied), default=0),
            tuple(steps(found, ledger)),
            frozenset(each.number for each in found.migrations) - proven,
            database.require_proof,
            ledger.invalid_indexes,
        )

    @asynccontextmanager
    async def looking(self, name: str) -> AsyncIterator[Look]:
        """A connection for reading, without the lock. Raises: DatabaseNotFound, DatabaseDown, DatabaseRefused."""
        target = self.database(name).target
        connection = await connect_directly(target, self._options.connect_timeout_s)
        try:
            yield Look(connection)
        except StatementFailure as failure:
            raise _refusal(name, failure) from None
        finally:
            await connection.close()

    async def move(
        self, name: str, direction: Direction, to: int | None, asked: Asked, report: Report
    ) -> MigrateResult:
        """Brings a database up to a version (None: the last), or down to one.

        Each migration is whole or not there; those before one that fails stay.

        Raises: MigrationFailed and every other error of migrations; DatabaseDown, DatabaseRefused, and what a backup
        raises.
        """
        progress = MigrateProgress(name, direction.value)
        report(progress)
        found = await self.read_set(name)
        async with AsyncExitStack() as stack:
            session, watcher = await stack.enter_async_context(self._session(name))
            ledger = await read_ledger(session.connection)
            planned = plan(found, ledger, direction, to)
            unproven = await self._check_proofs(name, planned, session.server_major, asked)
            progress = replace(progress, total_count=len(planned))
            backup = ""
            if planned and asked.back_up:
                report(replace(progress, phase="BACKING_UP"))
                backup = await self._back_up(name, f"before migrating {direction.value}")
            progress = replace(progress, phase="MIGRATING", backup=backup)

            def on_rows(count: int) -> None:
                report(replace(progress, changed_rows=count))

            runner = Runner(
                session, watcher, asked.actor, self._options.runner, self._random, on_rows
            )
            done: list[MigratedStep] = []
            for migration in planned:
                progress = replace(progress, migration=migration.label, done_count=len(done))
                report(progress)
                is_forced = migration.label in unproven
                try:
                    done.append(await runner.take(migration, direction, forced=is_forced))
                except ConnectionLost as lost:
                    runner = await self._runner_after(name, runner, lost, stack)
                    done.append(await runner.settle(migration, direction, lost))
                    now = await read_ledger(runner.session.connection)
                    if plan(found, now, direction, to) != planned[len(done) :]:
                        raise MigrationInProgress(
                            f"database {name!r} was migrated by another runner while the connection was lost"
                        ) from None
            report(replace(progress, phase="DONE", done_count=len(done)))
            change = len(done) if direction is Direction.UP else -len(done)
            version = len(ledger.applied) + change
            return MigrateResult(name, direction.value, version, backup, tuple(done))

    async def baseline(self, name: str, to: int, actor: str) -> MigrationStatus:
        """Records that a database has the migrations up to a number, without running them.

        The queries that prove the last of them must hold. Raises: NotNow where the database has some already,
        MigrationNotFound, MigrationChanged, and what `move` raises of a database.
        """
        found = await self.read_set(name)
        last = found.numbered(to)
        async with self._session(name) as (session, _):
            ledger = await read_ledger(session.connection)
            check(found, ledger, Direction.UP)
            if ledger.applied:
                raise NotNow(
                    f"database {name!r} has migrations already: {len(ledger.applied)} of {len(found)}",
                    hint="a baseline is for a database that steward has never migrated",
                )
            queries = [query.text for query in last.verify.after_up]
            untrue = await unmet_of(session.connection, queries)
            if untrue:
                raise NotNow(
                    f"database {name!r} has no migration {last.label}: {', '.join(untrue)}",
                    hint="name the last migration that it has",
                )
            for migration in found.migrations[:to]:
                await _record(session, migration, actor, "baseline", is_baseline=True)
        return await self.status(name)

    async def repair(self, name: str, number: int, actor: str) -> MigrationStatus:
        """Takes a file's new SHA-256 for one that was applied, where what its up does has not changed.

        Raises: MigrationNotFound, MigrationChanged where it has, and what `move` raises of a database.
        """
        found = await self.read_set(name)
        migration = found.numbered(number)
        async with self._session(name) as (session, _):
            ledger = await read_ledger(session.connection)
            applied = next((each for each in ledger.applied if each.number == number), None)
            if applied is None:
                raise MigrationNotFound(
                    f"database {name!r} does not have migration {migration.label}"
                )
            if applied.up_code_sha256 != migration.up.code_sha256 or applied.name != migration.name:
                raise MigrationChanged(
                    f"the statements of {migration.up.file_name} are no more those that were applied",
                    hint="bring them back as they were, and write a new migration for the change",
                )
            if applied.sha256 != migration.sha256:
                is_baseline = applied.is_baseline
                await _record(session, migration, actor, "repair", is_baseline=is_baseline)
        return await self.status(name)

    async def _check_proofs(
        self, name: str, plan: Sequence[Migration], major: int, asked: Asked
    ) -> set[str]:
        """The labels of those that are unproven, and forced. Raises: MigrationUnproven, MigrationNotFound."""
        labels = {migration.label for migration in plan}
        if strangers := sorted(asked.forced - labels):
            raise MigrationNotFound(
                f"{', '.join(strangers)} is forced, and is none of those to be done: {', '.join(sorted(labels))}"
            )
        proven = await self._find_proven(plan, major)
        unproven = [each.label for each in plan if each.number not in proven]
        refused = [label for label in unproven if label not in asked.forced]
        if refused and self.database(name).require_proof:
            raise MigrationUnproven(
                f"not proven on PostgreSQL {major} as the files are now: {', '.join(refused)}",
                metadata={"migrations": ",".join(refused), "server_major": str(major)},
            )
        return set(unproven)

    async def _runner_after(
        self, name: str, runner: Runner, lost: ConnectionLost, stack: AsyncExitStack
    ) -> Runner:
        """The runner that goes on where a connection was lost. Raises: DatabaseDown, of an unknown state."""
        log.warning("connection lost while migrating", database=name, error=str(lost))
        try:
            opened = await stack.enter_async_context(self._session(name, after=runner.session))
        except StewardError:
            raise lost.error from None
        return replace(runner, session=opened[0], watcher=opened[1])

    @asynccontextmanager
    async def _session(
        self, name: str, *, after: MigrationSession | None = None
    ) -> AsyncIterator[tuple[MigrationSession, LockWatcher]]:
        """The session of a runner, and what watches it; `after` is one that was lost."""
        target = self.database(name).target
        timeout_s = self._options.connect_timeout_s
        if after is None:
            opening = open_session(target, connect_timeout_s=timeout_s)
        else:
            patience_s = self._options.runner.limits.lock_patience_s
            opening = open_session_after(after, connect_timeout_s=timeout_s, patience_s=patience_s)
        async with opening as session:
            eye = await connect_directly(target, timeout_s)
            try:
                async with watching(session.pid, eye) as watcher:
                    await make_ledger(session.connection)
                    yield session, watcher
            except StatementFailure as failure:
                raise _refusal(name, failure) from None
            finally:
                await eye.close()


async def _record(
    session: MigrationSession, migration: Migration, actor: str, action: str, *, is_baseline: bool
) -> None:
    entry = HistoryEntry(migration.number, migration.name, migration.sha256, action, actor)
    row = applied_row(migration, actor, is_baseline=is_baseline)
    async with session.connection.transaction():
        await record_applied(session.connection, row, entry)


def _refusal(name: str, failure: StatementFailure) -> StewardError:
    """What it means that the record of migrations can't be read or written."""
    metadata = {"database": name, "sqlstate": failure.sqlstate}
    if failure.lost:
        return DatabaseDown(f"database {name!r} is away: {failure.message}", metadata=metadata)
    hint = "the user needs CREATE on the database, and must own the schema steward"
    if failure.sqlstate == _READ_ONLY:
        hint = "take default_transaction_read_only from the server, the database or the user, or name the primary"
    return DatabaseRefused(
        f"database {name!r} refuses the record of its migrations: {failure.message}",
        hint=hint,
        metadata=metadata,
    )
