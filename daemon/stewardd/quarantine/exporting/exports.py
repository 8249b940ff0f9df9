"""Exports: files of rows as they are now, and the cursors by which importing services get each good row once.

An export by a cursor is a commit of the batch's log. It holds what was resolved after the cursor's last export and up
to its own commit, so an interrupted download is simply repeated. The next export acknowledges this one: from then on a
purge may remove its rows, and downloading it is an error. A request_id is stored in the commit: the same request finds
the same export, also after a daemon died between the commit and the answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing

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
from stewardd.quarantine.exporting.export_file import (
    TAR_END,
    ExportFile,
    ExportFormat,
    ExportRequest,
    FileTotals,
    Piece,
    in_chunks,
    tar_entry,
)
from stewardd.quarantine.exporting.good_rows import GoodRowSelection, count_resolved, good_rows
from stewardd.quarantine.exporting.sheet_writer import payload_line, sheet_header, sheet_line
from stewardd.quarantine.files.record_files import require_valid, valid_file, valid_name
from stewardd.quarantine.finding.batch_reader import BatchReader
from stewardd.quarantine.finding.columns import BatchColumns
from stewardd.quarantine.finding.row_filter import filtered_rows
from stewardd.quarantine.finding.rows import BatchRows
from stewardd.quarantine.log.batch_logs import BatchLogs
from stewardd.quarantine.log.batch_state import BatchState
from stewardd.quarantine.log.changes import Action
from stewardd.quarantine.log.commits import BatchCommit, Export, ExportFacts
from stewardd.repository.identifiers import uuid7
from stewardd.repository.rereading import cut_short
from stewardd.schemas.kinds import SchemaKind


class Exports:
    """Creates exports, and streams files."""

    def __init__(
        self, catalog: BatchCatalog, reader: BatchReader, logs: BatchLogs, columns: BatchColumns
    ) -> None:
        self._catalog = catalog
        self._reader = reader
        self._logs = logs
        self._columns = columns

    async def create(
        self,
        batch_id: str,
        cursor: str,
        *,
        include_valid: bool | None = None,
        request_id: str = "",
        actor: str = "",
    ) -> Export:
        """Creates an export, and moves the cursor.

        The rows that were valid from the start are in the cursor's first export that does not leave them out; None
        takes them where the batch kept them.

        Raises: BatchNotFound, NothingToExport, ValidRowsNotKept, RequestIdReused; RowChanged where other writers are
        faster each time.
        """
        batch = await self._catalog.get(batch_id)
        if include_valid:
            require_valid(batch)
        request = hashlib.sha256(request_id.encode()).hexdigest() if request_id else ""
        repeated: list[Export] = []

        async def decide(now: BatchState) -> BatchCommit | None:
            for each in now.exports:
                if request and each.request == request:
                    if (each.cursor, each.include_valid) != (cursor, include_valid):
                        raise RequestIdReused(
                            "the request_id was used for another export", field="request_id"
                        )
                    repeated.append(each)
                    return None
            facts = _facts(batch, now, cursor, request, include_valid=include_valid)
            time = self._logs.clock()
            return BatchCommit(now.number + 1, uuid7(), Action.EXPORT, time, actor, export=facts)

        appended = await self._logs.append(batch, decide)
        return repeated[0] if appended.commit is None else appended.state.exports[-1]

    async def list(self, batch_id: str, cursor: str | None) -> tuple[Export, ...]:
        """The exports of a batch, oldest first. Raises: BatchNotFound."""
        batch = await self._catalog.get(batch_id)
        state = await self._logs.state(batch.folder)
        return tuple(each for each in state.exports if cursor in (None, each.cursor))

    async def open_file(self, request: ExportRequest) -> ExportFile:
        """Opens a file.

        Raises: BatchNotFound, ExportNotFound, ExportPurged, ValidRowsNotKept; InvalidRequest for options that exclude
        each other.
        """
        if request.export_id is not None and request.format is not ExportFormat.CSV:
            raise InvalidRequest("an export has the good rows, as CSV", field="format")

        async def open_once(rows: BatchRows) -> ExportFile:
            self._columns.check_filter(rows.batch, request.rows.field, request.rows.keyword)
            export = await self._named_export(request, rows)
            if request.format is ExportFormat.CSV:
                pieces = self._good_rows(rows, _selection(request, rows, export), export)
            else:
                pieces = self._filtered_rows(rows, request)
            chunks = self._reader.threads.iterate(in_chunks(pieces))
            try:
                # Until the first chunk is sent, reading can begin anew where the batch was rewritten.
                first = await anext(chunks, None)
            except BaseException:
                await chunks.aclose()
                raise
            suffix = request.format.suffix(rows.batch.kind)
            name = f"{request.export_id or request.batch_id}.{suffix}"
            return ExportFile(name, self._stream(rows, first, chunks))

        return await self._reader.do_work(request.batch_id, open_once)

    async def _named_export(self, request: ExportRequest, rows: BatchRows) -> Export | None:
        """The export that the request names, if all its rows still exist. None where it names none."""
        if request.export_id is None:
            return None
        state, batch_id = rows.state, rows.batch.batch_id
        found = [each for each in state.exports if each.identifier == request.export_id]
        if not found:
            raise ExportNotFound(f"batch {batch_id} has no export {request.export_id}")
        export = found[0]
        if state.states.count_purged(State.RESOLVED):
            wanted = _selection(request, rows, export)
            existing = await self._reader.threads.run(lambda: count_resolved(rows, wanted))
            if existing < export.resolved_rows:
                raise ExportPurged(
                    f"{export.resolved_rows - existing} of the {export.resolved_rows} resolved rows of export "
                    f"{export.identifier} were removed"
                )
        return export

    def _good_rows(
        self, rows: BatchRows, wanted: GoodRowSelection, export: Export | None
    ) -> Iterator[Piece]:
        columns = self._columns.of_batch(rows.store, rows.batch)
        found = good_rows(rows, columns, wanted)
        if rows.batch.kind is SchemaKind.CSV:
            yield next(found), 0  # the header
        count = 0
        for record in found:
            count += 1
            yield record, 1
        if export is not None and count != export.resolved_rows + export.valid_rows:
            raise Corrupt(
                f"export {export.identifier} came to {count} rows: {export.resolved_rows} resolved and "
                f"{export.valid_rows} of {valid_name(rows.batch)} should be in it"
            )

    def _filtered_rows(self, rows: BatchRows, request: ExportRequest) -> Iterator[Piece]:
        found = filtered_rows(rows, request.rows)
        if request.format is ExportFormat.JSON:
            yield from ((tar_entry(row), 1) for row in found)
            yield TAR_END, 0
            return
        if rows.batch.kind is SchemaKind.PAYLOAD:
            yield from ((payload_line(row), 1) for row in found)
            return
        columns: Sequence[str] = self._columns.of_batch(rows.store, rows.batch)
        yield sheet_header(columns), 0
        for row in found:
            yield sheet_line(row, columns), 1

    async def _stream(
        self, rows: BatchRows, first: Piece | None, rest: AsyncGenerator[Piece, None]
    ) -> AsyncGenerator[bytes | FileTotals, None]:
        size_bytes = row_count = 0
        crc32c = google_crc32c.Checksum()
        piece = first
        async with aclosing(rest):
            try:
                while piece is not None:
                    chunk, ended_rows = piece
                    crc32c.update(chunk)
                    size_bytes += len(chunk)
                    row_count += ended_rows
                    yield chunk
                    piece = await anext(rest, None)
            except ObjectNotFound as error:
                # The chunks that were sent are of files that are gone: the rest of other files must not follow them.
                folder = rows.batch.folder
                raise await cut_short(
                    lambda: self._rewritten(folder), rows.state.rewritten, error
                ) from error
        yield FileTotals(size_bytes, int.from_bytes(crc32c.digest(), "big"), row_count)

    async def _rewritten(self, folder: str) -> int:
        return (await self._logs.state(folder)).rewritten


def _facts(
    batch: BatchManifest, now: BatchState, cursor: str, request: str, *, include_valid: bool | None
) -> ExportFacts:
    with_valid = valid_file(batch) is not None if include_valid is None else include_valid
    earlier = [each for each in now.exports if each.cursor == cursor]
    after = earlier[-1].commit if earlier else 0
    purged = 0 if earlier else now.states.count_purged(State.RESOLVED)
    exported = sum(each.resolved_rows + each.purged_rows for each in earlier)
    resolved = now.resolved_rows - exported - purged
    had_valid = any(each.valid_rows for each in earlier)
    valid = batch.valid_rows if with_valid and not had_valid else 0
    if not resolved and not valid:
        raise _nothing(batch, cursor, had_valid=had_valid)
    return ExportFacts(cursor, after, resolved, valid, request, purged, include_valid)


def _nothing(batch: BatchManifest, cursor: str, *, had_valid: bool) -> NothingToExport:
    if batch.valid_rows and not had_valid and valid_file(batch) is None:
        return NothingToExport(
            f"batch {batch.batch_id} did not keep the {batch.valid_rows} rows that were valid from the start, "
            f"and no resolved row is new for cursor {cursor}",
            hint="validate the file again with `keep_valid_rows` for these, or ask again when rows are resolved",
        )
    if batch.valid_rows and not had_valid:
        return NothingToExport(
            f"no resolved row of batch {batch.batch_id} is new for cursor {cursor}, "
            f"which has not had the {batch.valid_rows} rows that were valid from the start",
            hint="ask without `include_valid`, or with true, for the rows that were valid from the start",
        )
    return NothingToExport(f"cursor {cursor} has had all good rows of batch {batch.batch_id}")


def _selection(request: ExportRequest, rows: BatchRows, export: Export | None) -> GoodRowSelection:
    if export is not None:
        return GoodRowSelection(
            export.after, export.commit, export.valid_rows > 0, request.original_order
        )
    if request.include_valid:
        require_valid(rows.batch)
    return GoodRowSelection(0, rows.state.number, request.include_valid, request.original_order)
