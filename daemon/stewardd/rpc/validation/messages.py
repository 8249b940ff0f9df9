"""Batches and schemas as messages of the contract."""

from __future__ import annotations

from steward.v1 import validation_pb2

import fastcsv
from stewardd.batches.manifest import BatchManifest
from stewardd.errors import InvalidRequest
from stewardd.rpc import names
from stewardd.rpc.times import duration, timestamp
from stewardd.schemas.kinds import SchemaKind
from stewardd.schemas.registry import RegisteredSchema

KINDS = {
    SchemaKind.CSV: validation_pb2.SCHEMA_KIND_CSV,
    SchemaKind.PAYLOAD: validation_pb2.SCHEMA_KIND_PAYLOAD,
    SchemaKind.EVENT: validation_pb2.SCHEMA_KIND_EVENT,
}


def batch_message(manifest: BatchManifest) -> validation_pb2.Batch:
    """Returns a published batch as the contract has it."""
    return validation_pb2.Batch(
        name=names.batch(manifest.batch_id),
        kind=KINDS[manifest.kind],
        schema=names.schema(manifest.schema, manifest.schema_version),
        source_file=manifest.source_file,
        create_time=timestamp(manifest.create_time),
        total_rows=manifest.total_rows,
        valid_rows=manifest.valid_rows,
        quarantined_rows=manifest.quarantined_rows,
        recovered_rows=manifest.recovered_rows,
        errors_by_field=manifest.errors_by_field,
        errors_by_keyword=manifest.errors_by_keyword,
        unknown_columns=manifest.unknown_columns,
        missing_optional_columns=manifest.missing_optional_columns,
        similar_columns=manifest.similar_columns,
        size_bytes=manifest.size_bytes,
        crc32c=manifest.crc32c,
        delimiter=manifest.delimiter,
        encoding=manifest.encoding,
        compression=manifest.compression,
        files=[
            validation_pb2.BatchFile(
                name=names.batch_file(manifest.batch_id, file.name),
                size_bytes=file.size_bytes,
                crc32c=file.crc32c,
            )
            for file in manifest.files
        ],
        elapsed=duration(manifest.elapsed_s),
        request_id=manifest.request_id,
        uri=manifest.uri,
        resolved_rows=manifest.resolved_rows,
        discarded_rows=manifest.discarded_rows,
        open_rows=manifest.open_rows,
    )


def schema_message(schema: RegisteredSchema, document: str = "") -> validation_pb2.Schema:
    """Returns a schema as the contract has it."""
    compiled = schema.compiled
    columns = compiled.columns if isinstance(compiled, fastcsv.Schema) else ()
    return validation_pb2.Schema(
        name=names.schema(compiled.name, compiled.version),
        kind=KINDS[schema.kind],
        document=document,
        columns=[
            validation_pb2.Schema.Column(name=column.name, required=column.required, pii=column.pii)
            for column in columns
        ],
        members=[
            validation_pb2.Schema.Member(
                pointer=member.pointer, required=member.required, pii=member.pii
            )
            for member in schema.members
        ],
        effective_date=compiled.effective_date or "",
        deprecated=compiled.deprecated,
        warnings=compiled.warnings,
    )


def schema_kind_of(kind: int) -> SchemaKind | None:
    """Returns the kind that a request asks for. None for any. Raises: InvalidRequest for a number of no kind."""
    if kind == validation_pb2.SCHEMA_KIND_UNSPECIFIED:
        return None
    for each, number in KINDS.items():
        if number == kind:
            return each
    raise InvalidRequest(f"{kind} is no kind of schema", field="kind")
