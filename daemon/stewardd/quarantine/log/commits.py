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
from typing import Annotated, Self

from pydantic import Field

from stewardd.batches.file import BatchFile
from stewardd.batches.states import (
    MAX_ATTEMPT,
    RowState,
    RowStates,
    State,
    StatesBuilder,
    StoredState,
)
from stewardd.quarantine.files.records import RowViolation
from stewardd.repository import log as repository_log
from stewardd.repository.document import (
    LEFT_OUT_IF_EMPTY,
    NOT_STORED,
    Codec,
    Count,
    Identifier,
    JsonObject,
    Key,
    Moment,
)
from stewardd.repository.log import StoredCommit

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

    # The row comes first: by it a file of changes is searched.
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
    """A line of a rewritten history: the change, and what its commit says of it."""

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


@dataclass(frozen=True, slots=True)
class ExportFacts:
    """What the commit of an export holds. `request` is the hash of its request_id, empty where there is none.

    `purged_rows` counts the resolved rows that were removed before the first export of the cursor.
    """

    cursor: str
    after: Count
    resolved_rows: Count
    valid_rows: Count
    request: str
    purged_rows: Count = 0


@dataclass(frozen=True, slots=True)
class Export:
    """An export by a cursor. It holds the rows that were resolved after commit `after` and up to its own, `commit`."""

    identifier: Identifier
    commit: Count
    time: Moment
    actor: str
    cursor: str
    after: Count
    resolved_rows: Count
    valid_rows: Count
    request: str
    purged_rows: Count = 0


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What the commit of a purge or an erasure holds: the files that the batch has from then on.

    `removes` names the objects to remove and `archives` those with the purged rows, both below the batch's folder.
    """

    files: tuple[BatchFile, ...]
    has_history: bool
    exports: tuple[Export, ...]
    resolved_rows: Count
    discarded_rows: Count
    archives: tuple[Key, ...]
    facts: JsonObject
    removes: Annotated[tuple[Key, ...], NOT_STORED] = ()


@dataclass(frozen=True, slots=True)
class CommitDocument:
    """A commit, as it is stored; its number is its key. With `removes` it stands for all before it."""

    id: Identifier
    kind: Action
    time: Moment
    actor: str
    reason: str
    rows: Count
    first: Count
    last: Count
    resolved_rows: Count
    discarded_rows: Count
    changes: Annotated[tuple[Change, ...] | None, LEFT_OUT_IF_EMPTY] = None
    data: Annotated[bool, LEFT_OUT_IF_EMPTY] = False
    export: Annotated[ExportFacts | None, LEFT_OUT_IF_EMPTY] = None
    rewrite: Annotated[Rewrite | None, LEFT_OUT_IF_EMPTY] = None
    removes: Annotated[tuple[Key, ...] | None, LEFT_OUT_IF_EMPTY] = None

    def __post_init__(self) -> None:
        if (self.rewrite is None) != (self.removes is None):
            raise ValueError("it has to have both of rewrite and removes, or neither")
        if self.rows and self.changes is None and not self.data:
            raise ValueError("it changes rows and does not have the changes")
        if self.first > self.last or self.resolved_rows + self.discarded_rows > self.rows:
            raise ValueError("its counts do not add up")
        if self.changes is not None:
            counts = Tally.of(self.changes).counts
            if counts != (
                self.rows,
                self.first,
                self.last,
                self.resolved_rows,
                self.discarded_rows,
            ):
                raise ValueError("its counts are not those of its changes")


COMMIT_CODEC = Codec(CommitDocument, constants={"format": _FORMAT})
CHANGE_CODEC = Codec(Change)
HISTORY_CODEC = Codec(HistoryDocument)


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

    def changed_states(self) -> RowStates:
        """The new states of the rows that it changes. Only of a commit that holds its changes itself."""
        return RowStates.of((each.row, each.row_state) for each in self.changes or ())

    def event(self, change: Change) -> RowEvent:
        """One of its changes as an event."""
        return RowEvent(self.number, self.time, self.actor, self.action, self.reason, change)


@dataclass(slots=True)
class Tally:
    """Counts the changes of a commit, and collects their states."""

    rows: int = 0
    first: int = 0
    last: int = 0
    resolved_rows: int = 0
    discarded_rows: int = 0
    states: StatesBuilder = field(default_factory=StatesBuilder)

    @classmethod
    def of(cls, changes: Iterable[Change]) -> Self:
        """Counts changes. Raises: ValueError unless they come by ascending row."""
        tally = cls()
        for change in changes:
            tally.add(change)
        return tally

    @property
    def counts(self) -> tuple[int, int, int, int, int]:
        """Rows, the first, the last, resolved and discarded rows."""
        return self.rows, self.first, self.last, self.resolved_rows, self.discarded_rows

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
    return replace(Tally.of(ordered).put_into(commit), changes=ordered)


def write_commit(commit: BatchCommit) -> bytes:
    """Writes a commit."""
    rewrite = commit.rewrite
    return COMMIT_CODEC.encode(
        CommitDocument(
            id=commit.identifier,
            kind=commit.action,
            time=commit.time,
            actor=commit.actor,
            reason=commit.reason,
            rows=commit.rows,
            first=commit.first,
            last=commit.last,
            resolved_rows=commit.resolved_rows,
            discarded_rows=commit.discarded_rows,
            changes=commit.changes,
            data=commit.stored,
            export=commit.export,
            rewrite=rewrite,
            # The repository's log knows by `removes` that the commit replaces all before it.
            removes=None if rewrite is None else rewrite.removes,
        )
    )


def read_commit(stored: StoredCommit) -> BatchCommit:
    """Reads a commit. Raises: Corrupt, also for a format that this version does not know."""
    if stored.head.kind == repository_log.GIVEN_UP:
        return BatchCommit(stored.number, stored.head.id, Action.GIVEN_UP, _NEVER)
    found = COMMIT_CODEC.decode(stored.body, f"commit {stored.number} of a batch's log")
    rewrite = found.rewrite and replace(found.rewrite, removes=found.removes or ())
    return BatchCommit(
        number=stored.number,
        identifier=found.id,
        action=found.kind,
        time=found.time,
        actor=found.actor,
        reason=found.reason,
        rows=found.rows,
        first=found.first,
        last=found.last,
        resolved_rows=found.resolved_rows,
        discarded_rows=found.discarded_rows,
        changes=found.changes,
        stored=found.data,
        export=found.export,
        rewrite=rewrite,
    )


def read_change_line(line: bytes) -> Change:
    """Reads a line of changes.jsonl. Raises: Corrupt."""
    return CHANGE_CODEC.decode(line, "a change of a row")


def history_document(event: RowEvent) -> HistoryDocument:
    """Returns an event as a rewritten history has it."""
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
