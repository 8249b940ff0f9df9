"""A checkpoint: the state of a batch as one object, so that readers need not read its whole log.

The first line holds the counts, the second line spans and exports; the states of the rows follow in binary. It is
derived from the log: it may be deleted at any time.
"""

from __future__ import annotations

import json

from stewardd.batches.states import RowStates
from stewardd.batches.summary import Summary
from stewardd.errors import Corrupt
from stewardd.quarantine.log.batch_state import BatchState, Export, Span
from stewardd.repository import document


def write_checkpoint(state: BatchState) -> bytes:
    """A state as bytes."""
    head = {
        "number": state.number,
        "resolved_rows": state.resolved_rows,
        "discarded_rows": state.discarded_rows,
        "files": state.files,
    }
    rest = {
        "spans": state.spans,
        "exports": [each.to_document() for each in state.exports],
        "history": state.history,
        "rewritten": state.rewritten,
        "archives": state.archives,
    }
    return document.encode(head) + document.encode(rest) + state.states.to_bytes()


def read_checkpoint(body: bytes) -> BatchState:
    """Reads a state. Raises: Corrupt."""
    head, _, rest = body.partition(b"\n")
    middle, _, states = rest.partition(b"\n")
    summary = read_summary(head)
    try:
        found = json.loads(middle)
        return BatchState(
            number=summary.number,
            rewritten=found["rewritten"],
            resolved_rows=summary.resolved_rows,
            discarded_rows=summary.discarded_rows,
            states=RowStates.from_bytes(states),
            spans=tuple(Span(*each) for each in found["spans"]),
            exports=tuple(Export.from_document(each) for each in found["exports"]),
            history=found["history"],
            archives=tuple(found["archives"]),
            files=summary.files,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise Corrupt("the checkpoint of a batch's log cannot be read") from error


def read_summary(line: bytes) -> Summary:
    """Reads the first line of a checkpoint. Raises: Corrupt."""
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
