"""The state of a batch's rows: what the commits of its log add up to. Pure: no I/O.

A state is immutable, so that tasks and threads can share it, and small: four bytes for each row that was changed, and a
span for each commit. A commit that rewrites the batch (a purge, an erasure) replaces all commits before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from stewardd.batches.file import BatchFile
from stewardd.batches.states import RowStates
from stewardd.batches.summary import LogSummary
from stewardd.errors import Corrupt
from stewardd.quarantine.log.commits import BatchCommit, Export
from stewardd.repository.document import Count, Identifier


class Span(NamedTuple):
    """A commit that changed rows with numbers from `first` to `last`. `stored`: its changes are in files."""

    number: Count
    identifier: Identifier
    first: Count
    last: Count
    stored: bool


@dataclass(frozen=True, slots=True)
class BatchState:
    """The rows of a batch after commit `number`.

    `rewritten` is the number of the last commit that rewrote the batch, 0 without one. `history` is the id of that
    commit, where it holds the events before it.
    """

    number: int = 0
    rewritten: int = 0
    resolved_rows: int = 0
    discarded_rows: int = 0
    states: RowStates = field(default_factory=RowStates)
    spans: tuple[Span, ...] = ()
    exports: tuple[Export, ...] = ()
    history: str | None = None
    files: tuple[BatchFile, ...] | None = None
    archives: tuple[str, ...] = ()

    @property
    def summary(self) -> LogSummary:
        """The counts alone."""
        return LogSummary(self.number, self.resolved_rows, self.discarded_rows, self.files)


def apply_commit(state: BatchState, commit: BatchCommit, changed: RowStates) -> BatchState:
    """The state after one more commit. `changed` are the new states of the rows that the commit changes.

    Raises: Corrupt where the commit is not the next one.
    """
    if commit.rewrite is not None:
        return _after_rewrite(commit, changed)
    if commit.number != state.number + 1:
        raise Corrupt(f"commit {commit.number} follows {state.number} in a batch's log")
    spans = state.spans
    if commit.rows:
        span = Span(commit.number, commit.identifier, commit.first, commit.last, commit.stored)
        spans = (*spans, span)
    exports = state.exports
    if commit.export is not None:
        exports = (*exports, _export_of(commit))
    return replace(
        state,
        number=commit.number,
        resolved_rows=state.resolved_rows + commit.resolved_rows,
        discarded_rows=state.discarded_rows + commit.discarded_rows,
        states=state.states.overlaid(changed) if len(changed) else state.states,
        spans=spans,
        exports=exports,
    )


def apply_to_summary(summary: LogSummary, commits: Iterable[BatchCommit]) -> LogSummary:
    """The counts after some more commits. Their changes need not be read for it."""
    for commit in commits:
        if commit.rewrite is not None:
            new = commit.rewrite
            summary = LogSummary(commit.number, new.resolved_rows, new.discarded_rows, new.files)
        else:
            summary = replace(
                summary,
                number=commit.number,
                resolved_rows=summary.resolved_rows + commit.resolved_rows,
                discarded_rows=summary.discarded_rows + commit.discarded_rows,
            )
    return summary


def _after_rewrite(commit: BatchCommit, states: RowStates) -> BatchState:
    new = commit.rewrite
    assert new is not None
    return BatchState(
        number=commit.number,
        rewritten=commit.number,
        resolved_rows=new.resolved_rows,
        discarded_rows=new.discarded_rows,
        states=states,
        exports=new.exports,
        history=commit.identifier if new.has_history else None,
        files=new.files,
        archives=new.archives,
    )


def _export_of(commit: BatchCommit) -> Export:
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
        include_valid=facts.include_valid,
    )
