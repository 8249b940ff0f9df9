"""Operations and backups as messages of the contract.

An operation is kept as what it was asked for and what came of it; here each kind gets its messages. A kind that this
daemon does not know (an older one reading what a newer one started) still has its name and its end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from google.longrunning import operations_pb2
from google.protobuf.message import Message
from steward.v1 import backup_pb2

from stewardd.backup.manifest import BackupManifest
from stewardd.operations import kinds
from stewardd.operations.state import OperationState
from stewardd.rpc import names
from stewardd.rpc.quarantine_operations import (
    erase_response,
    purge_response,
    quarantine_metadata,
    retry_response,
)
from stewardd.rpc.status import stored_status
from stewardd.rpc.times import duration, timestamp

Phase = backup_pb2.CreateBackupMetadata.Phase


def operation_message(state: OperationState) -> operations_pb2.Operation:
    """Returns an operation as google.longrunning has it."""
    message = operations_pb2.Operation(name=names.operation(state.id), done=state.done)
    kind = _KINDS.get(state.kind)
    if kind is not None:
        message.metadata.Pack(kind.metadata(state))
    if state.error is not None:
        error = state.error
        message.error.CopyFrom(stored_status(error.reason, error.message, error.hint))
    elif state.response is not None and kind is not None:
        message.response.Pack(kind.response(state, state.response))
    return message


def backup_message(manifest: BackupManifest) -> backup_pb2.Backup:
    """Returns a backup as the contract has it."""
    return backup_pb2.Backup(
        name=names.backup(manifest.backup_id),
        database=manifest.database,
        snapshot_time=timestamp(manifest.snapshot_time),
        create_time=timestamp(manifest.create_time),
        elapsed=duration(manifest.elapsed_s),
        dump_size_bytes=manifest.dump_size_bytes,
        stored_size_bytes=manifest.stored_size_bytes,
        server_version=manifest.server_version,
        tool_version=manifest.tool_version,
        dump_sha256=manifest.dump_sha256,
        segments=[
            backup_pb2.Backup.Segment(size_bytes=segment.size_bytes, sha256=segment.sha256)
            for segment in manifest.segments
        ],
        description=manifest.description,
    )


def _backup_metadata(state: OperationState) -> backup_pb2.CreateBackupMetadata:
    known: Mapping[str, Any] = state.metadata
    return backup_pb2.CreateBackupMetadata(
        backup=names.backup(known["backup"]),
        database=known["database"],
        phase=Phase.Value(f"PHASE_{known['phase']}"),
        dumped_bytes=known.get("dumped_bytes", 0),
        stored_bytes=known.get("stored_bytes", 0),
        database_size_bytes=known.get("database_size_bytes", 0),
        create_time=timestamp(state.create_time),
    )


def _backup_response(state: OperationState, response: Mapping[str, Any]) -> backup_pb2.Backup:
    return backup_message(BackupManifest.from_document(response, state.metadata["backup"]))


@dataclass(frozen=True, slots=True)
class _Kind:
    """How the operations of one kind are told."""

    metadata: Callable[[OperationState], Message]
    response: Callable[[OperationState, Mapping[str, Any]], Message]


# One line a kind; a test holds it complete.
_KINDS = {
    kinds.CREATE_BACKUP.name: _Kind(_backup_metadata, _backup_response),
    kinds.RETRY_QUARANTINE.name: _Kind(quarantine_metadata, retry_response),
    kinds.PURGE_QUARANTINE.name: _Kind(quarantine_metadata, purge_response),
    kinds.ERASE_SUBJECT.name: _Kind(quarantine_metadata, erase_response),
}
