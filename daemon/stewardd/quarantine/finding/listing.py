"""Pages of quarantined rows: of one batch in the order of its file, or of all batches, the newest first.

A page costs what it returns, and with a filter what it looks at, which is bounded: after so many bytes it ends early,
with a token (AIP-158). A token names the next row and the byte where it begins. The byte counts only if that row does
begin there, so a token stays valid when the file is rewritten.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass, replace

from stewardd.batches.catalog import BatchCatalog
from stewardd.batches.filter import BatchFilter
from stewardd.batches.manifest import BatchManifest
from stewardd.batches.states import State
from stewardd.quarantine.files.records import RECORD_PREFIX
from stewardd.quarantine.finding.batch_reader import BatchReader
from stewardd.quarantine.finding.columns import BatchColumns
from stewardd.quarantine.finding.page_token import PageStart, read_token, scope_hash, write_token
from stewardd.quarantine.finding.row_filter import FilteredRows, RowFilter
from stewardd.quarantine.finding.rows import PAGE_BYTES, BatchRows, Row

_BATCH_SCAN_BYTES = 1024  # what a batch counts that has no row to look at


@dataclass(frozen=True, slots=True)
class RowPage:
    """Some rows, and the token of the next page. The token is empty on the last page."""

    rows: tuple[Row, ...]
    next_page_token: str


@dataclass(slots=True)
class _Budget:
    """What a page may still hold, and how many bytes it may still look at."""

    rows: int
    bytes: int
    scan_bytes: int

    @property
    def is_spent(self) -> bool:
        return self.rows <= 0 or self.bytes <= 0 or self.scan_bytes <= 0


class Listing:
    """Reads pages of rows. `scan_bytes` is how much a page looks at."""

    def __init__(
        self, catalog: BatchCatalog, reader: BatchReader, columns: BatchColumns, scan_bytes: int
    ) -> None:
        self._catalog = catalog
        self._reader = reader
        self._columns = columns
        self._scan_bytes = scan_bytes

    async def of_batch(
        self, batch_id: str, wanted: RowFilter, page_size: int, page_token: str
    ) -> RowPage:
        """A page of the rows of one batch.

        Raises: BatchNotFound; InvalidRequest for a field or keyword that the batch cannot have, or for a token of
        another listing.
        """
        scope = scope_hash(batch_id, wanted, None)
        start = read_token(page_token, scope) or PageStart(batch_id)
        batch = await self._catalog.get(batch_id)
        self._columns.check_filter(batch, wanted.field, wanted.keyword)
        if not wanted.may_match(batch):
            return RowPage((), "")
        budget = _Budget(page_size, PAGE_BYTES, self._scan_bytes)
        rows, following = await self._read(batch, wanted, start, budget)
        return RowPage(tuple(rows), write_token(scope, following))

    async def of_all(
        self, batch_filter: BatchFilter, wanted: RowFilter, page_size: int, page_token: str
    ) -> RowPage:
        """A page of the rows of all batches that a filter takes. Raises: InvalidRequest for another listing's token."""
        scope = scope_hash("-", wanted, batch_filter)
        start = read_token(page_token, scope)
        budget = _Budget(page_size, PAGE_BYTES, self._scan_bytes)
        rows: list[Row] = []
        if start is not None and start.row:
            batch = await self._catalog.get(start.batch_id)
            rows, following = await self._read(batch, wanted, start, budget)
            if following is not None:
                return RowPage(tuple(rows), write_token(scope, following))
        before = None if start is None else start.batch_id
        async with aclosing(self._catalog.newest_first(batch_filter, before)) as found:
            async for batch_id, each in found:
                if budget.is_spent:
                    # Row 0 of the batch before: that batch is done, and the next page begins after it.
                    return RowPage(tuple(rows), write_token(scope, PageStart(before or batch_id)))
                before = batch_id
                budget.scan_bytes -= _BATCH_SCAN_BYTES
                if each is None or not wanted.may_match(each):
                    continue
                more, following = await self._read(each, wanted, PageStart(batch_id), budget)
                rows += more
                if following is not None:
                    return RowPage(tuple(rows), write_token(scope, following))
        return RowPage(tuple(rows), "")

    async def get(self, batch_id: str, number: int) -> Row:
        """One row with its history. Raises: BatchNotFound, RowNotFound, RowPurged."""
        return await self._reader.read(batch_id, lambda rows: rows.get(number).fitting())

    async def _read(
        self, batch: BatchManifest, wanted: RowFilter, start: PageStart, budget: _Budget
    ) -> tuple[list[Row], PageStart | None]:
        def read(rows: BatchRows) -> tuple[list[Row], PageStart | None, _Budget]:
            # A copy: a page that has to be read anew must not have spent anything.
            left = replace(budget)
            found, following = _page(rows, wanted, start, left)
            return found, following, left

        found, following, left = await self._reader.read(batch.batch_id, read, batch)
        budget.rows, budget.bytes, budget.scan_bytes = left.rows, left.bytes, left.scan_bytes
        return found, following


def _page(
    rows: BatchRows, wanted: RowFilter, start: PageStart, budget: _Budget
) -> tuple[list[Row], PageStart | None]:
    """The rows from `start` on until the budget is spent, and where to go on: None at the end of the batch."""
    found: list[Row] = []
    lines = rows.lines
    if wanted.state not in (None, State.OPEN):
        # Closed rows are few, and their numbers are known: begin at the first, and skip the open rows before it.
        first = rows.state.states.first(wanted.state, start.row or 1)
        if first is None:
            return found, None
        if first > start.row:
            start = PageStart(start.batch_id, first)
    filtered = FilteredRows(rows, wanted, start.row or 1)
    begin = scanned = _offset_of(rows, start)
    for offset, line in lines.read(begin, needle=filtered.line_needle):
        number = lines.number_of(line)
        here = PageStart(start.batch_id, number, offset)
        if budget.rows <= 0 or budget.scan_bytes <= 0:
            return found, here
        budget.scan_bytes -= offset + len(line) - scanned
        scanned = offset + len(line)
        row = filtered.row_of(number, line)
        if row is not None:
            row = row.fitting()
            if found and row.size_bytes > budget.bytes:
                return found, here
            found.append(row)
            budget.rows -= 1
            budget.bytes -= row.size_bytes
    return found, None


def _offset_of(rows: BatchRows, start: PageStart) -> int:
    if not start.row:
        return 0
    lines = rows.lines
    if start.offset and start.offset < lines.size_bytes:
        begin = next(lines.read(start.offset, chunk_bytes=4096), None)
        if begin is not None and begin[1].startswith(
            RECORD_PREFIX + str(start.row).encode() + b","
        ):
            return start.offset
    return lines.seek(start.row)
