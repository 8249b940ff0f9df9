"""Backups as messages of the contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steward.v1 import backup_pb2

from stewardd.backup.manifest import BackupManifest
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
    """Returns how far a backup has come."""
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


def backup_response(state: OperationState, response: Mapping[str, Any]) -> backup_pb2.Backup:
    """Returns the backup that an operation made."""
    return backup_message(BackupManifest.from_document(response, state.metadata["backup"]))
