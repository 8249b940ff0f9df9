"""Types of the retention of backups: rules, plans, and what a pruning did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from steward.v1 import backup_pb2 as pb

from steward_client import protobuf_values
from steward_client.backups.words import BackupRepository, word_of


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """The rules for the backups of a database."""

    window_s: float
    """Everything younger is kept."""
    min_keep: int
    """The newest backups that count and are kept, however old."""
    counts_complete: bool
    """Whether every complete backup counts, and not only those that are verified."""
    keep_daily: int
    keep_weekly: int
    keep_monthly: int
    keep_yearly: int
    grace_s: float
    """How long a deleted backup keeps its data."""

    @classmethod
    def from_proto(cls, message: pb.RetentionPolicy) -> RetentionPolicy:
        """Reads a steward.v1 RetentionPolicy."""
        return cls(
            window_s=protobuf_values.seconds(message.window),
            min_keep=message.min_keep,
            counts_complete=message.counts_complete,
            keep_daily=message.keep_daily,
            keep_weekly=message.keep_weekly,
            keep_monthly=message.keep_monthly,
            keep_yearly=message.keep_yearly,
            grace_s=protobuf_values.seconds(message.grace),
        )


@dataclass(frozen=True, slots=True)
class RetentionVerdict:
    """Whether a retention keeps a backup, and why."""

    backup: str
    """`backups/{backup}`."""
    snapshot_time: datetime
    stored_size_bytes: int
    keep: bool
    reason: str
    """A stable word, such as `YOUNG`, `MIN_KEEP` or `EXPIRED`."""
    explanation: str

    @classmethod
    def from_proto(cls, message: pb.RetentionPlan.Verdict) -> RetentionVerdict:
        """Reads a steward.v1 RetentionPlan.Verdict."""
        return cls(
            backup=message.backup,
            snapshot_time=protobuf_values.time(message.snapshot_time),
            stored_size_bytes=message.stored_size_bytes,
            keep=message.keep,
            reason=message.reason,
            explanation=message.explanation,
        )


@dataclass(frozen=True, slots=True)
class RetentionPlan:
    """What the retention of a database would do."""

    database: str
    repository: BackupRepository
    policy: RetentionPolicy
    plan_time: datetime
    halted: bool
    """No backup that counts is young enough: nothing is deleted."""
    verdicts: tuple[RetentionVerdict, ...]
    """Of each backup that is not deleted, newest first."""

    @property
    def going(self) -> tuple[RetentionVerdict, ...]:
        """The backups that go."""
        return tuple(each for each in self.verdicts if not each.keep)

    @classmethod
    def from_proto(
        cls, message: pb.RetentionPlan, verdicts: tuple[RetentionVerdict, ...]
    ) -> RetentionPlan:
        """Reads a steward.v1 RetentionPlan; its verdicts come in pages."""
        return cls(
            database=message.database,
            repository=word_of(BackupRepository, pb.BackupRepository, message.repository),
            policy=RetentionPolicy.from_proto(message.policy),
            plan_time=protobuf_values.time(message.plan_time),
            halted=message.halted,
            verdicts=verdicts,
        )


@dataclass(frozen=True, slots=True)
class PruneProgress:
    """The progress of a pruning."""

    database: str
    """Empty: all of them."""
    repository: BackupRepository
    deleted: int
    create_time: datetime

    @classmethod
    def from_proto(cls, message: pb.PruneBackupsMetadata) -> PruneProgress:
        """Reads a steward.v1 PruneBackupsMetadata."""
        return cls(
            message.database,
            word_of(BackupRepository, pb.BackupRepository, message.repository),
            message.deleted_count,
            protobuf_values.time(message.create_time),
        )


@dataclass(frozen=True, slots=True)
class Pruned:
    """The result of a pruning."""

    deleted: int
    """Backups that were marked as deleted; they lose their data when the grace is over."""
    kept: int
    backups: tuple[str, ...]
    """The names of the deleted; of more than 1000 the first."""
    halted_databases: tuple[str, ...]
    """Databases of which nothing was deleted, since no backup that counts is young enough."""

    @classmethod
    def from_proto(cls, message: pb.PruneBackupsResponse) -> Pruned:
        """Reads a steward.v1 PruneBackupsResponse."""
        return cls(
            message.deleted_count,
            message.kept_count,
            tuple(message.deleted),
            tuple(message.halted_databases),
        )
