"""Decides whether one backup may be deleted by hand, and which of those that are marked as deleted may lose their data.

The plan of a retention and these two are made at different moments, by different daemons, and each may be wrong about
what the others do meanwhile. So both are asked again after a mark was put, on what stands in the repository then: a
mark that leaves its database without a good backup is taken back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from stewardd.backup.proof import ProofState
from stewardd.backup.retention.policy import Candidate, RetentionPolicy


@dataclass(frozen=True, slots=True)
class Marked:
    """A backup that is marked as deleted, since when, and whether its data may be gone already."""

    backup: Candidate
    deleted_at: datetime
    purging: bool = False


def is_last_good(backup: Candidate, others: Iterable[Candidate]) -> bool:
    """Whether a database would have no good backup without this one.

    Good is the best that there is: where any is verified, a verified one has to stay; else one that is not corrupt.
    """
    remaining = list(others)
    if backup.proof is ProofState.CORRUPT:
        return False
    if any(each.proof is ProofState.VERIFIED for each in remaining):
        return False
    if backup.proof is ProofState.VERIFIED:
        return True
    return all(each.proof is ProofState.CORRUPT for each in remaining)


def to_purge(
    marked: Sequence[Marked], kept: Sequence[Candidate], policy: RetentionPolicy, now: datetime
) -> list[str]:
    """The backups of one database whose grace is over and whose data may go, the oldest first.

    `kept` are its backups that are not marked. Where none of those is good, the newest good one among the marked keeps
    its data. A purge that had begun is ended in any case: what is left of it is no backup.
    """
    oldest_first = sorted(marked, key=lambda each: (each.backup.time, each.backup.backup_id))
    whole = [each for each in oldest_first if not each.purging]
    purged = [each.backup.backup_id for each in oldest_first if each.purging]
    remaining = [*kept, *(each.backup for each in whole)]
    for each in whole:
        if now - each.deleted_at < policy.grace:
            continue
        others = [other for other in remaining if other is not each.backup]
        if not is_last_good(each.backup, others):
            purged.append(each.backup.backup_id)
            remaining = others
    return purged
