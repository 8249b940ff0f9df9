"""Resubmitting an edited sheet: its edited rows are validated, and moved in one commit.

Rows with conflicts and damaged cells are not taken, and are named in the outcome (sheet_comparison.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from stewardd.batches.manifest import BatchManifest
from stewardd.errors import InputRefused, InvalidRequest, TooManyRequests
from stewardd.quarantine.changing.bulk_revalidation import (
    BulkRevalidation,
    RevalidationPlan,
    commit_plan,
)
from stewardd.quarantine.changing.payload_sheet import PayloadSheet, is_payload_sheet
from stewardd.quarantine.changing.revalidation import Revalidator
from stewardd.quarantine.changing.sheet import Sheet
from stewardd.quarantine.changing.sheet_comparison import (
    DamagedCell,
    RowDecision,
    damaged_cells,
    decide_purged_row,
    decide_row,
    sheet_and_batch_rows,
)
from stewardd.quarantine.changing.sheet_upload import SheetUpload
from stewardd.quarantine.finding.batch_reader import BatchReader
from stewardd.quarantine.finding.rows import BatchRows
from stewardd.quarantine.log.batch_logs import BatchLogs
from stewardd.quarantine.log.changes import Action
from stewardd.quarantine.log.planned_commit import plan_and_commit
from stewardd.schemas.kinds import CompiledSchema, SchemaKind

MAX_NAMED_CONFLICTS = 1000
MAX_NAMED_CELLS = 1000


@dataclass(frozen=True, slots=True)
class SheetLimits:
    """How large a sheet may be, and how many may be uploaded at once."""

    max_uploads: int
    max_bytes: int
    max_rows: int
    max_cell_characters: int


@dataclass(frozen=True, slots=True)
class SheetRequest:
    """How to take a sheet. `batch_id` is None where the sheet names its batch."""

    batch_id: str | None
    version: str | None
    include_unchanged: bool
    actor: str
    dry_run: bool
    accept_damaged: bool = False


@dataclass(slots=True)
class SheetOutcome:
    """The counts of a resubmission. `commit` is 0 where nothing was committed."""

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

    def leave(self, number: int, decision: RowDecision) -> None:
        """Counts a row that stays as it is."""
        if decision is RowDecision.UNCHANGED:
            self.unchanged_rows += 1
            return
        self.conflicting_rows += 1
        if len(self.conflicts) < MAX_NAMED_CONFLICTS:
            self.conflicts.append(number)


class Resubmission:
    """Takes edited sheets."""

    def __init__(
        self, reader: BatchReader, logs: BatchLogs, revalidator: Revalidator, limits: SheetLimits
    ) -> None:
        self._limits = limits
        self._uploads = 0
        self._reader = reader
        self._logs = logs
        self._revalidator = revalidator

    @contextmanager
    def upload(self) -> Iterator[SheetUpload]:
        """Opens an upload, whose file is removed when the block ends. Raises: TooManyRequests."""
        if self._uploads >= self._limits.max_uploads:
            raise TooManyRequests(
                f"{self._uploads} sheets are being taken",
                hint="wait, and try again; the bound is `quarantine.max_concurrent_sheets`",
                retry_after_s=1.0,
            )
        self._uploads += 1
        try:
            with self._revalidator.scratch.folder() as folder:
                yield SheetUpload(folder, self._reader.threads, self._limits.max_bytes)
        finally:
            self._uploads -= 1

    async def resubmit(self, path: Path, request: SheetRequest) -> SheetOutcome:
        """Takes the sheet in a file.

        Raises: BatchNotFound, InvalidRequest, Exhausted, HeaderRefused; InputRefused for a file that is no sheet and
        for rows that it must not name; RowChanged where other writers are faster each time.
        """
        batch_id = request.batch_id or await self._reader.threads.run(
            lambda: self._unknown_sheet(path).batch()
        )
        if not batch_id:
            raise InvalidRequest(
                "the sheet names no batch, and the request neither",
                field="parent",
                hint="name the batch in the request, or keep the column Batch in the sheet",
            )
        return await plan_and_commit(
            lambda: self._reader.do_work(
                batch_id, lambda rows: self._resubmit_once(path, rows, request)
            )
        )

    async def _resubmit_once(
        self, path: Path, rows: BatchRows, request: SheetRequest
    ) -> SheetOutcome:
        threads, revalidator = self._reader.threads, self._revalidator
        columns = await threads.run(lambda: revalidator.columns.of_batch(rows.store, rows.batch))
        sheet = await threads.run(lambda: self._sheet(path, columns, rows.batch))
        outcome = SheetOutcome(rows.batch.batch_id)
        with revalidator.scratch.folder() as folder:
            bulk = BulkRevalidation(
                revalidator, columns, folder, rows.state.rewritten, rows.batch.strict
            )
            try:
                plan = await threads.run(lambda: self._plan(sheet, rows, bulk, request, outcome))
                if plan.counts.rows and not request.dry_run:
                    outcome.commit = await self._commit(rows.batch, plan, request)
            finally:
                bulk.close()
        return outcome

    async def _commit(
        self, batch: BatchManifest, plan: RevalidationPlan, request: SheetRequest
    ) -> int:
        appended = await commit_plan(
            self._logs, self._reader.threads, batch, plan, Action.RESUBMIT, request.actor
        )
        assert appended.commit is not None
        return appended.commit.number

    def _unknown_sheet(self, path: Path) -> Sheet | PayloadSheet:
        """The sheet in a file, read by its first bytes: what it is of only its batch knows."""
        if is_payload_sheet(path):
            return PayloadSheet(path, max_rows=self._limits.max_rows)
        return self._rows_sheet(path, ())

    def _sheet(
        self, path: Path, columns: tuple[str, ...], batch: BatchManifest
    ) -> Sheet | PayloadSheet:
        """The sheet of a batch in a file. Raises: InputRefused for a file of the other kind."""
        of_payloads = batch.kind is SchemaKind.PAYLOAD
        if is_payload_sheet(path) != of_payloads:
            raise InputRefused(
                "the batch has payloads, and the file is no JSON Lines"
                if of_payloads
                else "the batch has rows of a CSV file, and the file is JSON Lines",
                hint="send the file that `steward quarantine export` wrote for this batch",
            )
        if of_payloads:
            return PayloadSheet(path, max_rows=self._limits.max_rows)
        return self._rows_sheet(path, columns)

    def _rows_sheet(self, path: Path, columns: tuple[str, ...]) -> Sheet:
        return Sheet(
            path,
            columns,
            max_rows=self._limits.max_rows,
            max_cell_characters=self._limits.max_cell_characters,
        )

    def _plan(
        self,
        sheet: Sheet | PayloadSheet,
        rows: BatchRows,
        bulk: BulkRevalidation,
        request: SheetRequest,
        outcome: SheetOutcome,
    ) -> RevalidationPlan:
        schemas: dict[str, CompiledSchema] = {}
        if request.version is not None:
            schemas[request.version] = self._revalidator.schema(rows.batch, request.version)
        for came, row in sheet_and_batch_rows(sheet, rows, bulk.folder):
            outcome.total_rows += 1
            if row is None:
                outcome.leave(came.number, decide_purged_row(came, rows.batch.batch_id))
                continue
            version = request.version or row.validated_by
            decision = decide_row(came, row, version, include_unchanged=request.include_unchanged)
            if decision is not RowDecision.VALIDATE:
                outcome.leave(row.number, decision)
            elif damaged := [] if request.accept_damaged else damaged_cells(came, row):
                outcome.damaged_rows += 1
                outcome.damaged_cells += damaged[: MAX_NAMED_CELLS - len(outcome.damaged_cells)]
            else:
                schema = schemas.get(version) or self._revalidator.schema(rows.batch, version)
                bulk.add(row, came.cells, schemas.setdefault(version, schema))
        plan = bulk.validate()
        outcome.resolved_rows = plan.counts.resolved_rows
        outcome.invalid_rows = plan.counts.rows - plan.counts.resolved_rows
        return plan
