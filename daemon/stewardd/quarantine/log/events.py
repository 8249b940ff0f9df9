"""The events of rows, read from the log in ascending order of rows.

The changes of each commit are sorted by row. So the commits are merged while they are read, and a commit is opened only
when the merge reaches its first row.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from itertools import groupby

from stewardd.quarantine.files.blocking_store import BlockingStore
from stewardd.quarantine.files.sorted_lines import SortedLines
from stewardd.quarantine.log.batch_state import BatchState, Span
from stewardd.quarantine.log.changes import (
    CHANGE_PREFIX,
    CHANGES,
    Action,
    RowEvent,
    read_change_line,
    read_event_line,
)
from stewardd.quarantine.log.commits import BatchCommit, read_commit
from stewardd.repository.log import StoredCommit, commit_key, data_folder

HISTORY = "history.jsonl"


class BatchEvents:
    """The events of one batch, up to one state of it. For worker threads."""

    def __init__(self, store: BlockingStore, folder: str, state: BatchState) -> None:
        self._store = store
        self._folder = folder
        self._state = state

    def of_rows(self, first: int = 1) -> Iterator[tuple[int, list[RowEvent]]]:
        """The rows from `first` on that have events, in order, each with its events, oldest first."""
        merged = self._merged(first)
        for row, events in groupby(merged, key=lambda event: event.change.row):
            yield row, list(events)

    def _merged(self, first: int) -> Iterator[RowEvent]:
        waiting = [span for span in self._state.spans if span.last >= first]
        waiting.sort(key=lambda span: (span.first, span.number), reverse=True)
        open_now: list[tuple[int, int, RowEvent, Iterator[RowEvent]]] = []

        def push(events: Iterator[RowEvent]) -> None:
            event = next(events, None)
            if event is not None:
                heapq.heappush(open_now, (event.change.row, event.commit, event, events))

        if self._state.history is not None:
            push(self._history(self._state.history, first))
        while waiting or open_now:
            while waiting and (not open_now or waiting[-1].first <= open_now[0][0]):
                push(self._span(waiting.pop(), first))
            if open_now:
                _, _, event, events = heapq.heappop(open_now)
                yield event
                push(events)

    def _span(self, span: Span, first: int) -> Iterator[RowEvent]:
        commit = self._commit(span.number)
        if not span.stored:
            for change in commit.changes or ():
                if change.row >= first:
                    yield commit.event(change)
            return
        lines = self._lines(span.identifier, CHANGES)
        for _, line in lines.read(lines.seek(first) if span.first < first else 0):
            yield commit.event(read_change_line(line))

    def _history(self, identifier: str, first: int) -> Iterator[RowEvent]:
        lines = self._lines(identifier, HISTORY)
        for _, line in lines.read(lines.seek(first) if first > 1 else 0):
            yield read_event_line(line)

    def in_row_order(self, first: int = 1) -> EventsInRowOrder:
        """The events from a row on, to be asked for row by row."""
        return EventsInRowOrder(self.of_rows(first))

    def _commit(self, number: int) -> BatchCommit:
        key = commit_key(self._folder, number)
        return read_commit(StoredCommit.read(number, self._store.get(key), key))

    def _lines(self, identifier: str, name: str) -> SortedLines:
        key = f"{data_folder(self._folder, identifier)}/{name}"
        return SortedLines(self._store, key, self._store.size_bytes(key), CHANGE_PREFIX)


class EventsInRowOrder:
    """The events of rows that are asked for in ascending order. Nothing is read before the first row is asked for."""

    def __init__(self, events: Iterator[tuple[int, list[RowEvent]]]) -> None:
        self._events = events
        self._coming: tuple[int, list[RowEvent]] | None = (0, [])

    def at(self, row: int) -> list[RowEvent]:
        """The events of a row, oldest first."""
        while self._coming is not None and self._coming[0] < row:
            self._coming = next(self._events, None)
        return self._coming[1] if self._coming is not None and self._coming[0] == row else []


def last_validation(events: Sequence[RowEvent]) -> RowEvent | None:
    """The last event that validated the row. None where it was never validated again."""
    return next((each for each in reversed(events) if each.action is not Action.DISCARD), None)


def cells_after(events: Sequence[RowEvent]) -> dict[str, str] | None:
    """The cells of the last correction. None where the row was never corrected."""
    return next((each.change.cells for each in reversed(events) if each.change.cells), None)
