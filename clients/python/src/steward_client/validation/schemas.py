"""Schemas and their columns, and the schema that a header detects."""

from __future__ import annotations

from dataclasses import dataclass

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

    @classmethod
    def from_proto(cls, message: pb.Schema) -> Schema:
        """Reads a steward.v1 Schema."""
        return cls(
            name=message.name,
            document=message.document,
            columns=tuple(Column(each.name, each.required, each.pii) for each in message.columns),
            effective_date=message.effective_date,
            deprecated=message.deprecated,
        )


@dataclass(frozen=True, slots=True)
class Detection:
    """The schema that a header detects."""

    schema: str
    unknown_columns: tuple[str, ...]

    @classmethod
    def from_proto(cls, message: pb.DetectSchemaResponse) -> Detection:
        """Reads a steward.v1 DetectSchemaResponse."""
        return cls(message.schema, tuple(message.unknown_columns))
