"""What differs between the files of rows and those of payloads: how a record is read, and where the valid ones are."""

from __future__ import annotations

from stewardd.batches.file import BatchFile
from stewardd.batches.manifest import BatchManifest
from stewardd.errors import ValidRowsNotKept
from stewardd.quarantine.files.payload_records import read_payload_record
from stewardd.quarantine.files.records import Record, read_record
from stewardd.schemas.kinds import SchemaKind

_VALID = {SchemaKind.CSV: "valid.csv", SchemaKind.PAYLOAD: "valid.jsonl"}


def record_of(batch: BatchManifest, line: bytes) -> Record:
    """Reads a line of the batch's records.jsonl. Raises: Corrupt."""
    if batch.kind is SchemaKind.PAYLOAD:
        return read_payload_record(line)
    return read_record(line)


def valid_name(batch: BatchManifest) -> str:
    """The name of the file with the records that were valid from the start."""
    return _VALID[batch.kind]


def valid_file(batch: BatchManifest) -> BatchFile | None:
    """That file. None where the batch has not kept them."""
    return batch.file(valid_name(batch))


def require_valid(batch: BatchManifest) -> None:
    """Makes sure that a batch has kept its valid records, if it has any. Raises: ValidRowsNotKept."""
    if batch.valid_rows and valid_file(batch) is None:
        raise ValidRowsNotKept(f"batch {batch.batch_id} did not keep its valid rows")
