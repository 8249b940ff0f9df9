"""How far an operation on migrations has come, and what came of it, as they are stored with the operation."""

from __future__ import annotations

from dataclasses import dataclass

from stewardd.repository.document import Codec, Count, Seconds


@dataclass(frozen=True, slots=True)
class MigrateProgress:
    """How far applying or rolling back has come. `phase` is PLANNING, BACKING_UP, MIGRATING or DONE."""

    database: str
    direction: str
    phase: str = "PLANNING"
    migration: str = ""
    done_count: Count = 0
    total_count: Count = 0
    changed_rows: Count = 0
    backup: str = ""


@dataclass(frozen=True, slots=True)
class MigratedStep:
    """One migration that was applied or taken back, and what it took. `lock_waits` say for which lock and on whom."""

    number: Count
    name: str
    elapsed_s: Seconds
    lock_wait_s: Seconds
    lock_waits: tuple[str, ...]
    attempts: Count
    forced: bool
    changed_rows: Count


@dataclass(frozen=True, slots=True)
class MigrateResult:
    """What applying or rolling back did, in order; `version` is the number of the last migration that is there now."""

    database: str
    direction: str
    version: Count
    backup: str
    steps: tuple[MigratedStep, ...]


MIGRATE_PROGRESS = Codec(MigrateProgress)
MIGRATE_RESULT = Codec(MigrateResult)
