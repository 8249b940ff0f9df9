"""The kinds of schemas: what each judges, and the folder in which its documents stand."""

from __future__ import annotations

from enum import StrEnum

import fastcsv
from stewardd.schemas.names import SchemaKey

CompiledSchema = fastcsv.Schema | fastcsv.PayloadSchema


class SchemaKind(StrEnum):
    """The value is the name of its folder.

    CSV judges the rows of a file, PAYLOAD a JSON payload. EVENT describes what payloads are normalised into.
    """

    CSV = "csv"
    PAYLOAD = "json"
    EVENT = "event"

    def compile(self, text: str, key: SchemaKey) -> CompiledSchema:
        """Compiles a document. Raises: fastcsv.SchemaError."""
        if self is SchemaKind.CSV:
            return fastcsv.Schema(text, name=key.name, version=key.version)
        return fastcsv.PayloadSchema(text, name=key.name, version=key.version)
