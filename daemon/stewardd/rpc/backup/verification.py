"""Verification and drills over gRPC: proofs, trials and drills as messages of the contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steward.v1 import backup_pb2 as pb

from stewardd.backup.proof import BackupProof
from stewardd.backup.verifying.drills import DRILL, Drill
from stewardd.backup.verifying.progress import VERIFY_PROGRESS, VERIFY_RESPONSE
from stewardd.backup.verifying.source_check import SourceCheck
from stewardd.operations.state import OperationState
from stewardd.rpc import names
from stewardd.rpc.times import duration, timestamp

Phase = pb.VerifyBackupMetadata.Phase


def proof_message(proof: BackupProof) -> pb.BackupVerification:
    """Returns what a trial came to."""
    return pb.BackupVerification(
        outcome=pb.BackupProof.Value(f"BACKUP_PROOF_{proof.outcome.value}"),
        reason=proof.reason,
        detail=proof.detail,
        differences=proof.differences,
        notes=proof.notes,
        verify_time=timestamp(proof.time),
        elapsed=duration(proof.elapsed_s),
        restore_elapsed=duration(proof.restore_s),
        server_version=proof.server_version,
        tables=proof.tables,
        rows=proof.rows,
        verifier=proof.verifier,
    )


def verify_metadata(state: OperationState) -> pb.VerifyBackupMetadata:
    """Returns how far a trial has come. Raises: Corrupt."""
    progress = VERIFY_PROGRESS.from_json(state.metadata, names.operation(state.id))
    return pb.VerifyBackupMetadata(
        backup=names.backup(progress.backup),
        database=progress.database,
        phase=Phase.Value(f"PHASE_{progress.phase}"),
        read_bytes=progress.read_bytes,
        total_bytes=progress.total_bytes,
        restored_tables=progress.restored_tables,
        compared_tables=progress.compared_tables,
        total_tables=progress.total_tables,
        create_time=timestamp(state.create_time),
    )


def verify_response(state: OperationState, response: Mapping[str, Any]) -> pb.VerifyBackupResponse:
    """Returns what a trial came to. Raises: Corrupt."""
    found = VERIFY_RESPONSE.from_json(response, names.operation(state.id))
    return pb.VerifyBackupResponse(
        backup=names.backup(found.backup),
        database=found.database,
        verification=proof_message(found.proof),
        source_check=_source_message(found.source) if found.source is not None else None,
    )


def _source_message(found: SourceCheck) -> pb.SourceCheck:
    return pb.SourceCheck(
        outcome=pb.SourceCheck.Outcome.Value(f"OUTCOME_{found.outcome}"),
        reason=found.reason,
        detail=found.detail,
        damages=found.damages,
        tables=found.tables,
        indexes=found.indexes,
        elapsed=duration(found.elapsed_s),
    )


def drill_message(drill: Drill) -> pb.Drill:
    """Returns a drill."""
    return pb.Drill(
        name=names.drill(drill.drill_id),
        database=drill.database,
        backup=names.backup(drill.backup),
        drill_time=timestamp(drill.time),
        database_size_bytes=drill.database_size_bytes,
        verification=proof_message(drill.proof),
    )


def drill_response(state: OperationState, response: Mapping[str, Any]) -> pb.Drill:
    """Returns the drill that was held. Raises: Corrupt."""
    return drill_message(DRILL.from_json(response, names.operation(state.id)))
