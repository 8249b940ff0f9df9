"""QuarantineService: the rows that did not pass, and what becomes of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import grpc
from steward.v1 import quarantine_pb2, quarantine_pb2_grpc

from stewardd.errors import InvalidRequest
from stewardd.quarantine.corrections import Corrections
from stewardd.quarantine.listing import Listing, RowFilter
from stewardd.rpc import names
from stewardd.rpc.convert import batch_message
from stewardd.rpc.filters import batch_filter_of, state_of, word_of
from stewardd.rpc.pages import page_size_of
from stewardd.rpc.quarantine_messages import row_message
from stewardd.validation.catalog import BatchCatalog

Context = grpc.aio.ServicerContext[Any, Any]
MAX_ACTOR = 256
MAX_REASON = 1024
MAX_DISCARDED = 10_000


@dataclass(frozen=True, slots=True)
class Quarantine:
    """What the service is made of."""

    catalog: BatchCatalog
    listing: Listing
    corrections: Corrections


class QuarantineServicer(quarantine_pb2_grpc.QuarantineServiceServicer):
    """Translates; what a row goes through is said in quarantine/."""

    def __init__(self, quarantine: Quarantine) -> None:
        self._catalog = quarantine.catalog
        self._listing = quarantine.listing
        self._corrections = quarantine.corrections

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
        elif batches:
            raise InvalidRequest("batches goes with the parent batches/-", field="batches")
        else:
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


def actor_of(text: str) -> str:
    """Returns who asks, as the request says; nobody proves it yet."""
    return word_of(text, field="actor", longest=MAX_ACTOR)
