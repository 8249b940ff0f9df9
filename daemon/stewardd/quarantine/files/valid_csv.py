"""valid.csv: the rows of a batch that were valid from the start, with the delimiter and the columns of its file.

Batches have it only where the client asked for it with `keep_valid_rows`.
"""

from __future__ import annotations

from collections.abc import Iterator

import fastcsv
from stewardd.batches.manifest import BatchManifest
from stewardd.errors import ValidRowsNotKept
from stewardd.quarantine.files.blocking_store import BlockingStore
from stewardd.quarantine.files.csv_records import cells_of, split

VALID = "valid.csv"


def require_valid(batch: BatchManifest) -> None:
    """Makes sure that a batch has kept its valid rows, if it has any. Raises: ValidRowsNotKept."""
    if batch.valid_rows and batch.file(VALID) is None:
        raise ValidRowsNotKept(f"batch {batch.batch_id} did not keep its valid rows")


def valid_records(store: BlockingStore, batch: BatchManifest) -> Iterator[bytes]:
    """The records of valid.csv, the header first. Nothing where the batch has no such file."""
    file = batch.file(VALID)
    return iter(()) if file is None else split(store.read(batch.key(file)))


def valid_columns(store: BlockingStore, batch: BatchManifest) -> tuple[str, ...] | None:
    """The columns that the header of valid.csv names. None where the batch has no such file."""
    header = next(valid_records(store, batch), None)
    return None if header is None else columns_of_header(header, batch)


def columns_of_header(header: bytes, batch: BatchManifest) -> tuple[str, ...]:
    """The names in a header, cleaned as the engine cleans them."""
    line = header.rstrip(b"\r\n")
    return tuple(fastcsv.clean_name(name) for name in cells_of(line, batch.delimiter))
