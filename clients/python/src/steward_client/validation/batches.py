"""Batches and their files, and what the daemon tells while it validates one: frozen, with Python's own types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from steward.v1 import validation_pb2 as pb

from steward_client import protobuf_values
from steward_client.errors import InvalidRequest, NotFound
from steward_client.validation.schemas import SchemaKind


@dataclass(frozen=True, slots=True)
class BatchFile:
    """A file that a batch left: records.jsonl, errors.csv, report.json, valid.csv or valid.jsonl."""

    name: str
    """`batches/{batch}/files/{file}`."""
    size_bytes: int
    crc32c: int

    @property
    def file(self) -> str:
        """The last part of the name, such as `errors.csv`."""
        return self.name.rsplit("/", 1)[-1]

    @classmethod
    def from_proto(cls, message: pb.BatchFile) -> BatchFile:
        """Reads a steward.v1 BatchFile."""
        return cls(message.name, message.size_bytes, message.crc32c)


@dataclass(frozen=True, slots=True)
class Batch:
    """One file, validated as a whole.

    `total_rows == valid_rows + quarantined_rows`, and `quarantined_rows == open_rows + resolved_rows + discarded_rows`,
    always.
    """

    name: str
    """`batches/{batch}`."""
    schema: str
    """`schemas/{schema}/versions/{version}`."""
    source_file: str
    create_time: datetime
    total_rows: int
    valid_rows: int
    quarantined_rows: int
    recovered_rows: int
    """Of the quarantined: rows that a broken quote had swallowed."""
    errors_by_field: Mapping[str, int]
    """Violations by column; `_row` is the row as a whole."""
    errors_by_keyword: Mapping[str, int]
    unknown_columns: tuple[str, ...]
    size_bytes: int
    crc32c: int
    delimiter: str
    encoding: str
    compression: str
    files: tuple[BatchFile, ...]
    elapsed_s: float
    request_id: str
    uri: str
    resolved_rows: int
    """Of the quarantined: corrected, and valid now."""
    discarded_rows: int
    """Of the quarantined: discarded."""
    open_rows: int
    """Of the quarantined: still open. What has become of them is as of when the daemon answered."""
    missing_optional_columns: tuple[str, ...] = ()
    """Columns that the schema knows, does not require, and the header does not have."""
    similar_columns: Mapping[str, str] = field(default_factory=dict)
    """Of the unknown columns those that may be misspelled, and the column that each may be meant for."""
    kind: SchemaKind = SchemaKind.CSV
    """Whether it is a CSV file, or JSON Lines: then a row is a payload, and a field the JSON Pointer of a member."""

    @property
    def is_clean(self) -> bool:
        """Whether no row was quarantined."""
        return self.quarantined_rows == 0

    def file(self, file: str) -> BatchFile:
        """Returns the file of that last name.

        Raises NotFound / BATCH_FILE_NOT_FOUND, saying which files there are.
        """
        for candidate in self.files:
            if file in (candidate.file, candidate.name):
                return candidate
        there = ", ".join(candidate.file for candidate in self.files) or "none"
        raise NotFound(
            f"{self.name} has no file {file}; it has: {there}",
            reason="BATCH_FILE_NOT_FOUND",
            hint="the valid rows or payloads are kept only when the validation asks for it "
            "(keep_valid_rows=True, keep_valid_payloads=True; for the command: --valid-out)",
        )

    @classmethod
    def from_proto(cls, message: pb.Batch) -> Batch:
        """Reads a steward.v1 Batch."""
        return cls(
            name=message.name,
            schema=message.schema,
            source_file=message.source_file,
            create_time=protobuf_values.time(message.create_time),
            total_rows=message.total_rows,
            valid_rows=message.valid_rows,
            quarantined_rows=message.quarantined_rows,
            recovered_rows=message.recovered_rows,
            errors_by_field=MappingProxyType(dict(message.errors_by_field)),
            errors_by_keyword=MappingProxyType(dict(message.errors_by_keyword)),
            unknown_columns=tuple(message.unknown_columns),
            size_bytes=message.size_bytes,
            crc32c=message.crc32c,
            delimiter=message.delimiter,
            encoding=message.encoding,
            compression=message.compression,
            files=tuple(BatchFile.from_proto(file) for file in message.files),
            elapsed_s=protobuf_values.seconds(message.elapsed),
            request_id=message.request_id,
            uri=message.uri,
            resolved_rows=message.resolved_rows,
            discarded_rows=message.discarded_rows,
            open_rows=message.open_rows,
            missing_optional_columns=tuple(message.missing_optional_columns),
            similar_columns=MappingProxyType(dict(message.similar_columns)),
            kind=SchemaKind.from_proto(message.kind),
        )


@dataclass(frozen=True, slots=True)
class Accepted:
    """The header fits a schema; rows are being judged."""

    batch: str
    """The name that the batch will have."""
    schema: str
    unknown_columns: tuple[str, ...]
    missing_optional_columns: tuple[str, ...] = ()
    similar_columns: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_proto(cls, message: pb.ValidateBatchResponse.Accepted) -> Accepted:
        """Reads a steward.v1 Accepted."""
        return cls(
            message.batch,
            message.schema,
            tuple(message.unknown_columns),
            tuple(message.missing_optional_columns),
            MappingProxyType(dict(message.similar_columns)),
        )


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a validation; at most twice a second."""

    size_bytes: int
    total_rows: int
    valid_rows: int
    quarantined_rows: int

    @classmethod
    def from_proto(cls, message: pb.ValidateBatchResponse.Progress) -> Progress:
        """Reads a steward.v1 Progress."""
        return cls(
            message.size_bytes, message.total_rows, message.valid_rows, message.quarantined_rows
        )


def split_file_name(name: str) -> tuple[str, str]:
    """Returns the batch and the file of `batches/{batch}/files/{file}`. Raises InvalidRequest."""
    batch, separator, file = name.rpartition("/files/")
    if not separator or not batch or not file or "/" in file:
        raise InvalidRequest(
            f"{name!r} names no file of a batch",
            reason="NAME_INVALID",
            hint="name it as batches/{batch}/files/{file}, as batch.files does",
        )
    return batch, file
