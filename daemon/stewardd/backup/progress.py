"""How far a backup has come, as its operation keeps it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated

from stewardd.repository.document import LEFT_OUT_IF_EMPTY, Codec, Count, Identifier, Seconds

MOST_WARNINGS = 20
MOST_OUTPUT = 32 * 1024


class BackupPhase(StrEnum):
    """Where a backup stands. The words are stored: they never change."""

    QUEUED = "QUEUED"
    DUMPING = "DUMPING"
    PUBLISHING = "PUBLISHING"


@dataclass(frozen=True, slots=True)
class BackupProgress:
    """How far a backup has come; a byte counts as dumped when pg_dump has written it, as stored once it is durable.

    `done_bytes` of `total_bytes` are the sizes of the tables in the database that are dumped, by its catalog.
    `tool_output` is what the client tools said.
    """

    backup: Identifier
    database: str
    phase: BackupPhase = BackupPhase.QUEUED
    dumped_bytes: Count = 0
    stored_bytes: Count = 0
    database_size_bytes: Count = 0
    dumped_tables: Count = 0
    total_tables: Count = 0
    done_bytes: Count = 0
    total_bytes: Count = 0
    time_left_s: Annotated[Seconds | None, LEFT_OUT_IF_EMPTY] = None
    warnings: Annotated[tuple[str, ...], LEFT_OUT_IF_EMPTY] = ()
    tool_output: Annotated[str, LEFT_OUT_IF_EMPTY] = ""

    def with_warning(self, message: str) -> BackupProgress:
        """The progress with one more warning; of too many the last are left out."""
        kept = (*self.warnings, message)[:MOST_WARNINGS]
        return replace(self, warnings=kept)

    def with_output(self, text: str) -> BackupProgress:
        """The progress with what one more tool said; of too much the end is kept, which has the reasons."""
        whole = f"{self.tool_output}\n{text}".strip()
        return replace(self, tool_output=whole[-MOST_OUTPUT:])


BACKUP_PROGRESS = Codec(BackupProgress)
