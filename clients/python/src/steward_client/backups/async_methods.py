"""The client's methods for backups: BackupService."""

from __future__ import annotations

from collections.abc import AsyncIterator

from steward_client.backups import calls
from steward_client.backups.keys import BackupKeys
from steward_client.backups.reencryption import Reencrypted, ReencryptProgress
from steward_client.backups.restoring import (
    Restored,
    RestoreOptions,
    RestorePlan,
    RestoreProgress,
)
from steward_client.backups.retention import Pruned, PruneProgress, RetentionPlan
from steward_client.backups.types import (
    OPERATION_KINDS,
    Backup,
    BackupCopy,
    BackupOptions,
    BackupProgress,
    BackupState,
    CopyProgress,
    ImportProgress,
)
from steward_client.backups.verification import Drill, VerifiedBackup, VerifyProgress
from steward_client.backups.words import BackupRepository
from steward_client.connection.async_service import AsyncService
from steward_client.operations.async_operation import AsyncOperation


class AsyncBackupMethods(AsyncService):
    """Makes and reads backups."""

    async def create_backup(
        self,
        database: str = "",
        *,
        description: str = "",
        options: BackupOptions | None = None,
        request_id: str | None = None,
        timeout_s: float | None = None,
    ) -> AsyncOperation[BackupProgress, Backup]:
        """Begins a backup of a database (the only one where none is named).

        `options` choose what of it and how; what they leave out is as the daemon is configured.

        >>> operation = await client.create_backup(description="before the import")  # doctest: +SKIP
        >>> backup = await operation.result()  # doctest: +SKIP
        """
        call = calls.create_backup(database, description, options, request_id)
        state = await self._connection.call(call, timeout_s)
        return AsyncOperation(self._connection, OPERATION_KINDS, state)

    async def copy_backup(
        self, name: str, *, request_id: str | None = None, timeout_s: float | None = None
    ) -> AsyncOperation[CopyProgress, BackupCopy]:
        """Begins to copy a backup into the second repository, as the daemon does after each. Raises NotNow."""
        state = await self._connection.call(calls.copy_backup(name, request_id), timeout_s)
        return AsyncOperation(self._connection, OPERATION_KINDS, state)

    async def import_backup(
        self,
        name: str = "",
        *,
        manifest_uri: str = "",
        accept_unknown_signer: bool = False,
        request_id: str | None = None,
        timeout_s: float | None = None,
    ) -> AsyncOperation[ImportProgress, Backup]:
        """Begins to import a backup: `name` from the second repository, or the one of a manifest below an import root.

        One that nobody trusted has signed is refused unless `accept_unknown_signer`. Raises NotNow.
        """
        call = calls.import_backup(name, manifest_uri, accept_unknown_signer, request_id)
        state = await self._connection.call(call, timeout_s)
        return AsyncOperation(self._connection, OPERATION_KINDS, state)

    async def verify_backup(
        self,
        name: str,
        *,
        amcheck: bool = False,
        request_id: str | None = None,
        timeout_s: float | None = None,
    ) -> AsyncOperation[VerifyProgress, VerifiedBackup]:
        """Begins to restore a backup into a private server and to compare it, as the daemon does after each.

        With `amcheck` the tables and indexes of the source database are checked for damage too. A corrupt backup is a
        result, and no error. Raises NotNow.
        """
        call = calls.verify_backup(name, amcheck, request_id)
        state = await self._connection.call(call, timeout_s)
        return AsyncOperation(self._connection, OPERATION_KINDS, state)

    async def run_drill(
        self,
        database: str = "",
        *,
        request_id: str | None = None,
        timeout_s: float | None = None,
    ) -> AsyncOperation[VerifyProgress, Drill]:
        """Begins a drill: restores the newest verified backup of a database, and keeps how long that took.

        Raises NotNow.
        """
        state = await self._connection.call(calls.run_drill(database, request_id), timeout_s)
        return AsyncOperation(self._connection, OPERATION_KINDS, state)

    def list_drills(
        self, database: str = "", *, page_size: int = 0, timeout_s: float | None = None
    ) -> AsyncIterator[Drill]:
        """Yields the drills, newest first: of one database or of all."""
        return self._connection.items(calls.list_drills(page_size, database), timeout_s)

    async def get_backup(self, name: str, *, timeout_s: float | None = None) -> Backup:
        """Returns one backup, by its name or its bare id."""
        return await self._connection.call(calls.get_backup(name), timeout_s)

    def list_backups(
        self,
        *,
        database: str = "",
        state: BackupState | None = None,
        repository: BackupRepository = BackupRepository.FIRST,
        page_size: int = 0,
        id_prefix: str = "",
        timeout_s: float | None = None,
    ) -> AsyncIterator[Backup]:
        """Yields the backups, newest first: of one database or of all; those that are not deleted, or those that are.

        With `id_prefix` only those whose id begins with it. From the second repository: the copies that lie there.
        """
        call = calls.list_backups(page_size, id_prefix, database, state, repository)
        return self._connection.items(call, timeout_s)

    async def delete_backup(
        self, name: str, *, actor: str = "", timeout_s: float | None = None
    ) -> Backup:
        """Deletes a backup; its data are removed at its `purge_time`. Raises NotNow."""
        return await self._connection.call(calls.delete_backup(name, actor), timeout_s)

    async def undelete_backup(
        self, name: str, *, actor: str = "", timeout_s: float | None = None
    ) -> Backup:
        """Has a deleted backup back, as long as its data are there. Raises NotNow."""
        return await self._connection.call(calls.undelete_backup(name, actor), timeout_s)

    async def pin_backup(
        self, name: str, *, note: str = "", actor: str = "", timeout_s: float | None = None
    ) -> Backup:
        """Pins a backup, so that neither a rule nor a call deletes it. Raises NotNow."""
        return await self._connection.call(calls.pin_backup(name, note, actor), timeout_s)

    async def unpin_backup(
        self, name: str, *, actor: str = "", timeout_s: float | None = None
    ) -> Backup:
        """Unpins a backup."""
        return await self._connection.call(calls.unpin_backup(name, actor), timeout_s)

    async def get_retention_plan(
        self,
        database: str = "",
        *,
        repository: BackupRepository = BackupRepository.FIRST,
        timeout_s: float | None = None,
    ) -> RetentionPlan:
        """Says what the retention of a database would do now with each backup of a repository, and why."""
        call = calls.get_retention_plan(database, repository, None)
        page = await self._connection.call(call, timeout_s)
        while page.next_token:
            call = calls.get_retention_plan(database, repository, page)
            page = await self._connection.call(call, timeout_s)
        return page.plan

    async def prune_backups(
        self,
        database: str = "",
        *,
        repository: BackupRepository = BackupRepository.FIRST,
        actor: str = "",
        request_id: str | None = None,
        timeout_s: float | None = None,
    ) -> AsyncOperation[PruneProgress, Pruned]:
        """Begins to apply the retention of a database, or of all, in a repository, as the daemon does by itself."""
        call = calls.prune_backups(database, repository, actor, request_id)
        state = await self._connection.call(call, timeout_s)
        return AsyncOperation(self._connection, OPERATION_KINDS, state)

    async def reencrypt_backups(
        self, *, actor: str = "", request_id: str | None = None, timeout_s: float | None = None
    ) -> AsyncOperation[ReencryptProgress, Reencrypted]:
        """Begins to replace the backups that are not encrypted to exactly the configured recipients. Raises NotNow."""
        call = calls.reencrypt_backups(actor, request_id)
        state = await self._connection.call(call, timeout_s)
        return AsyncOperation(self._connection, OPERATION_KINDS, state)

    async def get_restore_plan(
        self,
        name: str = "",
        *,
        options: RestoreOptions | None = None,
        timeout_s: float | None = None,
    ) -> RestorePlan:
        """Says what a restore of a backup would do, and what stands in its way.

        Without a name, `options.dump_uri` says which dump of others is meant.
        """
        return await self._connection.call(calls.get_restore_plan(name, options), timeout_s)

    async def restore_backup(
        self,
        name: str = "",
        *,
        options: RestoreOptions | None = None,
        confirm: str = "",
        request_id: str | None = None,
        timeout_s: float | None = None,
    ) -> AsyncOperation[RestoreProgress, Restored]:
        """Begins to restore a backup into a new database, or where `options` say. Raises NotNow.

        Where the live database is replaced, `confirm` repeats its name on the server. Without a name,
        `options.dump_uri` says which dump of others is restored.

        >>> operation = await client.restore_backup("backups/019a…")  # doctest: +SKIP
        >>> (await operation.result()).target_database  # doctest: +SKIP
        """
        call = calls.restore_backup(name, options, confirm, request_id)
        state = await self._connection.call(call, timeout_s)
        return AsyncOperation(self._connection, OPERATION_KINDS, state)

    async def get_backup_keys(self, *, timeout_s: float | None = None) -> BackupKeys:
        """Returns the public halves of the keys that backups are encrypted to and signed with."""
        return await self._connection.call(calls.get_backup_keys(), timeout_s)
