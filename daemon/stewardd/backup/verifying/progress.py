"""How far a trial has come, and what it came to, as its operation keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from stewardd.backup.proof import BackupProof
from stewardd.repository.document import Codec, Count, Identifier


class VerifyPhase(StrEnum):
    """Where a trial stands. The words are stored: they never change."""

    QUEUED = "QUEUED"
    PREPARING = "PREPARING"
    CHECKING = "CHECKING"
    RESTORING = "RESTORING"
    COMPARING = "COMPARING"


@dataclass(frozen=True, slots=True)
class VerifyProgress:
    """How far a trial has come; `read_bytes` of `total_bytes` are checked, or given to pg_restore, by the phase."""

    backup: Identifier
    database: str
    phase: VerifyPhase = VerifyPhase.QUEUED
    read_bytes: Count = 0
    total_bytes: Count = 0
    restored_tables: Count = 0
    compared_tables: Count = 0
    total_tables: Count = 0


@dataclass(frozen=True, slots=True)
class VerifyResponse:
    """What a trial came to."""

    backup: Identifier
    database: str
    proof: BackupProof


VERIFY_PROGRESS = Codec(VerifyProgress)
VERIFY_RESPONSE = Codec(VerifyResponse)
