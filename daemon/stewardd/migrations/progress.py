"""How far an operation on migrations has come, and what came of it, as they are stored with the operation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from stewardd.repository.document import Codec, Count, Seconds

Number = Annotated[int, Field(ge=0, lt=1 << 31)]
"""What the contract's int32 holds."""


@dataclass(frozen=True, slots=True)
class MigrateProgress:
    """How far applying or rolling back has come. `phase` is PLANNING, BACKING_UP, MIGRATING or DONE."""

    database: str
    direction: str
    phase: str = "PLANNING"
    migration: str = ""
    done_count: Number = 0
    total_count: Number = 0
    changed_rows: Count = 0
    backup: str = ""


@dataclass(frozen=True, slots=True)
class MigratedStep:
    """One migration that was applied or taken back, and what it took; `lock_waits` say for which lock and on whom."""

    label: str
    number: Number
    elapsed_s: Seconds
    lock_wait_s: Seconds
    lock_waits: tuple[str, ...]
    attempts: Number
    forced: bool
    changed_rows: Count


@dataclass(frozen=True, slots=True)
class MigrateResult:
    """What applying or rolling back did, in order; `version` is the number of the last migration that is there now."""

    database: str
    direction: str
    version: Number
    backup: str
    steps: tuple[MigratedStep, ...]


MIGRATE_PROGRESS = Codec(MigrateProgress)
MIGRATE_RESULT = Codec(MigrateResult)


@dataclass(frozen=True, slots=True)
class ProveProgress:
    """How far proving a set has come, and on which major version."""

    database: str
    major: Number
    migration: str = ""
    done_count: Number = 0
    total_count: Number = 0


PROVE_PROGRESS = Codec(ProveProgress)
