"""The types of MigrationService: what a database has of its set, what migrating did, and what proving found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from steward.v1 import migration_pb2 as pb

from steward_client import protobuf_values
from steward_client.migrations.drift import Drift, DriftProgress
from steward_client.migrations.dry_run import DryStatement
from steward_client.migrations.lint import Linted, LintProgress
from steward_client.operations.state import OperationKinds


class MigrationState(StrEnum):
    """Where a migration stands in a database. A state that only a newer daemon knows is UNKNOWN."""

    UNKNOWN = "unknown"
    APPLIED = "applied"
    BASELINE = "baseline"
    PENDING = "pending"
    UNFINISHED = "unfinished"
    CHANGED = "changed"
    MISSING = "missing"


class MigrationPhase(StrEnum):
    """The phase of applying or rolling back. A phase that only a newer daemon knows is UNKNOWN."""

    UNKNOWN = "unknown"
    PLANNING = "planning"
    BACKING_UP = "backing up"
    MIGRATING = "migrating"
    DONE = "done"


class ProofOutcome(StrEnum):
    """What came of the trial of a migration. An outcome that only a newer daemon knows is UNKNOWN."""

    UNKNOWN = "unknown"
    PROVEN = "proven"
    FAILED = "failed"
    COULD_NOT_PROVE = "could not prove"


_STATES = {
    pb.Migration.STATE_APPLIED: MigrationState.APPLIED,
    pb.Migration.STATE_BASELINE: MigrationState.BASELINE,
    pb.Migration.STATE_PENDING: MigrationState.PENDING,
    pb.Migration.STATE_UNFINISHED: MigrationState.UNFINISHED,
    pb.Migration.STATE_CHANGED: MigrationState.CHANGED,
    pb.Migration.STATE_MISSING: MigrationState.MISSING,
}
_PHASES = {
    pb.MigrateMetadata.PHASE_PLANNING: MigrationPhase.PLANNING,
    pb.MigrateMetadata.PHASE_BACKING_UP: MigrationPhase.BACKING_UP,
    pb.MigrateMetadata.PHASE_MIGRATING: MigrationPhase.MIGRATING,
    pb.MigrateMetadata.PHASE_DONE: MigrationPhase.DONE,
}
_OUTCOMES = {
    pb.MigrationProof.OUTCOME_PROVEN: ProofOutcome.PROVEN,
    pb.MigrationProof.OUTCOME_FAILED: ProofOutcome.FAILED,
    pb.MigrationProof.OUTCOME_COULD_NOT_PROVE: ProofOutcome.COULD_NOT_PROVE,
}


@dataclass(frozen=True, slots=True)
class Migration:
    """A migration of a database's set, or one that the database has and the set has not."""

    name: str
    """`databases/{database}/migrations/{migration}`."""
    number: int
    state: MigrationState
    sha256: str
    """Of its files as they are; empty where they are gone."""
    proven: bool
    apply_time: datetime | None
    actor: str

    @classmethod
    def from_proto(cls, message: pb.Migration) -> Migration:
        """Reads a steward.v1 Migration."""
        has_time = message.HasField("apply_time")
        return cls(
            name=message.name,
            number=message.number,
            state=_STATES.get(message.state, MigrationState.UNKNOWN),
            sha256=message.sha256,
            proven=message.proven,
            apply_time=protobuf_values.time(message.apply_time) if has_time else None,
            actor=message.actor,
        )


@dataclass(frozen=True, slots=True)
class MigrationStatus:
    """What a database has of its set."""

    name: str
    """`databases/{database}`."""
    folder: str
    server_major: int
    version: int
    """The number of the last migration that the database has; 0 for none."""
    latest_version: int
    pending_count: int
    requires_proof: bool
    attention: tuple[Migration, ...]
    """The migrations that are not plainly applied, in order; at most 100."""
    invalid_indexes: tuple[str, ...]

    @classmethod
    def from_proto(cls, message: pb.MigrationStatus) -> MigrationStatus:
        """Reads a steward.v1 MigrationStatus."""
        return cls(
            name=message.name,
            folder=message.folder,
            server_major=message.server_major,
            version=message.version,
            latest_version=message.latest_version,
            pending_count=message.pending_count,
            requires_proof=message.requires_proof,
            attention=tuple(map(Migration.from_proto, message.attention)),
            invalid_indexes=tuple(message.invalid_indexes),
        )


@dataclass(frozen=True, slots=True)
class MigrateProgress:
    """How far applying or rolling back has come."""

    database: str
    rolls_back: bool
    phase: MigrationPhase
    migration: str
    done_count: int
    total_count: int
    changed_rows: int
    """Rows that a backfill has changed so far."""
    backup: str
    create_time: datetime
    dry_run: bool = False

    @classmethod
    def from_proto(cls, message: pb.MigrateMetadata) -> MigrateProgress:
        """Reads a steward.v1 MigrateMetadata."""
        return cls(
            database=message.database,
            rolls_back=message.rolls_back,
            phase=_PHASES.get(message.phase, MigrationPhase.UNKNOWN),
            migration=message.migration,
            done_count=message.done_count,
            total_count=message.total_count,
            changed_rows=message.changed_rows,
            backup=message.backup,
            create_time=protobuf_values.time(message.create_time),
            dry_run=message.dry_run,
        )


@dataclass(frozen=True, slots=True)
class MigratedStep:
    """One migration that was applied or taken back."""

    migration: str
    elapsed_s: float
    lock_wait_s: float
    lock_waits: tuple[str, ...]
    """Which locks it waited for, and who held them."""
    attempts: int
    unproven: bool
    changed_rows: int
    statements: tuple[DryStatement, ...] = ()
    """Of a dry run: its statements, with their locks."""

    @classmethod
    def from_proto(cls, message: pb.MigrateResponse.Step) -> MigratedStep:
        """Reads a steward.v1 MigrateResponse.Step."""
        return cls(
            migration=message.migration,
            elapsed_s=protobuf_values.seconds(message.elapsed),
            lock_wait_s=protobuf_values.seconds(message.lock_wait),
            lock_waits=tuple(message.lock_waits),
            attempts=message.attempts,
            unproven=message.unproven,
            changed_rows=message.changed_rows,
            statements=tuple(map(DryStatement.from_proto, message.statements)),
        )


@dataclass(frozen=True, slots=True)
class Migrated:
    """What applying or rolling back did."""

    database: str
    version: int
    """The number of the last migration that the database has now; 0 for none."""
    backup: str
    """`backups/{backup}`: the backup that was made before; empty for none."""
    steps: tuple[MigratedStep, ...]
    dry_run: bool = False
    """Nothing was done: the statements were tried on a scratch server."""

    @classmethod
    def from_proto(cls, message: pb.MigrateResponse) -> Migrated:
        """Reads a steward.v1 MigrateResponse."""
        return cls(
            database=message.database,
            version=message.version,
            backup=message.backup,
            steps=tuple(map(MigratedStep.from_proto, message.steps)),
            dry_run=message.dry_run,
        )


@dataclass(frozen=True, slots=True)
class ProveProgress:
    """How far proving has come."""

    database: str
    server_major: int
    migration: str
    done_count: int
    total_count: int
    create_time: datetime

    @classmethod
    def from_proto(cls, message: pb.ProveMigrationsMetadata) -> ProveProgress:
        """Reads a steward.v1 ProveMigrationsMetadata."""
        return cls(
            database=message.database,
            server_major=message.server_major,
            migration=message.migration,
            done_count=message.done_count,
            total_count=message.total_count,
            create_time=protobuf_values.time(message.create_time),
        )


@dataclass(frozen=True, slots=True)
class LostValues:
    """Values of a column that are lost on the way down."""

    table: str
    column: str
    values: int
    own: bool
    """The migration itself had made the column: the loss is what taking it back means."""


@dataclass(frozen=True, slots=True)
class MigrationProof:
    """The trial of one migration."""

    migration: str
    sha256: str
    outcome: ProofOutcome
    detail: str
    """Why it is not proven."""
    server_version: str
    prove_time: datetime
    elapsed_s: float
    rows: int
    few_rows: tuple[str, ...]
    differences: tuple[str, ...]
    losses: tuple[LostValues, ...]

    @classmethod
    def from_proto(cls, message: pb.MigrationProof) -> MigrationProof:
        """Reads a steward.v1 MigrationProof."""
        return cls(
            migration=message.migration,
            sha256=message.sha256,
            outcome=_OUTCOMES.get(message.outcome, ProofOutcome.UNKNOWN),
            detail=message.detail,
            server_version=message.server_version,
            prove_time=protobuf_values.time(message.prove_time),
            elapsed_s=protobuf_values.seconds(message.elapsed),
            rows=message.rows,
            few_rows=tuple(message.few_rows),
            differences=tuple(message.differences),
            losses=tuple(
                LostValues(each.table, each.column, each.values, each.own)
                for each in message.losses
            ),
        )


@dataclass(frozen=True, slots=True)
class Proved:
    """What proving a database's set found, in order."""

    database: str
    proofs: tuple[MigrationProof, ...]

    @classmethod
    def from_proto(cls, message: pb.ProveMigrationsResponse) -> Proved:
        """Reads a steward.v1 ProveMigrationsResponse."""
        return cls(message.database, tuple(map(MigrationProof.from_proto, message.proofs)))


OPERATION_KINDS = OperationKinds(
    progress={
        pb.MigrateMetadata: MigrateProgress.from_proto,
        pb.ProveMigrationsMetadata: ProveProgress.from_proto,
        pb.DetectDriftMetadata: DriftProgress.from_proto,
        pb.LintMigrationsMetadata: LintProgress.from_proto,
    },
    results={
        pb.MigrateResponse: Migrated.from_proto,
        pb.ProveMigrationsResponse: Proved.from_proto,
        pb.DetectDriftResponse: Drift.from_proto,
        pb.LintMigrationsResponse: Linted.from_proto,
    },
)
