"""How far a trial has come, and what it came to, as its operation keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from stewardd.backup.proof import BackupProof
from stewardd.backup.verifying.source_check import SourceCheck
from stewardd.repository.document import LEFT_OUT_IF_NONE, Codec, Count, Identifier


class VerifyPhase(StrEnum):
    """Where a trial stands. The words are stored: they never change."""

    QUEUED = "QUEUED"
    PREPARING = "PREPARING"
    CHECKING = "CHECKING"
    RESTORING = "RESTORING"
    COMPARING = "COMPARING"
    CHECKING_SOURCE = "CHECKING_SOURCE"


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
    """What a trial came to, and the check of the source where that was asked for."""

    backup: Identifier
    database: str
    proof: BackupProof
    source: Annotated[SourceCheck | None, LEFT_OUT_IF_NONE] = None


VERIFY_PROGRESS = Codec(VerifyProgress)
VERIFY_RESPONSE = Codec(VerifyResponse)
