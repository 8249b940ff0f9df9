"""What the trial of a backup came to, how far one has come, and drills."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from steward.v1 import backup_pb2 as pb

from steward_client import protobuf_values
from steward_client.backups.words import BackupProof, SourceOutcome, word_of


class VerifyPhase(StrEnum):
    """The phase of a trial. A phase that only a newer daemon knows is UNKNOWN."""

    UNKNOWN = "unknown"
    QUEUED = "queued"
    PREPARING = "preparing"
    CHECKING = "checking"
    RESTORING = "restoring"
    COMPARING = "comparing"
    CHECKING_SOURCE = "checking_source"


_PHASES = {
    pb.VerifyBackupMetadata.PHASE_QUEUED: VerifyPhase.QUEUED,
    pb.VerifyBackupMetadata.PHASE_PREPARING: VerifyPhase.PREPARING,
    pb.VerifyBackupMetadata.PHASE_CHECKING: VerifyPhase.CHECKING,
    pb.VerifyBackupMetadata.PHASE_RESTORING: VerifyPhase.RESTORING,
    pb.VerifyBackupMetadata.PHASE_COMPARING: VerifyPhase.COMPARING,
    pb.VerifyBackupMetadata.PHASE_CHECKING_SOURCE: VerifyPhase.CHECKING_SOURCE,
}
_OUTCOMES = {
    pb.SourceCheck.OUTCOME_SOUND: SourceOutcome.SOUND,
    pb.SourceCheck.OUTCOME_DAMAGED: SourceOutcome.DAMAGED,
    pb.SourceCheck.OUTCOME_COULD_NOT_RUN: SourceOutcome.COULD_NOT_RUN,
}


@dataclass(frozen=True, slots=True)
class BackupVerification:
    """What the trial of a backup came to."""

    outcome: BackupProof
    reason: str
    """Why it is not verified, in a word, such as DIFFERENCE or KEY_MISSING."""
    detail: str
    """The same for people; of a corrupt backup the first difference."""
    differences: tuple[str, ...]
    notes: tuple[str, ...]
    """What there is to know beside it, such as that another major version stood in."""
    verify_time: datetime
    elapsed_s: float
    restore_elapsed_s: float
    """How long the restore took, without the comparison."""
    server_version: str
    """The version of the private server that it was restored into."""
    tables: int
    rows: int
    verifier: str
    """The id of the daemon that did it."""

    @classmethod
    def from_proto(cls, message: pb.BackupVerification) -> BackupVerification:
        """Reads a steward.v1 BackupVerification."""
        return cls(
            outcome=word_of(BackupProof, pb.BackupProof, message.outcome),
            reason=message.reason,
            detail=message.detail,
            differences=tuple(message.differences),
            notes=tuple(message.notes),
            verify_time=protobuf_values.time(message.verify_time),
            elapsed_s=protobuf_values.seconds(message.elapsed),
            restore_elapsed_s=protobuf_values.seconds(message.restore_elapsed),
            server_version=message.server_version,
            tables=message.tables,
            rows=message.rows,
            verifier=message.verifier,
        )


@dataclass(frozen=True, slots=True)
class VerifyProgress:
    """The progress of a trial; `read_bytes` of `total_bytes` are checked, or given to pg_restore, by the phase."""

    backup: str
    database: str
    phase: VerifyPhase
    read_bytes: int
    total_bytes: int
    restored_tables: int
    compared_tables: int
    total_tables: int
    create_time: datetime

    @classmethod
    def from_proto(cls, message: pb.VerifyBackupMetadata) -> VerifyProgress:
        """Reads a steward.v1 VerifyBackupMetadata."""
        return cls(
            backup=message.backup,
            database=message.database,
            phase=_PHASES.get(message.phase, VerifyPhase.UNKNOWN),
            read_bytes=message.read_bytes,
            total_bytes=message.total_bytes,
            restored_tables=message.restored_tables,
            compared_tables=message.compared_tables,
            total_tables=message.total_tables,
            create_time=protobuf_values.time(message.create_time),
        )


@dataclass(frozen=True, slots=True)
class SourceCheck:
    """What the check of the source database's files came to. It says nothing of the backup."""

    outcome: SourceOutcome
    reason: str
    """Why it is not sound, in a word, such as DAMAGE or AMCHECK_MISSING."""
    detail: str
    """The same for people."""
    damages: tuple[str, ...]
    """What is damaged; of more than fifty damages the first."""
    tables: int
    indexes: int
    elapsed_s: float

    @classmethod
    def from_proto(cls, message: pb.SourceCheck) -> SourceCheck:
        """Reads a steward.v1 SourceCheck."""
        return cls(
            outcome=_OUTCOMES.get(message.outcome, SourceOutcome.UNKNOWN),
            reason=message.reason,
            detail=message.detail,
            damages=tuple(message.damages),
            tables=message.tables,
            indexes=message.indexes,
            elapsed_s=protobuf_values.seconds(message.elapsed),
        )


@dataclass(frozen=True, slots=True)
class VerifiedBackup:
    """A backup that was tried, and what it came to."""

    backup: str
    """`backups/{backup}`."""
    database: str
    verification: BackupVerification
    source_check: SourceCheck | None
    """None where it was not asked for."""

    @classmethod
    def from_proto(cls, message: pb.VerifyBackupResponse) -> VerifiedBackup:
        """Reads a steward.v1 VerifyBackupResponse."""
        return cls(
            backup=message.backup,
            database=message.database,
            verification=BackupVerification.from_proto(message.verification),
            source_check=SourceCheck.from_proto(message.source_check)
            if message.HasField("source_check")
            else None,
        )


@dataclass(frozen=True, slots=True)
class Drill:
    """A drill: a backup that was restored in full to see how long it takes."""

    name: str
    """`drills/{drill}`."""
    database: str
    backup: str
    drill_time: datetime
    database_size_bytes: int
    """The database's size when the backup was made."""
    verification: BackupVerification
    """What it came to; its `restore_elapsed_s` is the measured recovery time."""

    @classmethod
    def from_proto(cls, message: pb.Drill) -> Drill:
        """Reads a steward.v1 Drill."""
        return cls(
            name=message.name,
            database=message.database,
            backup=message.backup,
            drill_time=protobuf_values.time(message.drill_time),
            database_size_bytes=message.database_size_bytes,
            verification=BackupVerification.from_proto(message.verification),
        )
