"""Migrations as messages of the contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steward.v1 import migration_pb2 as pb

from stewardd.errors import Corrupt
from stewardd.migrations.files import Direction
from stewardd.migrations.migrations import MigrationStatus
from stewardd.migrations.plan import Step, StepState
from stewardd.migrations.progress import (
    MIGRATE_PROGRESS,
    MIGRATE_RESULT,
    PROVE_PROGRESS,
    DryStatement,
)
from stewardd.migrations.proof import COULD_NOT_PROVE, FAILED, PROVE_RESULT, PROVEN, MigrationProof
from stewardd.migrations.rendering import RenderedDiagram
from stewardd.operations.state import OperationState
from stewardd.rpc import names
from stewardd.rpc.times import duration, timestamp

_STATES = {
    StepState.APPLIED: pb.Migration.STATE_APPLIED,
    StepState.BASELINE: pb.Migration.STATE_BASELINE,
    StepState.PENDING: pb.Migration.STATE_PENDING,
    StepState.UNFINISHED: pb.Migration.STATE_UNFINISHED,
    StepState.CHANGED: pb.Migration.STATE_CHANGED,
    StepState.MISSING: pb.Migration.STATE_MISSING,
}
_PHASES = {
    "PLANNING": pb.MigrateMetadata.PHASE_PLANNING,
    "BACKING_UP": pb.MigrateMetadata.PHASE_BACKING_UP,
    "MIGRATING": pb.MigrateMetadata.PHASE_MIGRATING,
    "DONE": pb.MigrateMetadata.PHASE_DONE,
}
_OUTCOMES = {
    PROVEN: pb.MigrationProof.OUTCOME_PROVEN,
    FAILED: pb.MigrationProof.OUTCOME_FAILED,
    COULD_NOT_PROVE: pb.MigrationProof.OUTCOME_COULD_NOT_PROVE,
}
_APPLIED = (StepState.APPLIED, StepState.BASELINE)
_MOST_ATTENTION = 100


def status_message(status: MigrationStatus) -> pb.MigrationStatus:
    """Returns what a database has of its set."""
    attention = [step for step in status.steps if step.state not in _APPLIED]
    return pb.MigrationStatus(
        name=names.database(status.database),
        folder=str(status.folder),
        server_major=status.server_major,
        version=status.version,
        latest_version=sum(step.migration is not None for step in status.steps),
        pending_count=sum(step.state is StepState.PENDING for step in status.steps),
        requires_proof=status.requires_proof,
        attention=[migration_message(status, step) for step in attention[:_MOST_ATTENTION]],
        invalid_indexes=[index.name for index in status.invalid_indexes],
    )


def migration_message(status: MigrationStatus, step: Step) -> pb.Migration:
    """Returns one migration of a database."""
    message = pb.Migration(
        name=names.migration(status.database, step.label),
        number=step.number,
        state=_STATES[step.state],
        proven=step.migration is not None and step.number not in status.unproven,
    )
    if step.migration is not None:
        message.sha256 = step.migration.sha256
    if step.applied is not None:
        message.actor = step.applied.applied_by
        if step.applied.applied_at is not None:
            message.apply_time.CopyFrom(timestamp(step.applied.applied_at))
    return message


def diagram_message(diagram: RenderedDiagram) -> pb.Diagram:
    """Returns the tables of a database, drawn and listed."""
    return pb.Diagram(
        database=names.database(diagram.database),
        server_version=diagram.server_version,
        mermaid=diagram.mermaid,
        markdown=diagram.markdown,
        table_count=diagram.table_count,
        foreign_key_count=diagram.foreign_key_count,
    )


def migrate_metadata(state: OperationState) -> pb.MigrateMetadata:
    """Returns how far applying or taking back has come. Raises: Corrupt."""
    where = names.operation(state.id)
    progress = MIGRATE_PROGRESS.from_json(state.metadata, where)
    if progress.phase not in _PHASES:
        raise Corrupt(f"{where} has an unknown phase")
    return pb.MigrateMetadata(
        database=names.database(progress.database),
        rolls_back=progress.direction == Direction.DOWN.value,
        phase=_PHASES[progress.phase],
        migration=progress.migration,
        done_count=progress.done_count,
        total_count=progress.total_count,
        changed_rows=progress.changed_rows,
        backup=progress.backup,
        create_time=timestamp(state.create_time),
        dry_run=progress.dry_run,
    )


def migrate_response(state: OperationState, response: Mapping[str, Any]) -> pb.MigrateResponse:
    """Returns what applying or taking back did. Raises: Corrupt."""
    result = MIGRATE_RESULT.from_json(response, names.operation(state.id))
    return pb.MigrateResponse(
        database=names.database(result.database),
        version=result.version,
        backup=result.backup,
        steps=[
            pb.MigrateResponse.Step(
                migration=step.label,
                elapsed=duration(step.elapsed_s),
                lock_wait=duration(step.lock_wait_s),
                lock_waits=step.lock_waits,
                attempts=step.attempts,
                unproven=step.forced,
                changed_rows=step.changed_rows,
                statements=map(_statement, step.statements),
            )
            for step in result.steps
        ],
        dry_run=result.dry_run,
    )


def _statement(statement: DryStatement) -> pb.MigrateResponse.Statement:
    return pb.MigrateResponse.Statement(
        file=statement.file_name,
        line=statement.line,
        sql=statement.text,
        locks=[
            pb.MigrateResponse.Lock(
                relation=lock.relation,
                mode=lock.mode,
                blocks_reads=lock.blocks_reads,
                blocks_writes=lock.blocks_writes,
                held_statements=lock.held_statements,
            )
            for lock in statement.locks
        ],
        rewrites=statement.rewrites,
        scans=statement.scans,
    )


def prove_metadata(state: OperationState) -> pb.ProveMigrationsMetadata:
    """Returns how far proving has come. Raises: Corrupt."""
    progress = PROVE_PROGRESS.from_json(state.metadata, names.operation(state.id))
    return pb.ProveMigrationsMetadata(
        database=names.database(progress.database),
        server_major=progress.major,
        migration=progress.migration,
        done_count=progress.done_count,
        total_count=progress.total_count,
        create_time=timestamp(state.create_time),
    )


def prove_response(
    state: OperationState, response: Mapping[str, Any]
) -> pb.ProveMigrationsResponse:
    """Returns what proving found. Raises: Corrupt."""
    where = names.operation(state.id)
    result = PROVE_RESULT.from_json(response, where)
    if any(proof.outcome not in _OUTCOMES for proof in result.proofs):
        raise Corrupt(f"{where} has an unknown outcome")
    return pb.ProveMigrationsResponse(
        database=names.database(result.database), proofs=map(_proof, result.proofs)
    )


def _proof(proof: MigrationProof) -> pb.MigrationProof:
    return pb.MigrationProof(
        migration=proof.label,
        sha256=proof.sha256,
        outcome=_OUTCOMES[proof.outcome],
        detail=proof.detail,
        server_version=proof.server_version,
        prove_time=timestamp(proof.proven_at),
        elapsed=duration(proof.elapsed_s),
        rows=proof.rows,
        few_rows=proof.few_rows,
        differences=proof.differences,
        losses=[
            pb.MigrationProof.Loss(
                table=loss.table, column=loss.column, values=loss.values, own=loss.is_own
            )
            for loss in proof.losses
        ],
    )
