"""Removing rows for good, by their state and its age; their counts stay.

Open rows go only where they are named, and count as discarded from then on. A resolved row that a cursor of the batch
has not had yet stays, whatever is asked: it would be lost to the service that imports it. So does one of a cursor's
newest export, whose file may not have arrived; who asks for the next one says that it has.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import zstandard

from stewardd.batches.filter import BatchFilter
from stewardd.batches.manifest import BatchManifest
from stewardd.batches.states import RowState, State, StatesBuilder
from stewardd.errors import InvalidRequest
from stewardd.quarantine.commit import Action, Event
from stewardd.quarantine.record import record_of
from stewardd.quarantine.rewriting import ARCHIVE, Ended, Rewriting
from stewardd.quarantine.rows import Rows
from stewardd.quarantine.scope import Scope

Report = Callable[[int, int], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class PurgeRequest:
    """Which rows are to go. `batch_id` is None for all batches that the filter leaves."""

    batch_id: str | None
    batches: BatchFilter
    states: frozenset[State]
    before: datetime
    archive: bool
    dry_run: bool
    actor: str

    def check(self) -> None:
        """InvalidRequest where all batches are meant and no filter is given."""
        if self.batch_id is None and not self.batches:
            raise InvalidRequest("give a filter, or one batch", field="batches")


@dataclass(slots=True)
class PurgeOutcome:
    """What was removed, or would be."""

    batches: int = 0
    rows: Counter[State] = field(default_factory=Counter)
    archived_bytes: int = 0


class Purge:
    """Removes rows."""

    def __init__(self, scope: Scope, rewriting: Rewriting) -> None:
        self._scope = scope
        self._rewriting = rewriting

    async def run(self, request: PurgeRequest, report: Report) -> PurgeOutcome:
        """Removes them batch by batch, each in one commit. `report` is told how far it is, and may raise Cancelled."""
        outcome = PurgeOutcome()
        looked_at = 0
        async for batch in self._scope.batches(request.batch_id, request.batches):
            looked_at += 1
            if _may_have(batch, request):
                rewriter = Purger(request)
                await self._rewriting.rewrite(
                    batch.batch_id, Action.PURGE, request.actor, rewriter, dry_run=request.dry_run
                )
                if rewriter.gone:
                    outcome.batches += 1
                    outcome.rows += rewriter.gone
                    outcome.archived_bytes += rewriter.archived_bytes
            await report(looked_at, sum(outcome.rows.values()))
        return outcome


def _may_have(batch: BatchManifest, request: PurgeRequest) -> bool:
    # Rows come to a state after their batch is published.
    return batch.quarantined_rows > 0 and batch.create_time < request.before


class Purger:
    """Takes the rows out of one batch; see Rewriter."""

    def __init__(self, request: PurgeRequest) -> None:
        self._request = request
        self.gone: Counter[State] = Counter()
        self.archived_bytes = 0

    def concerns(self, rows: Rows) -> bool:
        """See Rewriter.concerns. What is closed stands in the log, which is shorter than the records."""
        self.gone, self.archived_bytes = (
            Counter(),
            0,
        )  # not what an attempt counted that others overtook
        self._read_cursors(rows)
        if State.OPEN in self._request.states and rows.batch.open_rows:
            return True
        return any(
            self._goes(rows.state.states[number].state, b"", events)
            for number, events in rows.events.of_rows()
            if events[-1].change.state is not State.OPEN
        )

    def begin(self, rows: Rows, folder: Path) -> None:
        """See Rewriter.begin."""
        self.gone = Counter()
        self.archived_bytes = 0
        self._states = StatesBuilder()
        self._rows = rows
        self._read_cursors(rows)
        self._archive: Path | None = None
        if self._request.archive and not self._request.dry_run:
            self._archive = folder / ARCHIVE
            self._file = self._archive.open("wb")
            self._stream = zstandard.ZstdCompressor().stream_writer(self._file)

    def row(
        self, number: int, line: bytes, events: list[Event]
    ) -> tuple[bytes | None, list[Event]]:
        """See Rewriter.row."""
        state = self._rows.state.states[number]
        if not self._goes(state.state, line, events):
            return line, events
        self.gone[state.state] += 1
        # An open row that goes is given up: nobody could correct it any more.
        final = State.DISCARDED if state.state is State.OPEN else state.state
        self._states.add(number, RowState(final, state.attempt, purged=True))
        if self._archive is not None:
            self._stream.write(_archived(line, state, events))
        return None, []

    def valid(self, record: bytes) -> bytes:
        """See Rewriter.valid."""
        return record

    def text(self, text: str) -> str:
        """See Rewriter.text."""
        return text

    def end(self) -> Ended:
        """See Rewriter.end."""
        if self._archive is not None:
            self._stream.close()  # type: ignore[no-untyped-call]
            self._file.close()
            self.archived_bytes = self._archive.stat().st_size if self.gone else 0
        return Ended(
            changed=bool(self.gone),
            effect=self._states.built(),
            new_archive=self._archive if self.gone else None,
            archives=self._rows.state.archives,
            facts={"purged": {state.name.lower(): n for state, n in self.gone.items()}},
        )

    def _read_cursors(self, rows: Rows) -> None:
        # The newest export of each cursor begins where what it has acknowledged ends.
        cursors = {export.cursor: export.after for export in rows.state.exports}
        self._acknowledged_through = min(cursors.values()) if cursors else None

    def _goes(self, state: State, line: bytes, events: list[Event]) -> bool:
        if state not in self._request.states:
            return False
        if state is State.OPEN:
            return record_of(line).quarantine_time < self._request.before
        last = events[-1]
        if state is State.RESOLVED and self._acknowledged_through is not None:
            return last.commit <= self._acknowledged_through and last.time < self._request.before
        return last.time < self._request.before


def _archived(line: bytes, state: RowState, events: list[Event]) -> bytes:
    found: dict[str, Any] = {
        "record": json.loads(line),
        "state": state.state.name.lower(),
        "attempt": state.attempt,
        "history": [json.loads(event.to_line()) for event in events],
    }
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
