"""The client's methods for backups: BackupService."""

from __future__ import annotations

from collections.abc import AsyncIterator

from steward_client.backups import calls
from steward_client.backups.keys import BackupKeys
from steward_client.backups.types import OPERATION_KINDS, Backup, BackupProgress
from steward_client.connection.async_service import AsyncService
from steward_client.operations.async_operation import AsyncOperation


class AsyncBackupMethods(AsyncService):
    """Makes and reads backups."""

    async def create_backup(
        self,
        database: str = "",
        *,
        description: str = "",
        request_id: str | None = None,
        timeout_s: float | None = None,
    ) -> AsyncOperation[BackupProgress, Backup]:
        """Begins a backup of a database (the only one where none is named).

        >>> operation = await client.create_backup(description="before the import")  # doctest: +SKIP
        >>> backup = await operation.result()  # doctest: +SKIP
        """
        call = calls.create_backup(database, description, request_id)
        state = await self._connection.call(call, timeout_s)
        return AsyncOperation(self._connection, OPERATION_KINDS, state)

    async def get_backup(self, name: str, *, timeout_s: float | None = None) -> Backup:
        """Returns one backup, by its name or its bare id."""
        return await self._connection.call(calls.get_backup(name), timeout_s)

    def list_backups(
        self, *, page_size: int = 0, id_prefix: str = "", timeout_s: float | None = None
    ) -> AsyncIterator[Backup]:
        """Yields the backups, newest first; with `id_prefix` only those whose id begins with it."""
        return self._connection.items(calls.list_backups(page_size, id_prefix), timeout_s)

    async def get_backup_keys(self, *, timeout_s: float | None = None) -> BackupKeys:
        """Returns the public halves of the keys that backups are encrypted to and signed with."""
        return await self._connection.call(calls.get_backup_keys(), timeout_s)
