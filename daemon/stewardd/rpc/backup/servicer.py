"""BackupService: starts backups as operations, and reads those that exist."""

from __future__ import annotations

import grpc
from google.longrunning import operations_pb2
from steward.v1 import backup_pb2, backup_pb2_grpc

from stewardd.backup.copying.operation import BackupCopying, BackupImporting
from stewardd.backup.creation import BackupCreation
from stewardd.backup.deletion import BackupDeletion, PinRequest
from stewardd.backup.keys.keyring import Keyring
from stewardd.backup.listing import ListedBackup
from stewardd.backup.prune_operation import PruneOperation
from stewardd.backup.reencryption.operation import ReencryptOperation
from stewardd.backup.repositories import BackupListings, RepositoryName, Retentions
from stewardd.backup.restoring.operation import BackupRestoring
from stewardd.backup.verifying.drills import DrillBook, Drills
from stewardd.backup.verifying.verification import BackupVerification
from stewardd.errors import InvalidRequest
from stewardd.rpc import names
from stewardd.rpc.backup.asked import asked_of
from stewardd.rpc.backup.messages import backup_message, keys_message
from stewardd.rpc.backup.restoring import restore_plan_message, restore_request_of
from stewardd.rpc.backup.retention import backup_filter_of, plan_message, repository_of
from stewardd.rpc.backup.verification import drill_message
from stewardd.rpc.context import Context
from stewardd.rpc.names import actor_of, request_id_of, word_of
from stewardd.rpc.operations.messages import operation_message
from stewardd.rpc.pages import page_size_of

MAX_DESCRIPTION = 256
MAX_URI = 4096


class BackupServicer(backup_pb2_grpc.BackupServiceServicer):
    """Translates; what a backup is and when it exists is said in backup/."""

    service_name = backup_pb2.DESCRIPTOR.services_by_name["BackupService"].full_name

    def __init__(
        self,
        creation: BackupCreation,
        copying: BackupCopying,
        importing: BackupImporting,
        listings: BackupListings,
        deletion: BackupDeletion,
        retentions: Retentions,
        prune_operation: PruneOperation,
        reencryption: ReencryptOperation,
        verification: BackupVerification,
        drills: Drills,
        drill_book: DrillBook,
        restoring: BackupRestoring,
        keyring: Keyring,
    ) -> None:
        self._creation = creation
        self._copying = copying
        self._importing = importing
        self._listings = listings
        self._deletion = deletion
        self._retentions = retentions
        self._prune_operation = prune_operation
        self._reencryption = reencryption
        self._verification = verification
        self._drills = drills
        self._drill_book = drill_book
        self._restoring = restoring
        self._keyring = keyring

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
            asked_of(request),
        )
        return operation_message(state)

    async def CopyBackup(
        self, request: backup_pb2.CopyBackupRequest, context: Context
    ) -> operations_pb2.Operation:
        """Starts to copy a backup into the second repository."""
        state = await self._copying.start(
            names.parse_uuid("backups", request.name), request_id_of(request.request_id)
        )
        return operation_message(state)

    async def ImportBackup(
        self, request: backup_pb2.ImportBackupRequest, context: Context
    ) -> operations_pb2.Operation:
        """Starts to import a backup."""
        if bool(request.name) == bool(request.manifest_uri):
            raise InvalidRequest("one of name and manifest_uri has to be given", field="name")
        state = await self._importing.start(
            names.parse_uuid("backups", request.name) if request.name else "",
            word_of(request.manifest_uri, field="manifest_uri", longest=MAX_URI),
            request_id_of(request.request_id),
            accept_unknown_signer=request.accept_unknown_signer,
        )
        return operation_message(state)

    async def VerifyBackup(
        self, request: backup_pb2.VerifyBackupRequest, context: Context
    ) -> operations_pb2.Operation:
        """Starts a trial of a backup."""
        state = await self._verification.start(
            names.parse_uuid("backups", request.name),
            request_id_of(request.request_id),
            checks_source=request.amcheck,
        )
        return operation_message(state)

    async def RunDrill(
        self, request: backup_pb2.RunDrillRequest, context: Context
    ) -> operations_pb2.Operation:
        """Starts a drill."""
        database = self._creation.database_named(request.database)
        state = await self._drills.start(database, request_id_of(request.request_id))
        return operation_message(state)

    async def ListDrills(
        self, request: backup_pb2.ListDrillsRequest, context: Context
    ) -> backup_pb2.ListDrillsResponse:
        """Returns a page of drills, newest first."""
        page = await self._drill_book.page(
            names.word_of(request.database, field="database"),
            page_size=page_size_of(request.page_size),
            page_token=request.page_token,
        )
        return backup_pb2.ListDrillsResponse(
            drills=[drill_message(each) for each in page.items],
            next_page_token=page.next_page_token,
        )

    async def GetBackup(
        self, request: backup_pb2.GetBackupRequest, context: Context
    ) -> backup_pb2.Backup:
        """Returns one backup."""
        return await self._backup(names.parse_uuid("backups", request.name))

    async def ListBackups(
        self, request: backup_pb2.ListBackupsRequest, context: Context
    ) -> backup_pb2.ListBackupsResponse:
        """Returns a page of backups, newest first."""
        listing = await self._listings.of(repository_of(request.repository))
        page = await listing.page(
            backup_filter_of(request),
            page_size=page_size_of(request.page_size),
            page_token=request.page_token,
            id_prefix=request.id_prefix,
        )
        return backup_pb2.ListBackupsResponse(
            backups=[self._message(each) for each in page.items],
            next_page_token=page.next_page_token,
        )

    async def GetBackupKeys(
        self, request: backup_pb2.GetBackupKeysRequest, context: Context
    ) -> backup_pb2.BackupKeys:
        """Returns the public halves of the daemon's keys."""
        return keys_message(self._keyring)

    async def DeleteBackup(
        self, request: backup_pb2.DeleteBackupRequest, context: Context
    ) -> backup_pb2.Backup:
        """Marks a backup as deleted."""
        backup_id = names.parse_uuid("backups", request.name)
        await self._deletion.delete(backup_id, actor_of(request.actor))
        return await self._backup(backup_id)

    async def UndeleteBackup(
        self, request: backup_pb2.UndeleteBackupRequest, context: Context
    ) -> backup_pb2.Backup:
        """Takes the mark back."""
        backup_id = names.parse_uuid("backups", request.name)
        await self._deletion.undelete(backup_id, actor_of(request.actor))
        return await self._backup(backup_id)

    async def PinBackup(
        self, request: backup_pb2.PinBackupRequest, context: Context
    ) -> backup_pb2.Backup:
        """Pins a backup."""
        note = word_of(request.note, field="note", longest=MAX_DESCRIPTION)
        return await self._pin(request.name, PinRequest(True, note, actor_of(request.actor)))

    async def UnpinBackup(
        self, request: backup_pb2.UnpinBackupRequest, context: Context
    ) -> backup_pb2.Backup:
        """Unpins a backup."""
        return await self._pin(request.name, PinRequest(False, "", actor_of(request.actor)))

    async def GetRetentionPlan(
        self, request: backup_pb2.GetRetentionPlanRequest, context: Context
    ) -> backup_pb2.RetentionPlan:
        """Returns what the retention of a database would do now."""
        repository = repository_of(request.repository)
        pruning = await self._retentions.of(repository)
        planned = pruning.same_plan if request.page_token else pruning.plan
        return plan_message(await planned(request.database), repository, request)

    async def PruneBackups(
        self, request: backup_pb2.PruneBackupsRequest, context: Context
    ) -> operations_pb2.Operation:
        """Starts a pruning."""
        state = await self._prune_operation.start(
            request.database,
            repository_of(request.repository),
            actor_of(request.actor),
            request_id_of(request.request_id),
        )
        return operation_message(state)

    async def ReencryptBackups(
        self, request: backup_pb2.ReencryptBackupsRequest, context: Context
    ) -> operations_pb2.Operation:
        """Starts to encrypt backups anew."""
        state = await self._reencryption.start(
            actor_of(request.actor), request_id_of(request.request_id)
        )
        return operation_message(state)

    async def GetRestorePlan(
        self, request: backup_pb2.GetRestorePlanRequest, context: Context
    ) -> backup_pb2.RestorePlan:
        """Returns what a restore would do."""
        plan = await self._restoring.plan(restore_request_of(request.restore))
        return restore_plan_message(plan, await self._restoring.last_elapsed_s(plan.database))

    async def RestoreBackup(
        self, request: backup_pb2.RestoreBackupRequest, context: Context
    ) -> operations_pb2.Operation:
        """Starts a restore."""
        state = await self._restoring.start(
            restore_request_of(request.restore), request.confirm, request_id_of(request.request_id)
        )
        return operation_message(state)

    async def _pin(self, name: str, wanted: PinRequest) -> backup_pb2.Backup:
        backup_id = names.parse_uuid("backups", name)
        await self._deletion.pin(backup_id, wanted)
        return await self._backup(backup_id)

    async def _backup(self, backup_id: str) -> backup_pb2.Backup:
        listing = await self._listings.of(RepositoryName.FIRST)
        return self._message(await listing.get(backup_id))

    def _message(self, found: ListedBackup) -> backup_pb2.Backup:
        notices = self._keyring.notices(found.manifest)
        return backup_message(found.manifest, notices, found.state, found.proof, found.purge_time)
