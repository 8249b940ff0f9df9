"""How far the backups of each database are proven, kept in memory for those who must not wait: Health and metrics."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from stewardd.backup.inventory import BackupInventory, KnownBackup, of_database
from stewardd.backup.proof import ProofState
from stewardd.backup.verifying.drills import DrillBook

_FRESH_S = 60.0


@dataclass(frozen=True, slots=True)
class ProofOverview:
    """The proofs of a database's backups.

    `verified_time` is the time of the data of the newest verified backup, `first_time` that of the oldest of all;
    `corrupt` is the newest corrupt backup that is newer than every verified one, with its first difference.
    """

    counts: Mapping[ProofState, int] = field(default_factory=dict)
    verified_time: datetime | None = None
    restore_s: float | None = None
    first_time: datetime | None = None
    corrupt: tuple[str, str] | None = None


class ProofOverviews:
    """Reads the inventory at most once a minute, and after each trial of this daemon."""

    def __init__(
        self,
        inventory: BackupInventory,
        drills: DrillBook,
        databases: Iterable[str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inventory = inventory
        self._drills = drills
        self._databases = tuple(databases)
        self._clock = clock
        self._read_at: float | None = None
        self._found: dict[str, ProofOverview] = {}

    @property
    def by_database(self) -> Mapping[str, ProofOverview]:
        """What `look` found last."""
        return self._found

    def expire(self) -> None:
        """Has everything read anew at the next look."""
        self._read_at = None

    async def look(self) -> Mapping[str, ProofOverview]:
        """Reads. Raises: RepositoryDown."""
        now = self._clock()
        if self._read_at is None or now - self._read_at > _FRESH_S:
            self._read_at = now  # before the reading: what ends meanwhile expires it again
            try:
                backups = await self._inventory.read()
                await self._drills.look(self._databases)
            except BaseException:
                self._read_at = None
                raise
            self._found = {name: overview(of_database(backups, name)) for name in self._databases}
        return self._found


def overview(newest_first: Iterable[KnownBackup]) -> ProofOverview:
    """Sums up the backups of one database, without those that are deleted."""
    backups = [each for each in newest_first if not each.state.deleted]
    counts = Counter(each.state.proof_state for each in backups)
    verified = next((e for e in backups if e.state.proof_state is ProofState.VERIFIED), None)
    newer = backups[: backups.index(verified)] if verified else backups
    corrupt = next((e for e in newer if e.state.proof_state is ProofState.CORRUPT), None)
    return ProofOverview(
        counts,
        verified.facts.snapshot_time if verified else None,
        verified.state.proof.restore_s if verified and verified.state.proof else None,
        backups[-1].facts.snapshot_time if backups else None,
        (corrupt.backup_id, corrupt.state.proof.detail)
        if corrupt and corrupt.state.proof
        else None,
    )
