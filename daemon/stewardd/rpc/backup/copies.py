"""Copies and imports of backups as messages of the contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steward.v1 import backup_pb2

from stewardd.backup.copying.operation import COPY_PROGRESS, COPY_RESULT
from stewardd.backup.manifest.codec import BACKUP_MANIFEST
from stewardd.operations.state import OperationState
from stewardd.rpc import names
from stewardd.rpc.backup.messages import backup_message
from stewardd.rpc.times import timestamp


def copy_metadata(state: OperationState) -> backup_pb2.CopyBackupMetadata:
    """Returns how far a copy has come. Raises: Corrupt."""
    progress = COPY_PROGRESS.from_json(state.metadata, names.operation(state.id))
    return backup_pb2.CopyBackupMetadata(
        backup=names.backup(progress.backup),
        copied_bytes=progress.copied_bytes,
        size_bytes=progress.size_bytes,
        create_time=timestamp(state.create_time),
    )


def copy_response(
    state: OperationState, response: Mapping[str, Any]
) -> backup_pb2.CopyBackupResponse:
    """Returns the copy that was made. Raises: Corrupt."""
    made = COPY_RESULT.from_json(response, names.operation(state.id))
    return backup_pb2.CopyBackupResponse(
        backup=names.backup(made.backup), repository=made.url, size_bytes=made.size_bytes
    )


def import_metadata(state: OperationState) -> backup_pb2.ImportBackupMetadata:
    """Returns how far an import has come. Raises: Corrupt."""
    progress = COPY_PROGRESS.from_json(state.metadata, names.operation(state.id))
    return backup_pb2.ImportBackupMetadata(
        backup=names.backup(progress.backup),
        copied_bytes=progress.copied_bytes,
        size_bytes=progress.size_bytes,
        create_time=timestamp(state.create_time),
    )


def import_response(state: OperationState, response: Mapping[str, Any]) -> backup_pb2.Backup:
    """Returns the backup that was imported. Raises: Corrupt."""
    return backup_message(BACKUP_MANIFEST.from_json(response, names.operation(state.id)))
