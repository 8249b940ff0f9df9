"""An edited sheet that comes back: which of its rows were edited, judged by the engine, and moved in one commit.

A row that nobody edited is left alone. One that was corrected in just this way before is left alone too, so that a
sheet may be sent twice. One that somebody else changed since it was exported is not taken, and named. Nor is one of
which a spreadsheet has damaged a cell that nobody was asked to edit: the cells without a violation are held against
what was sent, and what a program does to cells by itself is named by row, line and column.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import fastcsv
from stewardd.batches.catalog import BatchCatalog
from stewardd.batches.manifest import BatchManifest
from stewardd.batches.states import State
from stewardd.errors import InputRefused, InvalidRequest, RowChanged, TooManyRequests
from stewardd.quarantine.blocking import Threads
from stewardd.quarantine.bulk import Bulk, Plan, Stale, commit_plan
from stewardd.quarantine.commit import Action, digest_of
from stewardd.quarantine.damage import Damage, damage
from stewardd.quarantine.judge import Judge
from stewardd.quarantine.ledger import Ledger
from stewardd.quarantine.rereading import Reader
from stewardd.quarantine.rows import Row, Rows
from stewardd.quarantine.sheet import Sheet, SheetRow
from stewardd.quarantine.upload import SheetUpload
from stewardd.repository.rereading import pause

MAX_NAMED_CONFLICTS = 1000
MAX_NAMED_CELLS = 1000
_RACES = 32


@dataclass(frozen=True, slots=True)
class SheetBounds:
    """How large a sheet may be, and how many may be on their way at once."""

    max_uploads: int
    max_bytes: int
    max_rows: int
    max_cell_characters: int


@dataclass(frozen=True, slots=True)
class SheetRequest:
    """How a sheet is taken. `batch_id` is None where the sheet itself says."""

    batch_id: str | None
    version: str | None
    include_unchanged: bool
    actor: str
    dry_run: bool
    accept_damaged: bool = False


@dataclass(frozen=True, slots=True)
class DamagedCell:
    """A cell that a spreadsheet has damaged. `line` counts as the spreadsheet does, the header being 1."""

    row: int
    line: int
    column: str
    damage: Damage


@dataclass(slots=True)
class SheetOutcome:
    """What a sheet came to."""

    batch_id: str
    total_rows: int = 0
    resolved_rows: int = 0
    invalid_rows: int = 0
    unchanged_rows: int = 0
    conflicting_rows: int = 0
    conflicts: list[int] = field(default_factory=list)
    damaged_rows: int = 0
    damaged_cells: list[DamagedCell] = field(default_factory=list)
    commit: int = 0


class Resubmission:
    """Takes sheets back."""

    def __init__(
        self,
        batches: BatchCatalog,
        ledger: Ledger,
        judge: Judge,
        threads: Threads,
        bounds: SheetBounds,
    ) -> None:
        self.bounds = bounds
        self._uploads = 0
        self._reader = Reader(batches, ledger, threads)
        self._ledger = ledger
        self._judge = judge
        self._threads = threads

    @contextmanager
    def upload(self) -> Iterator[SheetUpload]:
        """A place for a sheet to come to; it is gone afterwards. TooManyRequests, as a sheet takes room on the disk."""
        if self._uploads >= self.bounds.max_uploads:
            raise TooManyRequests(
                f"{self._uploads} sheets are being taken",
                hint="wait, and try again; the bound is `quarantine.max_concurrent_sheets`",
                retry_after_s=1.0,
            )
        self._uploads += 1
        try:
            with self._judge.folder() as folder:
                yield SheetUpload(folder, self._threads, self.bounds.max_bytes)
        finally:
            self._uploads -= 1

    async def take(self, path: Path, request: SheetRequest) -> SheetOutcome:
        """Takes a sheet that lies in a file.

        BatchNotFound, InvalidRequest, InputRefused for what is no sheet or names rows that are none, Exhausted,
        HeaderRefused, RowChanged where others are always faster.
        """
        batch_id = request.batch_id or await self._threads.run(self._sheet(path, ()).batch)
        if not batch_id:
            raise InvalidRequest(
                "the sheet names no batch, and the request neither",
                field="parent",
                hint="name the batch in the request, or keep the column Batch in the sheet",
            )
        for attempt in range(_RACES):
            try:
                return await self._reader.work(
                    batch_id, lambda rows: self._take(path, rows, request)
                )
            except Stale:
                await pause(attempt)
        raise RowChanged("others change this batch's rows all the time", retry_after_s=1)

    async def _take(self, path: Path, rows: Rows, request: SheetRequest) -> SheetOutcome:
        columns = await self._threads.run(lambda: self._judge.columns(rows.store, rows.batch))
        sheet = self._sheet(path, columns)
        outcome = SheetOutcome(rows.batch.batch_id)
        with self._judge.folder() as folder:
            bulk = Bulk(self._judge, columns, folder, rows.state.rewritten)
            try:
                plan = await self._threads.run(
                    lambda: self._plan(sheet, rows, bulk, request, outcome)
                )
                if plan.tally.rows and not request.dry_run:
                    outcome.commit = await self._commit(rows.batch, plan, request)
            finally:
                bulk.close()
        return outcome

    async def _commit(self, batch: BatchManifest, plan: Plan, request: SheetRequest) -> int:
        appended = await commit_plan(
            self._ledger, self._threads, batch, plan, Action.RESUBMIT, request.actor
        )
        assert appended.commit is not None
        return appended.commit.number

    def _sheet(self, path: Path, columns: tuple[str, ...]) -> Sheet:
        return Sheet(
            path,
            columns,
            max_rows=self.bounds.max_rows,
            max_cell_characters=self.bounds.max_cell_characters,
        )

    def _plan(
        self, sheet: Sheet, rows: Rows, bulk: Bulk, request: SheetRequest, outcome: SheetOutcome
    ) -> Plan:
        schemas: dict[str, fastcsv.Schema] = {}
        if request.version is not None:
            schemas[request.version] = self._judge.schema(rows.batch, request.version)
        for came, row in self._joined(sheet, rows, bulk.folder):
            outcome.total_rows += 1
            version = request.version or row.judged_by
            verdict = _look(came, row, version, include_unchanged=request.include_unchanged)
            if verdict == "judge" and not request.accept_damaged:
                damaged = damaged_cells(came, row)
                outcome.damaged_cells += damaged[: MAX_NAMED_CELLS - len(outcome.damaged_cells)]
                verdict = "damaged" if damaged else verdict
            if verdict == "judge":
                schema = schemas.get(version) or self._judge.schema(rows.batch, version)
                bulk.add(row, came.cells, schemas.setdefault(version, schema))
            elif verdict == "unchanged":
                outcome.unchanged_rows += 1
            elif verdict == "damaged":
                outcome.damaged_rows += 1
            else:
                outcome.conflicting_rows += 1
                if len(outcome.conflicts) < MAX_NAMED_CONFLICTS:
                    outcome.conflicts.append(row.number)
        plan = bulk.judged()
        outcome.resolved_rows = plan.tally.resolved_rows
        outcome.invalid_rows = plan.tally.rows - plan.tally.resolved_rows
        return plan

    def _joined(self, sheet: Sheet, rows: Rows, folder: Path) -> Iterator[tuple[SheetRow, Row]]:
        """The sheet's rows in row order, each once, each with the row that it corrects."""
        ordered = _in_order(sheet, folder)
        numbers = array("Q")
        before = None
        for came in ordered():
            if came.batch not in ("", rows.batch.batch_id):
                raise InputRefused(
                    f"line {came.line} of the sheet belongs to another batch",
                    hint="send the rows of each batch as a sheet of their own",
                )
            if before is not None and before.number == came.number:
                raise InputRefused(
                    f"row {came.number} stands in the sheet twice, in lines {before.line} and {came.line}",
                    hint="leave one of the two in the sheet",
                )
            numbers.append(came.number)
            before = came
        yield from zip(ordered(), rows.some(numbers), strict=True)


def _look(came: SheetRow, row: Row, version: str, *, include_unchanged: bool) -> str:
    """What is to be done about a row: judge, unchanged or conflict."""
    if row.corrected is not None and digest_of(came.cells) == digest_of(row.corrected):
        edited, repeated = False, version == row.judged_by
    else:
        exported = came.exported_digest or row.digest_of(row.cells)
        edited, repeated = row.digest_of(came.cells) != exported, False
    if not edited and (row.state.state is not State.OPEN or row.damaged):
        return "unchanged"
    if row.state.state is not State.OPEN:
        return "conflict"
    if edited:
        return "judge" if came.etag in ("", row.etag) else "conflict"
    # What may be no row, or not all of one, is taken as it is only where somebody says so.
    doubtful = row.corrected is None and row.record.doubtful
    again = include_unchanged or (version != row.judged_by and not doubtful)
    if not again or (repeated and not include_unchanged):
        return "unchanged"
    return "judge" if came.etag in ("", row.etag) else "unchanged"


def damaged_cells(came: SheetRow, row: Row) -> list[DamagedCell]:
    """The cells that a spreadsheet has damaged, of those that nobody was asked to edit.

    A cell with a violation is the one that was to be edited, and what looks like damage may be the correction: a blank
    taken off, a date put right. Only an error of the spreadsheet is none. Of a row that could not be taken apart every
    cell is to be edited.
    """
    asked = {each.field for each in row.violations}
    if row.damaged or "_row" in asked:
        return []
    before = row.cells
    found = (
        (column, damage(before.get(column, ""), value)) for column, value in came.cells.items()
    )
    return [
        DamagedCell(row.number, came.line, column, kind)
        for column, kind in found
        if kind is Damage.ERROR or (kind is not None and column not in asked)
    ]


def _in_order(sheet: Sheet, folder: Path) -> Callable[[], Iterator[SheetRow]]:
    """The sheet's rows by ascending number, as often as they are asked for: people sort sheets by other columns."""
    numbers = array("Q", (each.number for each in sheet.rows()))
    if all(before <= after for before, after in pairwise(numbers)):
        return sheet.rows
    path = folder / "sheet.jsonl"
    offsets = array("Q")
    with path.open("wb") as file:
        for each in sheet.rows():
            offsets.append(file.tell())
            found = [each.line, each.batch, each.number, each.etag, each.cells]
            file.write(json.dumps(found).encode() + b"\n")
    order = sorted(range(len(numbers)), key=numbers.__getitem__)

    def rows() -> Iterator[SheetRow]:
        with path.open("rb") as file:
            for place in order:
                file.seek(offsets[place])
                yield SheetRow(*json.loads(file.readline()))

    return rows
