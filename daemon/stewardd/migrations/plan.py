"""What is to be done to bring a database from the migrations that it has to those that are wanted; pure functions.

A plan is refused where what the database has is not what the files say: edited, gone, or under way.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from stewardd.errors import MigrationChanged, MigrationUnfinished
from stewardd.migrations.files import Direction, Migration, MigrationSet, label_of
from stewardd.postgres.migrating.ledger import AppliedMigration, Ledger


class StepState(Enum):
    """Where a migration stands in a database."""

    APPLIED = "applied"
    BASELINE = "baseline"
    PENDING = "pending"
    UNFINISHED = "unfinished"
    CHANGED = "changed"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Step:
    """A migration of the set or of the database, and where it stands. `migration` is None where its files are gone."""

    number: int
    name: str
    state: StepState
    migration: Migration | None
    applied: AppliedMigration | None

    @property
    def label(self) -> str:
        """What it is called."""
        return label_of(self.number, self.name)


def steps(migrations: MigrationSet, ledger: Ledger) -> list[Step]:
    """Every migration of the set and of the database, in order."""
    applied = {each.number: each for each in ledger.applied}
    found = []
    for migration in migrations.migrations:
        has = applied.pop(migration.number, None)
        found.append(
            Step(migration.number, migration.name, _state(migration, has, ledger), migration, has)
        )
    found += [
        Step(each.number, each.name, StepState.MISSING, None, each) for each in applied.values()
    ]
    return found


def _state(migration: Migration, applied: AppliedMigration | None, ledger: Ledger) -> StepState:
    if ledger.progress is not None and ledger.progress.number == migration.number:
        return StepState.UNFINISHED
    if applied is None:
        return StepState.PENDING
    if (applied.sha256, applied.name) != (migration.sha256, migration.name):
        return StepState.CHANGED
    return StepState.BASELINE if applied.is_baseline else StepState.APPLIED


def plan(
    migrations: MigrationSet, ledger: Ledger, direction: Direction, to: int | None
) -> list[Migration]:
    """What brings a database up to a version (None: the last), or down to one (None: none is left), in order.

    Raises: MigrationNotFound, MigrationChanged, MigrationUnfinished.
    """
    if direction is Direction.UP:
        return plan_up(migrations, ledger, to)
    return plan_down(migrations, ledger, to or 0)


def plan_up(migrations: MigrationSet, ledger: Ledger, to: int | None) -> list[Migration]:
    """Those to apply, in order, up to and with number `to` (None: all).

    Raises: MigrationNotFound, MigrationChanged, MigrationUnfinished.
    """
    last = len(migrations) if to is None else migrations.numbered(to).number
    check(migrations, ledger, Direction.UP)
    return list(migrations.migrations[len(ledger.applied) : last])


def plan_down(migrations: MigrationSet, ledger: Ledger, to: int) -> list[Migration]:
    """Those to take back, the last first, until number `to` is the last one (0: none is left).

    Raises: MigrationNotFound, MigrationChanged, MigrationUnfinished.
    """
    if to != 0:
        migrations.numbered(to)
    check(migrations, ledger, Direction.DOWN)
    return list(reversed(migrations.migrations[to : len(ledger.applied)]))


def check(migrations: MigrationSet, ledger: Ledger, direction: Direction) -> None:
    """Looks whether the database has what the files say. Raises: MigrationChanged, MigrationUnfinished."""
    for step in steps(migrations, ledger):
        if step.state is StepState.MISSING:
            raise MigrationChanged(
                f"the database has migration {step.label}, and the set in {migrations.folder} has not",
                hint="bring its three files back, or name the right folder",
            )
        if step.state is StepState.CHANGED and step.applied is not None:
            was = label_of(step.number, step.applied.name)
            raise MigrationChanged(
                f"migration {was} was edited after it had been applied: {step.label}"
            )
    progress = ledger.progress
    if progress is None:
        return
    label = label_of(progress.number, progress.name)
    found = migrations.migrations[progress.number - 1 : progress.number]
    if not found or found[0].sha256 != progress.sha256:
        raise MigrationUnfinished(
            f"migration {label} is under way in the database, and its files were edited or are gone",
            hint="bring them back as they were, and let it end",
        )
    if progress.direction != direction.value:
        raise MigrationUnfinished(
            f"migration {label} stopped on its way {progress.direction}",
            hint=f"let it end first, with `steward migrate {progress.direction}`",
        )
