"""A commit of a batch's log, and the changes of rows that it makes.

A small commit holds its changes itself. A large one has them in two files beside it, sorted by row: `changes.jsonl` has
a line for each change, `states.bin` only the states, which is all that the state of the batch is made from.
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
from stewardd.quarantine.files.records import RowViolation
from stewardd.repository import document
from stewardd.repository import log as repository_log

CHANGES = "changes.jsonl"
STATES = "states.bin"
CHANGE_PREFIX = b'{"row":'
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
    """What a commit changes about one row. `cells` are those of a corrected row, None where they stay as they are."""

    row: int
    state: State
    attempt: int
    version: str = ""
    cells: dict[str, str] | None = None
    violations: tuple[RowViolation, ...] = ()

    @property
    def row_state(self) -> RowState:
        """State and attempt, as the state of the batch has them."""
        return RowState(self.state, self.attempt)

    def to_document(self) -> dict[str, Any]:
        """The change as it is stored. The row number comes first: files of changes are searched by it."""
        return {
            "row": self.row,
            "state": int(self.state),
            "attempt": self.attempt,
            "version": self.version,
            "cells": self.cells,
            "errors": [each.to_document() for each in self.violations],
        }

    def to_line(self) -> bytes:
        """The change as a line of changes.jsonl."""
        return document.encode(self.to_document())


@dataclass(frozen=True, slots=True)
class RowEvent:
    """A change of a row, with the number, time, actor, action and reason of its commit."""

    commit: int
    time: datetime
    actor: str
    action: Action
    reason: str
    change: Change

    def to_line(self) -> bytes:
        """The event as a line of history.jsonl, which a rewriting writes."""
        return document.encode(
            {
                **self.change.to_document(),
                "commit": self.commit,
                "time": document.timestamp(self.time),
                "actor": self.actor,
                "action": self.action.value,
                "reason": self.reason,
            }
        )


@dataclass(frozen=True, slots=True)
class ExportFacts:
    """What the commit of an export holds. `request` is the hash of its request_id, empty where there is none.

    `purged_rows` counts the resolved rows that were removed before the first export of the cursor.
    """

    cursor: str
    after: int
    resolved_rows: int
    valid_rows: int
    request: str
    purged_rows: int = 0


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What the commit of a purge or an erasure holds: the files that the batch has from then on.

    `removes` names the objects to remove and `archives` those with the purged rows, both below the batch's folder.
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
class BatchCommit:
    """A commit. It changes `rows` rows with numbers from `first` to `last`. `stored`: the changes are in files."""

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
        """The commit as it is stored. Its number is in its key."""
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
            found["changes"] = [each.to_document() for each in self.changes]
        if self.stored:
            found["data"] = True
        if self.export is not None:
            found["export"] = {name: getattr(self.export, name) for name in _EXPORT}
        if self.rewrite is not None:
            found["rewrite"] = {name: getattr(self.rewrite, name) for name in _REWRITE}
            # The repository's log knows by `removes` that the commit replaces all before it.
            found["removes"] = list(self.rewrite.removes)
        return found

    def changed_states(self) -> RowStates:
        """The new states of the rows that it changes. Only of a commit that holds its changes itself."""
        return RowStates.of((each.row, each.row_state) for each in self.changes or ())

    def event(self, change: Change) -> RowEvent:
        """One of its changes as an event."""
        return RowEvent(self.number, self.time, self.actor, self.action, self.reason, change)


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
    """Counts the changes of a commit, and collects their states."""

    rows: int = 0
    first: int = 0
    last: int = 0
    resolved_rows: int = 0
    discarded_rows: int = 0
    states: StatesBuilder = field(default_factory=StatesBuilder)

    def add(self, change: Change) -> None:
        """Counts a change. Changes come in ascending order of rows."""
        self.rows += 1
        self.first = self.first or change.row
        self.last = change.row
        self.resolved_rows += change.state is State.RESOLVED
        self.discarded_rows += change.state is State.DISCARDED
        self.states.add(change.row, change.row_state)

    def put_into(self, commit: BatchCommit) -> BatchCommit:
        """The commit with the counts."""
        return replace(
            commit,
            rows=self.rows,
            first=self.first,
            last=self.last,
            resolved_rows=self.resolved_rows,
            discarded_rows=self.discarded_rows,
        )


def inline_commit(commit: BatchCommit, changes: Iterable[Change]) -> BatchCommit:
    """A commit that holds its changes itself."""
    ordered = tuple(sorted(changes, key=lambda each: each.row))
    tally = Tally()
    for change in ordered:
        tally.add(change)
    return replace(tally.put_into(commit), changes=ordered)


def read_commit(found: repository_log.Commit) -> BatchCommit:
    """Reads a commit. Raises: Corrupt, also for a format that this version does not know."""
    it = found.document
    try:
        action = Action(it["kind"])
        if action is Action.GIVEN_UP:
            return BatchCommit(found.number, it["id"], action, _NEVER)
        if it["format"] != _FORMAT:
            raise Corrupt(f"commit {found.number} of a batch's log has an unknown format")
        changes = it.get("changes")
        return BatchCommit(
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
            changes=None if changes is None else tuple(read_change(each) for each in changes),
            stored=it.get("data", False),
            export=ExportFacts(**it["export"]) if "export" in it else None,
            rewrite=_rewrite_of(it) if "rewrite" in it else None,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise Corrupt(f"commit {found.number} of a batch's log cannot be read") from error


def _rewrite_of(it: Mapping[str, Any]) -> Rewrite:
    lists = {name: tuple(it["rewrite"][name]) for name in ("files", "exports", "archives")}
    return Rewrite(**{**it["rewrite"], **lists, "removes": tuple(it["removes"])})


def read_change(found: Mapping[str, Any]) -> Change:
    """Reads what Change.to_document wrote. Raises: ValueError, KeyError, TypeError."""
    return Change(
        row=found["row"],
        state=State(found["state"]),
        attempt=found["attempt"],
        version=found["version"],
        cells=found["cells"],
        violations=tuple(RowViolation.from_document(each) for each in found["errors"]),
    )


def read_change_line(line: bytes) -> Change:
    """Reads a line of changes.jsonl. Raises: Corrupt."""
    try:
        return read_change(json.loads(line))
    except (ValueError, KeyError, TypeError) as error:
        raise Corrupt("a change of a row cannot be read") from error


def read_event_line(line: bytes) -> RowEvent:
    """Reads a line of history.jsonl. Raises: Corrupt."""
    try:
        found = json.loads(line)
        return RowEvent(
            commit=found["commit"],
            time=datetime.fromisoformat(found["time"]),
            actor=found["actor"],
            action=Action(found["action"]),
            reason=found["reason"],
            change=read_change(found),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise Corrupt("an event of a row's history cannot be read") from error


def digest_of(cells: Mapping[str, str] | Sequence[tuple[str, str]]) -> str:
    """A hash of cells. It ignores their order, empty cells, and the kind of line ends, which spreadsheets change."""
    items = cells.items() if isinstance(cells, Mapping) else cells
    kept = sorted(
        (column, value.replace("\r\n", "\n").replace("\r", "\n"))
        for column, value in items
        if value != ""
    )
    text = json.dumps(kept, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:12]
