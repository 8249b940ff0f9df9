"""The state of a long-running operation (AIP-151), unpacked.

A kind of operation that this version of the SDK does not know still has its name, whether it is done, and its error;
only its progress and its response stay None. A new kind is one line in each of the two tables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from google.longrunning import operations_pb2
from google.protobuf import any_pb2
from google.protobuf.message import Message
from steward.v1 import backup_pb2, quarantine_pb2

from steward_client import status
from steward_client.backups import Backup, BackupProgress
from steward_client.errors import Failed, StewardError
from steward_client.upkeep import ErasedSubject, Purged, QuarantineProgress, Retried

P = TypeVar("P")
R = TypeVar("R")

_PROGRESS: Mapping[type[Message], Callable[[Any], object]] = {
    backup_pb2.CreateBackupMetadata: BackupProgress.from_proto,
    quarantine_pb2.QuarantineOperationMetadata: QuarantineProgress.from_proto,
}
_RESPONSES: Mapping[type[Message], Callable[[Any], object]] = {
    backup_pb2.Backup: Backup.from_proto,
    quarantine_pb2.RetryQuarantineResponse: Retried.from_proto,
    quarantine_pb2.PurgeQuarantineResponse: Purged.from_proto,
    quarantine_pb2.EraseSubjectResponse: ErasedSubject.from_proto,
}


@dataclass(frozen=True, slots=True)
class OperationState(Generic[P, R]):
    """What an operation was like when the daemon answered: `P` is its kind's progress, `R` what it comes to."""

    name: str
    """`operations/{operation}`."""
    done: bool
    progress: P | None
    error: StewardError | None
    """Why it failed, when it is done and did."""
    response: R | None
    """What it came to, when it is done and did not fail."""

    @classmethod
    def from_proto(cls, message: operations_pb2.Operation) -> OperationState[Any, Any]:
        """Reads a google.longrunning Operation."""
        outcome = message.WhichOneof("result")
        return OperationState(
            name=message.name,
            done=message.done,
            progress=_unpacked(message.metadata, _PROGRESS),
            error=status.from_status(message.error) if outcome == "error" else None,
            response=_unpacked(message.response, _RESPONSES) if outcome == "response" else None,
        )

    def outcome(self) -> R:
        """Returns what a finished operation came to, or raises its error."""
        if self.error is not None:
            raise self.error
        if self.response is None:
            raise Failed(
                f"{self.name} ended with an answer that this client cannot read",
                reason="RESPONSE_UNKNOWN",
                hint="use a client of the daemon's version",
            )
        return self.response


def _unpacked(
    packed: any_pb2.Any, kinds: Mapping[type[Message], Callable[[Any], object]]
) -> object | None:
    for kind, read in kinds.items():
        message = kind()
        if packed.Unpack(message):
            return read(message)
    return None
