"""The calls of BackupService."""

from __future__ import annotations

from google.longrunning import operations_pb2
from steward.v1 import backup_pb2

from steward_client import protobuf_values
from steward_client.backups.keys import BackupKeys
from steward_client.backups.types import OPERATION_KINDS, Backup, BackupProgress
from steward_client.connection.call import Call, Page, Pages, new_request_id
from steward_client.operations.calls import operation_call
from steward_client.operations.state import OperationState

SERVICE = "/steward.v1.BackupService"


def create_backup(
    database: str, description: str, request_id: str | None
) -> Call[operations_pb2.Operation, OperationState[BackupProgress, Backup]]:
    """BackupService.CreateBackup, under a request_id always."""
    request = backup_pb2.CreateBackupRequest(
        database=database, description=description, request_id=request_id or new_request_id()
    )
    return operation_call(f"{SERVICE}/CreateBackup", request, OPERATION_KINDS)


def get_backup(name: str) -> Call[backup_pb2.Backup, Backup]:
    """BackupService.GetBackup."""
    request = backup_pb2.GetBackupRequest(name=protobuf_values.resource("backups", name))
    return Call(f"{SERVICE}/GetBackup", request, backup_pb2.Backup, Backup.from_proto)


def get_backup_keys() -> Call[backup_pb2.BackupKeys, BackupKeys]:
    """BackupService.GetBackupKeys."""
    request = backup_pb2.GetBackupKeysRequest()
    return Call(f"{SERVICE}/GetBackupKeys", request, backup_pb2.BackupKeys, BackupKeys.from_proto)


def list_backups(
    page_size: int, id_prefix: str = ""
) -> Pages[backup_pb2.ListBackupsResponse, Backup]:
    """BackupService.ListBackups."""

    def page(answer: backup_pb2.ListBackupsResponse) -> Page[Backup]:
        return Page(tuple(map(Backup.from_proto, answer.backups)), answer.next_page_token)

    return lambda token: Call(
        f"{SERVICE}/ListBackups",
        backup_pb2.ListBackupsRequest(page_size=page_size, page_token=token, id_prefix=id_prefix),
        backup_pb2.ListBackupsResponse,
        page,
    )
