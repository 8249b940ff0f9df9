"""ValidationService: the stream of ValidateBatch, and the reading of batches and schemas."""

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
from stewardd.rpc.context import Context
from stewardd.rpc.filters import batch_filter_of
from stewardd.rpc.pages import page_size_of
from stewardd.rpc.uploads import Chunk, UploadMessages, UploadTimeouts, read_message
from stewardd.rpc.validation.messages import batch_message, schema_kind_of, schema_message
from stewardd.rpc.validation.payload_messages import payload_request_of, verdict_message
from stewardd.schemas.registry import Registry
from stewardd.validation.batch_starter import BatchRequest, BatchStarter
from stewardd.validation.batch_validation import BatchValidation
from stewardd.validation.payload_validation import PayloadValidation
from stewardd.validation.read_options import ReadOptions
from stewardd.validation.replay import BatchReplay

Validation = BatchValidation | BatchReplay
Request = validation_pb2.ValidateBatchRequest
Response = validation_pb2.ValidateBatchResponse

PROGRESS_INTERVAL_S = 0.5
MAX_SOURCE_FILE = 1024
SCHEMA_PAGE_TOKEN = re.compile(r"[0-9]{1,9}")


class ValidationServicer(validation_pb2_grpc.ValidationServiceServicer):
    """Translates between the contract and validation/, which says what a batch is and when it exists."""

    service_name = validation_pb2.DESCRIPTOR.services_by_name["ValidationService"].full_name

    def __init__(
        self,
        starter: BatchStarter,
        catalog: BatchCatalog,
        registry: Registry,
        payloads: PayloadValidation,
        timeouts: UploadTimeouts,
    ) -> None:
        self._starter = starter
        self._catalog = catalog
        self._registry = registry
        self._payloads = payloads
        self._timeouts = timeouts

    def add_to(self, server: grpc.aio.Server) -> None:
        """Registers the service, with a reader of its own for the messages of ValidateBatch (uploads.py)."""
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
        messages = UploadMessages(request_iterator, self._timeouts)
        validation = await self._starter.start(_batch_request(await messages.open()))
        receiving = asyncio.create_task(_receive(messages, validation))
        try:
            responses = _InterimResponses(validation)
            while not receiving.done():
                await responses.wait(receiving)
                for response in responses.due():
                    yield response
            commit = await receiving
            manifest = await validation.commit(commit.size_bytes, commit.crc32c)
            for response in responses.accepted():
                yield response
            yield Response(summary=Response.Summary(batch=batch_message(manifest)))
        finally:
            # Also when the client is gone: nothing of an unpublished batch may stay.
            await asyncio.shield(_end(receiving, validation))

    async def ValidatePayload(
        self, request: validation_pb2.ValidatePayloadRequest, context: Context
    ) -> validation_pb2.ValidatePayloadResponse:
        """Judges one payload."""
        return verdict_message(await self._payloads.validate(payload_request_of(request)))

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
        schema = self._registry.find(*names.parse_schema(request.name))
        return schema_message(schema, schema.document)

    async def ListSchemas(
        self, request: validation_pb2.ListSchemasRequest, context: Context
    ) -> validation_pb2.ListSchemasResponse:
        """Returns a page of schemas. The token is how many schemas came before."""
        size = page_size_of(request.page_size)
        if request.page_token and not SCHEMA_PAGE_TOKEN.fullmatch(request.page_token):
            raise InvalidRequest("page_token is none of this method's", field="page_token")
        first = int(request.page_token or 0)
        schemas = self._registry.all(schema_kind_of(request.kind))
        following = str(first + size) if first + size < len(schemas) else ""
        return validation_pb2.ListSchemasResponse(
            schemas=[schema_message(schema) for schema in schemas[first : first + size]],
            next_page_token=following,
        )

    async def DetectSchema(
        self, request: validation_pb2.DetectSchemaRequest, context: Context
    ) -> validation_pb2.DetectSchemaResponse:
        """Returns the schema that fits a header best."""
        schema = self._registry.detect(request.columns)
        difference = fastcsv.compare(schema, request.columns)
        return validation_pb2.DetectSchemaResponse(
            schema=names.schema(schema.name, schema.version),
            unknown_columns=difference.unknown_columns,
            missing_optional_columns=difference.missing_optional_columns,
            similar_columns=difference.similar_columns,
        )


async def _receive(messages: UploadMessages, validation: Validation) -> Request.Commit:
    """Receives all that the client sends, or reads the file that it names. Returns its Commit."""
    while (data := await messages.chunk(upload=validation.is_upload)) is not None:
        await validation.add_chunk(data)
    async for _ in validation.read_input_file():
        pass
    commit: Request.Commit = messages.commit
    return commit


async def _end(receiving: asyncio.Task[Request.Commit], validation: Validation) -> None:
    receiving.cancel()
    await asyncio.wait([receiving])
    if not receiving.cancelled():
        receiving.exception()  # read, so that asyncio does not log it
    await validation.close()


class _InterimResponses:
    """The responses before the summary: Accepted once, Progress at most twice a second."""

    def __init__(self, validation: Validation) -> None:
        self._validation = validation
        self._accepted = False
        self._progress_s = time.monotonic()
        self._last: Response | None = None

    async def wait(self, receiving: asyncio.Task[Request.Commit]) -> None:
        """Waits until a response may be due, or until nothing more is received. Raises: HeaderRefused."""
        if self._accepted:
            due_s = self._progress_s + PROGRESS_INTERVAL_S - time.monotonic()
            await asyncio.wait([receiving], timeout=max(0.0, due_s))
            return
        header = self._validation.header
        both: set[asyncio.Future[Any]] = {receiving, header}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if header.done():
            header.result()  # a client may wait for Accepted before it sends more: refuse the header at once

    def due(self) -> list[Response]:
        """Returns the responses that are due now."""
        found = self.accepted()
        if self._accepted and time.monotonic() - self._progress_s >= PROGRESS_INTERVAL_S:
            self._progress_s = time.monotonic()
            progress = Response(progress=_progress_message(self._validation))
            if progress != self._last:
                self._last = progress
                found.append(progress)
        return found

    def accepted(self) -> list[Response]:
        """Returns Accepted, if the schema is known and it was not returned before."""
        schema = self._validation.schema
        if self._accepted or schema is None:
            return []
        self._accepted = True
        return [Response(accepted=_accepted_message(self._validation, schema))]


def _accepted_message(validation: Validation, schema: fastcsv.Schema) -> Response.Accepted:
    difference = validation.difference
    return Response.Accepted(
        batch=names.batch(validation.batch_id),
        schema=names.schema(schema.name, schema.version),
        unknown_columns=difference.unknown_columns,
        missing_optional_columns=difference.missing_optional_columns,
        similar_columns=difference.similar_columns,
    )


def _progress_message(validation: Validation) -> Response.Progress:
    progress = validation.progress
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
        request_id=names.request_id_of(message.request_id, field="open.request_id"),
        source_file=message.source_file,
        uri=message.uri if source == "uri" else None,
        options=ReadOptions(
            delimiter=options.delimiter or None,
            strict=options.strict,
            accept_recovered=options.accept_recovered,
            keep_valid_rows=options.keep_valid_rows,
        ),
    )
