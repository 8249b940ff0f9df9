"""Pages of quarantined rows: of one batch in the order of its file, or of all, the newest batch first.

A page costs what it returns, and for a filter what it looks at, which is bounded: it ends early, with a token, when it
has looked at so many bytes (AIP-158). A filter looks for its words in the raw line before it parses it. A token names
the row and the byte to go on at; the byte is believed only where that row begins there, so that a token survives that
the file is rewritten.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import asdict, dataclass, replace
from typing import Any

from stewardd.batches.catalog import BatchCatalog
from stewardd.batches.filter import BatchFilter
from stewardd.batches.manifest import BatchManifest
from stewardd.batches.states import RowState, State
from stewardd.errors import InvalidRequest
from stewardd.quarantine.blocking import Threads
from stewardd.quarantine.events import Joined
from stewardd.quarantine.judge import Judge
from stewardd.quarantine.ledger import Ledger
from stewardd.quarantine.record import RowViolation, record_of
from stewardd.quarantine.rereading import Reader
from stewardd.quarantine.rows import PAGE_BYTES, PREFIX, Row, Rows
from stewardd.repository.identifiers import is_id

_PLAIN = re.compile(r"[A-Za-z0-9_ .-]+")
_TOKEN = re.compile(r"([0-9a-f]{16})\.([0-9a-f-]{36})\.([0-9]{1,18})\.([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class RowFilter:
    """Which rows; None leaves nothing out."""

    state: State | None = None
    field: str | None = None
    keyword: str | None = None

    def takes(self, row: Row) -> bool:
        """Whether it leaves a row."""
        return self.takes_state(row.state) and self.takes_violations(row.violations)

    def takes_state(self, state: RowState) -> bool:
        """Whether it leaves a row in a state."""
        return self.state in (None, state.state)

    def takes_violations(self, violations: tuple[RowViolation, ...]) -> bool:
        """Whether one of a row's violations is wanted, or any row is."""
        return (self.field is None and self.keyword is None) or any(
            self.field in (None, each.field) and self.keyword in (None, each.keyword)
            for each in violations
        )

    def needles(self) -> list[bytes]:
        """What must stand in a record's line as the engine writes it; less where a word might be escaped."""
        found = []
        if self.keyword is not None and _PLAIN.fullmatch(self.keyword):
            found.append(f'"keyword":"{self.keyword}"'.encode())
        if self.field is not None and _PLAIN.fullmatch(self.field):
            found.append(f'{{"field":"{self.field}"'.encode())
        return found


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page begins: the batch, the first row that may be on it, and the byte where that begins, perhaps."""

    batch_id: str
    row: int = 0
    offset: int = 0


@dataclass(frozen=True, slots=True)
class RowPage:
    """Some rows, and the token of the page after; "" on the last."""

    rows: tuple[Row, ...]
    next_page_token: str


@dataclass(slots=True)
class _Budget:
    """What a page may still hold and look at."""

    rows: int
    bytes: int
    scan_bytes: int


class Listing:
    """Reads pages. `scan_bytes` bounds what a page looks at."""

    def __init__(
        self,
        batches: BatchCatalog,
        ledger: Ledger,
        judge: Judge,
        threads: Threads,
        scan_bytes: int,
    ) -> None:
        self._judge = judge
        self._batches = batches
        self._reader = Reader(batches, ledger, threads)
        self._scan_bytes = scan_bytes

    async def of_batch(
        self, batch_id: str, wanted: RowFilter, page_size: int, page_token: str
    ) -> RowPage:
        """A page of one batch's rows. BatchNotFound, InvalidRequest for a word it cannot have, or another's token."""
        bound = _bound(batch_id, wanted, None)
        position = _position(page_token, bound) or Position(batch_id)
        batch = await self._batches.get(batch_id)
        self._judge.check_words(batch, wanted.field, wanted.keyword)
        if not may_have(batch, wanted):
            return RowPage((), "")
        budget = _Budget(page_size, PAGE_BYTES, self._scan_bytes)
        rows, following = await self._read(batch, wanted, position, budget)
        return RowPage(tuple(rows), _token(bound, following))

    async def of_all(
        self, batch_filter: BatchFilter, wanted: RowFilter, page_size: int, page_token: str
    ) -> RowPage:
        """A page of the rows of all batches that a filter leaves. InvalidRequest for a token of another listing."""
        bound = _bound("-", wanted, batch_filter)
        begin = _position(page_token, bound)
        budget = _Budget(page_size, PAGE_BYTES, self._scan_bytes)
        rows: list[Row] = []
        if begin is not None and begin.row:
            batch = await self._batches.get(begin.batch_id)
            rows, following = await self._read(batch, wanted, begin, budget)
            if following is not None:
                return RowPage(tuple(rows), _token(bound, following))
        before = None if begin is None else begin.batch_id
        async with aclosing(self._batches.newest_first(batch_filter, before)) as found:
            async for batch_id, each in found:
                if budget.rows <= 0 or budget.bytes <= 0 or budget.scan_bytes <= 0:
                    # Row 0 of the batch before: it is done, and the next page begins after it.
                    return RowPage(tuple(rows), _token(bound, Position(before or batch_id)))
                before = batch_id
                budget.scan_bytes -= 1024  # a batch that has nothing still had to be looked at
                if each is None or not may_have(each, wanted):
                    continue
                more, following = await self._read(each, wanted, Position(batch_id), budget)
                rows += more
                if following is not None:
                    return RowPage(tuple(rows), _token(bound, following))
        return RowPage(tuple(rows), "")

    async def get(self, batch_id: str, number: int) -> Row:
        """One row with its history. BatchNotFound, RowNotFound, RowPurged."""
        return await self._reader.read(batch_id, lambda rows: rows.get(number).fitting())

    async def _read(
        self, batch: BatchManifest, wanted: RowFilter, position: Position, budget: _Budget
    ) -> tuple[list[Row], Position | None]:
        def read(rows: Rows) -> tuple[list[Row], Position | None, _Budget]:
            left = replace(budget)  # what a page that has to be read again took is not taken
            found, following = _page(rows, wanted, position, left)
            return found, following, left

        found, following, left = await self._reader.read(batch.batch_id, read, batch)
        budget.rows, budget.bytes, budget.scan_bytes = left.rows, left.bytes, left.scan_bytes
        return found, following


def _page(
    rows: Rows, wanted: RowFilter, position: Position, budget: _Budget
) -> tuple[list[Row], Position | None]:
    """The rows from a position on, until something runs out; and where to go on, None at the end of the batch."""
    found: list[Row] = []
    needles = wanted.needles()
    lines = rows.lines
    if wanted.state not in (None, State.OPEN):
        # Rows that somebody closed are few, and known by number: nobody looks through the open ones before them.
        first = rows.state.states.first(wanted.state, position.row or 1)
        if first is None:
            return found, None
        if first > position.row:
            position = Position(position.batch_id, first)
    happened = rows.events.joined(position.row or 1)
    begin = gone_through = _offset_of(rows, position)
    for offset, line in lines.read(begin, needle=_needle(rows, needles)):
        number = lines.number_of(line)
        here = Position(position.batch_id, number, offset)
        if budget.rows <= 0 or budget.scan_bytes <= 0:
            return found, here
        budget.scan_bytes -= offset + len(line) - gone_through
        gone_through = offset + len(line)
        row = _wanted(rows, wanted, needles, happened, number, line)
        if row is not None:
            row = row.fitting()
            if found and row.size_bytes > budget.bytes:
                return found, here
            found.append(row)
            budget.rows -= 1
            budget.bytes -= row.size_bytes
    return found, None


def wanted_rows(rows: Rows, wanted: RowFilter, first: int = 1) -> Iterator[Row]:
    """Every row that a filter leaves, in order, from one on. For threads."""
    needles = wanted.needles()
    happened = rows.events.joined(first)
    begin = rows.lines.seek(first) if first > 1 else 0
    for _, line in rows.lines.read(begin, needle=_needle(rows, needles)):
        row = _wanted(rows, wanted, needles, happened, rows.lines.number_of(line), line)
        if row is not None:
            yield row


def _wanted(
    rows: Rows,
    wanted: RowFilter,
    needles: list[bytes],
    happened: Joined,
    number: int,
    line: bytes,
) -> Row | None:
    state = rows.state.states[number]
    if not wanted.takes_state(state):
        return None
    # What an attempt found wrong stands in the log and not in this line.
    retried = state.state is not State.RESOLVED and state.attempt > 0
    if not retried and not all(needle in line for needle in needles):
        return None
    events = happened.at(number) if state != RowState() else []
    row = rows.row(record_of(line), events)
    return row if wanted.takes(row) else None


def _needle(rows: Rows, needles: list[bytes]) -> bytes | None:
    """By which lines may be left out unseen: only where they tell the violations that the rows have now."""
    return needles[0] if needles and not rows.state.states.any_retried() else None


def _offset_of(rows: Rows, position: Position) -> int:
    if not position.row:
        return 0
    lines = rows.lines
    if position.offset < lines.size_bytes:
        begin = (
            next(lines.read(position.offset, chunk_bytes=4096), None) if position.offset else None
        )
        if begin is not None and begin[1].startswith(PREFIX + str(position.row).encode() + b","):
            return position.offset
    return lines.seek(position.row)


def may_have(batch: BatchManifest, wanted: RowFilter) -> bool:
    """Whether a batch can have rows that a filter leaves, by its counts."""
    if wanted.state is not None and not batch.rows_in(wanted.state):
        return False
    # An attempt may have found what the first look did not: only an untouched batch's counts are the whole truth.
    return batch.quarantined_rows > 0 and (
        batch.commits > 0
        or (
            wanted.field in (None, *batch.errors_by_field)
            and wanted.keyword in (None, *batch.errors_by_keyword)
        )
    )


def _bound(parent: str, wanted: RowFilter, batch_filter: BatchFilter | None) -> str:
    scope: list[Any] = [parent, asdict(wanted), batch_filter and asdict(batch_filter)]
    return hashlib.sha256(json.dumps(scope, default=str).encode()).hexdigest()[:16]


def _token(bound: str, position: Position | None) -> str:
    if position is None:
        return ""
    text = f"{bound}.{position.batch_id}.{position.row}.{position.offset}"
    return base64.urlsafe_b64encode(text.encode()).decode()


def _position(token: str, bound: str) -> Position | None:
    if not token:
        return None
    try:
        match = _TOKEN.fullmatch(base64.b64decode(token, b"-_", validate=True).decode())
    except ValueError:
        match = None
    if match is None or not is_id(match[2]):
        raise InvalidRequest("the page token is none that was given out here", field="page_token")
    if match[1] != bound:
        raise InvalidRequest("the page token belongs to another listing", field="page_token")
    return Position(match[2], int(match[3]), int(match[4]))
