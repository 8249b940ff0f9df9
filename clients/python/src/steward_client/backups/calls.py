"""The calls of BackupService."""

from __future__ import annotations

from dataclasses import dataclass

from google.longrunning import operations_pb2
from google.protobuf.message import Message
from steward.v1 import backup_pb2

from steward_client import protobuf_values
from steward_client.backups.keys import BackupKeys
from steward_client.backups.reencryption import Reencrypted, ReencryptProgress
from steward_client.backups.restoring import (
    Restored,
    RestoreOptions,
    RestorePlan,
    RestoreProgress,
)
from steward_client.backups.retention import (
    Pruned,
    PruneProgress,
    RetentionPlan,
    RetentionVerdict,
)
from steward_client.backups.types import (
    OPERATION_KINDS,
    STATES,
    Backup,
    BackupCopy,
    BackupOptions,
    BackupProgress,
    BackupState,
    CopyProgress,
    ImportProgress,
)
from steward_client.backups.verification import Drill, VerifiedBackup, VerifyProgress
from steward_client.backups.words import BackupRepository, value_of
from steward_client.connection.call import Call, Page, Pages, new_request_id
from steward_client.operations.calls import operation_call
from steward_client.operations.state import OperationState

SERVICE = "/steward.v1.BackupService"


def create_backup(
    database: str, description: str, options: BackupOptions | None, request_id: str | None
) -> Call[operations_pb2.Operation, OperationState[BackupProgress, Backup]]:
    """BackupService.CreateBackup, under a request_id always."""
    request = backup_pb2.CreateBackupRequest(
        database=database, description=description, request_id=request_id or new_request_id()
    )
    if options is not None:
        options.to_proto(request)
    return operation_call(f"{SERVICE}/CreateBackup", request, OPERATION_KINDS)


def copy_backup(
    name: str, request_id: str | None
) -> Call[operations_pb2.Operation, OperationState[CopyProgress, BackupCopy]]:
    """BackupService.CopyBackup, under a request_id always."""
    request = backup_pb2.CopyBackupRequest(
        name=protobuf_values.resource("backups", name), request_id=request_id or new_request_id()
    )
    return operation_call(f"{SERVICE}/CopyBackup", request, OPERATION_KINDS)


def import_backup(
    name: str, manifest_uri: str, accept_unknown_signer: bool, request_id: str | None
) -> Call[operations_pb2.Operation, OperationState[ImportProgress, Backup]]:
    """BackupService.ImportBackup, under a request_id always."""
    request = backup_pb2.ImportBackupRequest(
        name=protobuf_values.resource("backups", name) if name else "",
        manifest_uri=manifest_uri,
        accept_unknown_signer=accept_unknown_signer,
        request_id=request_id or new_request_id(),
    )
    return operation_call(f"{SERVICE}/ImportBackup", request, OPERATION_KINDS)


def verify_backup(
    name: str, amcheck: bool, request_id: str | None
) -> Call[operations_pb2.Operation, OperationState[VerifyProgress, VerifiedBackup]]:
    """BackupService.VerifyBackup, under a request_id always."""
    request = backup_pb2.VerifyBackupRequest(
        name=_backup(name), amcheck=amcheck, request_id=request_id or new_request_id()
    )
    return operation_call(f"{SERVICE}/VerifyBackup", request, OPERATION_KINDS)


def run_drill(
    database: str, request_id: str | None
) -> Call[operations_pb2.Operation, OperationState[VerifyProgress, Drill]]:
    """BackupService.RunDrill, under a request_id always."""
    request = backup_pb2.RunDrillRequest(
        database=database, request_id=request_id or new_request_id()
    )
    return operation_call(f"{SERVICE}/RunDrill", request, OPERATION_KINDS)


def list_drills(page_size: int, database: str) -> Pages[backup_pb2.ListDrillsResponse, Drill]:
    """BackupService.ListDrills."""

    def page(answer: backup_pb2.ListDrillsResponse) -> Page[Drill]:
        return Page(tuple(map(Drill.from_proto, answer.drills)), answer.next_page_token)

    return lambda token: Call(
        f"{SERVICE}/ListDrills",
        backup_pb2.ListDrillsRequest(page_size=page_size, page_token=token, database=database),
        backup_pb2.ListDrillsResponse,
        page,
    )


def get_backup(name: str) -> Call[backup_pb2.Backup, Backup]:
    """BackupService.GetBackup."""
    request = backup_pb2.GetBackupRequest(name=protobuf_values.resource("backups", name))
    return Call(f"{SERVICE}/GetBackup", request, backup_pb2.Backup, Backup.from_proto)


def get_backup_keys() -> Call[backup_pb2.BackupKeys, BackupKeys]:
    """BackupService.GetBackupKeys."""
    request = backup_pb2.GetBackupKeysRequest()
    return Call(f"{SERVICE}/GetBackupKeys", request, backup_pb2.BackupKeys, BackupKeys.from_proto)


def list_backups(
    page_size: int,
    id_prefix: str = "",
    database: str = "",
    state: BackupState | None = None,
    repository: BackupRepository = BackupRepository.FIRST,
) -> Pages[backup_pb2.ListBackupsResponse, Backup]:
    """BackupService.ListBackups."""

    def page(answer: backup_pb2.ListBackupsResponse) -> Page[Backup]:
        return Page(tuple(map(Backup.from_proto, answer.backups)), answer.next_page_token)

    return lambda token: Call(
        f"{SERVICE}/ListBackups",
        backup_pb2.ListBackupsRequest(
            page_size=page_size,
            page_token=token,
            id_prefix=id_prefix,
            database=database,
            state=_state(state),
            repository=value_of(backup_pb2.BackupRepository, repository),
        ),
        backup_pb2.ListBackupsResponse,
        page,
    )


def delete_backup(name: str, actor: str) -> Call[backup_pb2.Backup, Backup]:
    """BackupService.DeleteBackup."""
    return _changing(
        "DeleteBackup", backup_pb2.DeleteBackupRequest(name=_backup(name), actor=actor)
    )


def undelete_backup(name: str, actor: str) -> Call[backup_pb2.Backup, Backup]:
    """BackupService.UndeleteBackup."""
    return _changing(
        "UndeleteBackup", backup_pb2.UndeleteBackupRequest(name=_backup(name), actor=actor)
    )


def pin_backup(name: str, note: str, actor: str) -> Call[backup_pb2.Backup, Backup]:
    """BackupService.PinBackup."""
    request = backup_pb2.PinBackupRequest(name=_backup(name), note=note, actor=actor)
    return _changing("PinBackup", request)


def unpin_backup(name: str, actor: str) -> Call[backup_pb2.Backup, Backup]:
    """BackupService.UnpinBackup."""
    return _changing("UnpinBackup", backup_pb2.UnpinBackupRequest(name=_backup(name), actor=actor))


@dataclass(frozen=True, slots=True)
class PlanPage:
    """A page of a plan: the plan with the verdicts so far, and the token of the page after."""

    plan: RetentionPlan
    next_token: str


def get_retention_plan(
    database: str, repository: BackupRepository, before: PlanPage | None
) -> Call[backup_pb2.RetentionPlan, PlanPage]:
    """BackupService.GetRetentionPlan: the first page, or the one after a page."""
    known = before.plan.verdicts if before is not None else ()

    def page(answer: backup_pb2.RetentionPlan) -> PlanPage:
        verdicts = (*known, *map(RetentionVerdict.from_proto, answer.verdicts))
        return PlanPage(RetentionPlan.from_proto(answer, verdicts), answer.next_page_token)

    request = backup_pb2.GetRetentionPlanRequest(
        database=database,
        repository=value_of(backup_pb2.BackupRepository, repository),
        page_size=1000,
        page_token=before.next_token if before is not None else "",
    )
    return Call(f"{SERVICE}/GetRetentionPlan", request, backup_pb2.RetentionPlan, page)


def prune_backups(
    database: str, repository: BackupRepository, actor: str, request_id: str | None
) -> Call[operations_pb2.Operation, OperationState[PruneProgress, Pruned]]:
    """BackupService.PruneBackups, under a request_id always."""
    request = backup_pb2.PruneBackupsRequest(
        database=database,
        repository=value_of(backup_pb2.BackupRepository, repository),
        actor=actor,
        request_id=request_id or new_request_id(),
    )
    return operation_call(f"{SERVICE}/PruneBackups", request, OPERATION_KINDS)


def reencrypt_backups(
    actor: str, request_id: str | None
) -> Call[operations_pb2.Operation, OperationState[ReencryptProgress, Reencrypted]]:
    """BackupService.ReencryptBackups, under a request_id always."""
    request = backup_pb2.ReencryptBackupsRequest(
        actor=actor, request_id=request_id or new_request_id()
    )
    return operation_call(f"{SERVICE}/ReencryptBackups", request, OPERATION_KINDS)


def get_restore_plan(
    name: str, options: RestoreOptions | None
) -> Call[backup_pb2.RestorePlan, RestorePlan]:
    """BackupService.GetRestorePlan."""
    spec = (options or RestoreOptions()).to_proto(name)
    request = backup_pb2.GetRestorePlanRequest(restore=spec)
    return Call(
        f"{SERVICE}/GetRestorePlan", request, backup_pb2.RestorePlan, RestorePlan.from_proto
    )


def restore_backup(
    name: str, options: RestoreOptions | None, confirm: str, request_id: str | None
) -> Call[operations_pb2.Operation, OperationState[RestoreProgress, Restored]]:
    """BackupService.RestoreBackup, under a request_id always."""
    request = backup_pb2.RestoreBackupRequest(
        restore=(options or RestoreOptions()).to_proto(name),
        confirm=confirm,
        request_id=request_id or new_request_id(),
    )
    return operation_call(f"{SERVICE}/RestoreBackup", request, OPERATION_KINDS)


def _changing(method: str, request: Message) -> Call[backup_pb2.Backup, Backup]:
    return Call(f"{SERVICE}/{method}", request, backup_pb2.Backup, Backup.from_proto)


def _backup(name: str) -> str:
    return protobuf_values.resource("backups", name)


def _state(wanted: BackupState | None) -> backup_pb2.Backup.State.ValueType:
    for number, state in STATES.items():
        if state is wanted:
            return number
    return backup_pb2.Backup.STATE_UNSPECIFIED
