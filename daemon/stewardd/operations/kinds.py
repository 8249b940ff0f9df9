"""Every kind of operation, one line each: its name and the lane that it runs in.

The name is stored with each operation and never changes. Each lane runs its own number of operations at once, so that a
night of backups does not stop a correction.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OperationKind:
    """A kind of operation."""

    name: str
    lane: str


CREATE_BACKUP = OperationKind("CreateBackup", lane="backup")
RETRY_QUARANTINE = OperationKind("RetryQuarantine", lane="quarantine")
PURGE_QUARANTINE = OperationKind("PurgeQuarantine", lane="quarantine")
ERASE_SUBJECT = OperationKind("EraseSubject", lane="quarantine")

KINDS = (CREATE_BACKUP, RETRY_QUARANTINE, PURGE_QUARANTINE, ERASE_SUBJECT)
LANES = tuple(dict.fromkeys(kind.lane for kind in KINDS))
