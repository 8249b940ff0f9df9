"""CreateBackup as an operation: the same request_id gets the same backup, even if the call that started it died."""

from __future__ import annotations

from typing import Any

from stewardd.backup.backups import QUEUED, Backups
from stewardd.operations.kinds import CREATE_BACKUP
from stewardd.operations.operations import Operations
from stewardd.operations.running import Handle
from stewardd.operations.state import OperationState
from stewardd.repository.identifiers import uuid7


class BackupCreation:
    """What CreateBackup calls."""

    def __init__(self, operations: Operations, backups: Backups) -> None:
        self._operations = operations
        self._backups = backups

    async def start(self, database: str, description: str, request_id: str) -> OperationState:
        """Starts a backup, or returns the operation that this request_id started before.

        Raises: DatabaseUnknown, RequestIdReused, RequestInProgress, Exhausted.
        """
        name = self._backups.database_named(database)
        backup_id = uuid7()

        async def work(handle: Handle) -> dict[str, Any]:
            manifest = await self._backups.create(name, description, handle.report, backup_id)
            return manifest.to_document()

        return await self._operations.start_once(
            CREATE_BACKUP,
            request_id,
            asked={"database": name, "description": description},
            metadata={"backup": backup_id, "database": name, "phase": QUEUED},
            work=work,
        )
