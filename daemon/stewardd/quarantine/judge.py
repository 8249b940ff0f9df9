"""Judging rows again, by the same engine that judged them first: they are written as a CSV file, and it is validated.

No rule is spoken of here. Every cell is quoted, so that whatever a correction holds is a cell and nothing else.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import fastcsv
from stewardd.batches.manifest import BatchManifest
from stewardd.errors import InvalidRequest, SchemaNotFound
from stewardd.quarantine.blocking import BlockingStore
from stewardd.quarantine.good_rows import file_columns
from stewardd.quarantine.record import RowViolation, record_of
from stewardd.quarantine.rows import RECORDS
from stewardd.schemas.names import SchemaKey
from stewardd.schemas.refusals import refusals
from stewardd.schemas.registry import Registry

_LOOKED_AT_BYTES = 1024 * 1024
_NAMED = 30
# The rules that a row can break: those of JSON Schema 2020-12, and those of the reader.
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
    )
)


class Judge:
    """The engine, with the registry's schemas. For threads. `scratch` is a folder for what it writes."""

    def __init__(self, registry: Registry, options: fastcsv.Options, scratch: Path) -> None:
        self._registry = registry
        self._options = options
        self._scratch = scratch

    def schema(
        self, batch: BatchManifest, version: str | None, *, newest: bool = False
    ) -> fastcsv.Schema:
        """The version of a batch's schema to judge by; by default the batch's own, or the newest.

        InvalidRequest for one that is older than the batch's, or not there.
        """
        wanted = version or (None if newest else batch.schema_version)
        try:
            schema = self._registry.get(batch.schema, wanted)
        except SchemaNotFound as error:
            raise InvalidRequest(error.message, field="schema_version") from None
        own = SchemaKey(batch.schema, batch.schema_version)
        if SchemaKey(schema.name, schema.version).order < own.order:
            raise InvalidRequest(
                f"version {schema.version} is older than {batch.schema_version}, which the batch was held to",
                field="schema_version",
            )
        return schema

    def check_words(self, batch: BatchManifest, field: str | None, keyword: str | None) -> None:
        """InvalidRequest, with those that there are, for a field or keyword that no violation of the batch can have."""
        versions = [each for each in self._registry.all() if each.name == batch.schema]
        columns = {column.name for each in versions for column in each.columns}
        columns |= {*batch.unknown_columns, *batch.errors_by_field, "_row"}
        if versions and field is not None and field not in columns:
            raise _unknown("column", field, columns, "field")
        keywords = KEYWORDS | set(batch.errors_by_keyword)
        if keyword is not None and keyword not in keywords:
            raise _unknown("rule", keyword, set(batch.errors_by_keyword) or keywords, "keyword")

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """A folder for one piece of work; it is gone afterwards."""
        self._scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = Path(tempfile.mkdtemp(prefix="quarantine-", dir=self._scratch))
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def one(
        self, schema: fastcsv.Schema, columns: Sequence[str], cells: Mapping[str, str]
    ) -> tuple[RowViolation, ...]:
        """What is wrong with one row; nothing, if it is valid."""
        with self.folder() as folder:
            path = folder / "rows.csv"
            with path.open("wb") as file:
                write_row(file, columns)
                write_row(file, [cells.get(column, "") for column in columns])
            return dict(self.file(schema, path, folder / "judged")).get(1, ())

    def file(
        self, schema: fastcsv.Schema, path: Path, out: Path
    ) -> Iterator[tuple[int, tuple[RowViolation, ...]]]:
        """Judges a file that `write_row` wrote: yields the number of each invalid row, from 1, and what is wrong.

        HeaderRefused where the schema requires a column that is not there; StorageFull.
        """
        with refusals():
            fastcsv.validate_file(schema, path, out, options=self._options)
        with (out / RECORDS).open("rb") as lines:
            for line in lines:
                record = record_of(line)
                yield record.row_number, record.violations

    def columns(self, store: BlockingStore, batch: BatchManifest) -> tuple[str, ...]:
        """The columns of a batch, in the order of its file.

        They stand in valid.csv, if there is one, and in each record that has all its cells. Where there is neither, the
        longest record has the first of them, and the order of the others is the schema's.
        """
        known = {
            column.name for column in self._registry.get(batch.schema, batch.schema_version).columns
        }
        report = batch.file("report.json")
        if report is not None:
            missing = json.loads(store.get(batch.key(report)))["missingOptionalColumns"]
            known -= set(missing)
        known |= set(batch.unknown_columns)
        named = file_columns(store, batch)
        if named is not None and set(named) == known:
            return named
        longest: tuple[str, ...] = ()
        records = batch.file(RECORDS)
        if records is not None and records.size_bytes:
            head = store.get_range(batch.key(records), 0, _LOOKED_AT_BYTES)
            for line in head.splitlines(keepends=True):
                if line.endswith(b"\n"):
                    names = tuple(name for name, _ in record_of(line).cells)
                    if set(names) == known:
                        return names
                    if len(names) > len(longest) and known.issuperset(names):
                        longest = names
        ordered = [
            column.name for column in self._registry.get(batch.schema, batch.schema_version).columns
        ]
        others = (*(name for name in ordered if name in known), *batch.unknown_columns)
        return (*longest, *(name for name in others if name not in longest))


def _unknown(what: str, name: str, known: Iterable[str], field: str) -> InvalidRequest:
    names = ", ".join(sorted(known)[:_NAMED])
    return InvalidRequest(
        f"the batch has no {what} {name[:64]!r}; it has {names}",
        field=field,
        hint=f"give the {what} as it stands there: capitals and blanks count",
    )


def write_row(file: IO[bytes], cells: Sequence[str]) -> None:
    """Writes a record of RFC 4180, each cell quoted."""
    text = ",".join('"' + cell.replace('"', '""') + '"' for cell in cells)
    file.write(text.encode(errors="replace") + b"\n")
