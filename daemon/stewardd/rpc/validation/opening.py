"""The Open messages of uploads, read as requests for a batch."""

from __future__ import annotations

from steward.v1 import validation_pb2

from stewardd.errors import InvalidRequest
from stewardd.rpc import names
from stewardd.schemas.kinds import SchemaKind
from stewardd.validation.batch_starter import BatchRequest
from stewardd.validation.read_options import ReadOptions

MAX_SOURCE_FILE = 1024
Open = validation_pb2.ValidateBatchRequest.Open | validation_pb2.ValidatePayloadsRequest.Open


def rows_request(message: validation_pb2.ValidateBatchRequest.Open) -> BatchRequest:
    """Reads the Open of ValidateBatch. Raises: InvalidRequest."""
    options = message.options
    if options.delimiter not in ("", ",", ";", "\t", "|"):
        raise InvalidRequest("delimiter is not one of , ; tab |", field="open.options.delimiter")
    return _request(
        message,
        SchemaKind.CSV,
        ReadOptions(
            delimiter=options.delimiter or None,
            strict=options.strict,
            accept_recovered=options.accept_recovered,
            keep_valid_rows=options.keep_valid_rows,
        ),
    )


def payloads_request(message: validation_pb2.ValidatePayloadsRequest.Open) -> BatchRequest:
    """Reads the Open of ValidatePayloads. Raises: InvalidRequest."""
    options = ReadOptions(strict=message.strict, keep_valid_rows=message.keep_valid_payloads)
    return _request(message, SchemaKind.PAYLOAD, options)


def source_file_of(text: str, *, field: str) -> str:
    """Returns the name of a file, as people know it. Raises: InvalidRequest for a long one."""
    return names.word_of(text, field=field, longest=MAX_SOURCE_FILE)


def _request(message: Open, kind: SchemaKind, options: ReadOptions) -> BatchRequest:
    source = message.WhichOneof("source")
    if source is None:
        raise InvalidRequest("neither upload nor uri is given", field="open.source")
    return BatchRequest(
        schema=names.parse_schema_id(message.schema, field="open.schema")
        if message.schema
        else None,
        schema_version=message.schema_version or None,
        request_id=names.request_id_of(message.request_id, field="open.request_id"),
        source_file=source_file_of(message.source_file, field="open.source_file"),
        uri=message.uri if source == "uri" else None,
        options=options,
        kind=kind,
    )
