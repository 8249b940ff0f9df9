"""Correcting one row, and discarding rows: each a small commit of the batch's log.

A row is judged before the commit is tried, and what it was judged from is checked in the attempt: who finds the row
changed meanwhile is told. The same correction again finds itself in the log, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from stewardd.batches.catalog import BatchCatalog
from stewardd.batches.manifest import BatchManifest
from stewardd.batches.states import MAX_ATTEMPT, State
from stewardd.errors import BatchRewritten, Exhausted, InvalidRequest, RowChanged, RowClosed
from stewardd.quarantine.blocking import Threads
from stewardd.quarantine.bulk import Stale
from stewardd.quarantine.commit import Action, Change, Commit, digest_of, small_commit
from stewardd.quarantine.fold import BatchState
from stewardd.quarantine.judge import Judge
from stewardd.quarantine.ledger import Ledger
from stewardd.quarantine.record import RowViolation
from stewardd.quarantine.rereading import Reader
from stewardd.quarantine.rows import Row, Rows
from stewardd.repository.identifiers import uuid7
from stewardd.repository.rereading import pause

_RACES = 16


@dataclass(frozen=True, slots=True)
class Discarded:
    """What discarding came to."""

    discarded_rows: int
    unchanged_rows: int


@dataclass(frozen=True, slots=True)
class _Judged:
    batch: BatchManifest
    rewritten: int
    row: Row
    cells: dict[str, str]
    version: str
    violations: tuple[RowViolation, ...]
    repeated: bool


class Corrections:
    """Corrects and discards."""

    def __init__(
        self,
        batches: BatchCatalog,
        ledger: Ledger,
        judge: Judge,
        threads: Threads,
        max_cell_bytes: int,
    ) -> None:
        self._reader = Reader(batches, ledger, threads)
        self._ledger = ledger
        self._judge = judge
        self._max_cell_bytes = max_cell_bytes

    async def correct(
        self,
        batch_id: str,
        number: int,
        cells: Mapping[str, str],
        *,
        version: str | None = None,
        etag: str = "",
        actor: str = "",
    ) -> Row:
        """Corrects one row; returns it as it is then. The cells that are not given stay as they are.

        BatchNotFound, RowNotFound, RowPurged, RowClosed, RowChanged, InvalidRequest for a column or a version that
        there is not and for a cell over the bound, HeaderRefused where the version requires a column that the file
        has not.
        """
        # It would be kept in the log, over the bound again and again, and no sheet could bring it back.
        for column, cell in cells.items():
            if len(cell.encode()) > self._max_cell_bytes:
                raise InvalidRequest(
                    f"the cell of {column[:64]!r} is longer than {self._max_cell_bytes} bytes",
                    field="cells",
                    hint="shorten it; the bound is `validation.max_field_bytes`",
                )
        for attempt in range(_RACES):
            try:
                return await self._correct(batch_id, number, cells, version, etag, actor)
            except Stale:
                # The batch was rewritten, maybe around this row only: nobody has changed the row unless it says so.
                await pause(attempt)
        raise BatchRewritten("others rewrite this batch all the time", retry_after_s=1)

    async def _correct(
        self,
        batch_id: str,
        number: int,
        cells: Mapping[str, str],
        version: str | None,
        etag: str,
        actor: str,
    ) -> Row:
        found = await self._reader.read(
            batch_id, lambda rows: self._judged(rows, number, cells, version)
        )
        row = found.row
        if found.repeated:
            return row.fitting()
        if row.state.state is not State.OPEN:
            raise _closed(number, row.state.state)
        if etag not in ("", row.etag):
            raise RowChanged(f"row {number} is not as it was: it has {row.etag}")
        change = self._change(found)

        async def decide(now: BatchState) -> Commit | None:
            if now.states[number] != row.state:
                raise RowChanged(f"row {number} was changed meanwhile")
            if now.rewritten != found.rewritten:
                raise Stale
            commit = Commit(now.number + 1, uuid7(), Action.CORRECT, self._ledger.clock(), actor)
            return small_commit(commit, [change])

        appended = await self._ledger.append(found.batch, decide)
        assert appended.commit is not None
        # Not read again: a purge may have taken the row by now, and what was done is known.
        return replace(
            row, state=change.row_state, events=(*row.events, appended.commit.event(change))
        ).fitting()

    async def discard(
        self, batch_id: str, numbers: Sequence[int], *, reason: str, actor: str = ""
    ) -> Discarded:
        """Discards rows, all or none. BatchNotFound, RowNotFound, RowPurged, RowClosed for one that is resolved."""
        wanted = sorted(set(numbers))

        def look(rows: Rows) -> BatchManifest:
            rows.require(wanted)
            return rows.batch

        batch = await self._reader.read(batch_id, look)

        async def decide(now: BatchState) -> Commit | None:
            changes = []
            for number in wanted:
                row = now.states[number]
                if row.state is State.RESOLVED:
                    raise _closed(number, row.state)
                if row.state is State.OPEN:
                    changes.append(Change(number, State.DISCARDED, row.attempt))
            if not changes:
                return None
            time = self._ledger.clock()
            commit = Commit(now.number + 1, uuid7(), Action.DISCARD, time, actor, reason)
            return small_commit(commit, changes)

        appended = await self._ledger.append(batch, decide)
        discarded = appended.commit.rows if appended.commit is not None else 0
        return Discarded(discarded, len(wanted) - discarded)

    def _judged(
        self, rows: Rows, number: int, cells: Mapping[str, str], version: str | None
    ) -> _Judged:
        row = rows.get(number)
        batch = rows.batch
        schema = self._judge.schema(batch, version or row.judged_by)
        columns = self._judge.columns(rows.store, batch)
        for column in cells:
            if column not in columns:
                raise InvalidRequest(f"the file has no column {column[:64]!r}", field="cells")
        before = {} if row.damaged else row.cells
        after = {column: before.get(column, "") for column in columns} | dict(cells)
        repeated = (
            row.corrected is not None
            and digest_of(row.corrected) == digest_of(after)
            and row.judged_by == schema.version
            and row.state.state is not State.DISCARDED
        )
        violations = () if repeated else self._judge.one(schema, columns, after)
        return _Judged(
            batch, rows.state.rewritten, row, after, schema.version, violations, repeated
        )

    def _change(self, found: _Judged) -> Change:
        attempt = found.row.state.attempt + 1
        if attempt > MAX_ATTEMPT:
            raise Exhausted(f"row {found.row.number} was judged {MAX_ATTEMPT} times")
        return Change(
            row=found.row.number,
            state=State.OPEN if found.violations else State.RESOLVED,
            attempt=attempt,
            version=found.version,
            cells=found.cells,
            violations=found.violations,
        )


def _closed(number: int, state: State) -> RowClosed:
    return RowClosed(f"row {number} is {state.name.lower()}")
