"""The state of a long-running operation (AIP-151), unpacked.

A kind of operation that this version of the SDK does not know still has its name, whether it is done, and its error;
only its progress and its response stay None.
"""

from __future__ import annotations

from dataclasses import dataclass

from google.longrunning import operations_pb2
from google.protobuf.any_pb2 import Any
from steward.v1 import backup_pb2

from steward_client import status
from steward_client.backups import Backup, BackupProgress
from steward_client.errors import Failed, StewardError


@dataclass(frozen=True, slots=True)
class OperationState:
    """What an operation was like when the daemon answered."""

    name: str
    """`operations/{operation}`."""
    done: bool
    progress: BackupProgress | None
    error: StewardError | None
    """Why it failed, when it is done and did."""
    response: Backup | None
    """What it made, when it is done and did not fail."""

    @classmethod
    def from_proto(cls, message: operations_pb2.Operation) -> OperationState:
        """Reads a google.longrunning Operation."""
        outcome = message.WhichOneof("result")
        return cls(
            name=message.name,
            done=message.done,
            progress=_progress(message.metadata),
            error=status.from_status(message.error) if outcome == "error" else None,
            response=_response(message.response) if outcome == "response" else None,
        )

    def outcome(self) -> Backup:
        """Returns what a finished operation made, or raises its error."""
        if self.error is not None:
            raise self.error
        if self.response is None:
            raise Failed(
                f"{self.name} ended with an answer that this client cannot read",
                reason="RESPONSE_UNKNOWN",
                hint="use a client of the daemon's version",
            )
        return self.response


def _progress(packed: Any) -> BackupProgress | None:
    metadata = backup_pb2.CreateBackupMetadata()
    return BackupProgress.from_proto(metadata) if packed.Unpack(metadata) else None


def _response(packed: Any) -> Backup | None:
    backup = backup_pb2.Backup()
    return Backup.from_proto(backup) if packed.Unpack(backup) else None
