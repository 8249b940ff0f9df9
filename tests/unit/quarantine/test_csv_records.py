"""Cells that spreadsheets must not run, and records told apart in a stream."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stewardd.quarantine.csv_records import cells_of, csv_line, guarded, split, unguarded

CELLS = st.text(st.characters(codec="utf-8"), max_size=12)
RECORDS = st.lists(st.lists(CELLS, min_size=2, max_size=4), max_size=10)


@given(CELLS)
def test_the_guard_is_reversible_and_no_formula_passes_it(cell):
    assert unguarded(guarded(cell)) == cell
    assert not guarded(cell).startswith(("=", "+", "-", "@", "\t", "\r"))


@pytest.mark.parametrize("cell", ["'", "''", "'=1", "=1", "-", "plain", ""])
def test_an_apostrophe_of_the_cell_itself_survives(cell):
    assert unguarded(guarded(cell)) == cell


@given(RECORDS, st.integers(1, 7))
def test_records_are_told_apart_wherever_the_chunks_are_cut(records, size):
    lines = [csv_line(cells) for cells in records]
    body = b"".join(lines)
    chunks = [body[begin : begin + size] for begin in range(0, len(body), size)]
    assert list(split(chunks)) == lines
    assert [cells_of(line) for line in lines] == list(
        csv.reader(io.StringIO(body.decode(), newline=""))
    )


def test_the_last_record_needs_no_line_end():
    assert list(split([b"a,b\n1,", b'"2\n3"'])) == [b"a,b\n", b'1,"2\n3"']
