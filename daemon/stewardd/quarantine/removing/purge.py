"""Purges: removing rows for good, by their state and its age. Their counts stay.

Open rows are removed only where the request names that state, and count as discarded from then on. A resolved row stays
as long as a cursor of the batch has not exported it: the importing service would lose it. It also stays while it is in
the newest export of a cursor, whose file may not have arrived; the next export acknowledges that one.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from stewardd.batches.filter import BatchFilter
from stewardd.batches.manifest import BatchManifest
from stewardd.batches.states import RowState, RowStatesBuilder, State
from stewardd.errors import InvalidRequest
from stewardd.quarantine.finding.batch_selection import BatchSelection, ReportProgress
from stewardd.quarantine.finding.rows import BatchRows
from stewardd.quarantine.log.changes import Action, RowEvent
from stewardd.quarantine.removing.archives import ArchiveWriter, archive_line
from stewardd.quarantine.removing.rewrite_rules import RewriteResult
from stewardd.quarantine.removing.rewriting import BatchRewriter


@dataclass(frozen=True, slots=True)
class PurgeRequest:
    """Which rows to remove. `batch_id` is None for all batches that the filter takes."""

    batch_id: str | None
    batches: BatchFilter
    states: frozenset[State]
    before: datetime
    archive: bool
    dry_run: bool
    actor: str

    def check(self) -> None:
        """Refuses a request for all batches that has no filter. Raises: InvalidRequest."""
        if self.batch_id is None and not self.batches:
            raise InvalidRequest("give a filter, or one batch", field="batches")


@dataclass(slots=True)
class PurgeOutcome:
    """The counts of what was removed, or in a dry run would be."""

    batches: int = 0
    rows: Counter[State] = field(default_factory=Counter)
    archived_bytes: int = 0


class Purge:
    """Removes rows."""

    def __init__(self, selection: BatchSelection, rewriter: BatchRewriter) -> None:
        self._selection = selection
        self._rewriter = rewriter

    async def run(self, request: PurgeRequest, report: ReportProgress) -> PurgeOutcome:
        """Removes rows batch by batch, with one commit for each batch.

        Raises: BatchNotFound; Cancelled from `report`; what BatchRewriter.rewrite raises.
        """
        outcome = PurgeOutcome()
        done = 0
        async for batch in self._selection.batches(request.batch_id, request.batches):
            done += 1
            if _may_have_rows(batch, request):
                rules = PurgeRules(request)
                await self._rewriter.rewrite(
                    batch.batch_id, Action.PURGE, request.actor, rules, dry_run=request.dry_run
                )
                if rules.removed:
                    outcome.batches += 1
                    outcome.rows += rules.removed
                    outcome.archived_bytes += rules.archived_bytes
            await report(done, sum(outcome.rows.values()))
        return outcome


def _may_have_rows(batch: BatchManifest, request: PurgeRequest) -> bool:
    # Rows get their state after their batch is published.
    return batch.quarantined_rows > 0 and batch.create_time < request.before


class PurgeRules:
    """Removes the rows of one batch. The methods are described in RewriteRules."""

    def __init__(self, request: PurgeRequest) -> None:
        self._request = request
        self._reset()

    def apply_to(self, rows: BatchRows) -> bool:
        """See RewriteRules.apply_to. Closed rows are in the log, which is shorter than the records."""
        self._reset()
        self._read_cursors(rows)
        if State.OPEN in self._request.states and rows.batch.open_rows:
            return True
        return any(
            self._is_removed(rows.state.states[number].state, b"", events)
            for number, events in rows.events.of_rows()
            if events[-1].change.state is not State.OPEN
        )

    def start(self, rows: BatchRows, folder: Path) -> None:
        """See RewriteRules.start."""
        self._reset()
        self._states = RowStatesBuilder()
        self._rows = rows
        self._read_cursors(rows)
        archived = self._request.archive and not self._request.dry_run
        self._archive = ArchiveWriter(folder) if archived else None

    def rewrite_row(
        self, number: int, line: bytes, events: list[RowEvent]
    ) -> tuple[bytes | None, list[RowEvent]]:
        """See RewriteRules.rewrite_row."""
        state = self._rows.state.states[number]
        if not self._is_removed(state.state, line, events):
            return line, events
        self.removed[state.state] += 1
        # Nobody can correct a removed row any more: an open one becomes discarded.
        final = State.DISCARDED if state.state is State.OPEN else state.state
        self._states.add(number, RowState(final, state.attempt, purged=True))
        if self._archive is not None:
            self._archive.write(archive_line(line, state, events))
        return None, []

    def rewrite_valid_record(self, record: bytes) -> bytes:
        """See RewriteRules.rewrite_valid_record."""
        return record

    def rewrite_text(self, text: str) -> str:
        """See RewriteRules.rewrite_text."""
        return text

    def finish(self) -> RewriteResult:
        """See RewriteRules.finish."""
        new_archive: Path | None = None
        if self._archive is not None:
            self._archive.close()
            if self.removed:
                new_archive = self._archive.path
                self.archived_bytes = new_archive.stat().st_size
        return RewriteResult(
            changed=bool(self.removed),
            new_states=self._states.built(),
            new_archive=new_archive,
            archives=self._rows.state.archives,
            facts={"purged": {state.name.lower(): n for state, n in self.removed.items()}},
        )

    def _reset(self) -> None:
        """Forgets what an attempt counted that another writer overtook."""
        self.removed: Counter[State] = Counter()
        self.archived_bytes = 0

    def _read_cursors(self, rows: BatchRows) -> None:
        # The newest export of a cursor acknowledges the exports up to the commit after which it begins.
        cursors = {export.cursor: export.after for export in rows.state.exports}
        self._acknowledged_through = min(cursors.values()) if cursors else None

    def _is_removed(self, state: State, line: bytes, events: list[RowEvent]) -> bool:
        if state not in self._request.states:
            return False
        if state is State.OPEN:
            return self._rows.record(line).quarantine_time < self._request.before
        last = events[-1]
        if state is State.RESOLVED and self._acknowledged_through is not None:
            return last.commit <= self._acknowledged_through and last.time < self._request.before
        return last.time < self._request.before
