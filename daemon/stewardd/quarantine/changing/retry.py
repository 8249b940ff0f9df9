"""Retries: validating open rows again in bulk, as when a new schema version relaxes a rule.

Rows are validated with the cells that they have now. Rows whose cells may differ from what was sent are left to people.
A row that this version has validated already is skipped, so a retry that was interrupted is simply started again. Each
commit moves so many rows, and each row moves once: what was committed before a kill stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from stewardd.batches.filter import BatchFilter
from stewardd.batches.manifest import BatchManifest
from stewardd.batches.states import State
from stewardd.errors import HeaderRefused, InvalidRequest
from stewardd.quarantine.changing.bulk_revalidation import (
    BulkRevalidation,
    RevalidationPlan,
    commit_plan,
)
from stewardd.quarantine.changing.revalidation import Revalidator
from stewardd.quarantine.finding.batch_reader import BatchReader
from stewardd.quarantine.finding.batch_selection import BatchSelection, ReportProgress
from stewardd.quarantine.finding.row_filter import RowFilter, filtered_rows
from stewardd.quarantine.finding.rows import BatchRows, Row
from stewardd.quarantine.log.batch_logs import BatchLogs
from stewardd.quarantine.log.changes import Action
from stewardd.quarantine.log.planned_commit import plan_and_commit
from stewardd.schemas.kinds import CompiledSchema


@dataclass(frozen=True, slots=True)
class RetryRequest:
    """Which rows to validate, and by which schema version: None stands for the newest."""

    batch_id: str | None
    batches: BatchFilter
    field: str | None
    keyword: str | None
    version: str | None
    dry_run: bool
    actor: str

    @property
    def rows(self) -> RowFilter:
        """Which rows of a batch."""
        return RowFilter(State.OPEN, self.field, self.keyword)

    def check(self) -> None:
        """Refuses a request for all batches that has no filter. Raises: InvalidRequest."""
        if self.batch_id is None and not self.batches:
            raise InvalidRequest("give a filter, or one batch", field="batches")


@dataclass(slots=True)
class RetryOutcome:
    """The counts of a retry. An unfit batch has columns that the schema version does not fit."""

    batches: int = 0
    judged_rows: int = 0
    resolved_rows: int = 0
    unfit_batches: int = 0


class Retry:
    """Validates rows again. A commit moves `commit_rows` rows at most."""

    def __init__(
        self,
        selection: BatchSelection,
        reader: BatchReader,
        logs: BatchLogs,
        revalidator: Revalidator,
        commit_rows: int,
    ) -> None:
        self._selection = selection
        self._reader = reader
        self._logs = logs
        self._revalidator = revalidator
        self._commit_rows = commit_rows

    async def run(self, request: RetryRequest, report: ReportProgress) -> RetryOutcome:
        """Validates the rows batch by batch.

        Raises: InvalidRequest where one batch is named and the version is older than the batch's, or unknown;
        Cancelled from `report`; RowChanged where other writers are faster each time.
        """
        outcome = RetryOutcome()
        done = 0
        async for batch in self._selection.batches(request.batch_id, request.batches):
            done += 1
            if request.batch_id is not None:
                self._revalidator.columns.check_filter(batch, request.field, request.keyword)
            if batch.open_rows and request.rows.may_match(batch):
                await self._retry_batch(batch, request, outcome, report, done)
            await report(done, outcome.judged_rows)
        return outcome

    async def _retry_batch(
        self,
        batch: BatchManifest,
        request: RetryRequest,
        outcome: RetryOutcome,
        report: ReportProgress,
        done: int,
    ) -> None:
        before = outcome.judged_rows
        try:
            schema = self._revalidator.schema(batch, request.version, newest=True)
            following: int | None = 1
            while following is not None:
                following = await self._retry_rows(batch, schema, following, request, outcome)
                await report(done, outcome.judged_rows)
        except (HeaderRefused, InvalidRequest):
            if request.batch_id is not None:
                raise
            outcome.unfit_batches += 1
        outcome.batches += outcome.judged_rows > before

    async def _retry_rows(
        self,
        batch: BatchManifest,
        schema: CompiledSchema,
        first: int,
        request: RetryRequest,
        outcome: RetryOutcome,
    ) -> int | None:
        """Validates and commits the next rows. Returns the row to go on with, None at the end of the batch."""

        async def plan_then_commit(rows: BatchRows) -> tuple[RevalidationPlan, int]:
            threads, revalidator = self._reader.threads, self._revalidator
            columns = await threads.run(
                lambda: revalidator.columns.of_batch(rows.store, rows.batch)
            )
            with revalidator.scratch.folder() as folder:
                bulk = BulkRevalidation(
                    revalidator, columns, folder, rows.state.rewritten, rows.batch.strict
                )
                try:
                    plan, last = await threads.run(
                        lambda: self._plan(rows, bulk, schema, first, request)
                    )
                    if plan.counts.rows and not request.dry_run:
                        await commit_plan(
                            self._logs, threads, rows.batch, plan, Action.RETRY, request.actor
                        )
                finally:
                    bulk.close()
                return plan, last

        plan, last = await plan_and_commit(
            lambda: self._reader.do_work(batch.batch_id, plan_then_commit, batch)
        )
        outcome.judged_rows += plan.counts.rows
        outcome.resolved_rows += plan.counts.resolved_rows
        return None if plan.counts.rows < self._commit_rows else last + 1

    def _plan(
        self,
        rows: BatchRows,
        bulk: BulkRevalidation,
        schema: CompiledSchema,
        first: int,
        request: RetryRequest,
    ) -> tuple[RevalidationPlan, int]:
        last = first
        for row in islice(_rows_to_retry(rows, request.rows, schema, first), self._commit_rows):
            bulk.add(row, row.cells, schema)
            last = row.number
        return bulk.validate(), last


def _rows_to_retry(
    rows: BatchRows, wanted: RowFilter, schema: CompiledSchema, first: int
) -> Iterator[Row]:
    for row in filtered_rows(rows, wanted, first):
        doubtful = row.corrected is None and row.record.doubtful
        if not doubtful and row.validated_by != schema.version:
            yield row
