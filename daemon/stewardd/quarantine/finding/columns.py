"""The columns of a batch in the order of its file, and the columns and rules by which its rows can be filtered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from stewardd.batches.manifest import BatchManifest
from stewardd.errors import InvalidRequest
from stewardd.quarantine.files import pointers
from stewardd.quarantine.files.blocking_store import BlockingStore
from stewardd.quarantine.files.payload_records import COLUMNS
from stewardd.quarantine.files.records import RECORDS, read_record
from stewardd.quarantine.files.valid_records import valid_columns
from stewardd.repository.document import Codec
from stewardd.schemas.kinds import SchemaKind
from stewardd.schemas.registry import Registry

_HEAD_BYTES = 1024 * 1024
_NAMED = 30
# The rules that a row or payload can break: those of JSON Schema 2020-12, and those of the readers.
KEYWORDS = frozenset(
    (
        *("type", "enum", "const", "multipleOf", "maximum"),
        *("exclusiveMaximum", "minimum", "exclusiveMinimum", "maxLength", "minLength"),
        *("pattern", "format", "required", "dependentRequired", "dependentSchemas"),
        *(
            "additionalProperties",
            "unevaluatedProperties",
            "propertyNames",
            "minProperties",
            "maxProperties",
        ),
        *("contentMediaType", "contentEncoding", "allOf", "anyOf", "oneOf"),
        *("not", "if", "then", "else", "$ref"),
        *("false", "quoting", "encoding", "nul", "recordBytes"),
        *("recordLines", "fields", "fieldBytes", "cells", "recovered"),
        *("items", "prefixItems", "contains", "minItems", "maxItems", "uniqueItems"),
        *("json", "duplicateMember", "surrogate", "number", "depth", "payloadBytes"),
    )
)


@dataclass(frozen=True, slots=True)
class ReportDocument:
    """What is read of report.json, which the engine writes."""

    missing_optional_columns: Annotated[tuple[str, ...], Field(alias="missingOptionalColumns")] = ()


REPORT_CODEC = Codec(ReportDocument)


class BatchColumns:
    """Finds the columns of batches by their files and schemas."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def check_filter(self, batch: BatchManifest, field: str | None, keyword: str | None) -> None:
        """Checks a filter by field and keyword.

        Raises: InvalidRequest for a field or a keyword that no violation of the batch can have; it names those that
        there are.
        """
        versions = [
            each for each in self._registry.all(batch.kind) if each.key.name == batch.schema
        ]
        fields = {name for each in versions for name in each.fields}
        fields |= {*batch.unknown_columns, *batch.errors_by_field, pointers.ROW}
        if versions and field is not None and not _is_known(field, fields, batch.kind):
            what = "column" if batch.kind is SchemaKind.CSV else "member"
            raise _unknown(what, field, fields, "field")
        keywords = KEYWORDS | set(batch.errors_by_keyword)
        if keyword is not None and keyword not in keywords:
            raise _unknown("rule", keyword, set(batch.errors_by_keyword) or keywords, "keyword")

    def of_batch(self, store: BlockingStore, batch: BatchManifest) -> tuple[str, ...]:
        """The columns of a batch in the order of its file. For worker threads. A payload is one cell without a name.

        The header of valid.csv names them, and so does each record that has all its cells. Without either, the order
        is that of the longest record, then that of the schema.
        """
        if batch.kind is SchemaKind.PAYLOAD:
            return COLUMNS
        of_schema = [
            column.name
            for column in self._registry.rows(batch.schema, batch.schema_version).columns
        ]
        known = set(of_schema)
        report = batch.file("report.json")
        if report is not None:
            key = batch.key(report)
            known -= set(REPORT_CODEC.decode(store.get(key), key).missing_optional_columns)
        known |= set(batch.unknown_columns)
        named = valid_columns(store, batch)
        if named is not None and set(named) == known:
            return named
        longest: tuple[str, ...] = ()
        records = batch.file(RECORDS)
        if records is not None and records.size_bytes:
            head = store.get_range(batch.key(records), 0, _HEAD_BYTES)
            for line in head.splitlines(keepends=True):
                if line.endswith(b"\n"):
                    names = tuple(name for name, _ in read_record(line).cells)
                    if set(names) == known:
                        return names
                    if len(names) > len(longest) and known.issuperset(names):
                        longest = names
        others = (*(name for name in of_schema if name in known), *batch.unknown_columns)
        return (*longest, *(name for name in others if name not in longest))


def _is_known(field: str, fields: Iterable[str], kind: SchemaKind) -> bool:
    if kind is SchemaKind.CSV:
        return field in fields
    return any(
        each == pointers.OTHER or pointers.matches(each, field) or pointers.matches(field, each)
        for each in fields
    )


def _unknown(what: str, name: str, known: Iterable[str], field: str) -> InvalidRequest:
    names = ", ".join(sorted(known)[:_NAMED])
    return InvalidRequest(
        f"the batch has no {what} {name[:64]!r}; it has {names}",
        field=field,
        hint=f"give the {what} as it stands there: capitals and blanks count",
    )
