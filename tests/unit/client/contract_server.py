"""A small server of the contract, on a real port: it judges rows, keeps batches, and answers as the contract says.

It knows one schema (`note`: an `id`, a `rating` from 0 to 1) and fails on request, as contract_state.py says.
"""

from __future__ import annotations

import csv
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
from tests.unit.client.contract_state import page_of, refuse

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
        self.enter("ValidateBatch", context)
        opened = next(request_iterator).open
        data, accepted = bytearray(), False
        for message in request_iterator:
            if message.WhichOneof("message") == "commit":
                break
            data += message.chunk.data
            if not accepted and b"\n" in data:
                accepted = True
                yield self._accepted()
        yield Response(summary=Response.Summary(batch=self._publish(opened, bytes(data))))

    def _accepted(self) -> Response:
        accepted = Response.Accepted(batch="batches/next", schema="schemas/note/versions/1.0")
        return Response(accepted=accepted)

    def _publish(self, opened, data: bytes) -> validation_pb2.Batch:
        if opened.request_id in self.by_request:
            return self.batches[self.by_request[opened.request_id]]
        name = f"batches/00000000-0000-7000-8000-{len(self.batches):012x}"
        lines = data.decode().splitlines()
        header = next(csv.reader(lines[:1]))
        rows = []
        for number, line in enumerate(lines[1:], 1):
            cells = dict(zip(header, next(csv.reader([line])), strict=False))
            if cells.get("rating", "") and not 0 <= float(cells["rating"]) <= 1:
                rows.append(self._row(name, number, cells, line))
        self.rows[name] = rows
        batch = validation_pb2.Batch(
            name=name,
            schema="schemas/note/versions/1.0",
            source_file=opened.source_file,
            total_rows=len(lines) - 1,
            valid_rows=len(lines) - 1 - len(rows),
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

    # --- System

    def Health(self, request, context) -> system_pb2.HealthResponse:
        self.enter("Health", context)
        return self.health
