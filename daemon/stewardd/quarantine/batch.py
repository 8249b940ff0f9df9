"""What the quarantine knows of a batch: that it was published, and where its files are.

Batches are validation's; the two packages do not import each other, so this says what is wanted of them.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from stewardd.quarantine.states import State


class File(Protocol):
    """A file of a batch."""

    @property
    def name(self) -> str:
        """What it is called, such as records.jsonl."""

    @property
    def object(self) -> str:
        """Where it lies, below the batch's folder."""

    @property
    def size_bytes(self) -> int:
        """Its size."""

    @property
    def crc32c(self) -> int:
        """Its CRC-32C (RFC 3720)."""


class Batch(Protocol):
    """A published batch, as it is now."""

    @property
    def batch_id(self) -> str:
        """Its id."""

    @property
    def folder(self) -> str:
        """Where it lies in the repository."""

    @property
    def schema(self) -> str:
        """The name of the schema that it was held to."""

    @property
    def schema_version(self) -> str:
        """The version of it."""

    @property
    def source_file(self) -> str:
        """The name of the file."""

    @property
    def create_time(self) -> datetime:
        """When it was published."""

    @property
    def total_rows(self) -> int:
        """Its data rows."""

    @property
    def valid_rows(self) -> int:
        """Those that passed from the start."""

    @property
    def quarantined_rows(self) -> int:
        """Those that did not."""

    @property
    def resolved_rows(self) -> int:
        """Of these, those that are valid now."""

    @property
    def discarded_rows(self) -> int:
        """Of these, those that were given up."""

    @property
    def commits(self) -> int:
        """The number of the last commit in its log; 0 where nothing has happened to its rows."""

    @property
    def errors_by_field(self) -> Mapping[str, int]:
        """Violations by field."""

    @property
    def errors_by_keyword(self) -> Mapping[str, int]:
        """Violations by keyword."""

    @property
    def unknown_columns(self) -> Sequence[str]:
        """Columns that the schema does not know."""

    @property
    def delimiter(self) -> str:
        """Of the original file."""

    def file(self, name: str) -> File | None:
        """One of its files."""


class Batches(Protocol):
    """The batches of the repository."""

    async def get(self, batch_id: str) -> Batch:
        """One of them. BatchNotFound."""

    def newest_first(
        self, batch_filter: BatchFilter, before: str | None = None
    ) -> AsyncGenerator[tuple[str, Batch | None], None]:
        """Those that a filter leaves, from before an id on; None beside the id of one that it does not leave."""

    def identifiers(self) -> AsyncGenerator[str, None]:
        """The id of every one, newest first, also of one that cannot be read or is not published."""


@dataclass(frozen=True, slots=True)
class BatchFilter:
    """Which batches; None leaves nothing out."""

    schema: str | None = None
    schema_version: str | None = None
    source_file: str | None = None
    create_after: datetime | None = None
    create_before: datetime | None = None
    field: str | None = None
    keyword: str | None = None
    state: State | None = None

    def __bool__(self) -> bool:
        return self != BatchFilter()

    def takes(self, batch: Batch) -> bool:
        """Whether it leaves a batch."""
        return (
            self.schema in (None, batch.schema)
            and self.schema_version in (None, batch.schema_version)
            and self.source_file in (None, batch.source_file)
            and (self.create_after is None or batch.create_time >= self.create_after)
            and (self.create_before is None or batch.create_time < self.create_before)
            and (self.field is None or self.field in batch.errors_by_field)
            and (self.keyword is None or self.keyword in batch.errors_by_keyword)
            and (self.state is None or rows_in(batch, self.state) > 0)
        )


def open_rows(batch: Batch) -> int:
    """Rows that are neither resolved nor discarded."""
    return batch.quarantined_rows - batch.resolved_rows - batch.discarded_rows


def rows_in(batch: Batch, state: State) -> int:
    """How many quarantined rows are in a state."""
    return {
        State.OPEN: open_rows(batch),
        State.RESOLVED: batch.resolved_rows,
        State.DISCARDED: batch.discarded_rows,
    }[state]


def key_of(batch: Batch, file: File) -> str:
    """Where a file of a batch stands in the repository."""
    return f"{batch.folder}/{file.object}"
