"""A dry run: the statements that a migration would run, and the locks that they take, tried on a scratch server.

The migrations that the database has are replayed first. The tables are empty there: which locks are taken, and what is
written anew, does not depend on rows, but how long it lasts does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from stewardd.errors import MigrationNotReplayed
from stewardd.migrations.files import Direction, Migration, Mode, Script
from stewardd.migrations.migrations import Migrations
from stewardd.migrations.plan import plan
from stewardd.migrations.progress import (
    DryLock,
    DryStatement,
    MigratedStep,
    MigrateProgress,
    MigrateResult,
)
from stewardd.migrations.replay import (
    REPLAYED,
    MigrationTrialFailed,
    ScratchServerLacks,
    replayed,
    with_roles,
)
from stewardd.postgres.connect import Connection
from stewardd.postgres.migrating.execution import roll_back, run
from stewardd.postgres.migrating.failures import StatementFailure
from stewardd.postgres.migrating.taken_locks import EffectsReader, StatementEffects
from stewardd.postgres.scratch import ScratchServers

_MOST_CHARACTERS = 4000
_MOST_BYTES = 1 << 20  # of the statements in an answer


class DryRunner:
    """Tries on scratch servers what bringing databases to a version would run."""

    def __init__(self, migrations: Migrations, servers: ScratchServers) -> None:
        self._migrations = migrations
        self._servers = servers

    async def move(
        self,
        name: str,
        direction: Direction,
        to: int | None,
        report: Callable[[MigrateProgress], None],
    ) -> MigrateResult:
        """Tries what would bring a database up to a version (None: the last), or down to one; changes nothing.

        Raises: DatabaseNotFound, DatabaseDown, DatabaseRefused, MigrationSetInvalid, MigrationNotFound,
        MigrationChanged, MigrationUnfinished, MigrationNotReplayed, ToolMissing, ToolFailed, StorageFull.
        """
        progress = MigrateProgress(name, direction.value, dry_run=True)
        report(progress)
        found = await self._migrations.read_set(name)
        async with self._migrations.looking(name) as look:
            ledger = await look.ledger()
            major = look.major
        planned = plan(found, ledger, direction, to)
        has = found.migrations[: len(ledger.applied)]
        progress = replace(progress, phase="MIGRATING", total_count=len(planned))
        steps: list[MigratedStep] = []
        async with (
            replayed(self._servers, has, major, lambda _: None) as (server, connection),
            server.session(REPLAYED) as watcher,
        ):
            dry_run = DryRun(connection, watcher)
            proven = await self._migrations.find_proven(planned, major)
            for migration in planned:
                report(replace(progress, migration=migration.label, done_count=len(steps)))
                statements = await _taken(dry_run, migration, direction)
                steps.append(_step(migration, statements, is_forced=migration.number not in proven))
        report(replace(progress, phase="DONE", done_count=len(steps)))
        return MigrateResult(
            name, direction.value, len(ledger.applied), "", _bounded(steps), dry_run=True
        )


@dataclass(frozen=True, slots=True)
class DryRun:
    """Tries scripts on a scratch server; `watcher` is a second session of it."""

    connection: Connection
    watcher: Connection

    async def take(self, migration: Migration, direction: Direction) -> list[DryStatement]:
        """Takes a migration in one direction, to its end. Raises: MigrationTrialFailed, ScratchServerLacks."""
        script = migration.script(direction)
        found: list[StatementEffects] = []

        async def attempt() -> None:
            found.clear()
            if script.mode is Mode.NO_TRANSACTION:
                await self._alone(script, found.append)
            else:
                await self._in_transaction(script, found.append)

        await with_roles(self.connection, script, attempt)
        count = len(script.statements)
        is_alone = script.mode is Mode.NO_TRANSACTION
        return [
            _told(script, number, effects, 1 if is_alone else count - number)
            for number, effects in enumerate(found)
        ]

    async def _alone(self, script: Script, on_effects: Callable[[StatementEffects], None]) -> None:
        reader = await EffectsReader.begin(self.connection)
        on_effects(await reader.run_alone(script.statements[0].text, 1, self.watcher))

    async def _in_transaction(
        self, script: Script, on_effects: Callable[[StatementEffects], None]
    ) -> None:
        try:
            await run(self.connection, "BEGIN", 0)
            reader = await EffectsReader.begin(self.connection)
            for number, statement in enumerate(script.statements, 1):
                on_effects(await reader.run(statement.text, number))
        except StatementFailure:
            await roll_back(self.connection)
            raise
        await run(self.connection, "COMMIT", 0)


async def _taken(dry_run: DryRun, migration: Migration, direction: Direction) -> list[DryStatement]:
    try:
        return await dry_run.take(migration, direction)
    except (MigrationTrialFailed, ScratchServerLacks) as failure:
        raise MigrationNotReplayed(
            f"migration {migration.label} {direction.value} cannot be tried on a scratch server: {failure}"
        ) from None


def _step(migration: Migration, statements: list[DryStatement], *, is_forced: bool) -> MigratedStep:
    return MigratedStep(
        migration.label, migration.number, 0.0, 0.0, (), 0, is_forced, 0, tuple(statements)
    )


def _bounded(steps: list[MigratedStep]) -> tuple[MigratedStep, ...]:
    """Leaves out the statements of the last migrations where an answer would become too large."""
    size_bytes = 0
    bounded = []
    for step in steps:
        size_bytes += sum(len(repr(statement).encode()) for statement in step.statements)
        bounded.append(step if size_bytes <= _MOST_BYTES else replace(step, statements=()))
    return tuple(bounded)


def _told(script: Script, number: int, effects: StatementEffects, held: int) -> DryStatement:
    statement = script.statements[number]
    text = statement.text
    if len(text) > _MOST_CHARACTERS:
        text = f"{text[: _MOST_CHARACTERS - 1]}…"
    return DryStatement(
        script.file_name,
        statement.line,
        text,
        tuple(
            DryLock(lock.relation, lock.mode, lock.blocks_reads, lock.blocks_writes, held)
            for lock in effects.locks
        ),
        effects.rewrites,
        effects.scans,
    )
