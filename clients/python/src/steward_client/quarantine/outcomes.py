"""Results of changing many rows at once: discarded, and as operations retried, purged, erased. Counts only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from steward.v1 import quarantine_pb2 as pb

from steward_client import protobuf_values
from steward_client.operations.state import OperationKinds
from steward_client.validation.batches import Batch


@dataclass(frozen=True, slots=True)
class Discarded:
    """The result of discarding rows."""

    discarded_rows: int
    """Discarded now."""
    unchanged_rows: int
    """Discarded already."""
    batch: Batch
    """The batch as it is now."""

    @classmethod
    def from_proto(cls, message: pb.DiscardRowsResponse) -> Discarded:
        """Reads a steward.v1 DiscardRowsResponse."""
        return cls(message.discarded_rows, message.unchanged_rows, Batch.from_proto(message.batch))


@dataclass(frozen=True, slots=True)
class QuarantineProgress:
    """The progress of an operation on the quarantine."""

    method: str
    """`RetryQuarantine`, `PurgeQuarantine` or `EraseSubject`."""
    batches: int
    """Batches looked at so far."""
    rows: int
    """Rows looked at so far."""
    dry_run: bool
    create_time: datetime

    @classmethod
    def from_proto(cls, message: pb.QuarantineOperationMetadata) -> QuarantineProgress:
        """Reads a steward.v1 QuarantineOperationMetadata."""
        return cls(
            method=message.method,
            batches=message.batches,
            rows=message.rows,
            dry_run=message.dry_run,
            create_time=protobuf_values.time(message.create_time),
        )


@dataclass(frozen=True, slots=True)
class Retried:
    """The result of judging open rows again; of a dry run, what it would be."""

    batches: int
    """Batches that had rows to judge."""
    judged_rows: int
    resolved_rows: int
    invalid_rows: int
    unfit_batches: int
    """Batches left out: the version is missing or older than theirs, or requires a column that they do not have."""
    dry_run: bool

    @classmethod
    def from_proto(cls, message: pb.RetryQuarantineResponse) -> Retried:
        """Reads a steward.v1 RetryQuarantineResponse."""
        return cls(
            batches=message.batches,
            judged_rows=message.judged_rows,
            resolved_rows=message.resolved_rows,
            invalid_rows=message.invalid_rows,
            unfit_batches=message.unfit_batches,
            dry_run=message.dry_run,
        )


@dataclass(frozen=True, slots=True)
class Purged:
    """The result of removing rows for good; of a dry run, what it would be."""

    batches: int
    """Batches that had rows to remove."""
    purged_rows: int
    purged_by_state: Mapping[str, int]
    """The same rows, counted by state."""
    archived_bytes: int
    dry_run: bool

    @classmethod
    def from_proto(cls, message: pb.PurgeQuarantineResponse) -> Purged:
        """Reads a steward.v1 PurgeQuarantineResponse."""
        return cls(
            batches=message.batches,
            purged_rows=message.purged_rows,
            purged_by_state=MappingProxyType(dict(message.purged_by_state)),
            archived_bytes=message.archived_bytes,
            dry_run=message.dry_run,
        )


@dataclass(frozen=True, slots=True)
class ErasedSubject:
    """The result of masking the data of one person; of a dry run, what it would be. It does not hold the address."""

    scanned_batches: int
    batches: int
    """Batches that held data of this person."""
    quarantined_rows: int
    valid_rows: int
    events: int
    """Events in histories."""
    archived_rows: int
    subject_hash: str
    """A keyed hash of the address, in hex: the audit record holds it in place of the address."""
    dry_run: bool

    @property
    def found(self) -> int:
        """How many rows and events held the address."""
        return self.quarantined_rows + self.valid_rows + self.events + self.archived_rows

    @classmethod
    def from_proto(cls, message: pb.EraseSubjectResponse) -> ErasedSubject:
        """Reads a steward.v1 EraseSubjectResponse."""
        return cls(
            scanned_batches=message.scanned_batches,
            batches=message.batches,
            quarantined_rows=message.quarantined_rows,
            valid_rows=message.valid_rows,
            events=message.events,
            archived_rows=message.archived_rows,
            subject_hash=message.subject_hash,
            dry_run=message.dry_run,
        )


OPERATION_KINDS = OperationKinds(
    progress={pb.QuarantineOperationMetadata: QuarantineProgress.from_proto},
    results={
        pb.RetryQuarantineResponse: Retried.from_proto,
        pb.PurgeQuarantineResponse: Purged.from_proto,
        pb.EraseSubjectResponse: ErasedSubject.from_proto,
    },
)
