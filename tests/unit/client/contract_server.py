"""A small server of the contract, on a real port: it judges rows, keeps batches, and answers as the contract says.

It knows one schema (`note`: an `id`, a `rating` from 0 to 1) and fails on request: `faults` holds, by method, what the
next calls are to do instead of succeeding.
"""

from __future__ import annotations

import csv
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import google_crc32c
import grpc
from google.longrunning import operations_pb2, operations_pb2_grpc
from google.protobuf.empty_pb2 import Empty
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status
from steward.v1 import (
    backup_pb2,
    backup_pb2_grpc,
    operation_pb2_grpc,
    quarantine_pb2,
    quarantine_pb2_grpc,
    system_pb2,
    system_pb2_grpc,
    validation_pb2,
    validation_pb2_grpc,
)

Response = validation_pb2.ValidateBatchResponse
Fault = Callable[["Call"], None]


def _succeed(call: Call) -> None:
    """What a call does that no fault waits for."""


class Call:
    """What a fault may look at and act on."""

    def __init__(self, context: grpc.ServicerContext, state: ContractServer) -> None:
        self.context = context
        self.state = state
        self.received_bytes = 0


def status(
    code: str,
    reason: str,
    message: str,
    hint: str = "",
    field: str = "",
    *,
    retry_after_s: float = 0.0,
) -> status_pb2.Status:
    """A google.rpc.Status with details, as the daemon makes them."""
    found = status_pb2.Status(code=code_pb2.Code.Value(code), message=message)
    info = error_details_pb2.ErrorInfo(
        reason=reason, domain="steward.v1", metadata={"thing": "note"}
    )
    if hint:
        info.metadata["hint"] = hint
    found.details.add().Pack(info)
    if field:
        bad = error_details_pb2.BadRequest()
        bad.field_violations.add(field=field, description=f"{field} is at fault")
        found.details.add().Pack(bad)
    if retry_after_s:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(int(retry_after_s * 1000))
        found.details.add().Pack(retry)
    return found


def refuse(context: grpc.ServicerContext, *arguments: Any, **keywords: Any) -> None:
    context.abort_with_status(rpc_status.to_status(status(*arguments, **keywords)))


def failing(*arguments: Any, **keywords: Any) -> Fault:
    """A fault that refuses with that status."""
    return lambda call: refuse(call.context, *arguments, **keywords)


class ContractServer(
    validation_pb2_grpc.ValidationServiceServicer,
    quarantine_pb2_grpc.QuarantineServiceServicer,
    backup_pb2_grpc.BackupServiceServicer,
    system_pb2_grpc.SystemServiceServicer,
    operation_pb2_grpc.OperationServiceServicer,
    operations_pb2_grpc.OperationsServicer,
):
    """`with ContractServer() as server:` serves at `server.address`."""

    def __init__(self, address: str = "127.0.0.1:0") -> None:
        self.faults: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self.calls: Counter[str] = Counter()
        self.opens: list[validation_pb2.ValidateBatchRequest.Open] = []
        self.batches: dict[str, validation_pb2.Batch] = {}
        self.contents: dict[str, bytes] = {}
        self.rows: dict[str, list[quarantine_pb2.QuarantinedRow]] = {}
        self.by_request: dict[str, str] = {}
        self.operations: dict[str, operations_pb2.Operation] = {}
        self.backups: dict[str, backup_pb2.Backup] = {}
        self.changed = threading.Condition()
        self.health = system_pb2.HealthResponse(
            state=system_pb2.HealthResponse.STATE_HEALTHY, version="9.9"
        )
        self.document = '{"type": "object"}'
        self.received_bytes = 0
        self.cancelled = threading.Event()
        self.offsets: list[int] = []
        self.backup_hold = threading.Event()
        self.backup_hold.set()
        self._server = grpc.server(
            ThreadPoolExecutor(max_workers=16), options=[("grpc.so_reuseport", 0)]
        )
        validation_pb2_grpc.add_ValidationServiceServicer_to_server(self, self._server)
        quarantine_pb2_grpc.add_QuarantineServiceServicer_to_server(self, self._server)
        backup_pb2_grpc.add_BackupServiceServicer_to_server(self, self._server)
        system_pb2_grpc.add_SystemServiceServicer_to_server(self, self._server)
        operation_pb2_grpc.add_OperationServiceServicer_to_server(self, self._server)
        operations_pb2_grpc.add_OperationsServicer_to_server(self, self._server)
        port = self._server.add_insecure_port(address)
        self.address = address if address.startswith("unix:") else f"127.0.0.1:{port}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.backup_hold.set()
        self._server.stop(None).wait(5)

    def _enter(self, method: str, context: grpc.ServicerContext) -> Call:
        self.calls[method] += 1
        call = Call(context, self)
        if method not in ("ValidateBatch", "DownloadBatchFile") and self.faults[method]:
            self.faults[method].popleft()(call)
        return call

    # --- Validation

    def ValidateBatch(self, request_iterator, context) -> Iterator[Response]:
        call = self._enter("ValidateBatch", context)
        on_chunk, on_commit, on_published = (
            self.faults[each].popleft() if self.faults[each] else _succeed
            for each in ("ValidateBatch", "Commit", "Published")
        )
        opened = next(request_iterator).open
        self.opens.append(opened)
        finished = threading.Event()

        def ended() -> None:
            if not finished.is_set():
                self.cancelled.set()

        context.add_callback(ended)
        data, committed, accepted = bytearray(), [], False
        for message in request_iterator:
            if message.WhichOneof("message") == "commit":
                committed.append(message.commit)
                break
            data += message.chunk.data
            self.received_bytes = call.received_bytes = len(data)
            on_chunk(call)
            if not accepted and b"\n" in data:
                accepted = True
                yield self._accepted(context, opened, bytes(data))
                progress = Response.Progress(size_bytes=len(data), total_rows=data.count(b"\n"))
                yield Response(progress=progress)
        if not committed:
            refuse(context, "ABORTED", "UPLOAD_INCOMPLETE", "the stream ended without Commit")
        on_commit(call)
        content = bytes(data)
        if opened.WhichOneof("source") == "uri":
            content = b"id,rating\nuri,0.5\n"
        elif (committed[0].size_bytes, committed[0].crc32c) != (
            len(data),
            google_crc32c.value(content),
        ):
            refuse(context, "ABORTED", "UPLOAD_INCOMPLETE", "size or checksum differ")
        if not content:
            refuse(
                context, "INVALID_ARGUMENT", "INPUT_REFUSED", "the file is empty", "send a CSV file"
            )
        if not accepted:
            yield self._accepted(context, opened, content)
        batch = self._publish(opened, content)
        on_published(call)
        finished.set()
        yield Response(summary=Response.Summary(batch=batch))

    def _accepted(self, context, opened, data: bytes) -> Response:
        header = next(csv.reader([data.split(b"\n", 1)[0].decode()]))
        if "id" not in header:
            refuse(
                context, "INVALID_ARGUMENT", "HEADER_REFUSED", "the header lacks: id", "compare it"
            )
        if opened.schema not in ("", "schemas/note"):
            refuse(
                context,
                "INVALID_ARGUMENT",
                "SCHEMA_UNKNOWN",
                f"no schema {opened.schema}",
                "list them",
            )
        unknown = [name for name in header if name not in ("id", "rating")]
        return Response(
            accepted=Response.Accepted(
                batch="batches/next", schema="schemas/note/versions/1.0", unknown_columns=unknown
            )
        )

    def _publish(self, opened, data: bytes) -> validation_pb2.Batch:
        if opened.request_id in self.by_request:
            return self.batches[self.by_request[opened.request_id]]
        name = f"batches/00000000-0000-7000-8000-{len(self.batches):012x}"
        lines = data.decode().splitlines()
        header = next(csv.reader(lines[:1]))
        valid, rows = [lines[0]], []
        for number, line in enumerate(lines[1:], 1):
            cells = dict(zip(header, next(csv.reader([line])), strict=False))
            if cells.get("rating", "") and not 0 <= float(cells["rating"]) <= 1:
                rows.append(self._row(name, number, cells, line))
            else:
                valid.append(line)
        self.rows[name] = rows
        batch = validation_pb2.Batch(
            name=name,
            schema="schemas/note/versions/1.0",
            source_file=opened.source_file,
            total_rows=len(lines) - 1,
            valid_rows=len(valid) - 1,
            quarantined_rows=len(rows),
            errors_by_field={"rating": len(rows)} if rows else {},
            errors_by_keyword={"maximum": len(rows)} if rows else {},
            unknown_columns=[column for column in header if column not in ("id", "rating")],
            size_bytes=len(data),
            crc32c=google_crc32c.value(data),
            delimiter=",",
            encoding="utf-8",
            request_id=opened.request_id,
            uri=opened.uri,
        )
        batch.create_time.FromJsonString("2026-01-02T03:04:05Z")
        batch.elapsed.FromMilliseconds(1500)
        files = {"report.json": b"{}", "errors.csv": b"Row Number\n" * len(rows)}
        if opened.options.keep_valid_rows:
            files["valid.csv"] = "".join(f"{line}\n" for line in valid).encode()
        for file, content in files.items():
            full = f"{name}/files/{file}"
            self.contents[full] = content
            batch.files.add(name=full, size_bytes=len(content), crc32c=google_crc32c.value(content))
        self.batches[name] = batch
        self.by_request[opened.request_id] = name
        return batch

    def _row(
        self, batch: str, number: int, cells: dict[str, str], line: str
    ) -> quarantine_pb2.QuarantinedRow:
        row = quarantine_pb2.QuarantinedRow(
            name=f"{batch}/rows/{number}",
            row_number=number,
            line_number=number + 1,
            raw_row=line.encode(),
        )
        for column, value in cells.items():
            row.cells.add(column=column, value=value)
        row.violations.add(
            field="rating", keyword="maximum", message="is more than 1", value=cells["rating"]
        )
        row.quarantine_time.FromJsonString("2026-01-02T03:04:05Z")
        return row

    def GetBatch(self, request, context) -> validation_pb2.Batch:
        self._enter("GetBatch", context)
        if request.name not in self.batches:
            refuse(
                context,
                "NOT_FOUND",
                "BATCH_NOT_FOUND",
                f"there is no {request.name}",
                "list what exists",
                "name",
            )
        return self.batches[request.name]

    def ListBatches(self, request, context) -> validation_pb2.ListBatchesResponse:
        self._enter("ListBatches", context)
        page, token = _page(list(reversed(self.batches.values())), request)
        return validation_pb2.ListBatchesResponse(batches=page, next_page_token=token)

    def DownloadBatchFile(
        self, request, context
    ) -> Iterator[validation_pb2.DownloadBatchFileResponse]:
        call = self._enter("DownloadBatchFile", context)
        self.offsets.append(request.offset_bytes)
        fault = (
            self.faults["DownloadBatchFile"].popleft() if self.faults["DownloadBatchFile"] else None
        )
        content = self.contents[request.name]
        step = 1024
        for start in range(request.offset_bytes, len(content), step):
            call.received_bytes = start
            if fault is not None:
                fault(call)
            yield validation_pb2.DownloadBatchFileResponse(data=content[start : start + step])

    def GetSchema(self, request, context) -> validation_pb2.Schema:
        self._enter("GetSchema", context)
        if request.name not in ("schemas/note", "schemas/note/versions/1.0"):
            refuse(
                context,
                "INVALID_ARGUMENT",
                "SCHEMA_UNKNOWN",
                f"no schema {request.name}",
                "list them",
            )
        return _schema(self.document)

    def ListSchemas(self, request, context) -> validation_pb2.ListSchemasResponse:
        self._enter("ListSchemas", context)
        return validation_pb2.ListSchemasResponse(schemas=[_schema()])

    def DetectSchema(self, request, context) -> validation_pb2.DetectSchemaResponse:
        self._enter("DetectSchema", context)
        if "id" not in request.columns:
            refuse(
                context,
                "INVALID_ARGUMENT",
                "HEADER_REFUSED",
                "the header lacks: id",
                "compare",
                "columns",
            )
        unknown = [column for column in request.columns if column not in ("id", "rating")]
        return validation_pb2.DetectSchemaResponse(
            schema="schemas/note/versions/1.0", unknown_columns=unknown
        )

    # --- Quarantine

    def ListQuarantinedRows(self, request, context) -> quarantine_pb2.ListQuarantinedRowsResponse:
        self._enter("ListQuarantinedRows", context)
        page, token = _page(self.rows[request.parent], request)
        return quarantine_pb2.ListQuarantinedRowsResponse(rows=page, next_page_token=token)

    # --- Backup and operations

    def CreateBackup(self, request, context) -> operations_pb2.Operation:
        self._enter("CreateBackup", context)
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
        self._enter("GetBackup", context)
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

    def ListBackups(self, request, context) -> backup_pb2.ListBackupsResponse:
        self._enter("ListBackups", context)
        page, token = _page(list(reversed(self.backups.values())), request)
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
        self._enter("GetOperation", context)
        return self._operation(request.name, context)

    def ListOperations(self, request, context) -> operations_pb2.ListOperationsResponse:
        self._enter("ListOperations", context)
        page, token = _page(list(reversed(self.operations.values())), request)
        return operations_pb2.ListOperationsResponse(operations=page, next_page_token=token)

    def WaitOperation(self, request, context) -> operations_pb2.Operation:
        self._enter("WaitOperation", context)
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
        self._enter("CancelOperation", context)
        self._operation(request.name, context)
        self.fail(
            request.name,
            status("CANCELLED", "CANCELLED", "somebody asked for it", "start it again"),
        )
        return Empty()

    def WatchOperation(self, request, context) -> Iterator[operations_pb2.Operation]:
        self._enter("WatchOperation", context)
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

    # --- System

    def Health(self, request, context) -> system_pb2.HealthResponse:
        self._enter("Health", context)
        return self.health


def _schema(document: str = "") -> validation_pb2.Schema:
    columns = [
        validation_pb2.Schema.Column(name="id", required=True),
        validation_pb2.Schema.Column(name="rating", pii=True),
    ]
    return validation_pb2.Schema(
        name="schemas/note/versions/1.0",
        document=document,
        columns=columns,
        effective_date="2025-01-01",
    )


def _page(items: list[Any], request: Any) -> tuple[list[Any], str]:
    first, size = int(request.page_token or 0), request.page_size or 50
    return items[first : first + size], str(first + size) if first + size < len(items) else ""
