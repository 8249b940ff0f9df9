"""The commits of a batch's log.

A small commit holds its changes itself. A large one has them in two files beside it, sorted by row: `changes.jsonl` has
a line for each change, `states.bin` only the states, which is all that the state of the batch is made from.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Annotated, Self

from stewardd.batches.file import BatchFile
from stewardd.batches.states import RowStates, RowStatesBuilder, State
from stewardd.quarantine.log.changes import Action, Change, RowEvent
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

STATES = "states.bin"
_FORMAT = 1
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ExportFacts:
    """What the commit of an export holds. `request` is the hash of its request_id, empty where there is none.

    `purged_rows` counts the resolved rows that were removed before the first export of the cursor. `include_valid` is
    what the request asked for, None where it left the choice to the daemon.
    """

    cursor: str
    after: Count
    resolved_rows: Count
    valid_rows: Count
    request: str
    purged_rows: Count = 0
    include_valid: bool | None = None


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
    include_valid: bool | None = None


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
            counts = ChangeCounts.of(self.changes).counts
            if counts != (
                self.rows,
                self.first,
                self.last,
                self.resolved_rows,
                self.discarded_rows,
            ):
                raise ValueError("its counts are not those of its changes")


COMMIT_CODEC = Codec(CommitDocument, constants={"format": _FORMAT})


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
class ChangeCounts:
    """Counts the changes of a commit, and collects their states."""

    rows: int = 0
    first: int = 0
    last: int = 0
    resolved_rows: int = 0
    discarded_rows: int = 0
    states: RowStatesBuilder = field(default_factory=RowStatesBuilder)

    @classmethod
    def of(cls, changes: Iterable[Change]) -> Self:
        """Counts changes. Raises: ValueError unless they come by ascending row."""
        counts = cls()
        for change in changes:
            counts.add(change)
        return counts

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
    return replace(ChangeCounts.of(ordered).put_into(commit), changes=ordered)


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
