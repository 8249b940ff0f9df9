"""Judging open rows again in bulk, as when a schema version relaxes a rule.

Rows go as they are now; those whose cells are not certain to be what was sent are left to people. A row that this
version has judged already is left alone, so that a retry that was cut is simply started again. So many rows are one
commit: each row moves once, and what was committed before a kill stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import fastcsv
from stewardd.batches.catalog import BatchCatalog
from stewardd.batches.filter import BatchFilter
from stewardd.batches.manifest import BatchManifest
from stewardd.batches.states import State
from stewardd.errors import HeaderRefused, InvalidRequest, RowChanged
from stewardd.quarantine.blocking import Threads
from stewardd.quarantine.bulk import Bulk, Plan, Stale, commit_plan
from stewardd.quarantine.commit import Action
from stewardd.quarantine.judge import Judge
from stewardd.quarantine.ledger import Ledger
from stewardd.quarantine.listing import RowFilter, may_have, wanted_rows
from stewardd.quarantine.purge import Report
from stewardd.quarantine.rereading import Reader
from stewardd.quarantine.rows import Row, Rows
from stewardd.quarantine.scope import Scope
from stewardd.repository.rereading import pause

_RACES = 32


@dataclass(frozen=True, slots=True)
class RetryRequest:
    """Which rows are to be judged, and by which version: None for the newest."""

    batch_id: str | None
    batches: BatchFilter
    field: str | None
    keyword: str | None
    version: str | None
    dry_run: bool
    actor: str

    @property
    def rows(self) -> RowFilter:
        """Which rows."""
        return RowFilter(State.OPEN, self.field, self.keyword)

    def check(self) -> None:
        """InvalidRequest where all batches are meant and no filter is given."""
        if self.batch_id is None and not self.batches:
            raise InvalidRequest("give a filter, or one batch", field="batches")


@dataclass(slots=True)
class RetryOutcome:
    """What it came to."""

    batches: int = 0
    judged_rows: int = 0
    resolved_rows: int = 0
    unfit_batches: int = 0


class Retry:
    """Judges rows again. `commit_rows` is the most that one commit moves."""

    def __init__(
        self,
        batches: BatchCatalog,
        ledger: Ledger,
        judge: Judge,
        threads: Threads,
        commit_rows: int,
    ) -> None:
        self._scope = Scope(batches)
        self._reader = Reader(batches, ledger, threads)
        self._ledger = ledger
        self._judge = judge
        self._threads = threads
        self._commit_rows = commit_rows

    async def run(self, request: RetryRequest, report: Report) -> RetryOutcome:
        """Judges them batch by batch. `report` is told how far it is, and may raise Cancelled.

        InvalidRequest for one batch and a version that is older than its own, or not there.
        """
        outcome = RetryOutcome()
        looked_at = 0
        async for batch in self._scope.batches(request.batch_id, request.batches):
            looked_at += 1
            if request.batch_id is not None:
                self._judge.check_words(batch, request.field, request.keyword)
            if batch.open_rows and may_have(batch, request.rows):
                await self._batch(batch, request, outcome, report, looked_at)
            await report(looked_at, outcome.judged_rows)
        return outcome

    async def _batch(
        self,
        batch: BatchManifest,
        request: RetryRequest,
        outcome: RetryOutcome,
        report: Report,
        looked_at: int,
    ) -> None:
        before = outcome.judged_rows
        try:
            schema = self._judge.schema(batch, request.version, newest=True)
            following: int | None = 1
            while following is not None:
                following = await self._some(batch, schema, following, request, outcome)
                await report(looked_at, outcome.judged_rows)
        except (HeaderRefused, InvalidRequest):
            if request.batch_id is not None:
                raise
            outcome.unfit_batches += 1
        outcome.batches += outcome.judged_rows > before

    async def _some(
        self,
        batch: BatchManifest,
        schema: fastcsv.Schema,
        first: int,
        request: RetryRequest,
        outcome: RetryOutcome,
    ) -> int | None:
        """Judges and commits the next rows; returns where to go on, None at the end."""

        async def once(rows: Rows) -> tuple[Plan, int]:
            columns = await self._threads.run(lambda: self._judge.columns(rows.store, rows.batch))
            with self._judge.folder() as folder:
                bulk = Bulk(self._judge, columns, folder, rows.state.rewritten)
                try:
                    plan, last = await self._threads.run(
                        lambda: self._plan(rows, bulk, schema, first, request)
                    )
                    if plan.tally.rows and not request.dry_run:
                        await commit_plan(
                            self._ledger,
                            self._threads,
                            rows.batch,
                            plan,
                            Action.RETRY,
                            request.actor,
                        )
                finally:
                    bulk.close()
                return plan, last

        for attempt in range(_RACES):
            try:
                plan, last = await self._reader.work(batch.batch_id, once, batch)
            except Stale:
                await pause(attempt)
                continue
            outcome.judged_rows += plan.tally.rows
            outcome.resolved_rows += plan.tally.resolved_rows
            return None if plan.tally.rows < self._commit_rows else last + 1
        raise RowChanged("others change this batch's rows all the time", retry_after_s=1)

    def _plan(
        self,
        rows: Rows,
        bulk: Bulk,
        schema: fastcsv.Schema,
        first: int,
        request: RetryRequest,
    ) -> tuple[Plan, int]:
        last = first
        for row in islice(_candidates(rows, request.rows, schema, first), self._commit_rows):
            bulk.add(row, row.cells, schema)
            last = row.number
        return bulk.judged(), last


def _candidates(rows: Rows, wanted: RowFilter, schema: fastcsv.Schema, first: int) -> Iterator[Row]:
    for row in wanted_rows(rows, wanted, first):
        doubtful = row.corrected is None and row.record.doubtful
        if not doubtful and row.judged_by != schema.version:
            yield row
