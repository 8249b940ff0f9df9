"""The changes of rows and the events that tell of them, and their lines in the files of a log.

A change is what a commit changes about one row. An event is a change with the number, time and actor of its commit.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from stewardd.batches.states import MAX_ATTEMPT, RowState, StoredState
from stewardd.quarantine.files.records import RowViolation
from stewardd.repository import log as repository_log
from stewardd.repository.document import Codec, Count, Moment

CHANGES = "changes.jsonl"
CHANGE_PREFIX = b'{"row":'


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

    # The row number comes first: files of changes are searched by it.
    row: Count
    state: StoredState
    attempt: Annotated[int, Field(ge=0, le=MAX_ATTEMPT)]
    version: str = ""
    cells: dict[str, str] | None = None
    violations: Annotated[tuple[RowViolation, ...], Field(alias="errors")] = ()

    @property
    def row_state(self) -> RowState:
        """State and attempt, as the state of the batch has them."""
        return RowState(self.state, self.attempt)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryDocument(Change):
    """A line of a rewritten history: a change with the facts of its commit."""

    commit: Count
    time: Moment
    actor: str
    action: Action
    reason: str


@dataclass(frozen=True, slots=True)
class RowEvent:
    """A change of a row, with the number, time, actor, action and reason of its commit."""

    commit: int
    time: datetime
    actor: str
    action: Action
    reason: str
    change: Change


CHANGE_CODEC = Codec(Change)
HISTORY_CODEC = Codec(HistoryDocument)


def read_change_line(line: bytes) -> Change:
    """Reads a line of changes.jsonl. Raises: Corrupt."""
    return CHANGE_CODEC.decode(line, "a change of a row")


def history_document(event: RowEvent) -> HistoryDocument:
    """The event as a rewritten history has it."""
    change = event.change
    return HistoryDocument(
        change.row,
        change.state,
        change.attempt,
        change.version,
        change.cells,
        change.violations,
        commit=event.commit,
        time=event.time,
        actor=event.actor,
        action=event.action,
        reason=event.reason,
    )


def write_event_line(event: RowEvent) -> bytes:
    """Writes a line of history.jsonl, which a rewriting makes."""
    return HISTORY_CODEC.encode(history_document(event))


def read_event_line(line: bytes) -> RowEvent:
    """Reads a line of history.jsonl. Raises: Corrupt."""
    found = HISTORY_CODEC.decode(line, "an event of a row's history")
    change = Change(
        found.row, found.state, found.attempt, found.version, found.cells, found.violations
    )
    return RowEvent(found.commit, found.time, found.actor, found.action, found.reason, change)


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
