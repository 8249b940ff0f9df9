"""ValidationService: the stream of ValidateBatch, and what can be read of batches and schemas."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
from steward.v1 import validation_pb2, validation_pb2_grpc

import fastcsv
from stewardd.batches.catalog import BatchCatalog
from stewardd.errors import InvalidRequest
from stewardd.rpc import names
from stewardd.rpc.chunks import Chunk, read_message
from stewardd.rpc.context import Context
from stewardd.rpc.filters import batch_filter_of, request_id_of
from stewardd.rpc.pages import page_size_of
from stewardd.rpc.uploads import UploadMessages, UploadTimeouts
from stewardd.rpc.validation.messages import batch_message, schema_message
from stewardd.schemas.registry import Registry
from stewardd.validation.batches import Batches, BatchRequest
from stewardd.validation.draft import ReadOptions
from stewardd.validation.work import Work

Request = validation_pb2.ValidateBatchRequest
Response = validation_pb2.ValidateBatchResponse

PROGRESS_INTERVAL_S = 0.5
MAX_SOURCE_FILE = 1024
SCHEMA_PAGE_TOKEN = re.compile(r"[0-9]{1,9}")


class ValidationServicer(validation_pb2_grpc.ValidationServiceServicer):
    """Translates; what a batch is and when it exists is said in validation/."""

    service_name = validation_pb2.DESCRIPTOR.services_by_name["ValidationService"].full_name

    def __init__(
        self,
        batches: Batches,
        catalog: BatchCatalog,
        registry: Registry,
        timeouts: UploadTimeouts,
        max_message_bytes: int,
    ) -> None:
        self._batches = batches
        self._catalog = catalog
        self._registry = registry
        self._timeouts = timeouts
        self._max_message_bytes = max_message_bytes

    def add_to(self, server: grpc.aio.Server) -> None:
        """Registers the service, with a reader of its own for the messages of ValidateBatch (chunks.py)."""
        validation_pb2_grpc.add_ValidationServiceServicer_to_server(self, server)
        upload = grpc.stream_stream_rpc_method_handler(
            self.ValidateBatch,
            request_deserializer=read_message,
            response_serializer=Response.SerializeToString,
        )
        # After the generated handlers, in the place of one of them.
        server.add_registered_method_handlers(self.service_name, {"ValidateBatch": upload})

    async def ValidateBatch(
        self, request_iterator: AsyncIterator[Request | Chunk], context: Context
    ) -> AsyncIterator[Response]:
        """Serves one upload, or one file that the daemon reads itself."""
        messages = UploadMessages(request_iterator, self._timeouts, self._max_message_bytes)
        work = await self._batches.begin(_batch_request(await messages.open()))
        taking = asyncio.create_task(_take(messages, work))
        try:
            responses = _Responses(work)
            while not taking.done():
                await responses.pause(taking)
                for response in responses.due():
                    yield response
            commit = await taking
            manifest = await work.commit(commit.size_bytes, commit.crc32c)
            for response in responses.last():
                yield response
            yield Response(summary=Response.Summary(batch=batch_message(manifest)))
        finally:
            # Also when the client is gone: nothing of an unpublished batch may stay.
            await asyncio.shield(_end(taking, work))

    async def GetBatch(
        self, request: validation_pb2.GetBatchRequest, context: Context
    ) -> validation_pb2.Batch:
        """Returns one batch."""
        return batch_message(await self._catalog.get(names.parse_uuid("batches", request.name)))

    async def ListBatches(
        self, request: validation_pb2.ListBatchesRequest, context: Context
    ) -> validation_pb2.ListBatchesResponse:
        """Returns a page of batches, newest first."""
        page = await self._catalog.list(
            page_size_of(request.page_size),
            request.page_token,
            batch_filter_of(request.filter),
            request.id_prefix,
        )
        return validation_pb2.ListBatchesResponse(
            batches=[batch_message(manifest) for manifest in page.items],
            next_page_token=page.next_page_token,
        )

    async def DownloadBatchFile(
        self, request: validation_pb2.DownloadBatchFileRequest, context: Context
    ) -> AsyncIterator[validation_pb2.DownloadBatchFileResponse]:
        """Streams one file of a batch."""
        batch_id, file = names.parse_batch_file(request.name)
        if request.offset_bytes < 0:
            raise InvalidRequest("offset_bytes must not be negative", field="offset_bytes")
        crc32c = request.crc32c if request.HasField("crc32c") else None
        async for data in self._catalog.read_file(batch_id, file, request.offset_bytes, crc32c):
            yield validation_pb2.DownloadBatchFileResponse(data=data)

    async def GetSchema(
        self, request: validation_pb2.GetSchemaRequest, context: Context
    ) -> validation_pb2.Schema:
        """Returns one version of a schema, with its document."""
        schema = self._registry.get(*names.parse_schema(request.name))
        return schema_message(schema, self._registry.document(schema.name, schema.version))

    async def ListSchemas(
        self, request: validation_pb2.ListSchemasRequest, context: Context
    ) -> validation_pb2.ListSchemasResponse:
        """Returns a page of schemas; the token is how many came before."""
        size = page_size_of(request.page_size)
        if request.page_token and not SCHEMA_PAGE_TOKEN.fullmatch(request.page_token):
            raise InvalidRequest("page_token is none of this method's", field="page_token")
        first = int(request.page_token or 0)
        schemas = self._registry.all()
        following = str(first + size) if first + size < len(schemas) else ""
        return validation_pb2.ListSchemasResponse(
            schemas=[schema_message(schema) for schema in schemas[first : first + size]],
            next_page_token=following,
        )

    async def DetectSchema(
        self, request: validation_pb2.DetectSchemaRequest, context: Context
    ) -> validation_pb2.DetectSchemaResponse:
        """Says which schema a header detects."""
        schema = self._registry.detect(request.columns)
        difference = fastcsv.compare(schema, request.columns)
        return validation_pb2.DetectSchemaResponse(
            schema=names.schema(schema.name, schema.version),
            unknown_columns=difference.unknown_columns,
            missing_optional_columns=difference.missing_optional_columns,
            similar_columns=difference.similar_columns,
        )


async def _take(messages: UploadMessages, work: Work) -> Request.Commit:
    """Takes all that the client sends, or the file that it names; returns its Commit."""
    while (data := await messages.chunk(upload=work.is_upload)) is not None:
        await work.feed(data)
    async for _ in work.read_uri():
        pass
    commit: Request.Commit = messages.commit
    return commit


async def _end(taking: asyncio.Task[Request.Commit], work: Work) -> None:
    taking.cancel()
    await asyncio.wait([taking])
    if not taking.cancelled():
        # It was raised where it mattered, or does not matter any more.
        taking.exception()
    await work.close()


class _Responses:
    """What the client is told while its file is judged: Accepted once, Progress at most twice a second."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._accepted = False
        self._told_s = time.monotonic()
        self._last_progress: Response | None = None

    async def pause(self, taking: asyncio.Task[Request.Commit]) -> None:
        """Waits until there may be something to tell, or the upload has ended."""
        if self._accepted:
            due_s = self._told_s + PROGRESS_INTERVAL_S - time.monotonic()
            await asyncio.wait([taking], timeout=max(0.0, due_s))
            return
        known = self._work.header
        both: set[asyncio.Future[Any]] = {taking, known}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if known.done():
            known.result()  # a refused header is told at once, also to a client that waits to hear of it

    def due(self) -> list[Response]:
        """Returns what the client should be told now."""
        found = self.last()
        if self._accepted and time.monotonic() - self._told_s >= PROGRESS_INTERVAL_S:
            self._told_s = time.monotonic()
            progress = Response(progress=_progress(self._work))
            if progress != self._last_progress:
                self._last_progress = progress
                found.append(progress)
        return found

    def last(self) -> list[Response]:
        """Returns Accepted, if it was not sent yet: a small file is judged before the first pause is over."""
        schema = self._work.schema
        if self._accepted or schema is None:
            return []
        self._accepted = True
        return [Response(accepted=_accepted(self._work, schema))]


def _accepted(work: Work, schema: fastcsv.Schema) -> Response.Accepted:
    difference = work.difference
    return Response.Accepted(
        batch=names.batch(work.batch_id),
        schema=names.schema(schema.name, schema.version),
        unknown_columns=difference.unknown_columns,
        missing_optional_columns=difference.missing_optional_columns,
        similar_columns=difference.similar_columns,
    )


def _progress(work: Work) -> Response.Progress:
    progress = work.progress
    return Response.Progress(
        size_bytes=progress.size_bytes,
        total_rows=progress.total_rows,
        valid_rows=progress.valid_rows,
        quarantined_rows=progress.quarantined_rows,
    )


def _batch_request(message: Request.Open) -> BatchRequest:
    if len(message.source_file) > MAX_SOURCE_FILE:
        raise InvalidRequest(
            f"source_file is longer than {MAX_SOURCE_FILE} characters", field="open.source_file"
        )
    source = message.WhichOneof("source")
    if source is None:
        raise InvalidRequest("neither upload nor uri is given", field="open.source")
    options = message.options
    if options.delimiter not in ("", ",", ";", "\t", "|"):
        raise InvalidRequest("delimiter is not one of , ; tab |", field="open.options.delimiter")
    return BatchRequest(
        schema=names.parse_schema_id(message.schema, field="open.schema")
        if message.schema
        else None,
        schema_version=message.schema_version or None,
        request_id=request_id_of(message.request_id, field="open.request_id"),
        source_file=message.source_file,
        uri=message.uri if source == "uri" else None,
        options=ReadOptions(
            delimiter=options.delimiter or None,
            strict=options.strict,
            accept_recovered=options.accept_recovered,
            keep_valid_rows=options.keep_valid_rows,
        ),
    )
