"""Schemas and their columns, and the schema that a header detects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from steward.v1 import validation_pb2 as pb


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a row schema."""

    name: str
    required: bool
    pii: bool
    """It holds personal data."""


@dataclass(frozen=True, slots=True)
class Schema:
    """One version of a schema."""

    name: str
    """`schemas/{schema}/versions/{version}`."""
    document: str
    """The JSON Schema 2020-12 document; empty in listings."""
    columns: tuple[Column, ...]
    effective_date: str
    """The day from which it holds, `YYYY-MM-DD`."""
    deprecated: bool
    warnings: tuple[str, ...] = ()
    """What of the document has no effect, with its place."""

    @classmethod
    def from_proto(cls, message: pb.Schema) -> Schema:
        """Reads a steward.v1 Schema."""
        return cls(
            name=message.name,
            document=message.document,
            columns=tuple(Column(each.name, each.required, each.pii) for each in message.columns),
            effective_date=message.effective_date,
            deprecated=message.deprecated,
            warnings=tuple(message.warnings),
        )


@dataclass(frozen=True, slots=True)
class Detection:
    """The schema that a header detects."""

    schema: str
    unknown_columns: tuple[str, ...]
    missing_optional_columns: tuple[str, ...] = ()
    similar_columns: Mapping[str, str] = field(default_factory=dict)
    """Of the unknown columns those that may be misspelled, and the column that each may be meant for."""

    @classmethod
    def from_proto(cls, message: pb.DetectSchemaResponse) -> Detection:
        """Reads a steward.v1 DetectSchemaResponse."""
        return cls(
            message.schema,
            tuple(message.unknown_columns),
            tuple(message.missing_optional_columns),
            MappingProxyType(dict(message.similar_columns)),
        )
