"""How far a backup has come, as its operation keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from stewardd.repository.document import Codec, Count, Identifier


class BackupPhase(StrEnum):
    """Where a backup stands. The words are stored: they never change."""

    QUEUED = "QUEUED"
    DUMPING = "DUMPING"
    PUBLISHING = "PUBLISHING"


@dataclass(frozen=True, slots=True)
class BackupProgress:
    """How far a backup has come; a byte counts as dumped when pg_dump has written it, as stored once it is durable."""

    backup: Identifier
    database: str
    phase: BackupPhase = BackupPhase.QUEUED
    dumped_bytes: Count = 0
    stored_bytes: Count = 0
    database_size_bytes: Count = 0
    dumped_tables: Count = 0
    total_tables: Count = 0


BACKUP_PROGRESS = Codec(BackupProgress)
