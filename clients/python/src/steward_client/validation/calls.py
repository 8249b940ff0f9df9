"""The calls of ValidationService."""

from __future__ import annotations

from collections.abc import Sequence

from steward.v1 import validation_pb2

from steward_client import protobuf_values
from steward_client.connection.call import Call, Page, Pages, new_request_id
from steward_client.validation.batch_filter import BatchFilter
from steward_client.validation.batches import Batch, BatchFile
from steward_client.validation.payloads import CloudEvent, Payload, PayloadVerdict, payload_bytes
from steward_client.validation.schemas import Detection, Schema, SchemaKind

SERVICE = "/steward.v1.ValidationService"


def validate_payload(
    payload: Payload,
    schema: str | None,
    schema_version: str | None,
    *,
    strict: bool,
    quarantine: bool,
    source_file: str,
    normalise: bool | CloudEvent,
    request_id: str | None,
) -> Call[validation_pb2.ValidatePayloadResponse, PayloadVerdict]:
    """ValidationService.ValidatePayload."""
    wanted = None
    if normalise:
        wanted = validation_pb2.ValidatePayloadRequest.Normalise()
    if wanted is not None and isinstance(normalise, CloudEvent):
        wanted.cloud_event.id, wanted.cloud_event.source = normalise.id, normalise.source
    return Call(
        f"{SERVICE}/ValidatePayload",
        validation_pb2.ValidatePayloadRequest(
            payload=payload_bytes(payload),
            schema=protobuf_values.resource("schemas", schema or ""),
            schema_version=schema_version or "",
            strict=strict,
            quarantine=quarantine,
            source_file=source_file,
            normalise=wanted,
            request_id=(request_id or new_request_id()) if quarantine else "",
        ),
        validation_pb2.ValidatePayloadResponse,
        PayloadVerdict.from_proto,
    )


def get_batch(name: str) -> Call[validation_pb2.Batch, Batch]:
    """ValidationService.GetBatch."""
    request = validation_pb2.GetBatchRequest(name=protobuf_values.resource("batches", name))
    return Call(f"{SERVICE}/GetBatch", request, validation_pb2.Batch, Batch.from_proto)


def list_batches(
    page_size: int, batches: BatchFilter | None, id_prefix: str = ""
) -> Pages[validation_pb2.ListBatchesResponse, Batch]:
    """ValidationService.ListBatches."""
    wanted = None if batches is None else batches.to_proto()

    def page(answer: validation_pb2.ListBatchesResponse) -> Page[Batch]:
        return Page(tuple(map(Batch.from_proto, answer.batches)), answer.next_page_token)

    return lambda token: Call(
        f"{SERVICE}/ListBatches",
        validation_pb2.ListBatchesRequest(
            page_size=page_size, page_token=token, filter=wanted, id_prefix=id_prefix
        ),
        validation_pb2.ListBatchesResponse,
        page,
    )


def download_batch_file(
    file: BatchFile, offset_bytes: int
) -> Call[validation_pb2.DownloadBatchFileResponse, bytes]:
    """ValidationService.DownloadBatchFile: the bytes of this very file from an offset on, never of a later one."""
    return Call(
        f"{SERVICE}/DownloadBatchFile",
        validation_pb2.DownloadBatchFileRequest(
            name=file.name, offset_bytes=offset_bytes, crc32c=file.crc32c
        ),
        validation_pb2.DownloadBatchFileResponse,
        lambda answer: answer.data,
    )


def get_schema(name: str, version: str | None) -> Call[validation_pb2.Schema, Schema]:
    """ValidationService.GetSchema; without a version the newest."""
    name = protobuf_values.resource("schemas", name)
    if version:
        name = f"{name}/versions/{version}"
    request = validation_pb2.GetSchemaRequest(name=name)
    return Call(f"{SERVICE}/GetSchema", request, validation_pb2.Schema, Schema.from_proto)


def list_schemas(
    page_size: int, kind: SchemaKind | str | None = None
) -> Pages[validation_pb2.ListSchemasResponse, Schema]:
    """ValidationService.ListSchemas. Raises: InvalidRequest for a word that names no kind."""
    wanted = SchemaKind.wanted(kind)

    def page(answer: validation_pb2.ListSchemasResponse) -> Page[Schema]:
        return Page(tuple(map(Schema.from_proto, answer.schemas)), answer.next_page_token)

    return lambda token: Call(
        f"{SERVICE}/ListSchemas",
        validation_pb2.ListSchemasRequest(page_size=page_size, page_token=token, kind=wanted),
        validation_pb2.ListSchemasResponse,
        page,
    )


def detect_schema(columns: Sequence[str]) -> Call[validation_pb2.DetectSchemaResponse, Detection]:
    """ValidationService.DetectSchema."""
    return Call(
        f"{SERVICE}/DetectSchema",
        validation_pb2.DetectSchemaRequest(columns=columns),
        validation_pb2.DetectSchemaResponse,
        Detection.from_proto,
    )


def detect_payload(payload: Payload) -> Call[validation_pb2.DetectSchemaResponse, Detection]:
    """ValidationService.DetectSchema, of a payload."""
    return Call(
        f"{SERVICE}/DetectSchema",
        validation_pb2.DetectSchemaRequest(payload=payload_bytes(payload)),
        validation_pb2.DetectSchemaResponse,
        Detection.from_proto,
    )
