"""The manifest of a batch: the one object that makes it exist.

Written last, create-once, never changed. It holds what GetBatch answers and the checksum of every file beside it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from stewardd.batches.states import State
from stewardd.batches.summary import Summary
from stewardd.errors import Corrupt
from stewardd.repository.identifiers import folder_of

KIND = "batches"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class BatchFile:
    """A file of a batch; `crc32c` is CRC-32C (RFC 3720). `at` is where it lies, if not under its name."""

    name: str
    size_bytes: int
    crc32c: int
    at: str = ""

    @property
    def object(self) -> str:
        """Where it lies, below the batch's folder."""
        return self.at or self.name


@dataclass(frozen=True, slots=True)
class BatchManifest:
    """One published batch. total_rows = valid_rows + quarantined_rows, always."""

    batch_id: str
    schema: str
    schema_version: str
    source_file: str
    uri: str
    request_id: str
    create_time: datetime
    elapsed_s: float
    total_rows: int
    valid_rows: int
    quarantined_rows: int
    recovered_rows: int
    errors_by_field: dict[str, int]
    errors_by_keyword: dict[str, int]
    unknown_columns: tuple[str, ...]
    size_bytes: int
    crc32c: int
    delimiter: str
    encoding: str
    compression: str
    files: tuple[BatchFile, ...]
    # Manifests of older daemons do not have these two.
    missing_optional_columns: tuple[str, ...] = ()
    similar_columns: dict[str, str] = field(default_factory=dict)
    # What has become of the quarantined rows; not part of what is stored, which never changes.
    resolved_rows: int = 0
    discarded_rows: int = 0
    commits: int = 0

    @property
    def folder(self) -> str:
        """Where it lies in the repository."""
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
        """Where a file of the batch stands in the repository."""
        return f"{self.folder}/{file.object}"

    def file(self, name: str) -> BatchFile | None:
        """Returns the file of that name, None where the batch has none."""
        return next((file for file in self.files if file.name == name), None)

    def as_of(self, since: Summary) -> Self:
        """Returns the batch by what has happened to it since. Once rewritten it never gets its first files again."""
        files = self.files
        if since.files is not None:
            files = tuple(BatchFile(**file) for file in since.files)
        return dataclasses.replace(
            self,
            resolved_rows=since.resolved_rows,
            discarded_rows=since.discarded_rows,
            commits=since.number,
            files=files,
        )

    def to_document(self) -> dict[str, Any]:
        """Returns the manifest as JSON has it."""
        document = {"format": FORMAT, **dataclasses.asdict(self)}
        document["create_time"] = self.create_time.isoformat()
        for name in ("resolved_rows", "discarded_rows", "commits"):
            del document[name]
        for file in document["files"]:
            del file["at"]
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Reads a manifest. Raises Corrupt where it is not one that this version can read."""
        found = dict(document)
        try:
            if found.pop("format") != FORMAT:
                raise Corrupt("a batch manifest of an unknown format")
            found["create_time"] = datetime.fromisoformat(found["create_time"])
            found["unknown_columns"] = tuple(found["unknown_columns"])
            found["missing_optional_columns"] = tuple(found.get("missing_optional_columns", ()))
            found["files"] = tuple(BatchFile(**file) for file in found["files"])
            manifest = cls(**found)
        except (ValueError, KeyError, TypeError) as error:
            raise Corrupt("a batch manifest cannot be read") from error
        if manifest.total_rows != manifest.valid_rows + manifest.quarantined_rows:
            raise Corrupt(f"the rows of batch {manifest.batch_id} do not add up")
        return manifest
