"""The calls of QuarantineService."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from google.longrunning import operations_pb2
from steward.v1 import quarantine_pb2 as pb
from steward.v1 import validation_pb2

from steward_client import protobuf_values
from steward_client.connection.call import Call, Page, Pages, new_request_id
from steward_client.operations.calls import operation_call
from steward_client.operations.state import OperationState
from steward_client.quarantine.exports import Export
from steward_client.quarantine.outcomes import (
    OPERATION_KINDS,
    Discarded,
    ErasedSubject,
    Purged,
    QuarantineProgress,
    Retried,
)
from steward_client.quarantine.rows import QuarantinedRow
from steward_client.quarantine.statistics import QuarantineStats
from steward_client.validation.batch_filter import BatchFilter
from steward_client.validation.row_state import RowState, state_number

SERVICE = "/steward.v1.QuarantineService"
ALL = "batches/-"


def list_rows(
    batch: str | None,
    *,
    state: RowState | str | None,
    field: str | None,
    keyword: str | None,
    batches: BatchFilter | None,
    page_size: int,
) -> Pages[pb.ListQuarantinedRowsResponse, QuarantinedRow]:
    """QuarantineService.ListQuarantinedRows."""

    def page(answer: pb.ListQuarantinedRowsResponse) -> Page[QuarantinedRow]:
        return Page(tuple(map(QuarantinedRow.from_proto, answer.rows)), answer.next_page_token)

    request = pb.ListQuarantinedRowsRequest(
        parent=_parent(batch),
        page_size=page_size,
        state=state_number(state),
        field=field or "",
        keyword=keyword or "",
        batches=_filter(batches),
    )

    def call(token: str) -> Call[pb.ListQuarantinedRowsResponse, Page[QuarantinedRow]]:
        wanted = pb.ListQuarantinedRowsRequest()
        wanted.CopyFrom(request)
        wanted.page_token = token
        return Call(f"{SERVICE}/ListQuarantinedRows", wanted, pb.ListQuarantinedRowsResponse, page)

    return call


def get_row(name: str) -> Call[pb.QuarantinedRow, QuarantinedRow]:
    """QuarantineService.GetQuarantinedRow."""
    request = pb.GetQuarantinedRowRequest(name=protobuf_values.resource("batches", name))
    return _row("GetQuarantinedRow", request)


def stats(
    batch: str | None, batches: BatchFilter | None, top_values: int
) -> Call[pb.QuarantineStats, QuarantineStats]:
    """QuarantineService.GetQuarantineStats."""
    return Call(
        f"{SERVICE}/GetQuarantineStats",
        pb.GetQuarantineStatsRequest(
            parent=_parent(batch), batches=_filter(batches), top_values=top_values
        ),
        pb.QuarantineStats,
        QuarantineStats.from_proto,
    )


def correct_row(
    name: str, cells: Mapping[str, str], *, schema_version: str | None, etag: str, actor: str
) -> Call[pb.QuarantinedRow, QuarantinedRow]:
    """QuarantineService.CorrectRow."""
    request = pb.CorrectRowRequest(
        name=protobuf_values.resource("batches", name),
        cells=[
            pb.QuarantinedRow.Cell(column=column, value=value) for column, value in cells.items()
        ],
        schema_version=schema_version or "",
        etag=etag,
        actor=actor,
    )
    return _row("CorrectRow", request)


def discard_rows(
    batch: str, row_numbers: Iterable[int], *, reason: str, actor: str
) -> Call[pb.DiscardRowsResponse, Discarded]:
    """QuarantineService.DiscardRows."""
    return Call(
        f"{SERVICE}/DiscardRows",
        pb.DiscardRowsRequest(
            parent=protobuf_values.resource("batches", batch),
            row_numbers=row_numbers,
            reason=reason,
            actor=actor,
        ),
        pb.DiscardRowsResponse,
        Discarded.from_proto,
    )


def create_export(
    batch: str, cursor: str, *, include_valid: bool | None, request_id: str | None, actor: str
) -> Call[pb.Export, Export]:
    """QuarantineService.CreateExport, under a request_id always."""
    return Call(
        f"{SERVICE}/CreateExport",
        pb.CreateExportRequest(
            parent=protobuf_values.resource("batches", batch),
            cursor=cursor,
            request_id=request_id or new_request_id(),
            include_valid=include_valid,
            actor=actor,
        ),
        pb.Export,
        Export.from_proto,
    )


def list_exports(
    batch: str, cursor: str | None, page_size: int
) -> Pages[pb.ListExportsResponse, Export]:
    """QuarantineService.ListExports."""

    def page(answer: pb.ListExportsResponse) -> Page[Export]:
        return Page(tuple(map(Export.from_proto, answer.exports)), answer.next_page_token)

    parent = protobuf_values.resource("batches", batch)
    return lambda token: Call(
        f"{SERVICE}/ListExports",
        pb.ListExportsRequest(
            parent=parent, page_size=page_size, page_token=token, cursor=cursor or ""
        ),
        pb.ListExportsResponse,
        page,
    )


def export_quarantine(
    request: pb.ExportQuarantineRequest,
) -> Call[pb.ExportQuarantineResponse, pb.ExportQuarantineResponse]:
    """QuarantineService.ExportQuarantine."""
    return Call(
        f"{SERVICE}/ExportQuarantine",
        request,
        pb.ExportQuarantineResponse,
        lambda answer: answer,
    )


def retry_quarantine(
    batch: str | None,
    *,
    batches: BatchFilter | None,
    field: str | None,
    keyword: str | None,
    schema_version: str | None,
    dry_run: bool,
    actor: str,
    request_id: str | None,
) -> Call[operations_pb2.Operation, OperationState[QuarantineProgress, Retried]]:
    """QuarantineService.RetryQuarantine, under a request_id always."""
    request = pb.RetryQuarantineRequest(
        parent=_parent(batch),
        batches=_filter(batches),
        field=field or "",
        keyword=keyword or "",
        schema_version=schema_version or "",
        dry_run=dry_run,
        actor=actor,
        request_id=request_id or new_request_id(),
    )
    return operation_call(f"{SERVICE}/RetryQuarantine", request, OPERATION_KINDS)


def purge_quarantine(
    batch: str | None,
    *,
    before: datetime,
    batches: BatchFilter | None,
    states: Iterable[RowState | str],
    archive: bool,
    dry_run: bool,
    actor: str,
    request_id: str | None,
) -> Call[operations_pb2.Operation, OperationState[QuarantineProgress, Purged]]:
    """QuarantineService.PurgeQuarantine, under a request_id always."""
    request = pb.PurgeQuarantineRequest(
        parent=_parent(batch),
        batches=_filter(batches),
        states=[state_number(state) for state in states],
        before=protobuf_values.timestamp(before),
        archive=archive,
        dry_run=dry_run,
        actor=actor,
        request_id=request_id or new_request_id(),
    )
    return operation_call(f"{SERVICE}/PurgeQuarantine", request, OPERATION_KINDS)


def erase_subject(
    email: str, *, dry_run: bool, actor: str, request_id: str | None
) -> Call[operations_pb2.Operation, OperationState[QuarantineProgress, ErasedSubject]]:
    """QuarantineService.EraseSubject, under a request_id always."""
    request = pb.EraseSubjectRequest(
        email=email, dry_run=dry_run, actor=actor, request_id=request_id or new_request_id()
    )
    return operation_call(f"{SERVICE}/EraseSubject", request, OPERATION_KINDS)


def _row(
    method: str, request: pb.GetQuarantinedRowRequest | pb.CorrectRowRequest
) -> Call[pb.QuarantinedRow, QuarantinedRow]:
    return Call(f"{SERVICE}/{method}", request, pb.QuarantinedRow, QuarantinedRow.from_proto)


def _parent(batch: str | None) -> str:
    return ALL if batch is None else protobuf_values.resource("batches", batch)


def _filter(batches: BatchFilter | None) -> validation_pb2.BatchFilter | None:
    return None if batches is None else batches.to_proto()
