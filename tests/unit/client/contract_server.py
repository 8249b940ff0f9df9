"""A small server of the contract, on a real port: it judges rows, keeps batches, and answers as the contract says.

It knows one schema (`note`: an `id`, a `rating` from 0 to 1) and fails on request, as contract_state.py says.
"""

from __future__ import annotations

import csv
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Self

import google_crc32c
import grpc
from google.longrunning import operations_pb2_grpc
from steward.v1 import (
    backup_pb2_grpc,
    operation_pb2_grpc,
    quarantine_pb2,
    quarantine_pb2_grpc,
    system_pb2,
    system_pb2_grpc,
    validation_pb2,
    validation_pb2_grpc,
)

from tests.unit.client.contract_backups import BackupsAndOperations
from tests.unit.client.contract_quarantine import Quarantine
from tests.unit.client.contract_state import page_of, refuse, succeed

Response = validation_pb2.ValidateBatchResponse


class ContractServer(
    BackupsAndOperations,
    Quarantine,
    validation_pb2_grpc.ValidationServiceServicer,
    system_pb2_grpc.SystemServiceServicer,
):
    """`with ContractServer() as server:` serves at `server.address`."""

    def __init__(
        self, address: str = "127.0.0.1:0", *, credentials: grpc.ServerCredentials | None = None
    ) -> None:
        super().__init__()
        self._server = grpc.server(
            ThreadPoolExecutor(max_workers=16), options=[("grpc.so_reuseport", 0)]
        )
        validation_pb2_grpc.add_ValidationServiceServicer_to_server(self, self._server)
        quarantine_pb2_grpc.add_QuarantineServiceServicer_to_server(self, self._server)
        backup_pb2_grpc.add_BackupServiceServicer_to_server(self, self._server)
        system_pb2_grpc.add_SystemServiceServicer_to_server(self, self._server)
        operation_pb2_grpc.add_OperationServiceServicer_to_server(self, self._server)
        operations_pb2_grpc.add_OperationsServicer_to_server(self, self._server)
        if credentials is None:
            port = self._server.add_insecure_port(address)
        else:
            port = self._server.add_secure_port(address, credentials)
        self.address = address if address.startswith("unix:") else f"127.0.0.1:{port}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.stop(None).wait(5)
        self.backup_hold.set()

    # --- Validation

    def ValidateBatch(self, request_iterator, context) -> Iterator[Response]:
        call = self.enter("ValidateBatch", context)
        on_chunk, on_commit, on_published = (
            self.faults[each].popleft() if self.faults[each] else succeed
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
            open_rows=len(rows),
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
            state=validation_pb2.ROW_STATE_OPEN,
            etag="a0",
            schema="schemas/note/versions/1.0",
        )
        for column, value in cells.items():
            row.cells.add(column=column, value=value)
        row.violations.add(
            field="rating", keyword="maximum", message="is more than 1", value=cells["rating"]
        )
        row.quarantine_time.FromJsonString("2026-01-02T03:04:05Z")
        return row

    def GetBatch(self, request, context) -> validation_pb2.Batch:
        self.enter("GetBatch", context)
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
        self.enter("ListBatches", context)
        self.requests.append(request)
        page, token = page_of(list(reversed(self.batches.values())), request, request.id_prefix)
        return validation_pb2.ListBatchesResponse(batches=page, next_page_token=token)

    def DownloadBatchFile(
        self, request, context
    ) -> Iterator[validation_pb2.DownloadBatchFileResponse]:
        call = self.enter("DownloadBatchFile", context)
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
        self.enter("GetSchema", context)
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
        self.enter("ListSchemas", context)
        return validation_pb2.ListSchemasResponse(schemas=[_schema()])

    def DetectSchema(self, request, context) -> validation_pb2.DetectSchemaResponse:
        self.enter("DetectSchema", context)
        if "id" not in request.columns:
            refuse(
                context,
                "INVALID_ARGUMENT",
                "HEADER_REFUSED",
                "the header lacks: id",
                "compare",
                "columns",
            )
        columns = [column.strip() for column in request.columns]
        unknown = [column for column in columns if column not in ("id", "rating")]
        return validation_pb2.DetectSchemaResponse(
            schema="schemas/note/versions/1.0", unknown_columns=unknown
        )

    # --- System

    def Health(self, request, context) -> system_pb2.HealthResponse:
        self.enter("Health", context)
        return self.health


def _schema(document: str = "") -> validation_pb2.Schema:
    columns = [
        validation_pb2.Schema.Column(name="id", required=True),
        validation_pb2.Schema.Column(name="rating", pii=True),
    ]
    return validation_pb2.Schema(
        kind=validation_pb2.SCHEMA_KIND_CSV,
        name="schemas/note/versions/1.0",
        document=document,
        columns=columns,
        effective_date="2025-01-01",
    )
