"""Backups as messages of the contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steward.v1 import backup_pb2

from stewardd.backup.manifest import BACKUP_MANIFEST, BackupManifest
from stewardd.backup.progress import BACKUP_PROGRESS, BackupProgress
from stewardd.errors import Corrupt
from stewardd.operations.state import OperationState
from stewardd.rpc import names
from stewardd.rpc.times import duration, timestamp

Phase = backup_pb2.CreateBackupMetadata.Phase


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


def backup_metadata(state: OperationState) -> backup_pb2.CreateBackupMetadata:
    """Returns how far a backup has come. Raises: Corrupt."""
    progress = _progress(state)
    return backup_pb2.CreateBackupMetadata(
        backup=names.backup(progress.backup),
        database=progress.database,
        phase=Phase.Value(f"PHASE_{progress.phase}"),
        dumped_bytes=progress.dumped_bytes,
        stored_bytes=progress.stored_bytes,
        database_size_bytes=progress.database_size_bytes,
        create_time=timestamp(state.create_time),
    )


def backup_response(state: OperationState, response: Mapping[str, Any]) -> backup_pb2.Backup:
    """Returns the backup that an operation made. Raises: Corrupt."""
    manifest = BACKUP_MANIFEST.from_json(response, names.operation(state.id))
    if manifest.backup_id != _progress(state).backup:
        raise Corrupt(f"{names.operation(state.id)} has another backup as its response")
    return backup_message(manifest)


def _progress(state: OperationState) -> BackupProgress:
    return BACKUP_PROGRESS.from_json(state.metadata, names.operation(state.id))
