"""The manifest of a batch, made from the engine's report of its validation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import fastcsv
from stewardd.batches.file import BatchFile
from stewardd.batches.manifest import BatchManifest
from stewardd.schemas.kinds import SchemaKind


@dataclass(frozen=True, slots=True)
class BatchOrigin:
    """Where a batch comes from, as its manifest states it. `uri` is empty for an upload."""

    source_file: str
    uri: str
    request_id: str
    kind: SchemaKind = SchemaKind.CSV
    strict: bool = False


def manifest_of(
    report: fastcsv.Report,
    batch_id: str,
    origin: BatchOrigin,
    *,
    create_time: datetime,
    elapsed_s: float,
) -> BatchManifest:
    """The manifest of a batch that was just validated."""
    return BatchManifest(
        batch_id=batch_id,
        kind=origin.kind,
        strict=origin.strict,
        schema=report.schema,
        schema_version=report.version,
        source_file=report.source_file,
        uri=origin.uri,
        request_id=origin.request_id,
        create_time=create_time,
        elapsed_s=elapsed_s,
        total_rows=report.total_rows,
        valid_rows=report.valid_rows,
        quarantined_rows=report.quarantined_rows,
        recovered_rows=report.recovered_rows,
        errors_by_field=dict(report.errors_by_field),
        errors_by_keyword=dict(report.errors_by_keyword),
        unknown_columns=tuple(report.unknown_columns),
        missing_optional_columns=tuple(report.missing_optional_columns),
        similar_columns=dict(report.similar_columns),
        size_bytes=report.size_bytes,
        crc32c=report.crc32c,
        delimiter=report.delimiter,
        encoding=report.encoding,
        compression="" if report.compression == "none" else report.compression,
        files=tuple(BatchFile(file.name, file.size_bytes, file.crc32c) for file in report.files),
    )
