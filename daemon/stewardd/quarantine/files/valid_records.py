"""valid.csv and valid.jsonl: the records of a batch that were valid from the start, byte for byte as they came.

Batches have one only where the client asked for it. valid.csv has the delimiter and the columns of its file.
"""

from __future__ import annotations

from collections.abc import Iterator

import fastcsv
from stewardd.batches.manifest import BatchManifest
from stewardd.quarantine.files.blocking_store import BlockingStore
from stewardd.quarantine.files.csv_records import cells_of, lines, split
from stewardd.quarantine.files.record_files import valid_file
from stewardd.schemas.kinds import SchemaKind


def valid_records(store: BlockingStore, batch: BatchManifest) -> Iterator[bytes]:
    """The records of the file, of valid.csv the header first. Nothing where the batch has no such file."""
    file = valid_file(batch)
    if file is None:
        return iter(())
    chunks = store.read(batch.key(file))
    return lines(chunks) if batch.kind is SchemaKind.PAYLOAD else split(chunks)


def valid_columns(store: BlockingStore, batch: BatchManifest) -> tuple[str, ...] | None:
    """The columns that the header of valid.csv names. None where the batch has no such file."""
    header = next(valid_records(store, batch), None)
    return None if header is None else columns_of_header(header, batch)


def columns_of_header(header: bytes, batch: BatchManifest) -> tuple[str, ...]:
    """The names in a header, cleaned as the engine cleans them."""
    line = header.rstrip(b"\r\n")
    return tuple(fastcsv.clean_name(name) for name in cells_of(line, batch.delimiter))
