"""Cells that spreadsheets must not run, and records told apart in a stream."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stewardd.quarantine.files.csv_records import cells_of, csv_line, guarded, split, unguarded

CELLS = st.text(st.characters(codec="utf-8"), max_size=12)
RECORDS = st.lists(st.lists(CELLS, min_size=2, max_size=4), max_size=10)


@given(CELLS)
def test_the_guard_is_reversible_and_no_formula_passes_it(cell):
    assert unguarded(guarded(cell)) == cell
    assert not guarded(cell).startswith(("=", "+", "-", "@", "\t", "\r"))


@pytest.mark.parametrize("cell", ["'", "''", "'=1", "=1", "-", "plain", ""])
def test_an_apostrophe_of_the_cell_itself_survives(cell):
    assert unguarded(guarded(cell)) == cell


@given(RECORDS, st.integers(1, 7), st.sampled_from(["\r\n", "\n", "\r"]))
def test_records_are_told_apart_wherever_the_chunks_are_cut(records, size, end):
    lines = [csv_line(cells, end=end) for cells in records]
    body = b"".join(lines)
    chunks = [body[begin : begin + size] for begin in range(0, len(body), size)]
    assert list(split(chunks)) == lines
    assert [cells_of(line) for line in lines] == list(
        csv.reader(io.StringIO(body.decode(), newline=""))
    )


def test_the_last_record_needs_no_line_end():
    assert list(split([b"a,b\n1,", b'"2\n3"'])) == [b"a,b\n", b'1,"2\n3"']


@pytest.mark.parametrize("end", ["\r\n", "\n", ""])
@pytest.mark.parametrize("cell", ["a\rb", "a\nb", "\r", 'a"b', "a,b"])
def test_a_cell_is_quoted_whatever_the_line_end_is(cell, end):
    line = csv_line([cell, "c"], end=end)
    assert line == b'"%s",c%s' % (cell.replace('"', '""').encode(), end.encode())


@given(st.lists(CELLS, min_size=2, max_size=4), st.sampled_from(",;\t|"))
def test_a_record_comes_apart_as_it_was_put_together(cells, delimiter):
    for end in ("\r\n", "\n", ""):
        assert cells_of(csv_line(cells, delimiter, end), delimiter) == cells


@given(st.text('ab",\n', max_size=9))
def test_a_record_that_is_not_well_formed_comes_apart_as_well(text):
    assert cells_of(text.encode()) is not None


def test_a_cell_of_any_length_and_a_bare_carriage_return_come_apart():
    assert csv.field_size_limit() < 1_000_000, "the test is about what lies above it"
    long = "x" * 1_000_000
    assert cells_of(f'a\rb,"{long}""",{long}\r\n'.encode()) == ["a\rb", f'{long}"', long]
