"""Operations as messages of the contract.

An operation is kept as what it was asked for and what came of it; here each kind gets its messages. A kind that this
daemon does not know (an older one reading what a newer one started) still has its name and its end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from google.longrunning import operations_pb2
from google.protobuf.message import Message

from stewardd.operations import kinds
from stewardd.operations.state import OperationState
from stewardd.rpc import names
from stewardd.rpc.backup.copies import (
    copy_metadata,
    copy_response,
    import_metadata,
    import_response,
)
from stewardd.rpc.backup.messages import backup_metadata, backup_response
from stewardd.rpc.backup.reencryption import reencrypt_metadata, reencrypt_response
from stewardd.rpc.backup.restoring import restore_metadata, restore_response
from stewardd.rpc.backup.retention import prune_metadata, prune_response
from stewardd.rpc.backup.verification import drill_response, verify_metadata, verify_response
from stewardd.rpc.migration.drift import drift_metadata, drift_response
from stewardd.rpc.migration.lint import lint_metadata, lint_response
from stewardd.rpc.migration.messages import (
    migrate_metadata,
    migrate_response,
    prove_metadata,
    prove_response,
)
from stewardd.rpc.quarantine.operations import (
    erase_response,
    purge_response,
    quarantine_metadata,
    retry_response,
)
from stewardd.rpc.status import stored_status


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


@dataclass(frozen=True, slots=True)
class _Kind:
    """How the operations of one kind are told."""

    metadata: Callable[[OperationState], Message]
    response: Callable[[OperationState, Mapping[str, Any]], Message]


# One line a kind; a test holds it complete.
_KINDS = {
    kinds.CREATE_BACKUP.name: _Kind(backup_metadata, backup_response),
    kinds.PRUNE_BACKUPS.name: _Kind(prune_metadata, prune_response),
    kinds.COPY_BACKUP.name: _Kind(copy_metadata, copy_response),
    kinds.IMPORT_BACKUP.name: _Kind(import_metadata, import_response),
    kinds.REENCRYPT_BACKUPS.name: _Kind(reencrypt_metadata, reencrypt_response),
    kinds.VERIFY_BACKUP.name: _Kind(verify_metadata, verify_response),
    kinds.RUN_DRILL.name: _Kind(verify_metadata, drill_response),
    kinds.RESTORE_BACKUP.name: _Kind(restore_metadata, restore_response),
    kinds.RETRY_QUARANTINE.name: _Kind(quarantine_metadata, retry_response),
    kinds.PURGE_QUARANTINE.name: _Kind(quarantine_metadata, purge_response),
    kinds.ERASE_SUBJECT.name: _Kind(quarantine_metadata, erase_response),
    kinds.APPLY_MIGRATIONS.name: _Kind(migrate_metadata, migrate_response),
    kinds.ROLL_BACK_MIGRATIONS.name: _Kind(migrate_metadata, migrate_response),
    kinds.PROVE_MIGRATIONS.name: _Kind(prove_metadata, prove_response),
    kinds.DETECT_DRIFT.name: _Kind(drift_metadata, drift_response),
    kinds.LINT_MIGRATIONS.name: _Kind(lint_metadata, lint_response),
}
