"""What a retention asks for, and what it is told of a backup."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum

from stewardd.backup.proof import ProofState


class Counting(StrEnum):
    """Which backups count as good: those that a restore has proven, or all that are complete and not found corrupt."""

    VERIFIED = "verified"
    COMPLETE = "complete"


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """The rules for the backups of one database in one repository.

    Everything younger than `window` is kept, and the `min_keep` newest that count, however old. `daily` is how many
    days keep their newest backup that counts; weeks are those of ISO 8601; periods are those of `zone`. Between the
    mark and the removal of the data lies `grace`. Raises: ValueError where it would keep nothing.
    """

    window: timedelta = timedelta(days=7)
    min_keep: int = 2
    counting: Counting = Counting.VERIFIED
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0
    zone: tzinfo = field(default=UTC)
    grace: timedelta = timedelta(days=1)

    def __post_init__(self) -> None:
        if self.min_keep < 1:
            raise ValueError("a retention that keeps no backup at all is none")
        if self.window < timedelta(0) or self.grace < timedelta(0):
            raise ValueError("a retention cannot look into the future")
        if min(self.daily, self.weekly, self.monthly, self.yearly) < 0:
            raise ValueError("a number of periods is never negative")

    def counts(self, proof: ProofState) -> bool:
        """Whether a backup with this proof counts as good."""
        if self.counting is Counting.VERIFIED:
            return proof is ProofState.VERIFIED
        return proof is not ProofState.CORRUPT


@dataclass(frozen=True, slots=True)
class Candidate:
    """A backup that exists, as the retention sees it. `time` is the moment of the data that it holds.

    `replaces` is the backup that this one was encrypted anew from; "" of most.
    """

    backup_id: str
    time: datetime
    proof: ProofState = ProofState.PENDING
    pinned: bool = False
    replaces: str = ""
