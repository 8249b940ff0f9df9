"""Takes one migration up or down in a session that holds the lock.

In a transaction its statements, the queries that prove it and its record are one: whatever happens, the database is as
before or as after. Outside of one, a mark says that it is under way; what ends badly is cleaned up, and what was killed
is taken up again, or found to be done by the queries that prove it.

The answer of a COMMIT may be lost with the connection. Then only a new session can tell whether it was done (`settle`).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random

from stewardd.errors import (
    DatabaseDown,
    MigrationFailed,
    MigrationLockTimeout,
    MigrationNotVerified,
    StewardError,
)
from stewardd.migrations.files import Direction, Migration, Mode
from stewardd.migrations.progress import MigratedStep
from stewardd.postgres.connect import Connection
from stewardd.postgres.migrating.execution import (
    LockLimits,
    LockNotGiven,
    changed_rows,
    run_alone,
    run_in_transaction,
)
from stewardd.postgres.migrating.failures import StatementFailure
from stewardd.postgres.migrating.indexes import drop_new_invalid_indexes, new_invalid_indexes
from stewardd.postgres.migrating.ledger import (
    AppliedMigration,
    HistoryEntry,
    MigrationProgress,
    forget_progress,
    read_ledger,
    record_applied,
    record_progress,
    record_rolled_back,
)
from stewardd.postgres.migrating.lock_watcher import LockWatcher
from stewardd.postgres.migrating.session import MigrationSession
from stewardd.postgres.migrating.verifying import unmet_of
from stewardd.telemetry import logger

log = logger("migrations")

_NOT_IN_TRANSACTION = "25001"
# What a statement that was done meets when it is run again: its table, index, value or database is there, or is gone.
_DONE_BEFORE = {
    "CREATE": ("42P07", "42710", "42P04"),
    "ALTER": ("42710",),
    "DROP": ("42P01", "42704", "3D000"),
}
_LEAST_PAUSE_S = 0.05
_AFTER_LOSS = {
    "before": "the database is as it was before this migration: try again with `steward migrate {direction}`",
    "between": "go on with `steward migrate {direction}`, which begins where it stopped",
    "unknown": "see `steward migrate status` for what the database has; each migration is whole or not there",
}


@dataclass(frozen=True, slots=True)
class RunnerOptions:
    """The bounds of a run; a batch pauses while a replica is further behind than `max_replica_lag_s`."""

    limits: LockLimits = field(default_factory=LockLimits)
    max_replica_lag_s: float = 10.0
    max_batches: int = 1_000_000


class ConnectionLost(Exception):
    """The connection was lost while a migration was taken: `step` if it was done, `error` where nobody can tell."""

    def __init__(self, step: MigratedStep, error: DatabaseDown) -> None:
        super().__init__(str(error))
        self.step = step
        self.error = error


@dataclass(frozen=True, slots=True)
class Runner:
    """Takes migrations up and down, one after the other, in one session. `actor` is who asked for it."""

    session: MigrationSession
    watcher: LockWatcher
    actor: str
    options: RunnerOptions
    random: Random
    on_rows: Callable[[int], None] = lambda _: None

    async def take(
        self, migration: Migration, direction: Direction, *, forced: bool
    ) -> MigratedStep:
        """Takes a migration in one direction.

        Raises: MigrationFailed, MigrationNotVerified, MigrationLockTimeout; each says in its metadata whether the
        database is as `before` or `between`. ConnectionLost: then it may also be as after, and `settle` tells.
        """
        run = _Run(self, migration, direction, forced)
        ways: dict[Mode, Callable[[], Awaitable[MigratedStep]]] = {
            Mode.TRANSACTION: run.in_transaction,
            Mode.NO_TRANSACTION: run.alone,
            Mode.BATCH: run.in_batches,
        }
        try:
            step = await ways[migration.script(direction).mode]()
        except StatementFailure as failure:
            if failure.lost:
                error = run.explain_loss(failure.message, "unknown")
                raise ConnectionLost(run.step(), error) from None
            raise run.explain(failure) from None
        except LockNotGiven as failure:
            raise run.explain_lock(failure) from None
        return self._taken(migration, direction, step)

    async def settle(
        self, migration: Migration, direction: Direction, lost: ConnectionLost
    ) -> MigratedStep:
        """Finds out whether a migration was taken whose connection was lost; runs in a session after that one.

        Raises: DatabaseDown where it was not, which says in its metadata whether the database is as `before` or
        `between`; StatementFailure.
        """
        run = _Run(self, migration, direction, lost.step.forced)
        return self._taken(migration, direction, await run.after_loss(lost.step))

    def _taken(
        self, migration: Migration, direction: Direction, step: MigratedStep
    ) -> MigratedStep:
        log.info(
            "migration taken",
            database=self.session.target.name,
            migration=migration.label,
            direction=direction.value,
            elapsed_s=round(step.elapsed_s, 3),
        )
        return step


class _Run:
    """One migration on its way."""

    def __init__(
        self, runner: Runner, migration: Migration, direction: Direction, forced: bool
    ) -> None:
        self._runner = runner
        self._session = runner.session
        self._connection = runner.session.connection
        self._watcher = runner.watcher
        self._options = runner.options
        self._migration = migration
        self._direction = direction
        self._forced = forced
        self._script = migration.script(direction)
        self._began = time.monotonic()
        self._waits_before = len(self._watcher.waits)
        self._attempts = 0
        self._rows = 0
        self._batches = 0
        self._is_marked = False

    async def in_transaction(self) -> MigratedStep:
        """All statements, the proof and the record in one."""
        texts = [statement.text for statement in self._script.statements]
        self._attempts = await run_in_transaction(
            self._session, texts, self._finish, self._options.limits, self._runner.random
        )
        return self.step()

    async def alone(self) -> MigratedStep:
        """One statement that cannot run in a transaction; a mark before it, the record after it."""
        statement = self._script.statements[0]
        ledger = await read_ledger(self._connection)
        resumed = ledger.progress
        if resumed is not None and await self._was_done(resumed):
            return await self._record()
        before = [index.oid for index in (await read_ledger(self._connection)).invalid_indexes]
        await self._mark(before, queries_tell=bool(await self._untrue()))
        self._is_marked = True
        try:
            self._attempts = await run_alone(
                self._session,
                statement.text,
                1,
                self._options.limits,
                self._runner.random,
                concurrent=statement.is_concurrent,
            )
        except StatementFailure as failure:
            is_resumed = resumed is not None and not resumed.queries_tell
            if not is_resumed or failure.sqlstate not in _DONE_BEFORE.get(self._verb, ()):
                await _to_the_end(self._take_back(before))
                raise
        except (LockNotGiven, asyncio.CancelledError):
            await _to_the_end(self._take_back(before))
            raise
        return await self._record()

    async def _was_done(self, progress: MigrationProgress) -> bool:
        """Whether a statement outside of a transaction had ended that was under way; removes what it left half-done.

        Its queries tell, unless they held before it already: then it is run again, and may find that it was done.
        """
        left = await drop_new_invalid_indexes(self._connection, progress.invalid_before)
        if await self._untrue():
            return False
        return progress.queries_tell or bool(left and self._verb == "DROP")

    @property
    def _verb(self) -> str:
        return self._script.statements[0].words[0]

    async def in_batches(self) -> MigratedStep:
        """The statement again and again, a transaction each, until it changes no row."""
        statement = self._script.statements[0].text
        ledger = await read_ledger(self._connection)
        if ledger.progress is not None:
            self._rows, self._batches = ledger.progress.changed_rows, ledger.progress.batches
        rows_before = -1
        while self._rows != rows_before:
            rows_before, began = self._rows, time.monotonic()
            changed = 0

            async def one_batch(connection: Connection, _: int) -> None:
                nonlocal changed
                changed = await changed_rows(connection, statement)
                await self._mark([], rows=self._rows + changed, batches=self._batches + 1)

            self._attempts += await run_in_transaction(
                self._session, [], one_batch, self._options.limits, self._runner.random
            )
            self._rows, self._batches = self._rows + changed, self._batches + 1
            self._runner.on_rows(self._rows)
            if self._batches >= self._options.max_batches:
                raise MigrationFailed(
                    f"migration {self._migration.label} still changes rows after {self._batches} batches",
                    hint="its statement must leave out the rows that it has changed",
                    metadata=self._facts("between"),
                )
            await self._give_way(time.monotonic() - began)
        return await self._record()

    async def after_loss(self, step: MigratedStep) -> MigratedStep:
        """The `step` of a session that was lost, where it was done. Raises: DatabaseDown where it was not."""
        ledger = await read_ledger(self._connection)
        is_applied = self._migration.number in {each.number for each in ledger.applied}
        if is_applied is (self._direction is Direction.UP):
            return step
        if ledger.progress is not None:
            if self._script.mode is Mode.BATCH:
                raise self.explain_loss("the batches that were done stay", "between")
            if await self._was_done(ledger.progress):
                return await self._record()
            if not ledger.progress.queries_tell:
                raise self.explain_loss("its queries do not tell whether it was done", "between")
            await forget_progress(self._connection, self._migration.number)
        raise self.explain_loss("what was under way is rolled back", "before")

    async def _give_way(self, took_s: float) -> None:
        """Lets those pass who had to wait behind the batch, and a replica catch up."""
        if self._watcher.most_behind:
            self._watcher.forget_behind()
            await asyncio.sleep(max(took_s, _LEAST_PAUSE_S))
        lag_s = await self._watcher.replica_lag_s()
        while lag_s > self._options.max_replica_lag_s:
            await asyncio.sleep(1)
            lag_s = await self._watcher.replica_lag_s()

    async def _record(self) -> MigratedStep:
        """Proves and records what was done outside of a transaction."""
        await run_in_transaction(
            self._session, [], self._finish, self._options.limits, self._runner.random
        )
        return self.step()

    async def _finish(self, connection: Connection, attempts: int) -> None:
        untrue = await self._untrue()
        if untrue:
            raise MigrationNotVerified(
                f"after migration {self._migration.label} {self._direction.value}, this does not hold: "
                f"{', '.join(untrue)}",
                metadata=self._facts(
                    "before" if self._script.mode is Mode.TRANSACTION else "between"
                ),
            )
        self._attempts = max(self._attempts, attempts)
        entry = self._entry()
        if self._direction is Direction.UP:
            await record_applied(
                connection, applied_row(self._migration, self._runner.actor), entry
            )
        else:
            await record_rolled_back(connection, entry)

    async def _untrue(self) -> list[str]:
        queries = self._migration.verify.after(self._direction)
        return await unmet_of(self._connection, [query.text for query in queries])

    async def _mark(
        self,
        invalid_before: list[int],
        *,
        rows: int = 0,
        batches: int = 0,
        queries_tell: bool = True,
    ) -> None:
        await record_progress(
            self._connection,
            MigrationProgress(
                self._migration.number,
                self._migration.name,
                self._migration.sha256,
                self._direction.value,
                batches,
                rows,
                invalid_before,
                queries_tell,
                None,
            ),
        )

    async def _take_back(self, invalid_before: list[int]) -> None:
        """Removes what a statement left that did not end, and the mark. What fails here the next run does.

        An index that is half dropped cannot be brought back: only the next run ends that.
        """
        try:
            left = await new_invalid_indexes(self._connection, invalid_before)
            is_half_dropped = left and self._verb == "DROP"
            if left and not is_half_dropped:
                await drop_new_invalid_indexes(
                    self._connection, invalid_before, self._options.limits.lock_timeout_s
                )
            if not is_half_dropped:
                await forget_progress(self._connection, self._migration.number)
                self._is_marked = False
        except StatementFailure as failure:
            log.warning(
                "migration left under way", migration=self._migration.label, error=failure.message
            )

    def _waits(self) -> list[str]:
        return [
            f"{wait.mode} on {wait.on}, {wait.waited_s:.2f} s, held by {wait.held_by or 'nobody any more'}"
            for wait in self._watcher.waits[self._waits_before :]
        ]

    def _waited_s(self) -> float:
        return sum(wait.waited_s for wait in self._watcher.waits[self._waits_before :])

    def _entry(self) -> HistoryEntry:
        return HistoryEntry(
            self._migration.number,
            self._migration.name,
            self._migration.sha256,
            "apply" if self._direction is Direction.UP else "roll back",
            self._runner.actor,
            time.monotonic() - self._began,
            self._waited_s(),
            json.dumps(self._waits()),
            max(self._attempts, 1),
            self._forced,
            self._rows,
        )

    def step(self) -> MigratedStep:
        """What it took."""
        return MigratedStep(
            self._migration.label,
            self._migration.number,
            time.monotonic() - self._began,
            self._waited_s(),
            tuple(self._waits()),
            max(self._attempts, 1),
            self._forced,
            self._rows,
        )

    def _facts(self, state: str, **more: str) -> dict[str, str]:
        return {"migration": self._migration.label, "state": state, **more}

    @property
    def _state(self) -> str:
        """How a failure leaves the database: only what runs outside of a transaction can leave it between."""
        return "between" if self._is_marked or self._batches else "before"

    def explain(self, failure: StatementFailure) -> StewardError:
        """What the failure of a statement says of the migration."""
        where, number = "when it was recorded and committed", {}
        if failure.number:
            line = self._script.statements[failure.number - 1].line
            where = f"in statement {failure.number}, {self._script.file_name} line {line}"
            number = {"statement": str(failure.number)}
        hint = None
        if failure.sqlstate == _NOT_IN_TRANSACTION:
            hint = "put `-- steward: no-transaction` at the head of the file, with this statement alone in it"
        return MigrationFailed(
            f"migration {self._migration.label} {self._direction.value} failed {where}: {failure.message}",
            hint=hint,
            metadata=self._facts(self._state, **number, sqlstate=failure.sqlstate),
        )

    def explain_loss(self, detail: str, state: str) -> DatabaseDown:
        """What the loss of the connection says of the migration."""
        return DatabaseDown(
            f"migration {self._migration.label} {self._direction.value}: the connection was lost: {detail}",
            hint=_AFTER_LOSS[state].format(direction=self._direction.value),
            metadata=self._facts(state),
        )

    def explain_lock(self, failure: LockNotGiven) -> MigrationLockTimeout:
        """Who held the lock that was not given."""
        waits = self._waits()
        return MigrationLockTimeout(
            f"migration {self._migration.label} {self._direction.value} got no lock for statement {failure.number} in "
            f"{failure.attempts} attempts: {waits[-1] if waits else 'nobody was seen to hold it'}",
            metadata=self._facts(self._state, statement=str(failure.number)),
        )


def applied_row(migration: Migration, actor: str, *, is_baseline: bool = False) -> AppliedMigration:
    """The row of a migration that a database has from now on."""
    return AppliedMigration(
        migration.number,
        migration.name,
        migration.sha256,
        migration.up.code_sha256,
        is_baseline,
        None,
        actor,
    )


async def _to_the_end(work: Awaitable[None]) -> None:
    """Cleans up also while being cancelled; a cancellation that comes meanwhile is the caller's to raise."""
    task = asyncio.ensure_future(work)
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            continue
