"""The Python SDK of steward: `Client` for plain code, `AsyncClient` for asyncio.

Names are loaded when they are first used: `steward --help` imports this package as well, and must not pay for gRPC.

>>> from steward_client import Client
>>> with Client("localhost:50551") as client:  # doctest: +SKIP
...     batch = client.validate_file("sessions.csv")
...     print(batch.valid_rows, "of", batch.total_rows)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from steward_client.async_client import AsyncClient as AsyncClient
    from steward_client.backups.keys import BackupKeys as BackupKeys
    from steward_client.backups.reencryption import Reencrypted as Reencrypted
    from steward_client.backups.reencryption import ReencryptProgress as ReencryptProgress
    from steward_client.backups.reencryption import SkippedBackup as SkippedBackup
    from steward_client.backups.restoring import DumpFile as DumpFile
    from steward_client.backups.restoring import DumpForm as DumpForm
    from steward_client.backups.restoring import DumpPacking as DumpPacking
    from steward_client.backups.restoring import RestoreBlocker as RestoreBlocker
    from steward_client.backups.restoring import Restored as Restored
    from steward_client.backups.restoring import RestoreMode as RestoreMode
    from steward_client.backups.restoring import RestoreOptions as RestoreOptions
    from steward_client.backups.restoring import RestorePhase as RestorePhase
    from steward_client.backups.restoring import RestorePlan as RestorePlan
    from steward_client.backups.restoring import RestoreProgress as RestoreProgress
    from steward_client.backups.restoring import RestoreRoles as RestoreRoles
    from steward_client.backups.retention import Pruned as Pruned
    from steward_client.backups.retention import PruneProgress as PruneProgress
    from steward_client.backups.retention import RetentionPlan as RetentionPlan
    from steward_client.backups.retention import RetentionPolicy as RetentionPolicy
    from steward_client.backups.retention import RetentionVerdict as RetentionVerdict
    from steward_client.backups.types import Backup as Backup
    from steward_client.backups.types import BackupCopy as BackupCopy
    from steward_client.backups.types import BackupOptions as BackupOptions
    from steward_client.backups.types import BackupPhase as BackupPhase
    from steward_client.backups.types import BackupProgress as BackupProgress
    from steward_client.backups.types import BackupSelection as BackupSelection
    from steward_client.backups.types import BackupSource as BackupSource
    from steward_client.backups.types import BackupState as BackupState
    from steward_client.backups.types import CopyProgress as CopyProgress
    from steward_client.backups.types import ImportProgress as ImportProgress
    from steward_client.backups.types import Segment as Segment
    from steward_client.backups.verification import BackupVerification as BackupVerification
    from steward_client.backups.verification import Drill as Drill
    from steward_client.backups.verification import SourceCheck as SourceCheck
    from steward_client.backups.verification import VerifiedBackup as VerifiedBackup
    from steward_client.backups.verification import VerifyPhase as VerifyPhase
    from steward_client.backups.verification import VerifyProgress as VerifyProgress
    from steward_client.backups.words import BackupCompression as BackupCompression
    from steward_client.backups.words import BackupForm as BackupForm
    from steward_client.backups.words import BackupGlobals as BackupGlobals
    from steward_client.backups.words import BackupProof as BackupProof
    from steward_client.backups.words import BackupProofMode as BackupProofMode
    from steward_client.backups.words import BackupRepository as BackupRepository
    from steward_client.backups.words import SourceOutcome as SourceOutcome
    from steward_client.client import Client as Client
    from steward_client.connection.retry import RetryPolicy as RetryPolicy
    from steward_client.databases.types import BreakerState as BreakerState
    from steward_client.databases.types import CircuitBreaker as CircuitBreaker
    from steward_client.databases.types import ConnectionLeak as ConnectionLeak
    from steward_client.databases.types import ConnectionPool as ConnectionPool
    from steward_client.databases.types import Database as Database
    from steward_client.databases.types import DatabaseServer as DatabaseServer
    from steward_client.databases.types import ServerRole as ServerRole
    from steward_client.databases.types import ServerState as ServerState
    from steward_client.errors import StewardError as StewardError
    from steward_client.health.types import Component as Component
    from steward_client.health.types import Health as Health
    from steward_client.health.types import HealthState as HealthState
    from steward_client.migrations.diagram import Diagram as Diagram
    from steward_client.migrations.drift import Drift as Drift
    from steward_client.migrations.drift import DriftDifference as DriftDifference
    from steward_client.migrations.drift import DriftProgress as DriftProgress
    from steward_client.migrations.dry_run import DryLock as DryLock
    from steward_client.migrations.dry_run import DryStatement as DryStatement
    from steward_client.migrations.lint import Linted as Linted
    from steward_client.migrations.lint import LintFinding as LintFinding
    from steward_client.migrations.lint import LintProgress as LintProgress
    from steward_client.migrations.types import LostValues as LostValues
    from steward_client.migrations.types import Migrated as Migrated
    from steward_client.migrations.types import MigratedStep as MigratedStep
    from steward_client.migrations.types import MigrateProgress as MigrateProgress
    from steward_client.migrations.types import Migration as Migration
    from steward_client.migrations.types import MigrationPhase as MigrationPhase
    from steward_client.migrations.types import MigrationProof as MigrationProof
    from steward_client.migrations.types import MigrationState as MigrationState
    from steward_client.migrations.types import MigrationStatus as MigrationStatus
    from steward_client.migrations.types import ProofOutcome as ProofOutcome
    from steward_client.migrations.types import Proved as Proved
    from steward_client.migrations.types import ProveProgress as ProveProgress
    from steward_client.operations.async_operation import AsyncOperation as AsyncOperation
    from steward_client.operations.operation import Operation as Operation
    from steward_client.operations.state import OperationState as OperationState
    from steward_client.quarantine.exports import Export as Export
    from steward_client.quarantine.exports import ExportedFile as ExportedFile
    from steward_client.quarantine.exports import ExportFormat as ExportFormat
    from steward_client.quarantine.outcomes import Discarded as Discarded
    from steward_client.quarantine.outcomes import ErasedSubject as ErasedSubject
    from steward_client.quarantine.outcomes import Purged as Purged
    from steward_client.quarantine.outcomes import QuarantineProgress as QuarantineProgress
    from steward_client.quarantine.outcomes import Retried as Retried
    from steward_client.quarantine.resubmission import DamagedCell as DamagedCell
    from steward_client.quarantine.resubmission import Resubmitted as Resubmitted
    from steward_client.quarantine.rows import Cell as Cell
    from steward_client.quarantine.rows import QuarantinedRow as QuarantinedRow
    from steward_client.quarantine.rows import RowAction as RowAction
    from steward_client.quarantine.rows import RowEvent as RowEvent
    from steward_client.quarantine.rows import Violation as Violation
    from steward_client.quarantine.statistics import Day as Day
    from steward_client.quarantine.statistics import QuarantineStats as QuarantineStats
    from steward_client.quarantine.statistics import TopValue as TopValue
    from steward_client.schedules.types import Schedule as Schedule
    from steward_client.schedules.types import ScheduleRun as ScheduleRun
    from steward_client.validation.batch_filter import BatchFilter as BatchFilter
    from steward_client.validation.batches import Accepted as Accepted
    from steward_client.validation.batches import Batch as Batch
    from steward_client.validation.batches import BatchFile as BatchFile
    from steward_client.validation.batches import Progress as Progress
    from steward_client.validation.payloads import CloudEvent as CloudEvent
    from steward_client.validation.payloads import PayloadVerdict as PayloadVerdict
    from steward_client.validation.payloads import PayloadViolation as PayloadViolation
    from steward_client.validation.row_state import RowState as RowState
    from steward_client.validation.schemas import Column as Column
    from steward_client.validation.schemas import Detection as Detection
    from steward_client.validation.schemas import Member as Member
    from steward_client.validation.schemas import Schema as Schema
    from steward_client.validation.schemas import SchemaKind as SchemaKind

__version__ = "0.1.0"

_HOMES = {
    "Accepted": "validation.batches",
    "AsyncClient": "async_client",
    "AsyncOperation": "operations.async_operation",
    "Backup": "backups.types",
    "BackupCompression": "backups.words",
    "BackupCopy": "backups.types",
    "BackupForm": "backups.words",
    "BackupGlobals": "backups.words",
    "BackupKeys": "backups.keys",
    "BackupOptions": "backups.types",
    "BackupPhase": "backups.types",
    "BackupProgress": "backups.types",
    "BackupProof": "backups.words",
    "BackupProofMode": "backups.words",
    "BackupRepository": "backups.words",
    "BackupSelection": "backups.types",
    "BackupSource": "backups.types",
    "BackupState": "backups.types",
    "BackupVerification": "backups.verification",
    "Batch": "validation.batches",
    "BatchFile": "validation.batches",
    "BatchFilter": "validation.batch_filter",
    "BreakerState": "databases.types",
    "Cell": "quarantine.rows",
    "CircuitBreaker": "databases.types",
    "Client": "client",
    "CloudEvent": "validation.payloads",
    "Column": "validation.schemas",
    "Component": "health.types",
    "ConnectionLeak": "databases.types",
    "ConnectionPool": "databases.types",
    "CopyProgress": "backups.types",
    "DamagedCell": "quarantine.resubmission",
    "Database": "databases.types",
    "DatabaseServer": "databases.types",
    "Day": "quarantine.statistics",
    "Detection": "validation.schemas",
    "Diagram": "migrations.diagram",
    "Discarded": "quarantine.outcomes",
    "Drift": "migrations.drift",
    "DriftDifference": "migrations.drift",
    "DriftProgress": "migrations.drift",
    "Drill": "backups.verification",
    "DryLock": "migrations.dry_run",
    "DryStatement": "migrations.dry_run",
    "DumpFile": "backups.restoring",
    "DumpForm": "backups.restoring",
    "DumpPacking": "backups.restoring",
    "ErasedSubject": "quarantine.outcomes",
    "Export": "quarantine.exports",
    "ExportFormat": "quarantine.exports",
    "ExportedFile": "quarantine.exports",
    "Health": "health.types",
    "HealthState": "health.types",
    "ImportProgress": "backups.types",
    "LintFinding": "migrations.lint",
    "LintProgress": "migrations.lint",
    "Linted": "migrations.lint",
    "LostValues": "migrations.types",
    "Member": "validation.schemas",
    "MigrateProgress": "migrations.types",
    "Migrated": "migrations.types",
    "MigratedStep": "migrations.types",
    "Migration": "migrations.types",
    "MigrationPhase": "migrations.types",
    "MigrationProof": "migrations.types",
    "MigrationState": "migrations.types",
    "MigrationStatus": "migrations.types",
    "Operation": "operations.operation",
    "OperationState": "operations.state",
    "PayloadVerdict": "validation.payloads",
    "PayloadViolation": "validation.payloads",
    "Progress": "validation.batches",
    "ProofOutcome": "migrations.types",
    "ProveProgress": "migrations.types",
    "Proved": "migrations.types",
    "PruneProgress": "backups.retention",
    "Pruned": "backups.retention",
    "Purged": "quarantine.outcomes",
    "QuarantineProgress": "quarantine.outcomes",
    "QuarantineStats": "quarantine.statistics",
    "QuarantinedRow": "quarantine.rows",
    "ReencryptProgress": "backups.reencryption",
    "Reencrypted": "backups.reencryption",
    "RestoreBlocker": "backups.restoring",
    "RestoreMode": "backups.restoring",
    "RestoreOptions": "backups.restoring",
    "RestorePhase": "backups.restoring",
    "RestorePlan": "backups.restoring",
    "RestoreProgress": "backups.restoring",
    "RestoreRoles": "backups.restoring",
    "Restored": "backups.restoring",
    "Resubmitted": "quarantine.resubmission",
    "RetentionPlan": "backups.retention",
    "RetentionPolicy": "backups.retention",
    "RetentionVerdict": "backups.retention",
    "Retried": "quarantine.outcomes",
    "RetryPolicy": "connection.retry",
    "RowAction": "quarantine.rows",
    "RowEvent": "quarantine.rows",
    "RowState": "validation.row_state",
    "Schedule": "schedules.types",
    "ScheduleRun": "schedules.types",
    "Schema": "validation.schemas",
    "SchemaKind": "validation.schemas",
    "Segment": "backups.types",
    "ServerRole": "databases.types",
    "ServerState": "databases.types",
    "SkippedBackup": "backups.reencryption",
    "SourceCheck": "backups.verification",
    "SourceOutcome": "backups.words",
    "StewardError": "errors",
    "TopValue": "quarantine.statistics",
    "VerifiedBackup": "backups.verification",
    "VerifyPhase": "backups.verification",
    "VerifyProgress": "backups.verification",
    "Violation": "quarantine.rows",
}

__all__ = [  # noqa: PLE0604, RUF100 - the names come from the table above, which a test holds to the imports
    "__version__",
    *_HOMES,
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
