"""What happened to rows, read from the log: of one row, or of all rows of a range in their order.

Each commit's changes are sorted by row, so that those of many commits are merged as they are read, and a commit is
opened only when the merge comes to its first row.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import groupby

from stewardd.quarantine.blocking import BlockingStore
from stewardd.quarantine.commit import (
    CHANGES,
    PREFIX,
    Action,
    Commit,
    Event,
    change_of_line,
    commit_of,
    event_of_line,
)
from stewardd.quarantine.fold import BatchState, Span
from stewardd.quarantine.lines import SortedLines
from stewardd.repository import log as repository_log
from stewardd.repository.log import commit_key, data_folder

HISTORY = "history.jsonl"


class Events:
    """The events of one batch, as of one state of it. For threads."""

    def __init__(self, store: BlockingStore, folder: str, state: BatchState) -> None:
        self._store = store
        self._folder = folder
        self._state = state

    def of_row(self, row: int) -> list[Event]:
        """What happened to one row, oldest first."""
        return [event for _, events in self.of_rows(row, row) for event in events]

    def of_rows(self, first: int = 1, last: int | None = None) -> Iterator[tuple[int, list[Event]]]:
        """The rows of a range to which anything happened, in order, each with its events, oldest first."""
        merged = self._merged(first, last)
        for row, events in groupby(merged, key=lambda event: event.change.row):
            yield row, list(events)

    def _merged(self, first: int, last: int | None) -> Iterator[Event]:
        waiting = [
            span
            for span in self._state.spans
            if span.last >= first and (last is None or span.first <= last)
        ]
        waiting.sort(key=lambda span: (span.first, span.number), reverse=True)
        open_now: list[tuple[int, int, Event, Iterator[Event]]] = []

        def push(events: Iterator[Event]) -> None:
            event = next(events, None)
            if event is not None and (last is None or event.change.row <= last):
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

    def _span(self, span: Span, first: int) -> Iterator[Event]:
        commit = self.commit(span.number)
        if not span.stored:
            for change in commit.changes or ():
                if change.row >= first:
                    yield commit.event(change)
            return
        lines = self._lines(span.identifier, CHANGES)
        for _, line in lines.read(lines.seek(first) if span.first < first else 0):
            yield commit.event(change_of_line(line))

    def _history(self, identifier: str, first: int) -> Iterator[Event]:
        lines = self._lines(identifier, HISTORY)
        for _, line in lines.read(lines.seek(first) if first > 1 else 0):
            yield event_of_line(line)

    def joined(self, first: int = 1) -> Joined:
        """For who goes through rows in order, from this one on."""
        return Joined(self.of_rows(first))

    def commit(self, number: int) -> Commit:
        """One commit of the log."""
        key = commit_key(self._folder, number)
        found = repository_log.decoded(self._store.get(key), key)
        return commit_of(repository_log.Commit(number, found))

    def _lines(self, identifier: str, name: str) -> SortedLines:
        key = f"{data_folder(self._folder, identifier)}/{name}"
        return SortedLines(self._store, key, self._store.size_bytes(key), PREFIX)


class Joined:
    """The events of rows that are asked for in ascending order. Nothing is read before the first is."""

    def __init__(self, happened: Iterator[tuple[int, list[Event]]]) -> None:
        self._happened = happened
        self._coming: tuple[int, list[Event]] | None = (0, [])

    def at(self, row: int) -> list[Event]:
        """What happened to a row, oldest first."""
        while self._coming is not None and self._coming[0] < row:
            self._coming = next(self._happened, None)
        return self._coming[1] if self._coming is not None and self._coming[0] == row else []


def judged(events: list[Event]) -> Event | None:
    """The last of a row's events that judged it."""
    return next((each for each in reversed(events) if each.action is not Action.DISCARD), None)


def cells_after(events: list[Event]) -> dict[str, str] | None:
    """The cells of a row's last correction, None where it was never corrected."""
    return next((each.change.cells for each in reversed(events) if each.change.cells), None)
