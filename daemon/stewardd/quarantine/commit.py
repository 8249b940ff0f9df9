"""A commit of a batch's log, and the changes of rows that it makes.

A small commit holds its changes itself. A large one has them as data, sorted by row: `changes.jsonl`, a line each, and
`states.bin`, the states alone, so that folding a log does not read what it does not need.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from stewardd.batches.states import RowState, RowStates, State, StatesBuilder
from stewardd.errors import Corrupt
from stewardd.quarantine.record import RowViolation
from stewardd.repository import document
from stewardd.repository import log as repository_log

CHANGES = "changes.jsonl"
STATES = "states.bin"
PREFIX = b'{"row":'
_FORMAT = 1
_NEVER = datetime.min.replace(tzinfo=UTC)


class Action(StrEnum):
    """What a commit does."""

    CORRECT = "correct"
    RESUBMIT = "resubmit"
    RETRY = "retry"
    DISCARD = "discard"
    EXPORT = "export"
    PURGE = "purge"
    ERASE = "erase"
    GIVEN_UP = repository_log.GIVEN_UP


@dataclass(frozen=True, slots=True)
class Change:
    """What a commit makes of one row. `cells` are those of a corrected row, None where they did not change."""

    row: int
    state: State
    attempt: int
    version: str = ""
    cells: dict[str, str] | None = None
    violations: tuple[RowViolation, ...] = ()

    @property
    def row_state(self) -> RowState:
        """As the fold keeps it."""
        return RowState(self.state, self.attempt)

    def as_document(self) -> dict[str, Any]:
        """As it is stored; the row comes first, by which a file of them is searched."""
        return {
            "row": self.row,
            "state": int(self.state),
            "attempt": self.attempt,
            "version": self.version,
            "cells": self.cells,
            "errors": [each.as_document() for each in self.violations],
        }

    def to_line(self) -> bytes:
        """As a line of changes.jsonl."""
        return document.encode(self.as_document())


@dataclass(frozen=True, slots=True)
class Event:
    """A change of a row, with what its commit says of it."""

    commit: int
    time: datetime
    actor: str
    action: Action
    reason: str
    change: Change

    def to_line(self) -> bytes:
        """As a line of a rewritten history: the change, and its commit's part."""
        return document.encode(
            {
                **self.change.as_document(),
                "commit": self.commit,
                "time": document.timestamp(self.time),
                "actor": self.actor,
                "action": self.action.value,
                "reason": self.reason,
            }
        )


@dataclass(frozen=True, slots=True)
class ExportFacts:
    """What an export says of itself, beside its commit. `request` stands for its request_id; "" without one.

    `purged_rows` are resolved rows that it would have had, were they not removed before its cursor first came.
    """

    cursor: str
    after: int
    resolved_rows: int
    valid_rows: int
    request: str
    purged_rows: int = 0


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What a purge or an erasure put in the place of what was there: the files, the states, the history.

    `removes` names what is to go, below the batch's folder; `archives` what was kept of purged rows.
    """

    files: tuple[Mapping[str, Any], ...]
    has_history: bool
    exports: tuple[Mapping[str, Any], ...]
    resolved_rows: int
    discarded_rows: int
    archives: tuple[str, ...]
    facts: Mapping[str, Any]
    removes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit. `rows` is how many it changes, `first` and `last` the least and the greatest of their numbers."""

    number: int
    identifier: str
    action: Action
    time: datetime
    actor: str = ""
    reason: str = ""
    rows: int = 0
    first: int = 0
    last: int = 0
    resolved_rows: int = 0
    discarded_rows: int = 0
    changes: tuple[Change, ...] | None = None
    stored: bool = False
    export: ExportFacts | None = None
    rewrite: Rewrite | None = None

    def to_document(self) -> dict[str, Any]:
        """As it is stored; its number is its key."""
        found: dict[str, Any] = {
            "format": _FORMAT,
            "id": self.identifier,
            "kind": self.action.value,
            "time": document.timestamp(self.time),
            "actor": self.actor,
            "reason": self.reason,
            "rows": self.rows,
            "first": self.first,
            "last": self.last,
            "resolved_rows": self.resolved_rows,
            "discarded_rows": self.discarded_rows,
        }
        if self.changes is not None:
            found["changes"] = [each.as_document() for each in self.changes]
        if self.stored:
            found["data"] = True
        if self.export is not None:
            found["export"] = {name: getattr(self.export, name) for name in _EXPORT}
        if self.rewrite is not None:
            found["rewrite"] = {name: getattr(self.rewrite, name) for name in _REWRITE}
            # By this the log knows that all before it is superseded.
            found["removes"] = list(self.rewrite.removes)
        return found

    def effect(self) -> RowStates:
        """The states of the rows that it changes, of a commit that holds its changes itself."""
        return RowStates.of((each.row, each.row_state) for each in self.changes or ())

    def event(self, change: Change) -> Event:
        """One of its changes, as an event."""
        return Event(self.number, self.time, self.actor, self.action, self.reason, change)


_EXPORT = ("cursor", "after", "resolved_rows", "valid_rows", "request", "purged_rows")
_REWRITE = (
    "files",
    "has_history",
    "exports",
    "resolved_rows",
    "discarded_rows",
    "archives",
    "facts",
)


@dataclass(slots=True)
class Tally:
    """What the changes of a commit come to, counted as they are made."""

    rows: int = 0
    first: int = 0
    last: int = 0
    resolved_rows: int = 0
    discarded_rows: int = 0
    states: StatesBuilder = field(default_factory=StatesBuilder)

    def add(self, change: Change) -> None:
        """Counts a change in. They come by ascending row."""
        self.rows += 1
        self.first = self.first or change.row
        self.last = change.row
        self.resolved_rows += change.state is State.RESOLVED
        self.discarded_rows += change.state is State.DISCARDED
        self.states.add(change.row, change.row_state)

    def put_into(self, commit: Commit) -> Commit:
        """The commit with these counts."""
        return replace(
            commit,
            rows=self.rows,
            first=self.first,
            last=self.last,
            resolved_rows=self.resolved_rows,
            discarded_rows=self.discarded_rows,
        )


def small_commit(commit: Commit, changes: Iterable[Change]) -> Commit:
    """A commit that holds its changes itself."""
    ordered = tuple(sorted(changes, key=lambda each: each.row))
    tally = Tally()
    for change in ordered:
        tally.add(change)
    return replace(tally.put_into(commit), changes=ordered)


def commit_of(found: repository_log.Commit) -> Commit:
    """Reads a commit. Corrupt where this version cannot."""
    it = found.document
    try:
        action = Action(it["kind"])
        if action is Action.GIVEN_UP:
            return Commit(found.number, it["id"], action, _NEVER)
        if it["format"] != _FORMAT:
            raise Corrupt(f"commit {found.number} of a batch's log has an unknown format")
        changes = it.get("changes")
        return Commit(
            number=found.number,
            identifier=it["id"],
            action=action,
            time=datetime.fromisoformat(it["time"]),
            actor=it["actor"],
            reason=it["reason"],
            rows=it["rows"],
            first=it["first"],
            last=it["last"],
            resolved_rows=it["resolved_rows"],
            discarded_rows=it["discarded_rows"],
            changes=None if changes is None else tuple(change_of(each) for each in changes),
            stored=it.get("data", False),
            export=ExportFacts(**it["export"]) if "export" in it else None,
            rewrite=_rewrite_of(it) if "rewrite" in it else None,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise Corrupt(f"commit {found.number} of a batch's log cannot be read") from error


def _rewrite_of(it: Mapping[str, Any]) -> Rewrite:
    lists = {name: tuple(it["rewrite"][name]) for name in ("files", "exports", "archives")}
    return Rewrite(**{**it["rewrite"], **lists, "removes": tuple(it["removes"])})


def change_of(found: Mapping[str, Any]) -> Change:
    """Reads what Change.as_document wrote."""
    return Change(
        row=found["row"],
        state=State(found["state"]),
        attempt=found["attempt"],
        version=found["version"],
        cells=found["cells"],
        violations=tuple(RowViolation.of(each) for each in found["errors"]),
    )


def change_of_line(line: bytes) -> Change:
    """Reads a line of changes.jsonl. Corrupt."""
    try:
        return change_of(json.loads(line))
    except (ValueError, KeyError, TypeError) as error:
        raise Corrupt("a change of a row cannot be read") from error


def event_of_line(line: bytes) -> Event:
    """Reads a line of a rewritten history. Corrupt."""
    try:
        found = json.loads(line)
        return Event(
            commit=found["commit"],
            time=datetime.fromisoformat(found["time"]),
            actor=found["actor"],
            action=Action(found["action"]),
            reason=found["reason"],
            change=change_of(found),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise Corrupt("an event of a row's history cannot be read") from error


def digest_of(cells: Mapping[str, str] | Sequence[tuple[str, str]]) -> str:
    """Stands for cells, whatever their order; line ends, which spreadsheets change, and empty cells left out."""
    items = cells.items() if isinstance(cells, Mapping) else cells
    kept = sorted(
        (column, value.replace("\r\n", "\n").replace("\r", "\n"))
        for column, value in items
        if value != ""
    )
    text = json.dumps(kept, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:12]
