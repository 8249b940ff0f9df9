"""ValidationService: uploads of rows and payloads, single payloads, and the reading of batches and schemas."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import aclosing

import grpc
from steward.v1 import validation_pb2, validation_pb2_grpc

import fastcsv
from stewardd.batches.catalog import BatchCatalog
from stewardd.errors import InvalidRequest
from stewardd.rpc import names
from stewardd.rpc.context import Context
from stewardd.rpc.filters import batch_filter_of
from stewardd.rpc.pages import page_size_of
from stewardd.rpc.uploads import Chunk, MessageReader, UploadMessages, UploadTimeouts
from stewardd.rpc.validation.batch_stream import OF_PAYLOADS, OF_ROWS, answers
from stewardd.rpc.validation.messages import batch_message, schema_kind_of, schema_message
from stewardd.rpc.validation.opening import payloads_request, rows_request
from stewardd.rpc.validation.payload_messages import (
    payload_origin_of,
    payload_request_of,
    verdict_message,
)
from stewardd.schemas.registry import Registry
from stewardd.validation.batch_starter import BatchStarter
from stewardd.validation.payload_gathering import PayloadGatherer
from stewardd.validation.payload_validation import PayloadValidation

Request = validation_pb2.ValidateBatchRequest
Response = validation_pb2.ValidateBatchResponse

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
        gatherer: PayloadGatherer,
        timeouts: UploadTimeouts,
    ) -> None:
        self._starter = starter
        self._catalog = catalog
        self._registry = registry
        self._payloads = payloads
        self._gatherer = gatherer
        self._timeouts = timeouts

    def add_to(self, server: grpc.aio.Server) -> None:
        """Registers the service, with readers of its own for the messages of uploads (uploads.py)."""
        validation_pb2_grpc.add_ValidationServiceServicer_to_server(self, server)
        uploads = {
            "ValidateBatch": grpc.stream_stream_rpc_method_handler(
                self.ValidateBatch,
                request_deserializer=MessageReader(Request),
                response_serializer=Response.SerializeToString,
            ),
            "ValidatePayloads": grpc.stream_stream_rpc_method_handler(
                self.ValidatePayloads,
                request_deserializer=MessageReader(validation_pb2.ValidatePayloadsRequest),
                response_serializer=validation_pb2.ValidatePayloadsResponse.SerializeToString,
            ),
        }
        # After the generated handlers, in the place of some of them.
        server.add_registered_method_handlers(self.service_name, uploads)

    async def ValidateBatch(
        self, request_iterator: AsyncIterator[Request | Chunk], context: Context
    ) -> AsyncIterator[Response]:
        """Serves one upload, or one file that the daemon reads itself."""
        messages = UploadMessages(request_iterator, self._timeouts)
        validation = await self._starter.start(rows_request(await messages.open()))
        async with aclosing(answers(messages, validation, OF_ROWS)) as found:
            async for answer in found:
                yield answer

    async def ValidatePayloads(
        self,
        request_iterator: AsyncIterator[validation_pb2.ValidatePayloadsRequest | Chunk],
        context: Context,
    ) -> AsyncIterator[validation_pb2.ValidatePayloadsResponse]:
        """Serves one upload of payloads, or one file of them that the daemon reads itself."""
        messages = UploadMessages(request_iterator, self._timeouts)
        validation = await self._starter.start(payloads_request(await messages.open()))
        async with aclosing(answers(messages, validation, OF_PAYLOADS)) as found:
            async for answer in found:
                yield answer

    async def ValidatePayload(
        self, request: validation_pb2.ValidatePayloadRequest, context: Context
    ) -> validation_pb2.ValidatePayloadResponse:
        """Judges one payload, and quarantines it where the request says so and it is invalid."""
        asked = payload_request_of(request)
        verdict = await self._payloads.validate(asked)
        message = verdict_message(verdict)
        if request.quarantine and not verdict.report.valid:
            found = await self._gatherer.quarantine(asked, verdict, payload_origin_of(request))
            message.row = names.row(found.batch_id, found.row_number)
        return message

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
        """Returns the schema that fits a header or a payload best."""
        if request.HasField("payload"):
            found = self._payloads.detect(request.payload)
            return validation_pb2.DetectSchemaResponse(
                schema=names.schema(found.name, found.version)
            )
        schema = self._registry.detect(request.columns)
        difference = fastcsv.compare(schema, request.columns)
        return validation_pb2.DetectSchemaResponse(
            schema=names.schema(schema.name, schema.version),
            unknown_columns=difference.unknown_columns,
            missing_optional_columns=difference.missing_optional_columns,
            similar_columns=difference.similar_columns,
        )
