"""Schemas, their columns and members, and the schema that a header detects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

from steward.v1 import validation_pb2 as pb

from steward_client.errors import InvalidRequest


class SchemaKind(Enum):
    """What a schema judges: the rows of a CSV file, a JSON payload, or the event that payloads are normalised into."""

    UNKNOWN = "unknown"
    CSV = "csv"
    PAYLOAD = "payload"
    EVENT = "event"

    @classmethod
    def from_proto(cls, value: int) -> SchemaKind:
        """Reads a steward.v1 SchemaKind."""
        return next((kind for number, kind in _KINDS.items() if number == value), cls.UNKNOWN)

    @classmethod
    def wanted(cls, kind: SchemaKind | str | None) -> pb.SchemaKind.ValueType:
        """Returns the kind that a listing is restricted to, given as a kind or its word."""
        if kind is None:
            return pb.SCHEMA_KIND_UNSPECIFIED
        word = kind.value if isinstance(kind, SchemaKind) else kind
        for number, each in _KINDS.items():
            if word == each.value:
                return number
        known = ", ".join(each.value for each in _KINDS.values())
        raise InvalidRequest(
            f"{word} is no kind of schema", reason="SCHEMA_KIND_UNKNOWN", hint=f"use one of {known}"
        )


_KINDS = {
    pb.SCHEMA_KIND_CSV: SchemaKind.CSV,
    pb.SCHEMA_KIND_PAYLOAD: SchemaKind.PAYLOAD,
    pb.SCHEMA_KIND_EVENT: SchemaKind.EVENT,
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a row schema."""

    name: str
    required: bool
    pii: bool
    """It holds personal data."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a payload."""

    pointer: str
    """Its JSON Pointer (RFC 6901); `*` stands for every element of a list."""
    required: bool
    """It must be there wherever the object that holds it is."""
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
    """Of a row schema."""
    effective_date: str
    """The day from which it holds, `YYYY-MM-DD`."""
    deprecated: bool
    warnings: tuple[str, ...] = ()
    """What of the document has no effect, with its place."""
    kind: SchemaKind = SchemaKind.CSV
    members: tuple[Member, ...] = ()
    """Of a payload schema."""

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
            kind=SchemaKind.from_proto(message.kind),
            members=tuple(
                Member(each.pointer, each.required, each.pii) for each in message.members
            ),
        )


@dataclass(frozen=True, slots=True)
class Detection:
    """The schema that a header or a payload detects; the columns are a header's."""

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
