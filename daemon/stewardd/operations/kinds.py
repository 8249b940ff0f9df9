"""Every kind of operation, one line each: its name and the lane that it runs in.

The name is stored with each operation and never changes. Each lane runs its own number of operations at once, and has
its own number of those that wait, so that a night of backups or of verifications does not stop a correction.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Lane(StrEnum):
    """What runs beside the others, whatever they do. The names are those of the settings and of a metric's label."""

    BACKUP = "backup"
    TRANSFER = "transfer"
    RESTORE = "restore"
    VERIFICATION = "verification"
    RETENTION = "retention"
    QUARANTINE = "quarantine"
    MIGRATION = "migration"


@dataclass(frozen=True, slots=True)
class OperationKind:
    """A kind of operation."""

    name: str
    lane: Lane


CREATE_BACKUP = OperationKind("CreateBackup", lane=Lane.BACKUP)
PRUNE_BACKUPS = OperationKind("PruneBackups", lane=Lane.RETENTION)
COPY_BACKUP = OperationKind("CopyBackup", lane=Lane.TRANSFER)
IMPORT_BACKUP = OperationKind("ImportBackup", lane=Lane.TRANSFER)
REENCRYPT_BACKUPS = OperationKind("ReencryptBackups", lane=Lane.TRANSFER)
VERIFY_BACKUP = OperationKind("VerifyBackup", lane=Lane.VERIFICATION)
RUN_DRILL = OperationKind("RunDrill", lane=Lane.VERIFICATION)
RESTORE_BACKUP = OperationKind("RestoreBackup", lane=Lane.RESTORE)
RETRY_QUARANTINE = OperationKind("RetryQuarantine", lane=Lane.QUARANTINE)
PURGE_QUARANTINE = OperationKind("PurgeQuarantine", lane=Lane.QUARANTINE)
ERASE_SUBJECT = OperationKind("EraseSubject", lane=Lane.QUARANTINE)
APPLY_MIGRATIONS = OperationKind("ApplyMigrations", lane=Lane.MIGRATION)
ROLL_BACK_MIGRATIONS = OperationKind("RollBackMigrations", lane=Lane.MIGRATION)
PROVE_MIGRATIONS = OperationKind("ProveMigrations", lane=Lane.MIGRATION)
DETECT_DRIFT = OperationKind("DetectDrift", lane=Lane.MIGRATION)
LINT_MIGRATIONS = OperationKind("LintMigrations", lane=Lane.MIGRATION)

KINDS = (
    CREATE_BACKUP,
    PRUNE_BACKUPS,
    COPY_BACKUP,
    IMPORT_BACKUP,
    REENCRYPT_BACKUPS,
    VERIFY_BACKUP,
    RUN_DRILL,
    RESTORE_BACKUP,
    RETRY_QUARANTINE,
    PURGE_QUARANTINE,
    ERASE_SUBJECT,
    APPLY_MIGRATIONS,
    ROLL_BACK_MIGRATIONS,
    PROVE_MIGRATIONS,
    DETECT_DRIFT,
    LINT_MIGRATIONS,
)
LANES = tuple(each.value for each in Lane)
