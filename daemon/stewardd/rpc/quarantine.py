"""QuarantineService: the rows that did not pass."""

from __future__ import annotations

from typing import Any

import grpc
from steward.v1 import quarantine_pb2, quarantine_pb2_grpc

from stewardd.quarantine.rows import RowPage, read_page
from stewardd.repository.store import Store
from stewardd.rpc import names
from stewardd.rpc.convert import row_message
from stewardd.rpc.pages import page_size_of
from stewardd.validation.catalog import BatchCatalog

Context = grpc.aio.ServicerContext[Any, Any]


class QuarantineServicer(quarantine_pb2_grpc.QuarantineServiceServicer):
    """Reads a batch's quarantine where the batch's catalogue says that it stands."""

    def __init__(self, catalog: BatchCatalog, store: Store) -> None:
        self._catalog = catalog
        self._store = store

    async def ListQuarantinedRows(
        self, request: quarantine_pb2.ListQuarantinedRowsRequest, context: Context
    ) -> quarantine_pb2.ListQuarantinedRowsResponse:
        """Returns a page of quarantined rows, in the order of the file."""
        batch_id = names.parse_uuid("batches", request.parent, field="parent")
        size = page_size_of(request.page_size)
        located = await self._catalog.locate(batch_id, "records.jsonl")
        page = RowPage((), "")
        if located.size_bytes:
            page = await read_page(
                self._store, located.key, located.size_bytes, size, request.page_token
            )
        return quarantine_pb2.ListQuarantinedRowsResponse(
            rows=[row_message(batch_id, row) for row in page.rows],
            next_page_token=page.next_page_token,
        )
