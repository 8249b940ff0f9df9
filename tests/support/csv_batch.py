"""Validates bytes with fastcsv and reads back everything that it wrote."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fastcsv

SCHEMAS = Path(__file__).parents[2] / "schemas" / "csv"
WHEN = "2025-11-13T10:00:00Z"


@dataclass(frozen=True)
class Batch:
    report: fastcsv.Report
    files: dict[str, bytes]

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.files["records.jsonl"].splitlines()]


def schema(name: str, version: str) -> fastcsv.Schema:
    document = (SCHEMAS / name / f"{version}.json").read_bytes()
    return fastcsv.Schema(document, name=name, version=version)


def refusing(*columns: str) -> fastcsv.Schema:
    """Return a schema that no row fits, so that every row comes back from quarantine."""
    properties = {name: {"enum": ["no cell is this"]} for name in columns}
    document = {"type": "object", "properties": properties, "required": list(columns)}
    return fastcsv.Schema(json.dumps(document), name="refusing", version="1.0")


def taking(*columns: str) -> fastcsv.Schema:
    """Return a schema that every row of that many cells fits."""
    properties = {name: {"type": "string"} for name in columns}
    document = {"type": "object", "properties": properties}
    return fastcsv.Schema(json.dumps(document), name="taking", version="1.0")


def validate(
    schemas: fastcsv.Schema | Sequence[fastcsv.Schema],
    chunks: bytes | Iterable[bytes],
    **options: Any,
) -> Batch:
    candidates = [schemas] if isinstance(schemas, fastcsv.Schema) else list(schemas)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        validator = fastcsv.Validator(
            candidates,
            out,
            batch="b-1",
            source_file="sessions.csv",
            quarantined_at=WHEN,
            options=fastcsv.Options(**options),
        )
        for chunk in [chunks] if isinstance(chunks, bytes) else chunks:
            validator.feed(chunk)
        report = validator.finish()
        return Batch(report, {path.name: path.read_bytes() for path in out.iterdir()})
