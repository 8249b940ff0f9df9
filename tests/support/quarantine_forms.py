"""What batches of rows and batches of payloads have in common for a test: a rating that is wrong where it is over 1.

Row n has the session id Sn and names ana<n>@example.org.
"""

from __future__ import annotations

import csv
import io
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stewardd.schemas.kinds import CompiledSchema, SchemaKind
from stewardd.schemas.names import SchemaKey

import fastcsv

SCHEMAS = Path(__file__).parents[2] / "schemas"
HEADER = b"session_id,participant_email,volunteer_email,scheduled_at,rating\n"
MATCH = "0197c5d2-8a4b-7c31-9e0f-2b6d5a81c3f4"
SheetTable = list[dict[str, Any]]


class Form(ABC):
    """The form of a batch. `schema` is a type with a version 1.0, and a 2.0 that allows a rating of 2."""

    kind: SchemaKind
    schema: str

    def schemas(self) -> list[tuple[CompiledSchema, str]]:
        """Both versions of the schema, compiled, with their documents."""
        document = (SCHEMAS / self.kind / self.schema / "1.0.json").read_text()
        relaxed = json.loads(document)
        relaxed["properties"]["rating"]["maximum"] = 2
        return [
            (self.kind.compile(text, SchemaKey(self.schema, version)), text)
            for version, text in (("1.0", document), ("2.0", json.dumps(relaxed)))
        ]

    @abstractmethod
    def body(self, count: int, *, bad_every: int) -> bytes:
        """A file of so many records; every so many has a rating of 1.7."""

    @abstractmethod
    def validate(self, schema: CompiledSchema, path: Path, out: Path, batch: str) -> fastcsv.Report:
        """Validates a file, and keeps its valid records."""

    @abstractmethod
    def correction(self, number: int, rating: str) -> dict[str, str]:
        """The cells that correct a row."""

    @abstractmethod
    def rating(self, cells: Mapping[str, str]) -> str:
        """The rating in the cells of a row."""

    @abstractmethod
    def read_sheet(self, body: bytes) -> SheetTable:
        """The rows of a sheet."""

    @abstractmethod
    def edited(self, row: dict[str, Any], rating: str) -> dict[str, Any]:
        """A row of a sheet with another rating."""

    @abstractmethod
    def write_sheet(self, table: SheetTable) -> bytes:
        """A sheet, as its editor saves it."""

    @abstractmethod
    def sessions(self, body: bytes) -> list[str]:
        """The session ids of a file of good rows."""


class Rows(Form):
    """CSV rows."""

    kind = SchemaKind.CSV
    schema = "language_session"

    def body(self, count: int, *, bad_every: int) -> bytes:
        return HEADER + b"".join(
            b"S%d,ana%d@example.org,bo@example.org,2025-03-01,%s\n"
            % (n, n, b"1.7" if n % bad_every == 0 else b"0.5")
            for n in range(1, count + 1)
        )

    def validate(self, schema: CompiledSchema, path: Path, out: Path, batch: str) -> fastcsv.Report:
        assert isinstance(schema, fastcsv.Schema)
        return fastcsv.validate_file(
            schema,
            path,
            out,
            batch=batch,
            quarantined_at="2025-11-13T10:00:00Z",
            options=fastcsv.Options(valid_out=True),
        )

    def correction(self, number: int, rating: str) -> dict[str, str]:
        return {"rating": rating}

    def rating(self, cells: Mapping[str, str]) -> str:
        return cells["rating"]

    def read_sheet(self, body: bytes) -> SheetTable:
        return list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"), newline="")))

    def edited(self, row: dict[str, Any], rating: str) -> dict[str, Any]:
        return {**row, "rating": rating}

    def write_sheet(self, table: SheetTable) -> bytes:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
        return text.getvalue().encode()

    def sessions(self, body: bytes) -> list[str]:
        return [row["session_id"] for row in csv.DictReader(io.StringIO(body.decode()))]


class Payloads(Form):
    """JSON payloads, one a line. The session id is a member that the schema does not name."""

    kind = SchemaKind.PAYLOAD
    schema = "buddy_feedback"

    def body(self, count: int, *, bad_every: int) -> bytes:
        return b"".join(
            self._payload(n, "1.7" if n % bad_every == 0 else "0.5").encode() + b"\n"
            for n in range(1, count + 1)
        )

    def validate(self, schema: CompiledSchema, path: Path, out: Path, batch: str) -> fastcsv.Report:
        assert isinstance(schema, fastcsv.PayloadSchema)
        return fastcsv.validate_payload_file(
            schema,
            path,
            out,
            batch=batch,
            quarantined_at="2025-11-13T10:00:00Z",
            options=fastcsv.PayloadOptions(valid_out=True),
        )

    def correction(self, number: int, rating: str) -> dict[str, str]:
        return {"": self._payload(number, rating)}

    def rating(self, cells: Mapping[str, str]) -> str:
        return str(json.loads(cells[""])["rating"])

    def read_sheet(self, body: bytes) -> SheetTable:
        return [json.loads(line) for line in body.splitlines()]

    def edited(self, row: dict[str, Any], rating: str) -> dict[str, Any]:
        return {**row, "payload": {**row["payload"], "rating": float(rating)}}

    def write_sheet(self, table: SheetTable) -> bytes:
        return b"".join(json.dumps(row).encode() + b"\n" for row in table)

    def sessions(self, body: bytes) -> list[str]:
        return [json.loads(line)["session_id"] for line in body.splitlines()]

    def _payload(self, number: int, rating: str) -> str:
        return (
            f'{{"match_id": "{MATCH}", "from_role": "buddy", "rating": {rating}, '
            f'"feedback_text": "by ana{number}@example.org", "session_id": "S{number}"}}'
        )


FORMS: dict[str, Form] = {"rows": Rows(), "payloads": Payloads()}
