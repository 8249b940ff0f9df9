"""Validating rows and payloads again, with the same engine that validated their batch. No rule is written here.

Rows are written as a CSV file, and the engine validates the file. Every cell is quoted: whatever a correction holds
stays in its cell. Payloads are given to the engine one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

import fastcsv
from stewardd.batches.manifest import BatchManifest
from stewardd.errors import InvalidRequest, SchemaNotFound
from stewardd.quarantine.files.payload_records import PAYLOAD
from stewardd.quarantine.files.pointers import ROW
from stewardd.quarantine.files.records import RECORDS, RowViolation, read_record
from stewardd.quarantine.files.scratch import Scratch
from stewardd.quarantine.finding.columns import BatchColumns
from stewardd.schemas.kinds import CompiledSchema
from stewardd.schemas.names import SchemaKey
from stewardd.schemas.refusals import refusals
from stewardd.schemas.registry import Registry


class Revalidator:
    """The engine with the schemas of the registry. Its methods block: call them on worker threads."""

    def __init__(
        self,
        registry: Registry,
        options: fastcsv.Options,
        payload_bounds: Mapping[str, int],
        scratch: Scratch,
    ) -> None:
        self._registry = registry
        self._options = options
        self._payload_bounds = payload_bounds
        self.scratch = scratch
        self.columns = BatchColumns(registry)

    def schema(
        self, batch: BatchManifest, version: str | None, *, newest: bool = False
    ) -> CompiledSchema:
        """The schema version to validate by. None stands for the version of the batch, or for the newest.

        Raises: InvalidRequest for a version that is older than the batch's, or unknown.
        """
        wanted = version or (None if newest else batch.schema_version)
        try:
            schema = self._registry.of_kind(batch.kind, batch.schema, wanted)
        except SchemaNotFound as error:
            raise InvalidRequest(error.message, field="schema_version") from None
        own = SchemaKey(batch.schema, batch.schema_version)
        if SchemaKey(schema.name, schema.version).order < own.order:
            raise InvalidRequest(
                f"version {schema.version} is older than {batch.schema_version}, which the batch was held to",
                field="schema_version",
            )
        return schema

    def violations_of(
        self,
        schema: CompiledSchema,
        columns: Sequence[str],
        cells: Mapping[str, str],
        *,
        strict: bool,
    ) -> tuple[RowViolation, ...]:
        """The violations of one row or payload. Empty where it is valid. `strict` is for payloads."""
        if isinstance(schema, fastcsv.PayloadSchema):
            return self.payload_violations(schema, cells.get(PAYLOAD, ""), strict=strict)
        with self.scratch.folder() as folder:
            path = folder / "rows.csv"
            with path.open("wb") as file:
                write_row(file, columns)
                write_row(file, [cells.get(column, "") for column in columns])
            return dict(self.validate_file(schema, path, folder / "validated")).get(1, ())

    def payload_violations(
        self, schema: fastcsv.PayloadSchema, payload: str, *, strict: bool
    ) -> tuple[RowViolation, ...]:
        """The violations of one payload."""
        body = payload.encode(errors="surrogatepass")
        report = fastcsv.validate_payload(schema, body, strict=strict, **self._payload_bounds)
        return tuple(
            RowViolation(each.pointer or ROW, each.keyword, each.message, each.value)
            for each in report.violations
        )

    def validate_file(
        self, schema: fastcsv.Schema, path: Path, out: Path
    ) -> Iterator[tuple[int, tuple[RowViolation, ...]]]:
        """Validates a file that `write_row` wrote. Yields each invalid row: its number, from 1, and its violations.

        Raises: HeaderRefused where the schema requires a column that is not there; StorageFull.
        """
        with refusals():
            fastcsv.validate_file(schema, path, out, options=self._options)
        with (out / RECORDS).open("rb") as lines:
            for line in lines:
                record = read_record(line)
                yield record.row_number, record.violations


def write_row(file: IO[bytes], cells: Sequence[str]) -> None:
    """Writes a record of RFC 4180, each cell quoted."""
    text = ",".join('"' + cell.replace('"', '""') + '"' for cell in cells)
    file.write(text.encode(errors="replace") + b"\n")
