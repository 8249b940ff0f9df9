"""Backups: the newest one of each database, of whichever daemon, and what failed since."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stewardd.metrics.metric import DATABASE, Kind, Label, Metric

if TYPE_CHECKING:
    from stewardd.metrics.exposition import Metrics

LAST = Metric(
    "steward_backup_last_success_timestamp_seconds",
    Kind.GAUGE,
    "When the newest backup was completed, in seconds since 1970; absent without a backup.",
    (DATABASE,),
)
SECONDS = Metric(
    "steward_backup_last_duration_seconds",
    Kind.GAUGE,
    "How long the newest backup took.",
    (DATABASE,),
)
STORED = Metric(
    "steward_backup_last_stored_bytes",
    Kind.GAUGE,
    "Size of the newest backup as it is stored.",
    (DATABASE,),
)
DUMPED = Metric(
    "steward_backup_last_dump_bytes",
    Kind.GAUGE,
    "Size of the newest backup's dump before it was compressed.",
    (DATABASE,),
)
SOURCE = Metric(
    "steward_backup_last_database_bytes",
    Kind.GAUGE,
    "Size of the database when the newest backup was made.",
    (DATABASE,),
)
FAILED = Metric(
    "steward_backup_failures_since_success",
    Kind.GAUGE,
    "Backups that failed since the last success of their database.",
    (DATABASE,),
)
RUNNING = Metric("steward_backups_running", Kind.GAUGE, "Backups that this daemon makes now.")
NEXT = Metric(
    "steward_backup_next_run_timestamp_seconds",
    Kind.GAUGE,
    "When the next scheduled backup begins, in seconds since 1970; absent without a schedule.",
    (DATABASE,),
)
PHASE = Label("phase", "the phase in which a backup failed: `queued`, `dumping` …", source="phases")
BROKEN = Metric(
    "steward_backup_failures_total",
    Kind.COUNTER,
    "Backups of this daemon that failed; those that were cancelled are none of them.",
    (PHASE,),
)
OUTCOME = Label(
    "outcome",
    "`told`, `failed` when all attempts did, or `dropped` where too many waited",
    ("told", "failed", "dropped"),
)
TOLD = Metric(
    "steward_backup_messages_total",
    Kind.COUNTER,
    "Messages on how backups ended, to webhooks and commands.",
    (OUTCOME,),
)
WAITERS = Metric(
    "steward_backup_lock_waiters_total",
    Kind.COUNTER,
    "Sessions that were seen waiting behind the locks of a dump that this daemon made.",
    (DATABASE,),
)
BEHIND = Metric(
    "steward_backup_copies_behind",
    Kind.GAUGE,
    "Backups that have no copy in the second repository yet; absent where none is configured.",
    (DATABASE,),
)
COPIED = Metric(
    "steward_backup_last_copy_timestamp_seconds",
    Kind.GAUGE,
    "When this daemon made the last copy of a backup, in seconds since 1970; absent without one.",
)
REPOSITORY = Label(
    "repository",
    "`first`, where backups are made, or `second`, which has the copies",
    ("first", "second"),
)
KEPT = Metric(
    "steward_backups_kept",
    Kind.GAUGE,
    "Backups that are not deleted, when the retention was last applied.",
    (DATABASE, REPOSITORY),
)
HALTED = Metric(
    "steward_backup_retention_halted",
    Kind.GAUGE,
    "1 if the retention deleted nothing because no backup that counts was younger than its window, else 0.",
    (DATABASE, REPOSITORY),
)
PRUNED = Metric(
    "steward_backups_pruned_total",
    Kind.COUNTER,
    "Backups that the retention marked as deleted.",
    (REPOSITORY,),
)
VERIFIED = Metric(
    "steward_backup_last_verified_timestamp_seconds",
    Kind.GAUGE,
    "Of when the data of the newest verified backup are, in seconds since 1970; absent without one.",
    (DATABASE,),
)
PROOF = Label(
    "proof",
    "how far backups are proven",
    ("pending", "verified", "corrupt", "could_not_run", "unverifiable"),
)
PROVEN = Metric(
    "steward_backup_proofs",
    Kind.GAUGE,
    "Backups that are not deleted, by how far they are proven.",
    (DATABASE, PROOF),
)
RESTORED = Metric(
    "steward_backup_last_verified_restore_seconds",
    Kind.GAUGE,
    "How long the restore of the newest verified backup took when it was verified.",
    (DATABASE,),
)
DRILLED = Metric(
    "steward_backup_last_drill_timestamp_seconds",
    Kind.GAUGE,
    "When the last drill was held, in seconds since 1970; absent without one.",
    (DATABASE,),
)
DRILL_SECONDS = Metric(
    "steward_backup_last_drill_restore_seconds",
    Kind.GAUGE,
    "How long the restore of the last drill took: the measured recovery time.",
    (DATABASE,),
)
DRILL_SUCCEEDED = Metric(
    "steward_backup_last_drill_success",
    Kind.GAUGE,
    "1 where the backup of the last drill came back as it was, 0 where it did not.",
    (DATABASE,),
)
METRICS = (
    VERIFIED,
    PROVEN,
    RESTORED,
    DRILLED,
    DRILL_SECONDS,
    DRILL_SUCCEEDED,
    NEXT,
    BROKEN,
    TOLD,
    LAST,
    SECONDS,
    STORED,
    DUMPED,
    SOURCE,
    FAILED,
    RUNNING,
    WAITERS,
    BEHIND,
    COPIED,
    KEPT,
    HALTED,
    PRUNED,
)


@dataclass(frozen=True, slots=True)
class BackupReading:
    """What is known of a database's newest backup. `completed_at` is in seconds since 1970."""

    completed_at: float
    elapsed_s: float
    stored_bytes: int
    dump_bytes: int
    database_bytes: int


def add(
    metrics: Metrics,
    newest: Callable[[], Mapping[str, BackupReading]],
    failures: Callable[[], Mapping[str, int]],
    running: Callable[[], int],
    next_runs: Callable[[], Mapping[str, float]],
) -> Callable[[str], None]:
    """Adds the metrics of backups; databases are named by the configuration. Returns what counts a failure's phase."""

    def of(read: Callable[[BackupReading], float]) -> Callable[[], dict[tuple[str, ...], float]]:
        return lambda: {(name,): read(backup) for name, backup in newest().items()}

    metrics.read(LAST, of(lambda backup: backup.completed_at))
    metrics.read(SECONDS, of(lambda backup: backup.elapsed_s))
    metrics.read(STORED, of(lambda backup: backup.stored_bytes))
    metrics.read(DUMPED, of(lambda backup: backup.dump_bytes))
    metrics.read(SOURCE, of(lambda backup: backup.database_bytes))
    metrics.read(FAILED, lambda: {(name,): count for name, count in failures().items()})
    metrics.read(RUNNING, lambda: {(): running()})
    metrics.read(NEXT, lambda: {(name,): moment for name, moment in next_runs().items()})
    return metrics.counter(BROKEN).add


def add_lock_waiters(metrics: Metrics) -> Callable[[str], None]:
    """Adds the sessions that wait behind dumps; returns what is told the database of each."""
    return metrics.counter(WAITERS).add


@dataclass(frozen=True, slots=True)
class ProofReading:
    """How far the backups of a database are proven. Moments are in seconds since 1970."""

    counts: Mapping[str, int]
    verified_at: float | None
    restore_s: float | None


@dataclass(frozen=True, slots=True)
class DrillReading:
    """The last drill of a database; `held_at` is in seconds since 1970."""

    held_at: float
    restore_s: float
    succeeded: bool


def add_proofs(
    metrics: Metrics,
    proofs: Callable[[], Mapping[str, ProofReading]],
    drills: Callable[[], Mapping[str, DrillReading]],
) -> None:
    """Adds the proofs of backups, and the drills."""

    def of(
        read: Callable[[ProofReading], float | None],
    ) -> Callable[[], dict[tuple[str, ...], float]]:
        def values() -> dict[tuple[str, ...], float]:
            found = {name: read(each) for name, each in proofs().items()}
            return {(name,): value for name, value in found.items() if value is not None}

        return values

    def counts() -> dict[tuple[str, ...], float]:
        return {
            (name, word): count
            for name, each in proofs().items()
            for word, count in each.counts.items()
        }

    metrics.read(PROVEN, counts)
    metrics.read(VERIFIED, of(lambda each: each.verified_at))
    metrics.read(RESTORED, of(lambda each: each.restore_s))
    metrics.read(DRILLED, lambda: {(name,): each.held_at for name, each in drills().items()})
    metrics.read(
        DRILL_SECONDS, lambda: {(name,): each.restore_s for name, each in drills().items()}
    )
    metrics.read(
        DRILL_SUCCEEDED, lambda: {(name,): each.succeeded for name, each in drills().items()}
    )


def add_telling(metrics: Metrics) -> Callable[[str], None]:
    """Adds the messages; returns what is told of each."""
    told = metrics.counter(TOLD)
    return told.add


def add_copies(
    metrics: Metrics,
    behind: Callable[[], Mapping[str, int]],
    last_made_at: Callable[[], float | None],
) -> None:
    """Adds the metrics of the copies in a second repository."""

    def made() -> dict[tuple[str, ...], float]:
        at = last_made_at()
        return {} if at is None else {(): at}

    metrics.read(BEHIND, lambda: {(name,): count for name, count in behind().items()})
    metrics.read(COPIED, made)


def add_pruning(metrics: Metrics) -> Callable[[str, int], None]:
    """Adds the backups that the retention deletes; returns what counts them, by the repository's name."""
    pruned = metrics.counter(PRUNED)
    return lambda repository, count: pruned.add(repository, amount=count)


def add_retention(
    metrics: Metrics, read: Callable[[], Mapping[tuple[str, ...], tuple[int, bool]]]
) -> None:
    """Adds what the retention saw: how many backups it keeps, and whether it is halted, by database and repository."""
    metrics.read(KEPT, lambda: {labels: kept for labels, (kept, _) in read().items()})
    metrics.read(HALTED, lambda: {labels: int(halted) for labels, (_, halted) in read().items()})
