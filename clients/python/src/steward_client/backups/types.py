"""The types of BackupService: a backup, and the progress of one that is being made."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from steward.v1 import backup_pb2 as pb

from steward_client import protobuf_values
from steward_client.operations.state import OperationKinds


class BackupPhase(StrEnum):
    """The phase of a backup that is being made. A phase that only a newer daemon knows is UNKNOWN."""

    UNKNOWN = "unknown"
    QUEUED = "queued"
    DUMPING = "dumping"
    PUBLISHING = "publishing"


_PHASES = {
    pb.CreateBackupMetadata.PHASE_QUEUED: BackupPhase.QUEUED,
    pb.CreateBackupMetadata.PHASE_DUMPING: BackupPhase.DUMPING,
    pb.CreateBackupMetadata.PHASE_PUBLISHING: BackupPhase.PUBLISHING,
}


@dataclass(frozen=True, slots=True)
class BackupProgress:
    """The progress of a backup that is being made."""

    backup: str
    """`backups/{backup}`: the name that it will have."""
    database: str
    phase: BackupPhase
    dumped_bytes: int
    """The bytes of the dump so far, before compression."""
    stored_bytes: int
    database_size_bytes: int
    """The database's size when the dump began; a dump is smaller or larger, so this is a rough measure."""
    create_time: datetime

    @classmethod
    def from_proto(cls, message: pb.CreateBackupMetadata) -> BackupProgress:
        """Reads a steward.v1 CreateBackupMetadata."""
        return cls(
            backup=message.backup,
            database=message.database,
            phase=_PHASES.get(message.phase, BackupPhase.UNKNOWN),
            dumped_bytes=message.dumped_bytes,
            stored_bytes=message.stored_bytes,
            database_size_bytes=message.database_size_bytes,
            create_time=protobuf_values.time(message.create_time),
        )


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the stored dump."""

    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that exists: every byte is stored and checksummed."""

    name: str
    """`backups/{backup}`."""
    database: str
    snapshot_time: datetime
    """When the dump began: the state of the data that it holds."""
    create_time: datetime
    elapsed_s: float
    dump_size_bytes: int
    stored_size_bytes: int
    server_version: str
    tool_version: str
    dump_sha256: str
    segments: tuple[Segment, ...]
    description: str

    @classmethod
    def from_proto(cls, message: pb.Backup) -> Backup:
        """Reads a steward.v1 Backup."""
        return cls(
            name=message.name,
            database=message.database,
            snapshot_time=protobuf_values.time(message.snapshot_time),
            create_time=protobuf_values.time(message.create_time),
            elapsed_s=protobuf_values.seconds(message.elapsed),
            dump_size_bytes=message.dump_size_bytes,
            stored_size_bytes=message.stored_size_bytes,
            server_version=message.server_version,
            tool_version=message.tool_version,
            dump_sha256=message.dump_sha256,
            segments=tuple(Segment(each.size_bytes, each.sha256) for each in message.segments),
            description=message.description,
        )


OPERATION_KINDS = OperationKinds(
    progress={pb.CreateBackupMetadata: BackupProgress.from_proto},
    results={pb.Backup: Backup.from_proto},
)
