"""Every call of the contract as a value: where it goes, what it sends, and what is made of the answer.

Both clients are made of these; what differs between them is only how the bytes move. Adding an RPC is one function
here (or, for the quarantine, in quarantine_calls.py) and one method in each client.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from google.longrunning import operations_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from steward.v1 import backup_pb2, operation_pb2, system_pb2, validation_pb2

from steward_client import wire
from steward_client.backups import Backup, BackupProgress
from steward_client.batch_filter import BatchFilter
from steward_client.batches import Batch
from steward_client.errors import InvalidRequest
from steward_client.health import Health
from steward_client.operations import OperationState
from steward_client.schemas import Detection, Schema

M = TypeVar("M", bound=Message)
T = TypeVar("T")

VALIDATION = "/steward.v1.ValidationService"
QUARANTINE = "/steward.v1.QuarantineService"
_BACKUP = "/steward.v1.BackupService"
_SYSTEM = "/steward.v1.SystemService"
_OPERATION = "/steward.v1.OperationService"
_OPERATIONS = "/google.longrunning.Operations"


@dataclass(frozen=True, slots=True)
class Call(Generic[M, T]):
    """One request with one answer, or with a stream of answers: `result` is made of each."""

    path: str
    request: Message
    answer: type[M]
    result: Callable[[M], T]


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A page of a listing; `next_token` is empty on the last."""

    items: tuple[T, ...]
    next_token: str


Pages = Callable[[str], Call[M, Page[T]]]
"""From a page token to the call for that page."""


def new_request_id() -> str:
    """Returns an id that no other request has."""
    return str(uuid.uuid4())


def get_batch(name: str) -> Call[validation_pb2.Batch, Batch]:
    """ValidationService.GetBatch."""
    request = validation_pb2.GetBatchRequest(name=wire.resource("batches", name))
    return Call(f"{VALIDATION}/GetBatch", request, validation_pb2.Batch, Batch.from_proto)


def list_batches(
    page_size: int, batches: BatchFilter | None
) -> Pages[validation_pb2.ListBatchesResponse, Batch]:
    """ValidationService.ListBatches."""
    wanted = None if batches is None else batches.to_proto()

    def page(answer: validation_pb2.ListBatchesResponse) -> Page[Batch]:
        return Page(tuple(map(Batch.from_proto, answer.batches)), answer.next_page_token)

    return lambda token: Call(
        f"{VALIDATION}/ListBatches",
        validation_pb2.ListBatchesRequest(page_size=page_size, page_token=token, filter=wanted),
        validation_pb2.ListBatchesResponse,
        page,
    )


def download_batch_file(
    name: str, offset_bytes: int
) -> Call[validation_pb2.DownloadBatchFileResponse, bytes]:
    """ValidationService.DownloadBatchFile: the bytes from an offset on."""
    return Call(
        f"{VALIDATION}/DownloadBatchFile",
        validation_pb2.DownloadBatchFileRequest(name=name, offset_bytes=offset_bytes),
        validation_pb2.DownloadBatchFileResponse,
        lambda answer: answer.data,
    )


def get_schema(name: str, version: str | None) -> Call[validation_pb2.Schema, Schema]:
    """ValidationService.GetSchema; without a version the newest."""
    name = wire.resource("schemas", name)
    if version:
        name = f"{name}/versions/{version}"
    request = validation_pb2.GetSchemaRequest(name=name)
    return Call(f"{VALIDATION}/GetSchema", request, validation_pb2.Schema, Schema.from_proto)


def list_schemas(page_size: int) -> Pages[validation_pb2.ListSchemasResponse, Schema]:
    """ValidationService.ListSchemas."""

    def page(answer: validation_pb2.ListSchemasResponse) -> Page[Schema]:
        return Page(tuple(map(Schema.from_proto, answer.schemas)), answer.next_page_token)

    return lambda token: Call(
        f"{VALIDATION}/ListSchemas",
        validation_pb2.ListSchemasRequest(page_size=page_size, page_token=token),
        validation_pb2.ListSchemasResponse,
        page,
    )


def detect_schema(columns: Sequence[str]) -> Call[validation_pb2.DetectSchemaResponse, Detection]:
    """ValidationService.DetectSchema."""
    return Call(
        f"{VALIDATION}/DetectSchema",
        validation_pb2.DetectSchemaRequest(columns=columns),
        validation_pb2.DetectSchemaResponse,
        Detection.from_proto,
    )


def create_backup(
    database: str, description: str, request_id: str | None
) -> Call[operations_pb2.Operation, OperationState[BackupProgress, Backup]]:
    """BackupService.CreateBackup, under a request_id always."""
    request = backup_pb2.CreateBackupRequest(
        database=database, description=description, request_id=request_id or new_request_id()
    )
    return operation(f"{_BACKUP}/CreateBackup", request)


def get_backup(name: str) -> Call[backup_pb2.Backup, Backup]:
    """BackupService.GetBackup."""
    request = backup_pb2.GetBackupRequest(name=wire.resource("backups", name))
    return Call(f"{_BACKUP}/GetBackup", request, backup_pb2.Backup, Backup.from_proto)


def list_backups(page_size: int) -> Pages[backup_pb2.ListBackupsResponse, Backup]:
    """BackupService.ListBackups."""

    def page(answer: backup_pb2.ListBackupsResponse) -> Page[Backup]:
        return Page(tuple(map(Backup.from_proto, answer.backups)), answer.next_page_token)

    return lambda token: Call(
        f"{_BACKUP}/ListBackups",
        backup_pb2.ListBackupsRequest(page_size=page_size, page_token=token),
        backup_pb2.ListBackupsResponse,
        page,
    )


def get_operation(name: str) -> Call[operations_pb2.Operation, OperationState[Any, Any]]:
    """Operations.GetOperation."""
    request = operations_pb2.GetOperationRequest(name=wire.resource("operations", name))
    return operation(f"{_OPERATIONS}/GetOperation", request)


def list_operations(
    page_size: int,
) -> Pages[operations_pb2.ListOperationsResponse, OperationState[Any, Any]]:
    """Operations.ListOperations."""

    def page(answer: operations_pb2.ListOperationsResponse) -> Page[OperationState[Any, Any]]:
        operations = tuple(map(OperationState.from_proto, answer.operations))
        return Page(operations, answer.next_page_token)

    return lambda token: Call(
        f"{_OPERATIONS}/ListOperations",
        operations_pb2.ListOperationsRequest(
            name="operations", page_size=page_size, page_token=token
        ),
        operations_pb2.ListOperationsResponse,
        page,
    )


def wait_operation(
    name: str, wait_s: float
) -> Call[operations_pb2.Operation, OperationState[Any, Any]]:
    """Operations.WaitOperation, for at most so long."""
    timeout = Duration()
    timeout.FromMilliseconds(max(1, int(wait_s * 1000)))
    request = operations_pb2.WaitOperationRequest(
        name=wire.resource("operations", name), timeout=timeout
    )
    return operation(f"{_OPERATIONS}/WaitOperation", request)


def watch_operation(name: str) -> Call[operations_pb2.Operation, OperationState[Any, Any]]:
    """OperationService.WatchOperation."""
    request = operation_pb2.WatchOperationRequest(name=wire.resource("operations", name))
    return operation(f"{_OPERATION}/WatchOperation", request)


def cancel_operation(name: str) -> Call[Empty, None]:
    """Operations.CancelOperation."""
    request = operations_pb2.CancelOperationRequest(name=wire.resource("operations", name))
    return Call(f"{_OPERATIONS}/CancelOperation", request, Empty, lambda _answer: None)


def health() -> Call[system_pb2.HealthResponse, Health]:
    """SystemService.Health."""
    return Call(
        f"{_SYSTEM}/Health",
        system_pb2.HealthRequest(),
        system_pb2.HealthResponse,
        Health.from_proto,
    )


def split_file_name(name: str) -> tuple[str, str]:
    """Returns the batch and the file of `batches/{batch}/files/{file}`. Raises InvalidRequest."""
    batch, separator, file = name.rpartition("/files/")
    if not separator or not batch or not file or "/" in file:
        raise InvalidRequest(
            f"{name!r} names no file of a batch",
            reason="NAME_INVALID",
            hint="name it as batches/{batch}/files/{file}, as batch.files does",
        )
    return batch, file


def operation(
    path: str, request: Message
) -> Call[operations_pb2.Operation, OperationState[Any, Any]]:
    """A method that begins an operation or tells of one; what its parts are follows from the method."""
    return Call(path, request, operations_pb2.Operation, OperationState.from_proto)
