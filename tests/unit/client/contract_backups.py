"""Backups and the operations that make them, as the contract's server serves them.

A backup is done at once, or when `backup_hold` is set again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

from google.longrunning import operations_pb2, operations_pb2_grpc
from google.protobuf.empty_pb2 import Empty
from google.rpc import status_pb2
from steward.v1 import backup_pb2, backup_pb2_grpc, operation_pb2_grpc

from tests.unit.client.contract_state import Call, State, page_of, refuse, status


class BackupsAndOperations(
    State,
    backup_pb2_grpc.BackupServiceServicer,
    operation_pb2_grpc.OperationServiceServicer,
    operations_pb2_grpc.OperationsServicer,
):
    """BackupService, OperationService and google.longrunning.Operations."""

    def CreateBackup(self, request, context) -> operations_pb2.Operation:
        self.enter("CreateBackup", context)
        self.backup_requests.append(request)
        if request.request_id in self.by_request:
            return self.operations[self.by_request[request.request_id]]
        operation = operations_pb2.Operation(name=f"operations/{len(self.operations)}")
        metadata = backup_pb2.CreateBackupMetadata(
            backup=f"backups/{len(self.operations)}",
            database=request.database or "main",
            phase=backup_pb2.CreateBackupMetadata.PHASE_QUEUED,
            database_size_bytes=4096,
        )
        operation.metadata.Pack(metadata)
        self.operations[operation.name] = operation
        self.by_request[request.request_id] = operation.name
        threading.Thread(
            target=self._dump, args=(operation.name, metadata, request.description), daemon=True
        ).start()
        return operation

    def _dump(self, name: str, metadata: backup_pb2.CreateBackupMetadata, description: str) -> None:
        metadata.phase = backup_pb2.CreateBackupMetadata.PHASE_DUMPING
        metadata.dumped_bytes = 2048
        self.change(name, lambda operation: operation.metadata.Pack(metadata))
        self.backup_hold.wait(30)
        if self.operations[name].done:
            return
        backup = backup_pb2.Backup(
            name=metadata.backup, database=metadata.database, description=description, dump_size_bytes=4000,
            stored_size_bytes=1000, server_version="18.1", tool_version="18.1", dump_sha256="ab" * 32,
        )  # fmt: skip
        backup.segments.add(size_bytes=1000, sha256="cd" * 32)
        backup.snapshot_time.FromJsonString("2026-01-02T03:04:05Z")
        backup.create_time.FromJsonString("2026-01-02T03:04:06Z")
        backup.elapsed.FromMilliseconds(1000)
        self.backups[backup.name] = backup

        def finish(operation: operations_pb2.Operation) -> None:
            operation.done = True
            operation.response.Pack(backup)

        self.change(name, finish)

    def change(self, name: str, by: Callable[[operations_pb2.Operation], None]) -> None:
        with self.changed:
            operation = operations_pb2.Operation()
            operation.CopyFrom(self.operations[name])
            by(operation)
            self.operations[name] = operation
            self.changed.notify_all()

    def fail(self, name: str, error: status_pb2.Status) -> None:
        """Ends an operation with that error."""

        def by(operation: operations_pb2.Operation) -> None:
            operation.done = True
            operation.error.CopyFrom(error)

        self.change(name, by)

    def GetBackup(self, request, context) -> backup_pb2.Backup:
        self.enter("GetBackup", context)
        if request.name not in self.backups:
            refuse(
                context,
                "NOT_FOUND",
                "BACKUP_NOT_FOUND",
                f"there is no {request.name}",
                "list what exists",
                "name",
            )
        return self.backups[request.name]

    def GetBackupKeys(self, request, context) -> backup_pb2.BackupKeys:
        self.enter("GetBackupKeys", context)
        return backup_pb2.BackupKeys(
            recipients=["age1x"], readable=["age1x"], signer="ab" * 32, own_recipient="age1x",
            own_identity_file="/data/keys/backup-identity.txt", notices=["there is no other copy"],
        )  # fmt: skip

    def ListBackups(self, request, context) -> backup_pb2.ListBackupsResponse:
        self.enter("ListBackups", context)
        page, token = page_of(list(reversed(self.backups.values())), request, request.id_prefix)
        return backup_pb2.ListBackupsResponse(backups=page, next_page_token=token)

    def _operation(self, name: str, context) -> operations_pb2.Operation:
        if name not in self.operations:
            refuse(
                context,
                "NOT_FOUND",
                "OPERATION_NOT_FOUND",
                f"there is no {name}",
                "list what exists",
                "name",
            )
        return self.operations[name]

    def GetOperation(self, request, context) -> operations_pb2.Operation:
        self.enter("GetOperation", context)
        return self._operation(request.name, context)

    def ListOperations(self, request, context) -> operations_pb2.ListOperationsResponse:
        self.enter("ListOperations", context)
        page, token = page_of(
            list(reversed(self.operations.values())),
            request,
            request.filter.rpartition("/")[2].rstrip('*"'),
        )
        return operations_pb2.ListOperationsResponse(operations=page, next_page_token=token)

    def WaitOperation(self, request, context) -> operations_pb2.Operation:
        self.enter("WaitOperation", context)
        self._operation(request.name, context)
        end = time.monotonic() + request.timeout.ToMilliseconds() / 1000
        with self.changed:
            while (
                not self.operations[request.name].done
                and time.monotonic() < end
                and context.is_active()
            ):
                self.changed.wait(0.02)
        return self.operations[request.name]

    def CancelOperation(self, request, context) -> Empty:
        self.enter("CancelOperation", context)
        self._operation(request.name, context)
        self.fail(
            request.name,
            status("CANCELLED", "CANCELLED", "somebody asked for it", "start it again"),
        )
        return Empty()

    def WatchOperation(self, request, context) -> Iterator[operations_pb2.Operation]:
        self.enter("WatchOperation", context)
        seen = None
        while context.is_active():
            operation = self._operation(request.name, context)
            if operation != seen:
                seen = operation
                yield operation
                if self.faults["watching"]:
                    self.faults["watching"].popleft()(Call(context, self))
            if operation.done:
                return
            with self.changed:
                self.changed.wait(0.02)
