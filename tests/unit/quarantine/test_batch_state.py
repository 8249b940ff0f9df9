"""A log is folded by a pure function, in one go or from a checkpoint on."""

import json
from datetime import UTC, datetime

import pytest
from stewardd.batches.file import BatchFile
from stewardd.batches.states import RowState, RowStates, State
from stewardd.batches.summary import LogSummary
from stewardd.errors import Corrupt
from stewardd.quarantine.files.records import RowViolation
from stewardd.quarantine.log.batch_state import BatchState, apply_commit, apply_to_summary
from stewardd.quarantine.log.changes import Action, Change, digest_of
from stewardd.quarantine.log.checkpoint import read_checkpoint, read_summary, write_checkpoint
from stewardd.quarantine.log.commits import (
    BatchCommit,
    ExportFacts,
    Rewrite,
    inline_commit,
    read_commit,
    write_commit,
)
from stewardd.repository.log import StoredCommit

from tests.support.quarantine_world import adds_up

WHEN = datetime(2026, 11, 27, 8, 0, tzinfo=UTC)


ID = "019aabcd-0000-7000-8000-000000000000"


def ids(number):
    return f"{ID[:-2]}{number:02}"


def stored_and_read(made):
    return read_commit(StoredCommit.read(made.number, write_commit(made), "key"))


def commit(number, action=Action.CORRECT, *changes, **fields):
    made = BatchCommit(number, ids(number), action, WHEN, "mia", "because", **fields)
    return inline_commit(made, changes) if changes else made


def resolved(row, attempt=1):
    return Change(row, State.RESOLVED, attempt, "1.0", {"rating": "1"})


def still_open(row, attempt=1):
    violation = RowViolation("rating", "maximum", "must be at most 1", "2")
    return Change(row, State.OPEN, attempt, "1.0", {"rating": "2"}, (violation,))


COMMITS = [
    commit(1, Action.CORRECT, still_open(7)),
    commit(2, Action.RESUBMIT, resolved(9), resolved(7, 2)),
    commit(3, Action.GIVEN_UP),
    commit(4, Action.DISCARD, Change(8, State.DISCARDED, 0)),
    commit(5, Action.EXPORT, export=ExportFacts("importer", 0, 2, 0, "")),
]


def folded(state, commits):
    for each in commits:
        state = apply_commit(state, each, each.changed_states())
    return state


def test_the_counts_are_those_of_the_rows():
    state = folded(BatchState(), COMMITS)
    assert (state.number, state.resolved_rows, state.discarded_rows) == (5, 2, 1)
    assert state.states[7] == RowState(State.RESOLVED, 2)
    assert adds_up(state)
    assert [(s.number, s.first, s.last) for s in state.spans] == [(1, 7, 7), (2, 7, 9), (4, 8, 8)]
    assert [(e.commit, e.cursor, e.after) for e in state.exports] == [(5, "importer", 0)]
    assert apply_to_summary(LogSummary(), COMMITS) == state.summary


@pytest.mark.parametrize("cut", range(6))
def test_a_checkpoint_is_gone_on_from_as_if_all_had_been_read(cut):
    state = folded(BatchState(), COMMITS[:cut])
    body = write_checkpoint(state)
    assert read_summary(body.partition(b"\n")[0]) == state.summary
    again = folded(read_checkpoint(body), COMMITS[cut:])
    whole = folded(BatchState(), COMMITS)
    assert dict(again.states) == dict(whole.states)
    assert (again.summary, again.spans, again.exports) == (
        whole.summary,
        whole.spans,
        whole.exports,
    )


def test_a_rewriting_stands_for_all_before_it():
    rewrite = Rewrite(
        files=(BatchFile("records.jsonl", 0, 0, "x"),),
        has_history=True,
        exports=(),
        resolved_rows=1,
        discarded_rows=0,
        archives=("kept/a",),
        facts={},
        removes=("records.jsonl",),
    )
    made = commit(9, Action.PURGE, rewrite=rewrite, stored=True)
    effect = RowStates.of([(7, RowState(State.RESOLVED, 2, purged=True))])
    for before in (BatchState(), folded(BatchState(), COMMITS)):
        state = apply_commit(before, made, effect)
        assert (state.number, state.rewritten, state.history) == (9, 9, ids(9))
        assert (state.resolved_rows, state.spans, state.archives) == (1, (), ("kept/a",))
        assert adds_up(state)
    found = stored_and_read(made)
    assert found == made


def test_a_commit_that_is_not_the_next_is_corrupt():
    with pytest.raises(Corrupt):
        folded(BatchState(), COMMITS[1:])


@pytest.mark.parametrize("made", COMMITS, ids=lambda each: each.action)
def test_a_commit_comes_back_as_it_was_written(made):
    if made.action is not Action.GIVEN_UP:
        assert stored_and_read(made) == made


@pytest.mark.parametrize("broken", [{}, {"kind": "dance"}, {"kind": "correct", "format": 99}])
def test_a_commit_that_cannot_be_read_is_corrupt(broken):
    with pytest.raises(Corrupt):
        read_commit(StoredCommit.read(1, json.dumps({"id": ID, **broken}).encode(), "key"))


def test_line_ends_empty_cells_and_order_do_not_tell_cells_apart():
    assert digest_of({"a": "1\r\n2", "b": ""}) == digest_of([("a", "1\n2")])
    assert digest_of({"a": "1", "b": "2"}) == digest_of({"b": "2", "a": "1"})
    assert digest_of({"a": "1"}) != digest_of({"b": "1"})
