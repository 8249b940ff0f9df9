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
    from steward_client.aio.operations import AsyncOperation as AsyncOperation
    from steward_client.async_client import AsyncClient as AsyncClient
    from steward_client.backups import Backup as Backup
    from steward_client.backups import BackupPhase as BackupPhase
    from steward_client.backups import BackupProgress as BackupProgress
    from steward_client.backups import Segment as Segment
    from steward_client.batch_filter import BatchFilter as BatchFilter
    from steward_client.batch_filter import RowState as RowState
    from steward_client.batches import Accepted as Accepted
    from steward_client.batches import Batch as Batch
    from steward_client.batches import BatchFile as BatchFile
    from steward_client.batches import Progress as Progress
    from steward_client.client import Client as Client
    from steward_client.errors import StewardError as StewardError
    from steward_client.exports import Export as Export
    from steward_client.exports import ExportedFile as ExportedFile
    from steward_client.exports import ExportFormat as ExportFormat
    from steward_client.health import Component as Component
    from steward_client.health import Health as Health
    from steward_client.health import HealthState as HealthState
    from steward_client.operations import OperationState as OperationState
    from steward_client.plain.operations import Operation as Operation
    from steward_client.quarantine import Cell as Cell
    from steward_client.quarantine import QuarantinedRow as QuarantinedRow
    from steward_client.quarantine import RowAction as RowAction
    from steward_client.quarantine import RowEvent as RowEvent
    from steward_client.quarantine import Violation as Violation
    from steward_client.retry import RetryPolicy as RetryPolicy
    from steward_client.schemas import Column as Column
    from steward_client.schemas import Detection as Detection
    from steward_client.schemas import Schema as Schema
    from steward_client.sheet import Discarded as Discarded
    from steward_client.sheet import Resubmitted as Resubmitted
    from steward_client.statistics import Day as Day
    from steward_client.statistics import QuarantineStats as QuarantineStats
    from steward_client.statistics import TopValue as TopValue
    from steward_client.upkeep import ErasedSubject as ErasedSubject
    from steward_client.upkeep import Purged as Purged
    from steward_client.upkeep import QuarantineProgress as QuarantineProgress
    from steward_client.upkeep import Retried as Retried

__version__ = "0.1.0"

_HOMES = {
    "Accepted": "batches",
    "AsyncClient": "async_client",
    "AsyncOperation": "aio.operations",
    "Backup": "backups",
    "BackupPhase": "backups",
    "BackupProgress": "backups",
    "Batch": "batches",
    "BatchFile": "batches",
    "BatchFilter": "batch_filter",
    "Cell": "quarantine",
    "Client": "client",
    "Column": "schemas",
    "Component": "health",
    "Day": "statistics",
    "Detection": "schemas",
    "Discarded": "sheet",
    "ErasedSubject": "upkeep",
    "Export": "exports",
    "ExportFormat": "exports",
    "ExportedFile": "exports",
    "Health": "health",
    "HealthState": "health",
    "Operation": "plain.operations",
    "OperationState": "operations",
    "Progress": "batches",
    "Purged": "upkeep",
    "QuarantineProgress": "upkeep",
    "QuarantineStats": "statistics",
    "QuarantinedRow": "quarantine",
    "Resubmitted": "sheet",
    "Retried": "upkeep",
    "RetryPolicy": "retry",
    "RowAction": "quarantine",
    "RowEvent": "quarantine",
    "RowState": "batch_filter",
    "Schema": "schemas",
    "Segment": "backups",
    "StewardError": "errors",
    "TopValue": "statistics",
    "Violation": "quarantine",
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
