"""Calls of QuarantineService as any gRPC client makes them, and what the tests ask of every batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from google.longrunning import operations_pb2, operations_pb2_grpc
from google.protobuf.duration_pb2 import Duration
from steward.v1 import quarantine_pb2 as q
from steward.v1 import quarantine_pb2_grpc, validation_pb2_grpc
from steward.v1 import validation_pb2 as v

from tests.support.calls import channel, crc32c

OPEN, RESOLVED, DISCARDED = v.ROW_STATE_OPEN, v.ROW_STATE_RESOLVED, v.ROW_STATE_DISCARDED


class Quarantine:
    """The service at one address."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._channel = channel(address)
        self.stub = quarantine_pb2_grpc.QuarantineServiceStub(self._channel)

    def close(self) -> None:
        self._channel.close()

    def batch(self, name: str) -> v.Batch:
        """The batch as it is now; its rows add up."""
        stub = validation_pb2_grpc.ValidationServiceStub(self._channel)
        batch = stub.GetBatch(v.GetBatchRequest(name=name), timeout=30)
        assert batch.total_rows == batch.valid_rows + batch.quarantined_rows
        assert (
            batch.quarantined_rows == batch.open_rows + batch.resolved_rows + batch.discarded_rows
        )
        return batch

    def batches(self, **wanted: Any) -> list[v.Batch]:
        stub = validation_pb2_grpc.ValidationServiceStub(self._channel)
        request = v.ListBatchesRequest(page_size=1000, filter=v.BatchFilter(**wanted))
        return list(stub.ListBatches(request, timeout=30).batches)

    def rows(self, parent: str, page_size: int = 0, **wanted: Any) -> list[q.QuarantinedRow]:
        """Every row, page by page."""
        found: list[q.QuarantinedRow] = []
        token = ""
        while True:
            request = q.ListQuarantinedRowsRequest(
                parent=parent, page_size=page_size, page_token=token, **wanted
            )
            page = self.stub.ListQuarantinedRows(request, timeout=60)
            assert not page_size or len(page.rows) <= page_size
            found += page.rows
            token = page.next_page_token
            if not token:
                return found

    def row(self, batch: str, number: int) -> q.QuarantinedRow:
        request = q.GetQuarantinedRowRequest(name=f"{batch}/rows/{number}")
        return self.stub.GetQuarantinedRow(request, timeout=30)

    def correct(self, batch: str, number: int, **cells: str) -> q.QuarantinedRow:
        return self.correct_by(batch, number, cells)

    def correct_by(
        self, batch: str, number: int, cells: dict[str, str], **fields: Any
    ) -> q.QuarantinedRow:
        request = q.CorrectRowRequest(
            name=f"{batch}/rows/{number}",
            cells=[q.QuarantinedRow.Cell(column=c, value=x) for c, x in cells.items()],
            **fields,
        )
        return self.stub.CorrectRow(request, timeout=30)

    def discard(
        self, batch: str, *numbers: int, reason: str = "no use", actor: str = ""
    ) -> q.DiscardRowsResponse:
        request = q.DiscardRowsRequest(
            parent=batch, row_numbers=numbers, reason=reason, actor=actor
        )
        return self.stub.DiscardRows(request, timeout=30)

    def resubmit(self, body: bytes, *, chunk_bytes: int = 1 << 20, **fields: Any) -> Any:
        def messages() -> Iterator[q.ResubmitSheetRequest]:
            yield q.ResubmitSheetRequest(open=q.ResubmitSheetRequest.Open(**fields))
            for begin in range(0, len(body), chunk_bytes):
                data = body[begin : begin + chunk_bytes]
                yield q.ResubmitSheetRequest(chunk=q.ResubmitSheetRequest.Chunk(data=data))
            commit = q.ResubmitSheetRequest.Commit(size_bytes=len(body), crc32c=crc32c(body))
            yield q.ResubmitSheetRequest(commit=commit)

        return self.stub.ResubmitSheet(messages(), timeout=120)

    def export(self, name: str, kind: int, **wanted: Any) -> bytes:
        """A whole export: what its end says of it holds."""
        request = q.ExportQuarantineRequest(name=name, format=kind, **wanted)  # type: ignore[arg-type]
        messages = list(self.stub.ExportQuarantine(request, timeout=120))
        assert messages[0].WhichOneof("message") == "begin"
        body = b"".join(each.chunk.data for each in messages[1:-1])
        end = messages[-1].end
        assert (end.size_bytes, end.crc32c) == (len(body), crc32c(body))
        return body

    def sheet(self, batch: str, **wanted: Any) -> bytes:
        return self.export(batch, q.ExportQuarantineRequest.FORMAT_SHEET, **wanted)

    def operation(self, operation: operations_pb2.Operation, message: Any) -> Any:
        """The response of an operation that ends well."""
        stub = operations_pb2_grpc.OperationsStub(self._channel)
        while not operation.done:
            request = operations_pb2.WaitOperationRequest(
                name=operation.name, timeout=Duration(seconds=30)
            )
            operation = stub.WaitOperation(request, timeout=60)
        assert not operation.HasField("error"), operation.error
        assert operation.response.Unpack(message)
        return message


@contextmanager
def quarantine(address: str) -> Iterator[Quarantine]:
    opened = Quarantine(address)
    try:
        yield opened
    finally:
        opened.close()
