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
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class DryLock:
    """A lock that a statement takes in a dry run; it is held until so many statements of its file have ended."""

    relation: str
    mode: str
    blocks_reads: bool
    blocks_writes: bool
    held_statements: Number


@dataclass(frozen=True, slots=True)
class DryStatement:
    """A statement of a dry run: its locks, the tables that it writes anew, and those that it reads as a whole."""

    file_name: str
    line: Number
    text: str
    locks: tuple[DryLock, ...]
    rewrites: tuple[str, ...]
    scans: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MigratedStep:
    """One migration that was applied or taken back, and what it took; `lock_waits` say for which lock and on whom.

    `forced` is of one that is not proven. Of a dry run there are `statements`, and nothing was done.
    """

    label: str
    number: Number
    elapsed_s: Seconds
    lock_wait_s: Seconds
    lock_waits: tuple[str, ...]
    attempts: Number
    forced: bool
    changed_rows: Count
    statements: tuple[DryStatement, ...] = ()


@dataclass(frozen=True, slots=True)
class MigrateResult:
    """What applying or rolling back did, in order; `version` is the number of the last migration that is there now."""

    database: str
    direction: str
    version: Number
    backup: str
    steps: tuple[MigratedStep, ...]
    dry_run: bool = False


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
