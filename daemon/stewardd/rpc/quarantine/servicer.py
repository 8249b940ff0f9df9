"""QuarantineService: quarantined rows, their corrections, exports, retries, purges and erasures."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import aclosing

import grpc
from google.longrunning import operations_pb2
from steward.v1 import quarantine_pb2, quarantine_pb2_grpc

from stewardd.batches.catalog import BatchCatalog
from stewardd.batches.filter import BatchFilter
from stewardd.errors import InvalidRequest
from stewardd.quarantine.changing.corrections import Corrections
from stewardd.quarantine.changing.resubmission import Resubmission, SheetRequest
from stewardd.quarantine.exporting.exports import Exports
from stewardd.quarantine.finding.listing import Listing
from stewardd.quarantine.finding.row_filter import RowFilter
from stewardd.quarantine.finding.stats import Statistics
from stewardd.quarantine.operations import QuarantineOperations
from stewardd.rpc import names
from stewardd.rpc.context import Context
from stewardd.rpc.filters import batch_filter_of, state_of
from stewardd.rpc.names import actor_of, request_id_of, word_of
from stewardd.rpc.operations.messages import operation_message
from stewardd.rpc.pages import page_size_of
from stewardd.rpc.quarantine.messages import (
    damaged_messages,
    export_message,
    export_request_of,
    row_message,
)
from stewardd.rpc.quarantine.operations import erase_request, purge_request, retry_request
from stewardd.rpc.quarantine.stats import stats_message
from stewardd.rpc.uploads import UploadMessages, UploadTimeouts
from stewardd.rpc.validation.messages import batch_message

MAX_REASON = 1024
MAX_DISCARDED = 10_000
MAX_TOP_VALUES = 100
CURSOR = re.compile(r"[a-z][a-z0-9-]{0,62}")
EXPORT_PAGE_TOKEN = re.compile(r"[0-9]{1,12}")
Response = quarantine_pb2.ExportQuarantineResponse


class QuarantineServicer(quarantine_pb2_grpc.QuarantineServiceServicer):
    """Translates between the contract and quarantine/, which holds the logic."""

    service_name = quarantine_pb2.DESCRIPTOR.services_by_name["QuarantineService"].full_name

    def __init__(
        self,
        *,
        catalog: BatchCatalog,
        listing: Listing,
        statistics: Statistics,
        corrections: Corrections,
        resubmission: Resubmission,
        exports: Exports,
        operations: QuarantineOperations,
        timeouts: UploadTimeouts,
    ) -> None:
        self._catalog = catalog
        self._listing = listing
        self._statistics = statistics
        self._corrections = corrections
        self._resubmission = resubmission
        self._exports = exports
        self._operations = operations
        self._timeouts = timeouts

    def add_to(self, server: grpc.aio.Server) -> None:
        """Registers the service."""
        quarantine_pb2_grpc.add_QuarantineServiceServicer_to_server(self, server)

    async def ListQuarantinedRows(
        self, request: quarantine_pb2.ListQuarantinedRowsRequest, context: Context
    ) -> quarantine_pb2.ListQuarantinedRowsResponse:
        """Returns a page of quarantined rows."""
        batch_id = names.parse_batch_parent(request.parent)
        size = page_size_of(request.page_size)
        wanted = RowFilter(
            state_of(request.state),
            word_of(request.field, field="field") or None,
            word_of(request.keyword, field="keyword") or None,
        )
        batches = batch_filter_of(request.batches)
        if batch_id is None:
            page = await self._listing.of_all(batches, wanted, size, request.page_token)
        else:
            _require_none(batches)
            page = await self._listing.of_batch(batch_id, wanted, size, request.page_token)
        return quarantine_pb2.ListQuarantinedRowsResponse(
            rows=[row_message(row) for row in page.rows],
            next_page_token=page.next_page_token,
        )

    async def GetQuarantinedRow(
        self, request: quarantine_pb2.GetQuarantinedRowRequest, context: Context
    ) -> quarantine_pb2.QuarantinedRow:
        """Returns one row with its history."""
        return row_message(await self._listing.get(*names.parse_row(request.name)), history=True)

    async def GetQuarantineStats(
        self, request: quarantine_pb2.GetQuarantineStatsRequest, context: Context
    ) -> quarantine_pb2.QuarantineStats:
        """Returns the counts of one batch or of all."""
        batch_id = names.parse_batch_parent(request.parent)
        if not 0 <= request.top_values <= MAX_TOP_VALUES:
            raise InvalidRequest(f"top_values is not 0 to {MAX_TOP_VALUES}", field="top_values")
        batches = batch_filter_of(request.batches)
        if batch_id is None:
            return stats_message(await self._statistics.of_all(batches, request.top_values))
        _require_none(batches)
        return stats_message(await self._statistics.of_batch(batch_id, request.top_values))

    async def CorrectRow(
        self, request: quarantine_pb2.CorrectRowRequest, context: Context
    ) -> quarantine_pb2.QuarantinedRow:
        """Corrects one row."""
        batch_id, number = names.parse_row(request.name)
        cells = {cell.column: cell.value for cell in request.cells}
        if len(cells) != len(request.cells):
            raise InvalidRequest("a column is given twice", field="cells")
        row = await self._corrections.correct(
            batch_id,
            number,
            cells,
            version=request.schema_version or None,
            etag=request.etag,
            actor=actor_of(request.actor),
        )
        return row_message(row, history=True)

    async def DiscardRows(
        self, request: quarantine_pb2.DiscardRowsRequest, context: Context
    ) -> quarantine_pb2.DiscardRowsResponse:
        """Discards rows of one batch."""
        batch_id = names.parse_uuid("batches", request.parent, field="parent")
        if not 0 < len(request.row_numbers) <= MAX_DISCARDED:
            raise InvalidRequest(f"give 1 to {MAX_DISCARDED} rows", field="row_numbers")
        if min(request.row_numbers) < 1:
            raise InvalidRequest("rows count from 1", field="row_numbers")
        if not request.reason.strip():
            raise InvalidRequest("a reason is required", field="reason")
        discarded = await self._corrections.discard(
            batch_id,
            request.row_numbers,
            reason=word_of(request.reason, field="reason", longest=MAX_REASON),
            actor=actor_of(request.actor),
        )
        return quarantine_pb2.DiscardRowsResponse(
            discarded_rows=discarded.discarded_rows,
            unchanged_rows=discarded.unchanged_rows,
            batch=batch_message(await self._catalog.get(batch_id)),
        )

    async def ResubmitSheet(
        self,
        request_iterator: AsyncIterator[quarantine_pb2.ResubmitSheetRequest],
        context: Context,
    ) -> quarantine_pb2.ResubmitSheetResponse:
        """Takes an edited sheet."""
        messages = UploadMessages(request_iterator, self._timeouts)
        request = _sheet_request(await messages.open())
        with self._resubmission.upload() as upload:
            while (data := await messages.chunk()) is not None:
                await upload.add_chunk(data)
            path = await upload.commit(messages.commit.size_bytes, messages.commit.crc32c)
            outcome = await self._resubmission.resubmit(path, request)
        batch = await self._catalog.get(outcome.batch_id)
        return quarantine_pb2.ResubmitSheetResponse(
            total_rows=outcome.total_rows,
            resolved_rows=outcome.resolved_rows,
            invalid_rows=outcome.invalid_rows,
            unchanged_rows=outcome.unchanged_rows,
            conflicting_rows=outcome.conflicting_rows,
            conflicts=outcome.conflicts,
            batch=batch_message(batch),
            commit=outcome.commit,
            damaged_rows=outcome.damaged_rows,
            damaged_cells=damaged_messages(outcome.damaged_cells),
        )

    async def CreateExport(
        self, request: quarantine_pb2.CreateExportRequest, context: Context
    ) -> quarantine_pb2.Export:
        """Creates an export, and moves its cursor."""
        batch_id = names.parse_uuid("batches", request.parent, field="parent")
        export = await self._exports.create(
            batch_id,
            cursor_of(request.cursor),
            include_valid=request.include_valid if request.HasField("include_valid") else None,
            request_id=request_id_of(request.request_id),
            actor=actor_of(request.actor),
        )
        return export_message(batch_id, export)

    async def ListExports(
        self, request: quarantine_pb2.ListExportsRequest, context: Context
    ) -> quarantine_pb2.ListExportsResponse:
        """Returns a page of exports. The token is the commit of the last export on the page before."""
        batch_id = names.parse_uuid("batches", request.parent, field="parent")
        size = page_size_of(request.page_size)
        if request.page_token and not EXPORT_PAGE_TOKEN.fullmatch(request.page_token):
            raise InvalidRequest("page_token is none of this method's", field="page_token")
        cursor = cursor_of(request.cursor) if request.cursor else None
        exports = [
            each
            for each in await self._exports.list(batch_id, cursor)
            if each.commit > int(request.page_token or 0)
        ]
        following = str(exports[size - 1].commit) if len(exports) > size else ""
        return quarantine_pb2.ListExportsResponse(
            exports=[export_message(batch_id, each) for each in exports[:size]],
            next_page_token=following,
        )

    async def ExportQuarantine(
        self, request: quarantine_pb2.ExportQuarantineRequest, context: Context
    ) -> AsyncIterator[quarantine_pb2.ExportQuarantineResponse]:
        """Streams rows as a file."""
        file = await self._exports.open_file(export_request_of(request))
        yield Response(begin=Response.Begin(file_name=file.name))
        async with aclosing(file.chunks) as chunks:
            async for each in chunks:
                if isinstance(each, bytes):
                    yield Response(chunk=Response.Chunk(data=each))
                else:
                    yield Response(
                        end=Response.End(
                            size_bytes=each.size_bytes, crc32c=each.crc32c, rows=each.rows
                        )
                    )

    async def RetryQuarantine(
        self, request: quarantine_pb2.RetryQuarantineRequest, context: Context
    ) -> operations_pb2.Operation:
        """Starts a retry."""
        asked = retry_request(request)
        return operation_message(
            await self._operations.retry(asked, request_id_of(request.request_id))
        )

    async def PurgeQuarantine(
        self, request: quarantine_pb2.PurgeQuarantineRequest, context: Context
    ) -> operations_pb2.Operation:
        """Starts a purge."""
        asked = purge_request(request)
        return operation_message(
            await self._operations.purge(asked, request_id_of(request.request_id))
        )

    async def EraseSubject(
        self, request: quarantine_pb2.EraseSubjectRequest, context: Context
    ) -> operations_pb2.Operation:
        """Starts an erasure."""
        asked = erase_request(request)
        return operation_message(
            await self._operations.erase(asked, request_id_of(request.request_id))
        )


def _require_none(batches: BatchFilter) -> None:
    if batches:
        raise InvalidRequest("batches goes with the parent batches/-", field="batches")


def _sheet_request(message: quarantine_pb2.ResubmitSheetRequest.Open) -> SheetRequest:
    parent = message.parent
    return SheetRequest(
        batch_id=names.parse_uuid("batches", parent, field="open.parent") if parent else None,
        version=message.schema_version or None,
        include_unchanged=message.include_unchanged,
        actor=actor_of(message.actor),
        dry_run=message.dry_run,
        accept_damaged=message.accept_damaged_cells,
    )


def cursor_of(text: str) -> str:
    """Returns the name of a cursor. Raises: InvalidRequest for a text that is none."""
    if not CURSOR.fullmatch(text):
        raise InvalidRequest(
            "cursor is not of lower-case letters, digits and hyphens", field="cursor"
        )
    return text
