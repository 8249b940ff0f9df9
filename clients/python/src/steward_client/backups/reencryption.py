"""Types of the re-encryption of backups: its progress, and what it did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from steward.v1 import backup_pb2 as pb

from steward_client import protobuf_values


@dataclass(frozen=True, slots=True)
class ReencryptProgress:
    """The progress of a re-encryption."""

    backup: str
    """`backups/{backup}`: the one that is encrypted anew now, or empty."""
    stored_bytes: int
    """The bytes that are stored of it so far."""
    done: int
    total: int
    create_time: datetime

    @classmethod
    def from_proto(cls, message: pb.ReencryptBackupsMetadata) -> ReencryptProgress:
        """Reads a steward.v1 ReencryptBackupsMetadata."""
        return cls(
            message.backup,
            message.stored_bytes,
            message.done_count,
            message.total_count,
            protobuf_values.time(message.create_time),
        )


@dataclass(frozen=True, slots=True)
class SkippedBackup:
    """A backup that stays encrypted as it is, and why."""

    backup: str
    reason: str
    """A stable word, such as `KEY_MISSING` or `SIGNER_UNKNOWN`."""
    message: str


@dataclass(frozen=True, slots=True)
class Reencrypted:
    """The result of a re-encryption."""

    reencrypted: int
    """New backups, each of which replaces an old one."""
    backups: tuple[str, ...]
    """The names of the new backups; of more than 1000 the first."""
    skipped: int
    skipped_backups: tuple[SkippedBackup, ...]
    """Of more than 1000 the first."""

    @classmethod
    def from_proto(cls, message: pb.ReencryptBackupsResponse) -> Reencrypted:
        """Reads a steward.v1 ReencryptBackupsResponse."""
        return cls(
            message.reencrypted_count,
            tuple(message.backups),
            message.skipped_count,
            tuple(
                SkippedBackup(each.backup, each.reason, each.message) for each in message.skipped
            ),
        )
