"""A batch's log, folded: a pure function from commits to what has become of the rows.

The state is immutable, so that it can be shared, and small: four bytes a row that was touched, a span for each commit.
A commit that rewrites (a purge, an erasure) stands for all before it, which may then be removed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple

from stewardd.batches.states import RowStates, State
from stewardd.batches.summary import Summary
from stewardd.errors import Corrupt
from stewardd.quarantine.commit import Commit
from stewardd.repository import document


class Span(NamedTuple):
    """Where in the log the rows between two numbers were changed."""

    number: int
    identifier: str
    first: int
    last: int
    stored: bool


@dataclass(frozen=True, slots=True)
class Export:
    """An export: its contents are the rows that were resolved after one commit and up to its own."""

    identifier: str
    commit: int
    time: datetime
    actor: str
    cursor: str
    after: int
    resolved_rows: int
    valid_rows: int
    request: str
    purged_rows: int = 0

    def as_document(self) -> dict[str, Any]:
        """As a checkpoint and a rewriting commit have it."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "time"} | {
            "time": document.timestamp(self.time)
        }

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Export:
        """Reads what `as_document` wrote."""
        return cls(**{**found, "time": datetime.fromisoformat(found["time"])})


@dataclass(frozen=True, slots=True)
class BatchState:
    """A batch's rows after commit `number`.

    `rewritten` is the number of the last commit that rewrote, 0 without one; `history` is its id, where it holds what
    happened to rows before it.
    """

    number: int = 0
    rewritten: int = 0
    resolved_rows: int = 0
    discarded_rows: int = 0
    states: RowStates = field(default_factory=RowStates)
    spans: tuple[Span, ...] = ()
    exports: tuple[Export, ...] = ()
    history: str | None = None
    files: tuple[Mapping[str, Any], ...] | None = None
    archives: tuple[str, ...] = ()

    @property
    def summary(self) -> Summary:
        """Its counts alone."""
        return Summary(self.number, self.resolved_rows, self.discarded_rows, self.files)


def fold(state: BatchState, commit: Commit, effect: RowStates) -> BatchState:
    """The state after one more commit, whose rows' states are `effect`. Corrupt where it is not the next."""
    if commit.rewrite is not None:
        return _rewritten(commit, effect)
    if commit.number != state.number + 1:
        raise Corrupt(f"commit {commit.number} follows {state.number} in a batch's log")
    spans = state.spans
    if commit.rows:
        span = Span(commit.number, commit.identifier, commit.first, commit.last, commit.stored)
        spans = (*spans, span)
    exports = state.exports
    if commit.export is not None:
        exports = (*exports, _export(commit))
    return replace(
        state,
        number=commit.number,
        resolved_rows=state.resolved_rows + commit.resolved_rows,
        discarded_rows=state.discarded_rows + commit.discarded_rows,
        states=state.states.overlaid(effect) if len(effect) else state.states,
        spans=spans,
        exports=exports,
    )


def fold_summary(summary: Summary, commits: Iterable[Commit]) -> Summary:
    """The counts after some more commits; their changes need not be there."""
    for commit in commits:
        if commit.rewrite is not None:
            new = commit.rewrite
            summary = Summary(commit.number, new.resolved_rows, new.discarded_rows, new.files)
        else:
            summary = replace(
                summary,
                number=commit.number,
                resolved_rows=summary.resolved_rows + commit.resolved_rows,
                discarded_rows=summary.discarded_rows + commit.discarded_rows,
            )
    return summary


def _rewritten(commit: Commit, effect: RowStates) -> BatchState:
    new = commit.rewrite
    assert new is not None
    return BatchState(
        number=commit.number,
        rewritten=commit.number,
        resolved_rows=new.resolved_rows,
        discarded_rows=new.discarded_rows,
        states=effect,
        exports=tuple(Export.of(each) for each in new.exports),
        history=commit.identifier if new.has_history else None,
        files=new.files,
        archives=new.archives,
    )


def _export(commit: Commit) -> Export:
    facts = commit.export
    assert facts is not None
    return Export(
        identifier=commit.identifier,
        commit=commit.number,
        time=commit.time,
        actor=commit.actor,
        cursor=facts.cursor,
        after=facts.after,
        resolved_rows=facts.resolved_rows,
        valid_rows=facts.valid_rows,
        request=facts.request,
        purged_rows=facts.purged_rows,
    )


def to_checkpoint(state: BatchState) -> bytes:
    """A state as bytes: a line with the counts, a line with the rest, and the rows."""
    head = {
        "number": state.number,
        "resolved_rows": state.resolved_rows,
        "discarded_rows": state.discarded_rows,
        "files": state.files,
    }
    rest = {
        "spans": state.spans,
        "exports": [each.as_document() for each in state.exports],
        "history": state.history,
        "rewritten": state.rewritten,
        "archives": state.archives,
    }
    return document.encode(head) + document.encode(rest) + state.states.to_bytes()


def of_checkpoint(body: bytes) -> BatchState:
    """Reads a state. Corrupt."""
    head, _, rest = body.partition(b"\n")
    middle, _, states = rest.partition(b"\n")
    summary = summary_of(head)
    try:
        found = json.loads(middle)
        return BatchState(
            number=summary.number,
            rewritten=found["rewritten"],
            resolved_rows=summary.resolved_rows,
            discarded_rows=summary.discarded_rows,
            states=RowStates.from_bytes(states),
            spans=tuple(Span(*each) for each in found["spans"]),
            exports=tuple(Export.of(each) for each in found["exports"]),
            history=found["history"],
            archives=tuple(found["archives"]),
            files=summary.files,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise Corrupt("the checkpoint of a batch's log cannot be read") from error


def summary_of(line: bytes) -> Summary:
    """Reads the first line of a checkpoint. Corrupt."""
    try:
        found = json.loads(line)
        files = found["files"]
        return Summary(
            found["number"],
            found["resolved_rows"],
            found["discarded_rows"],
            None if files is None else tuple(files),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise Corrupt("the checkpoint of a batch's log cannot be read") from error


def adds_up(state: BatchState) -> bool:
    """Whether the counts that the commits gave are those of the rows."""
    return state.resolved_rows == state.states.count(
        State.RESOLVED
    ) and state.discarded_rows == state.states.count(State.DISCARDED)
