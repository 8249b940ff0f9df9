"""What the operation of a restore keeps: how far it has come, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from stewardd.repository.document import Codec, Count, Seconds


class RestoreStage(StrEnum):
    """Where a restore stands as an operation. The words are stored: they never change."""

    QUEUED = "QUEUED"
    RESTORING = "RESTORING"
    COMPARING = "COMPARING"
    SWAPPING = "SWAPPING"


@dataclass(frozen=True, slots=True)
class RestoreStanding:
    """How far it has come. `size_bytes` is 0 while it is not known."""

    backup: str
    database: str
    target: str = ""
    stage: RestoreStage = RestoreStage.QUEUED
    read_bytes: Count = 0
    size_bytes: Count = 0
    compared_tables: Count = 0
    total_tables: Count = 0


@dataclass(frozen=True, slots=True)
class RestoreMade:
    """A restore that was made: where the data are, where the live database of before is, and what was compared."""

    backup: str
    database: str
    target: str
    kept: str = ""
    elapsed_s: Seconds = 0.0
    compared_tables: Count = 0
    compared_rows: Count = 0
    not_compared: tuple[str, ...] = ()
    created_roles: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


RESTORE_STANDING = Codec(RestoreStanding)
RESTORE_MADE = Codec(RestoreMade)
