"""The metrics, connected to what they measure: hooks of the domains, and readings that are taken at a scrape."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

from stewardd import __version__
from stewardd.backup.backups import Backups
from stewardd.backup.copying.copies import BackupCopies
from stewardd.backup.newest import NewestBackups
from stewardd.backup.outcomes import BackupOutcomes
from stewardd.backup.progress import BackupPhase
from stewardd.backup.proof import ProofState
from stewardd.backup.pruning import DatabasePlan
from stewardd.backup.repositories import RepositoryName
from stewardd.backup.verifying.drills import DrillBook
from stewardd.backup.verifying.overview import ProofOverviews
from stewardd.errors import Cancelled, DaemonStopping
from stewardd.health.facts import RepositoryFacts
from stewardd.health.monitor import Monitor
from stewardd.metrics import backups as backup_metrics
from stewardd.metrics import databases as database_metrics
from stewardd.metrics import health as health_metrics
from stewardd.metrics.backups import BackupReading, DrillReading, ProofReading
from stewardd.metrics.batches import BatchMetrics
from stewardd.metrics.calls import CallMetrics
from stewardd.metrics.catalogue import CATALOGUE
from stewardd.metrics.connections import ConnectionTimes
from stewardd.metrics.databases import BreakerReading, PoolReading
from stewardd.metrics.exposition import Metrics
from stewardd.metrics.operations import LaneReading, OperationMetrics
from stewardd.metrics.payloads import PayloadMetrics
from stewardd.metrics.quarantine import QuarantineMetrics
from stewardd.metrics.repository import RepositoryMetrics
from stewardd.operations.kinds import CREATE_BACKUP, KINDS, LANES
from stewardd.operations.operations import Operations
from stewardd.operations.state import OperationState
from stewardd.postgres.breaker import BreakerState, BreakerView, Transition, TransitionCause
from stewardd.postgres.databases import Databases
from stewardd.postgres.observer import DrainReason, SilentObserver
from stewardd.postgres.pool.stats import PoolStats, RetireReason
from stewardd.postgres.sqlstate import Verdict
from stewardd.quarantine.finding.open_rows import OpenRowCount
from stewardd.quarantine.log.changes import Action
from stewardd.quarantine.log.commits import BatchCommit
from stewardd.repository.lease import WriterLease
from stewardd.repository.sweep import Swept
from stewardd.schemas.registry import Registry
from stewardd.validation.batch_starter import BatchLimit
from stewardd.validation.payload_validation import PayloadVerdict
from stewardd.validation.upload import Upload
from stewardd.web.readiness import Readiness

# Of a batch whose schema was taken out of the daemon's folders since.
OTHER_SCHEMA = "other"


class DaemonMetrics:
    """The metrics of a daemon. Each builder adds those of its capability, with the values of their labels."""

    def __init__(self) -> None:
        self._vocabulary: dict[str, Collection[str]] = {"versions": [__version__]}
        self._metrics = Metrics(CATALOGUE, self._vocabulary)

    async def exposition(self) -> bytes:
        """Returns the text for Prometheus."""
        return await self._metrics.exposition()

    def add_readiness(self, readiness: Readiness) -> None:
        """Adds the daemon itself: its version, and whether it takes work."""
        health_metrics.add_daemon(self._metrics, lambda: readiness.is_ready, __version__)

    def add_components(self, monitor: Monitor) -> None:
        """Adds the components of Health; all of them must be known."""
        self._vocabulary["components"] = [each.name for each in monitor.components()]
        health_metrics.add_components(
            self._metrics,
            lambda: {each.name: each.state.name.lower() for each in monitor.components()},
        )

    def add_calls(self, methods: Collection[str]) -> CallMetrics:
        """Adds the calls; returns what the interceptor tells."""
        self._vocabulary["methods"] = methods
        return CallMetrics(self._metrics)

    def add_repository(
        self, monitor: Monitor, lease: WriterLease
    ) -> Callable[[Sequence[Swept]], None]:
        """Adds the repository's room and lease; returns what is told of sweeps."""

        def free_bytes() -> int | None:
            for each in monitor.components():
                if isinstance(each.facts, RepositoryFacts):
                    return each.facts.free_bytes
            return None

        told = RepositoryMetrics(self._metrics, free_bytes, lambda: lease.valid)

        def swept(found: Sequence[Swept]) -> None:
            # What a log was about to take up counts as its batch's.
            told.swept([each.kind.partition("/")[0] for each in found])

        return swept

    def add_databases(self, databases: Databases) -> None:
        """Adds the pools and the breakers, and with them the names of the databases."""
        self._vocabulary["databases"] = [each.name for each in databases]
        states = [each.value for each in BreakerState]
        self._vocabulary["breaker_states"] = states
        self._vocabulary["retire_reasons"] = [each.value for each in RetireReason]
        self._vocabulary["breaker_causes"] = [each.value for each in TransitionCause]
        self._vocabulary["drain_reasons"] = [each.value for each in DrainReason]
        database_metrics.add_pools(
            self._metrics, lambda: {each.name: _pool(each.pool.stats()) for each in databases}
        )
        changed = database_metrics.add_breakers(
            self._metrics,
            states,
            lambda: {each.name: _breaker(each.view().breaker) for each in databases},
        )
        times = ConnectionTimes(self._metrics)
        for database in databases:
            database.observe(DatabaseMeter(times, changed, database.name))

    def add_operations(self, operations: Operations) -> None:
        """Adds the operations, and listens to how they end."""
        self._vocabulary["operations"] = [kind.name for kind in KINDS]
        self._vocabulary["lanes"] = LANES

        def lanes() -> dict[str, LaneReading]:
            return {
                name: LaneReading(use.queued, use.running, use.slots)
                for name, use in operations.lanes().items()
            }

        told = OperationMetrics(self._metrics, lanes)

        async def ended(state: OperationState) -> None:
            elapsed_s = (state.update_time - state.create_time).total_seconds()
            told.ended(state.kind, _outcome(state), max(0.0, elapsed_s))

        operations.on_end(ended)

    def add_backups(
        self,
        backups: Backups,
        newest: NewestBackups,
        outcomes: BackupOutcomes,
        next_runs: Callable[[], Mapping[str, float]],
    ) -> Callable[[OperationState], Awaitable[None]]:
        """Adds the newest backup of each database, the failures after it, the next run; returns what hears of ends."""
        self._vocabulary["phases"] = [each.value.lower() for each in BackupPhase]

        def read() -> dict[str, BackupReading]:
            return {
                name: BackupReading(
                    completed_at=backup.create_time.timestamp(),
                    elapsed_s=backup.elapsed_s,
                    stored_bytes=backup.stored_size_bytes,
                    dump_bytes=backup.dump_size_bytes,
                    database_bytes=backup.database_size_bytes,
                )
                for name, backup in newest.by_database.items()
            }

        def failures() -> dict[str, int]:
            none = dict.fromkeys(self._vocabulary["databases"], 0)
            return none | {each.database: each.count for each in outcomes.known()}

        def upcoming() -> dict[str, float]:
            # A schedule may be of a database that another daemon's configuration has.
            known = self._vocabulary["databases"]
            return {name: moment for name, moment in next_runs().items() if name in known}

        count = backup_metrics.add(self._metrics, read, failures, lambda: backups.running, upcoming)

        backups.on_lock_waiter(backup_metrics.add_lock_waiters(self._metrics))

        async def ended(state: OperationState) -> None:
            if state.kind == CREATE_BACKUP.name and _outcome(state) == "failed":
                count(str(state.metadata.get("phase", BackupPhase.QUEUED)).lower())

        return ended

    def add_proofs(self, overviews: ProofOverviews, drills: DrillBook) -> None:
        """Adds how far the backups of each configured database are proven, and its last drill."""

        def proofs() -> dict[str, ProofReading]:
            return {
                name: ProofReading(
                    {each.value.lower(): found.counts.get(each, 0) for each in ProofState},
                    found.verified_time.timestamp() if found.verified_time else None,
                    found.restore_s,
                )
                for name, found in overviews.by_database.items()
            }

        def held() -> dict[str, DrillReading]:
            known = self._vocabulary["databases"]
            return {
                name: DrillReading(
                    drill.time.timestamp(), drill.proof.restore_s, succeeded=drill.succeeded
                )
                for name, drill in drills.newest.items()
                if name in known
            }

        backup_metrics.add_proofs(self._metrics, proofs, held)

    def add_telling(self) -> Callable[[str], None]:
        """Adds the messages on how backups ended; returns what the teller tells."""
        return backup_metrics.add_telling(self._metrics)

    def add_copies(self, copies: BackupCopies) -> None:
        """Adds the copies of backups; those of databases that are not configured any more have no label."""

        def behind() -> dict[str, int]:
            found = copies.status.behind
            return {name: found.get(name, 0) for name in self._vocabulary["databases"]}

        def last_made_at() -> float | None:
            at = copies.status.last_made_at
            return None if at is None else at.timestamp()

        backup_metrics.add_copies(self._metrics, behind, last_made_at)

    def add_pruning(self) -> Callable[[str, int], None]:
        """Adds the backups that the retention deletes; returns what counts them, by the repository's name."""
        return backup_metrics.add_pruning(self._metrics)

    def add_retention(
        self, seen: Callable[[], Mapping[RepositoryName, Mapping[str, DatabasePlan]]]
    ) -> None:
        """Adds what the retention saw; databases that are not configured any more have no label."""

        def read() -> dict[tuple[str, ...], tuple[int, bool]]:
            return {
                (name, repository.value): (len(plan.backups) - len(plan.going), plan.plan.halted)
                for repository, plans in seen().items()
                for name, plan in plans.items()
                if name in self._vocabulary["databases"]
            }

        backup_metrics.add_retention(self._metrics, read)

    def add_quarantine(self, registry: Registry) -> QuarantineMeter:
        """Adds the quarantine, and with it the names of the schemas; returns what the ledger tells."""
        schemas = {schema.key.name for schema in registry.all()}
        self._vocabulary["schemas"] = [*sorted(schemas), OTHER_SCHEMA]
        self._vocabulary["actions"] = [each.value for each in Action if each is not Action.GIVEN_UP]
        return QuarantineMeter(QuarantineMetrics(self._metrics), frozenset(schemas))

    def add_batches(self, limit: BatchLimit) -> Callable[[Upload], None]:
        """Adds the batches; returns what validation tells when an upload is over."""
        told = BatchMetrics(self._metrics, lambda: limit.running)

        def ended(upload: Upload) -> None:
            told.ended(upload.outcome.value, upload.received_bytes)
            if upload.batch is not None:
                told.published(
                    upload.batch.schema,
                    valid_rows=upload.batch.valid_rows,
                    quarantined_rows=upload.batch.quarantined_rows,
                    size_bytes=upload.batch.size_bytes,
                    elapsed_s=upload.batch.elapsed_s,
                )

        return ended

    def add_payloads(self) -> Callable[[PayloadVerdict], None]:
        """Adds the payloads that are judged one by one; returns what validation tells of each."""
        told = PayloadMetrics(self._metrics)
        return lambda verdict: told.judged(verdict.schema.name, valid=verdict.report.valid)


class DatabaseMeter(SilentObserver):
    """What one database tells of its breaker and of its connections."""

    acquired: Callable[[float], None]
    connected: Callable[[float], None]

    def __init__(
        self, times: ConnectionTimes, changed: Callable[[str, str], None], database: str
    ) -> None:
        self._changed = changed
        self._database = database
        self._held = times.held(database)
        self.acquired = times.waited(database)
        self.connected = times.connected(database)

    def breaker_changed(self, change: Transition) -> None:
        """Counts a change of the breaker."""
        self._changed(self._database, change.cause.value)

    def released(self, verdict: Verdict | None, held_s: float) -> None:  # noqa: ARG002 - the pool tells it
        """Counts a connection that came back."""
        self._held(held_s)


class QuarantineMeter:
    """What is told of quarantines."""

    def __init__(self, metrics: QuarantineMetrics, schemas: frozenset[str]) -> None:
        self._metrics = metrics
        self._schemas = schemas

    def committed(self, commit: BatchCommit) -> None:
        """Counts a change of a quarantine."""
        export = commit.export
        self._metrics.committed(
            commit.action.value,
            rows=commit.rows,
            resolved_rows=commit.resolved_rows,
            discarded_rows=commit.discarded_rows,
            exported_rows=export.resolved_rows + export.valid_rows if export else 0,
        )

    async def count_open_rows(self, counting: OpenRowCount) -> None:
        """Counts the open rows anew. Raises: RepositoryDown."""
        found = await counting.count()
        by_schema = dict.fromkeys([*self._schemas, OTHER_SCHEMA], 0)
        for schema, rows in found.by_schema.items():
            by_schema[schema if schema in self._schemas else OTHER_SCHEMA] += rows
        self._metrics.counted(by_schema, found.batches, time.time())


def _breaker(seen: BreakerView) -> BreakerReading:
    return BreakerReading(seen.state.value, seen.failures, seen.opened, seen.refused)


def _pool(seen: PoolStats) -> PoolReading:
    return PoolReading(
        connections={"idle": seen.idle, "lent": seen.lent, "connecting": seen.connecting},
        min_size=seen.min_size,
        max_size=seen.max_size,
        waiting=seen.waiting,
        acquires={
            "lent": seen.acquires,
            "timed_out": seen.timeouts,
            "cancelled": seen.cancelled,
            "refused": seen.refused,
        },
        connects={"made": seen.connects, "failed": seen.connect_errors},
        retired={each.value: count for each, count in seen.retired.items()},
        drains={each.value: count for each, count in seen.drains.items()},
        leaks=seen.leaks,
        leaked=seen.leaks_held,
    )


def _outcome(state: OperationState) -> str:
    if state.error is None:
        return "succeeded"
    cancelled = (Cancelled.reason, DaemonStopping.reason)
    return "cancelled" if state.error.reason in cancelled else "failed"
