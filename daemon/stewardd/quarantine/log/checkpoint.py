"""A checkpoint: the state of a batch as one object, so that readers need not read its whole log.

The first line holds the counts, the second line spans and exports; the states of the rows follow in binary. It is
derived from the log: it may be deleted at any time.
"""

from __future__ import annotations

from dataclasses import dataclass

from stewardd.batches.states import RowStates
from stewardd.batches.summary import LogSummary
from stewardd.quarantine.log.batch_state import BatchState, Span
from stewardd.quarantine.log.commits import Export
from stewardd.repository.document import Codec, Count, Identifier, Key


@dataclass(frozen=True, slots=True)
class CheckpointDocument:
    """The second line of a checkpoint; the first is the summary, and the states follow."""

    spans: tuple[Span, ...]
    exports: tuple[Export, ...]
    history: Identifier | None
    rewritten: Count
    archives: tuple[Key, ...]


SUMMARY_CODEC = Codec(LogSummary)
CHECKPOINT_CODEC = Codec(CheckpointDocument)
_CHECKPOINT = "the checkpoint of a batch's log"


def write_checkpoint(state: BatchState) -> bytes:
    """A state as bytes."""
    rest = CheckpointDocument(
        state.spans, state.exports, state.history, state.rewritten, state.archives
    )
    head = SUMMARY_CODEC.encode(state.summary)
    return head + CHECKPOINT_CODEC.encode(rest) + state.states.to_bytes()


def read_checkpoint(body: bytes) -> BatchState:
    """Reads a state. Raises: Corrupt."""
    head, _, after = body.partition(b"\n")
    middle, _, states = after.partition(b"\n")
    summary = read_summary(head)
    rest = CHECKPOINT_CODEC.decode(middle, _CHECKPOINT)
    return BatchState(
        number=summary.number,
        rewritten=rest.rewritten,
        resolved_rows=summary.resolved_rows,
        discarded_rows=summary.discarded_rows,
        states=RowStates.from_bytes(states),
        spans=rest.spans,
        exports=rest.exports,
        history=rest.history,
        archives=rest.archives,
        files=summary.files,
    )


def read_summary(line: bytes) -> LogSummary:
    """Reads the first line of a checkpoint. Raises: Corrupt."""
    return SUMMARY_CODEC.decode(line, _CHECKPOINT)
