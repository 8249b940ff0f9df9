"""Exports: files of rows as they are now, and the cursors by which importing services get each good row once.

An export by a cursor is a commit of the batch's log, and what it holds follows from two numbers: what was resolved
after the cursor's last export and up to this one. So a download that was cut is simply repeated, by name. The next
export begins behind this one, and acknowledges it: from then on a purge may take its rows, and it is refused rather
than short. The same request_id finds its own commit again, also after a daemon died between the commit and the answer.
"""

from __future__ import annotations

import base64
import hashlib
import json
import tarfile
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from enum import Enum

import google_crc32c

from stewardd.batches.catalog import BatchCatalog
from stewardd.batches.manifest import BatchManifest
from stewardd.batches.states import State
from stewardd.errors import (
    Corrupt,
    ExportNotFound,
    ExportPurged,
    InvalidRequest,
    NothingToExport,
    ObjectNotFound,
    RequestIdReused,
)
from stewardd.quarantine import sheet
from stewardd.quarantine.blocking import Threads
from stewardd.quarantine.commit import Action, Commit, ExportFacts
from stewardd.quarantine.fold import BatchState, Export
from stewardd.quarantine.good_rows import VALID, Wanted, count_resolved, good_rows, require_valid
from stewardd.quarantine.judge import Judge
from stewardd.quarantine.ledger import Ledger
from stewardd.quarantine.listing import RowFilter, wanted_rows
from stewardd.quarantine.rereading import Reader
from stewardd.quarantine.rows import Row, Rows
from stewardd.repository.identifiers import uuid7
from stewardd.repository.rereading import cut_short

CHUNK_BYTES = 1024 * 1024


class Format(Enum):
    """What kind of file."""

    SHEET = "csv"
    CSV = "good.csv"
    JSON = "tar"


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What is wanted: rows of a batch by a filter, or an export by its id."""

    batch_id: str
    export_id: str | None
    format: Format
    rows: RowFilter
    include_valid: bool
    original_order: bool


@dataclass(frozen=True, slots=True)
class Ending:
    """What a file came to."""

    size_bytes: int
    crc32c: int
    rows: int


@dataclass(frozen=True, slots=True)
class ExportFile:
    """A file that is about to come: its name, and its bytes, then its ending."""

    name: str
    chunks: AsyncGenerator[bytes | Ending, None]


class Exports:
    """Makes exports, and streams files."""

    def __init__(
        self, batches: BatchCatalog, ledger: Ledger, judge: Judge, threads: Threads
    ) -> None:
        self._batches = batches
        self._reader = Reader(batches, ledger, threads)
        self._ledger = ledger
        self._judge = judge
        self._threads = threads

    async def create(
        self,
        batch_id: str,
        cursor: str,
        *,
        include_valid: bool = False,
        request_id: str = "",
        actor: str = "",
    ) -> Export:
        """Fixes an export, and moves the cursor.

        BatchNotFound, NothingToExport, ValidRowsNotKept, RequestIdReused, RowChanged where others are always faster.
        """
        batch = await self._batches.get(batch_id)
        if include_valid:
            require_valid(batch)
        request = hashlib.sha256(request_id.encode()).hexdigest() if request_id else ""
        repeated: list[Export] = []

        async def decide(now: BatchState) -> Commit | None:
            for each in now.exports:
                if request and each.request == request:
                    if each.cursor != cursor:
                        raise RequestIdReused(
                            "the request_id was used for another cursor", field="request_id"
                        )
                    repeated.append(each)
                    return None
            facts = _facts(batch, now, cursor, request, include_valid=include_valid)
            time = self._ledger.clock()
            return Commit(now.number + 1, uuid7(), Action.EXPORT, time, actor, export=facts)

        appended = await self._ledger.append(batch, decide)
        return repeated[0] if appended.commit is None else appended.state.exports[-1]

    async def list(self, batch_id: str, cursor: str | None) -> tuple[Export, ...]:
        """The exports of a batch, oldest first. BatchNotFound."""
        batch = await self._batches.get(batch_id)
        state = await self._ledger.state(batch.folder)
        return tuple(each for each in state.exports if cursor in (None, each.cursor))

    async def open(self, request: ExportRequest) -> ExportFile:
        """Opens a file.

        BatchNotFound, ExportNotFound, ExportPurged, ValidRowsNotKept, InvalidRequest for what goes not together.
        """
        if request.export_id is not None and request.format is not Format.CSV:
            raise InvalidRequest("an export has the good rows, as CSV", field="format")

        async def first(rows: Rows) -> ExportFile:
            self._judge.check_words(rows.batch, request.rows.field, request.rows.keyword)
            export = await self._export(request, rows)
            if request.format is Format.CSV:
                pieces = self._csv(rows, _wanted(request, rows, export), export)
            else:
                pieces = self._filtered(rows, request)
            chunks = self._threads.iterate(_gathered(pieces))
            try:
                # Until the first bytes are there nothing has gone out, and it can begin anew.
                held = await anext(chunks, None)
            except BaseException:
                await chunks.aclose()
                raise
            name = f"{request.export_id or request.batch_id}.{request.format.value}"
            return ExportFile(name, self._chunks(rows, held, chunks))

        return await self._reader.work(request.batch_id, first)

    async def _export(self, request: ExportRequest, rows: Rows) -> Export | None:
        """The export that is named, all of whose rows are there."""
        if request.export_id is None:
            return None
        state, batch_id = rows.state, rows.batch.batch_id
        found = [each for each in state.exports if each.identifier == request.export_id]
        if not found:
            raise ExportNotFound(f"batch {batch_id} has no export {request.export_id}")
        export = found[0]
        if state.states.count_purged(State.RESOLVED):
            wanted = _wanted(request, rows, export)
            held = await self._threads.run(lambda: count_resolved(rows, wanted))
            if held < export.resolved_rows:
                raise ExportPurged(
                    f"{export.resolved_rows - held} of the {export.resolved_rows} resolved rows of export "
                    f"{export.identifier} were removed"
                )
        return export

    def _csv(
        self, rows: Rows, wanted: Wanted, export: Export | None
    ) -> Iterator[tuple[bytes, int]]:
        columns = self._judge.columns(rows.store, rows.batch)
        place = 0
        for place, record in enumerate(good_rows(rows, columns, wanted)):
            yield record, min(place, 1)
        if export is not None and place != export.resolved_rows + export.valid_rows:
            raise Corrupt(
                f"export {export.identifier} came to {place} rows: "
                f"{export.resolved_rows} resolved and {export.valid_rows} of {VALID} should be in it"
            )

    def _filtered(self, rows: Rows, request: ExportRequest) -> Iterator[tuple[bytes, int]]:
        found = wanted_rows(rows, request.rows)
        if request.format is Format.JSON:
            yield from ((_tar_entry(row), 1) for row in found)
            yield b"\0" * tarfile.BLOCKSIZE * 2, 0
            return
        columns: Sequence[str] = self._judge.columns(rows.store, rows.batch)
        yield sheet.header(columns), 0
        for row in found:
            yield sheet.line_of(row, columns), 1

    async def _chunks(
        self,
        rows: Rows,
        held: tuple[bytes, int] | None,
        rest: AsyncGenerator[tuple[bytes, int], None],
    ) -> AsyncGenerator[bytes | Ending, None]:
        size_bytes = ended_rows = 0
        crc32c = google_crc32c.Checksum()
        async with aclosing(rest):
            try:
                while held is not None:
                    chunk, count = held
                    crc32c.update(chunk)
                    size_bytes += len(chunk)
                    ended_rows += count
                    yield chunk
                    held = await anext(rest, None)
            except ObjectNotFound as error:
                # What was sent is of the files that were: it cannot go on with others.
                folder = rows.batch.folder
                raise await cut_short(
                    lambda: self._rewritten(folder), rows.state.rewritten, error
                ) from error
        yield Ending(size_bytes, int.from_bytes(crc32c.digest(), "big"), ended_rows)

    async def _rewritten(self, folder: str) -> int:
        return (await self._ledger.state(folder)).rewritten


def _facts(
    batch: BatchManifest, now: BatchState, cursor: str, request: str, *, include_valid: bool
) -> ExportFacts:
    earlier = [each for each in now.exports if each.cursor == cursor]
    after = earlier[-1].commit if earlier else 0
    purged = 0 if earlier else now.states.count_purged(State.RESOLVED)
    had = sum(each.resolved_rows + each.purged_rows for each in earlier)
    resolved = now.resolved_rows - had - purged
    had_valid = any(each.valid_rows for each in earlier)
    valid = batch.valid_rows if include_valid and not had_valid else 0
    if not resolved and not valid:
        raise _nothing(batch, cursor, had_valid=had_valid)
    return ExportFacts(cursor, after, resolved, valid, request, purged)


def _nothing(batch: BatchManifest, cursor: str, *, had_valid: bool) -> NothingToExport:
    if batch.valid_rows and not had_valid and batch.file(VALID) is None:
        return NothingToExport(
            f"batch {batch.batch_id} did not keep the {batch.valid_rows} rows that were valid from the start, "
            f"and no resolved row is new for cursor {cursor}",
            hint="validate the file again with `keep_valid_rows` for these, or ask again when rows are resolved",
        )
    if batch.valid_rows and not had_valid:
        return NothingToExport(
            f"no resolved row of batch {batch.batch_id} is new for cursor {cursor}, "
            f"which has not had the {batch.valid_rows} rows that were valid from the start",
            hint="ask with `include_valid` for the rows that were valid from the start",
        )
    return NothingToExport(f"cursor {cursor} has had all good rows of batch {batch.batch_id}")


def _wanted(request: ExportRequest, rows: Rows, export: Export | None) -> Wanted:
    if export is not None:
        return Wanted(export.after, export.commit, export.valid_rows > 0, request.original_order)
    if request.include_valid:
        require_valid(rows.batch)
    return Wanted(0, rows.state.number, request.include_valid, request.original_order)


def _gathered(pieces: Iterator[tuple[bytes, int]]) -> Iterator[tuple[bytes, int]]:
    """The same bytes in chunks of at most CHUNK_BYTES, with how many rows end in each."""
    held = bytearray()
    rows = 0
    for piece, count in pieces:
        held += piece
        rows += count
        while len(held) >= CHUNK_BYTES:
            yield bytes(held[:CHUNK_BYTES]), rows
            del held[:CHUNK_BYTES]
            rows = 0
    if held:
        yield bytes(held), rows


def _raw(raw_row: bytes) -> dict[str, str]:
    """The record's bytes, as records.jsonl has them."""
    try:
        return {"rawRow": raw_row.decode()}
    except UnicodeDecodeError:
        return {"rawRowBase64": base64.b64encode(raw_row).decode()}


def _tar_entry(row: Row) -> bytes:
    """A row as a file of its own: what came, and what it is now."""
    record = row.record
    found = {
        "batch": row.batch_id,
        "rowNumber": row.number,
        "state": row.state.state.name.lower(),
        "attempt": row.state.attempt,
        "csvType": row.schema,
        "schemaVersion": row.judged_by,
        "quarantinedAt": record.quarantine_time.isoformat(),
        "rawData": dict(record.cells),
        "extra": list(record.extra),
        **_raw(record.raw_row),
        "correctedData": row.corrected,
        "errors": [each.as_document() for each in row.violations],
    }
    body = json.dumps(found, ensure_ascii=False, indent=2).encode() + b"\n"
    entry = tarfile.TarInfo(f"{row.number}.json")
    entry.size = len(body)
    entry.mtime = int(record.quarantine_time.timestamp())
    padding = -len(body) % tarfile.BLOCKSIZE
    return entry.tobuf() + body + b"\0" * padding
