"""The manifest of a batch: the one object that makes it exist.

Written last, create-once, never changed. It holds what GetBatch answers and the checksum of every file beside it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Annotated, Self

from stewardd.batches.file import BatchFile
from stewardd.batches.states import State
from stewardd.batches.summary import LogSummary
from stewardd.repository.document import (
    NOT_STORED,
    Codec,
    Count,
    Crc32c,
    Identifier,
    Moment,
    Seconds,
)
from stewardd.repository.identifiers import folder_of
from stewardd.schemas.kinds import SchemaKind

KIND = "batches"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class BatchManifest:
    """One published batch, of rows or of payloads. total_rows = valid_rows + quarantined_rows, always."""

    batch_id: Identifier
    schema: str
    schema_version: str
    source_file: str
    uri: str
    request_id: str
    create_time: Moment
    elapsed_s: Seconds
    total_rows: Count
    valid_rows: Count
    quarantined_rows: Count
    recovered_rows: Count
    errors_by_field: dict[str, Count]
    errors_by_keyword: dict[str, Count]
    unknown_columns: tuple[str, ...]
    size_bytes: Count
    crc32c: Crc32c
    delimiter: str
    encoding: str
    compression: str
    files: tuple[BatchFile, ...]
    # Manifests of older daemons do not have these four.
    missing_optional_columns: tuple[str, ...] = ()
    similar_columns: dict[str, str] = field(default_factory=dict)
    kind: SchemaKind = SchemaKind.CSV
    strict: bool = False
    # The counts of the log. They are not stored in the manifest, which never changes.
    resolved_rows: Annotated[Count, NOT_STORED] = 0
    discarded_rows: Annotated[Count, NOT_STORED] = 0
    commits: Annotated[Count, NOT_STORED] = 0

    def __post_init__(self) -> None:
        if self.total_rows != self.valid_rows + self.quarantined_rows:
            raise ValueError("its rows do not add up")

    @property
    def folder(self) -> str:
        """The folder of the batch in the repository."""
        return folder_of(KIND, self.batch_id)

    @property
    def open_rows(self) -> int:
        """Quarantined rows that are neither resolved nor discarded."""
        return self.quarantined_rows - self.resolved_rows - self.discarded_rows

    def rows_in(self, state: State) -> int:
        """How many quarantined rows are in a state."""
        return {
            State.OPEN: self.open_rows,
            State.RESOLVED: self.resolved_rows,
            State.DISCARDED: self.discarded_rows,
        }[state]

    def key(self, file: BatchFile) -> str:
        """The key of a file of the batch."""
        return f"{self.folder}/{file.object}"

    def file(self, name: str) -> BatchFile | None:
        """Returns the file of a name. None where the batch has none."""
        return next((file for file in self.files if file.name == name), None)

    def as_of(self, since: LogSummary) -> Self:
        """Returns the batch with the counts of its log, and with the files of its last rewriting."""
        return dataclasses.replace(
            self,
            resolved_rows=since.resolved_rows,
            discarded_rows=since.discarded_rows,
            commits=since.number,
            files=self.files if since.files is None else since.files,
        )


BATCH_MANIFEST = Codec(BatchManifest, constants={"format": FORMAT})
