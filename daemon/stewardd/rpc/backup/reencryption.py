"""Re-encryptions of backups as messages of the contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steward.v1 import backup_pb2 as pb

from stewardd.backup.reencryption.operation import REENCRYPT_PROGRESS, REENCRYPT_RESPONSE
from stewardd.operations.state import OperationState
from stewardd.rpc import names
from stewardd.rpc.times import timestamp


def reencrypt_metadata(state: OperationState) -> pb.ReencryptBackupsMetadata:
    """Returns how far a re-encryption has come. Raises: Corrupt."""
    progress = REENCRYPT_PROGRESS.from_json(state.metadata, names.operation(state.id))
    return pb.ReencryptBackupsMetadata(
        backup=names.backup(progress.backup) if progress.backup else "",
        stored_bytes=progress.stored_bytes,
        done_count=progress.done,
        total_count=progress.total,
        create_time=timestamp(state.create_time),
    )


def reencrypt_response(
    state: OperationState, response: Mapping[str, Any]
) -> pb.ReencryptBackupsResponse:
    """Returns what a re-encryption came to. Raises: Corrupt."""
    found = REENCRYPT_RESPONSE.from_json(response, names.operation(state.id))
    return pb.ReencryptBackupsResponse(
        backups=[names.backup(each) for each in found.backups],
        reencrypted_count=found.made,
        skipped=[
            pb.ReencryptBackupsResponse.Skipped(
                backup=names.backup(each.backup), reason=each.reason, message=each.message
            )
            for each in found.skipped_backups
        ],
        skipped_count=found.skipped,
    )
