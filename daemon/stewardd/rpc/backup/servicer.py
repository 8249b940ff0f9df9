"""BackupService: starts backups as operations, and reads those that exist."""

from __future__ import annotations

import grpc
from google.longrunning import operations_pb2
from steward.v1 import backup_pb2, backup_pb2_grpc

from stewardd.backup.backups import Backups
from stewardd.backup.creation import BackupCreation
from stewardd.backup.manifest.backup import BackupManifest
from stewardd.rpc import names
from stewardd.rpc.backup.messages import backup_message, keys_message
from stewardd.rpc.context import Context
from stewardd.rpc.names import request_id_of, word_of
from stewardd.rpc.operations.messages import operation_message
from stewardd.rpc.pages import page_size_of

MAX_DESCRIPTION = 256


class BackupServicer(backup_pb2_grpc.BackupServiceServicer):
    """Translates; what a backup is and when it exists is said in backup/."""

    service_name = backup_pb2.DESCRIPTOR.services_by_name["BackupService"].full_name

    def __init__(self, backups: Backups, creation: BackupCreation) -> None:
        self._backups = backups
        self._creation = creation

    def add_to(self, server: grpc.aio.Server) -> None:
        """Registers the service."""
        backup_pb2_grpc.add_BackupServiceServicer_to_server(self, server)

    async def CreateBackup(
        self, request: backup_pb2.CreateBackupRequest, context: Context
    ) -> operations_pb2.Operation:
        """Starts a backup."""
        state = await self._creation.start(
            request.database,
            word_of(request.description, field="description", longest=MAX_DESCRIPTION),
            request_id_of(request.request_id),
        )
        return operation_message(state)

    async def GetBackup(
        self, request: backup_pb2.GetBackupRequest, context: Context
    ) -> backup_pb2.Backup:
        """Returns one backup."""
        return self._message(await self._backups.get(names.parse_uuid("backups", request.name)))

    async def ListBackups(
        self, request: backup_pb2.ListBackupsRequest, context: Context
    ) -> backup_pb2.ListBackupsResponse:
        """Returns a page of backups, newest first."""
        page = await self._backups.list(
            page_size_of(request.page_size), request.page_token, request.id_prefix
        )
        return backup_pb2.ListBackupsResponse(
            backups=[self._message(manifest) for manifest in page.items],
            next_page_token=page.next_page_token,
        )

    async def GetBackupKeys(
        self, request: backup_pb2.GetBackupKeysRequest, context: Context
    ) -> backup_pb2.BackupKeys:
        """Returns the public halves of the daemon's keys."""
        return keys_message(self._backups.keyring)

    def _message(self, manifest: BackupManifest) -> backup_pb2.Backup:
        return backup_message(manifest, self._backups.keyring.notices(manifest))
