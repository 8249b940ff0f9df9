"""The engine of one batch, as its validation drives it: fed in pieces, one thread at a time, then finished or aborted.

fastcsv.Validator is one as it is. For JSON Lines there is `PayloadLines`, which finds the schema in the first payload.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import fastcsv
from stewardd.config.validation import ValidationSettings
from stewardd.schemas.kinds import CompiledSchema
from stewardd.schemas.registry import Registry
from stewardd.validation.payload_lines import PayloadLines
from stewardd.validation.read_options import ReadOptions

ENGINE_THREADS = 4
"""One file is validated by no more threads at once: neither gRPC nor a disk delivers faster."""


class BatchProgress(Protocol):
    """How far a batch has come."""

    @property
    def size_bytes(self) -> int:
        """Bytes taken."""

    @property
    def crc32c(self) -> int:
        """Of these bytes."""

    @property
    def total_rows(self) -> int:
        """Rows judged."""

    @property
    def valid_rows(self) -> int:
        """Rows that passed."""

    @property
    def quarantined_rows(self) -> int:
        """Rows that did not."""


class SchemaDifference(Protocol):
    """How a file and its schema differ, as far as its beginning shows it."""

    @property
    def unknown_columns(self) -> Sequence[str]:
        """Columns that the schema does not know."""

    @property
    def missing_optional_columns(self) -> Sequence[str]:
        """Columns of the schema that the file does not have."""

    @property
    def similar_columns(self) -> Mapping[str, str]:
        """The column that an unknown one may be meant for."""


class BatchEngine(Protocol):
    """Judges one batch, and writes what comes of it into a folder."""

    @property
    def schema(self) -> CompiledSchema | None:
        """The schema. None until the beginning of the file tells it."""

    @property
    def difference(self) -> SchemaDifference:
        """How the file and the schema differ."""

    @property
    def progress(self) -> BatchProgress:
        """How far it is; waits for nothing."""

    def feed(self, *pieces: bytes | memoryview, threads: int | None = None) -> object:
        """Takes the next bytes. Raises: fastcsv.FastcsvError, OSError."""

    def finish(self) -> fastcsv.Report:
        """Writes the rest and the report, durably. Raises: fastcsv.FastcsvError, OSError."""

    def abort(self) -> None:
        """Removes what was written, unless it is finished."""


@dataclass(frozen=True, slots=True)
class EngineOutput:
    """Where an engine writes, and what it writes of the batch."""

    folder: Path
    batch_id: str
    source_file: str
    quarantined_at: str


MakeEngine = Callable[[EngineOutput], BatchEngine]


def csv_engine(
    schemas: Sequence[fastcsv.Schema], options: ReadOptions, limits: ValidationSettings
) -> MakeEngine:
    """Returns what makes the engine of a CSV file, whose header fits one of some schemas."""
    settings = limits.engine_options(
        delimiter=options.delimiter,
        accept_recovered=options.accept_recovered,
        **_of_a_file(options, limits),
    )

    def make(output: EngineOutput) -> BatchEngine:
        return fastcsv.Validator(
            schemas,
            output.folder,
            batch=output.batch_id,
            source_file=output.source_file,
            quarantined_at=output.quarantined_at,
            options=settings,
        )

    return make


def payload_engine(
    registry: Registry,
    schemas: Sequence[fastcsv.PayloadSchema],
    options: ReadOptions,
    limits: ValidationSettings,
) -> MakeEngine:
    """Returns what makes the engine of a JSON Lines file, whose first payload fits one of some schemas."""
    settings = limits.payload_options(**_of_a_file(options, limits))

    def make(output: EngineOutput) -> BatchEngine:
        def validator(schema: fastcsv.PayloadSchema) -> fastcsv.PayloadValidator:
            return fastcsv.PayloadValidator(
                schema,
                output.folder,
                batch=output.batch_id,
                source_file=output.source_file,
                quarantined_at=output.quarantined_at,
                options=settings,
                # A payload of another schema is told as that, where the first one has told the schema.
                candidates=schemas if len(schemas) > 1 else (),
            )

        def detect(payload: bytes) -> fastcsv.PayloadSchema:
            return registry.detect_payload(schemas, payload, limits.detection_bounds())

        return PayloadLines(schemas, validator, detect, limits.max_payload_bytes)

    return make


def _of_a_file(options: ReadOptions, limits: ValidationSettings) -> dict[str, Any]:
    """The options and bounds that files of all kinds have."""
    return {
        "threads": ENGINE_THREADS,
        "strict": options.strict,
        "valid_out": options.keep_valid_rows,
        "max_decompressed_bytes": limits.max_decompressed_bytes,
        "max_output_bytes": limits.max_output_bytes,
        "max_expansion": limits.max_expansion,
        "expansion_free_bytes": limits.expansion_free_bytes,
    }
