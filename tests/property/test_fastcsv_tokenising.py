"""Rows, cells, line numbers and byte offsets, against Python's csv module in strict mode."""

from __future__ import annotations

import base64
import csv
import io
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.csv_batch import Batch, refusing, taking, validate

COLUMNS = ("a", "b", "c")
TEXT = st.text(st.sampled_from('ab,;"\n\r\t é😀\u2028'), max_size=12)
LINE_END = st.sampled_from(["\n", "\r\n", "\r"])


def cell(text: str, quoted: bool, delimiter: str) -> str:
    must = any(special in text for special in (delimiter, '"', "\n", "\r"))
    return '"' + text.replace('"', '""') + '"' if quoted or must else text


@st.composite
def csv_text(draw: st.DrawFn, delimiter: str = ",") -> str:
    """Draw a well-formed file: any number of cells a row, any line ends, blank lines between."""
    lines = [delimiter.join(COLUMNS) + draw(LINE_END)]
    for _ in range(draw(st.integers(0, 8))):
        if draw(st.integers(0, 9)) == 0:
            lines.append(draw(LINE_END))
        cells = draw(st.lists(st.tuples(TEXT, st.booleans()), min_size=1, max_size=5))
        row = delimiter.join(cell(text, quoted, delimiter) for text, quoted in cells)
        lines.append((row or '""') + draw(LINE_END))
    text = "".join(lines)
    return text.rstrip("\r\n") if draw(st.booleans()) else text


def expected_rows(text: str, delimiter: str) -> list[tuple[list[str], int, int]]:
    """Return the cells, the first line and the byte offset of each row, by the csv module."""
    lines = list(io.StringIO(text, newline=""))
    offsets = [0]
    for line in lines:
        offsets.append(offsets[-1] + len(line.encode()))
    reader = csv.reader(iter(lines), delimiter=delimiter, strict=True)
    rows, first_line = [], 0
    for cells in reader:
        if cells:
            rows.append((cells, first_line + 1, offsets[first_line]))
        first_line = reader.line_num
    return rows[1:]


def found_rows(batch: Batch) -> list[tuple[list[str], int, int]]:
    return [
        (
            [record["rawData"][name] for name in COLUMNS if name in record["rawData"]]
            + record["rawData"].get("_extra", []),
            record["lineNumber"],
            record["byteOffset"],
        )
        for record in batch.records
    ]


@given(st.sampled_from(",;\t|").flatmap(lambda it: st.tuples(st.just(it), csv_text(delimiter=it))))
@settings(max_examples=300, deadline=None)
def test_rows_are_those_that_the_csv_module_reads(drawn: tuple[str, str]) -> None:
    delimiter, text = drawn
    batch = validate(refusing(*COLUMNS), text.encode())
    assert found_rows(batch) == expected_rows(text, delimiter)
    assert batch.report.delimiter == delimiter
    assert [record["rowNumber"] for record in batch.records] == list(
        range(1, batch.report.total_rows + 1)
    )


@given(csv_text())
@settings(max_examples=100, deadline=None)
def test_the_raw_row_is_the_bytes_at_its_offset(text: str) -> None:
    data = text.encode()
    for record in validate(refusing(*COLUMNS), data).records:
        raw = record["rawRow"].encode()
        offset = record["byteOffset"]
        assert data[offset : offset + len(raw)] == raw
        assert data[offset + len(raw) : offset + len(raw) + 1] in {b"", b"\r", b"\n"}


@given(csv_text())
@settings(max_examples=100, deadline=None)
def test_valid_rows_come_out_byte_for_byte(text: str) -> None:
    data = text.encode()
    batch = validate(taking(*COLUMNS), data, valid_out=True)
    lines = list(io.StringIO(text, newline=""))
    kept = [cells for cells, _, _ in expected_rows(text, ",") if len(cells) == len(COLUMNS)]
    valid = batch.files["valid.csv"].decode()
    assert valid.startswith(lines[0])
    assert [cells for cells, _, _ in expected_rows(valid, ",")] == kept
    assert batch.report.valid_rows == len(kept)


ANY_BYTES = st.lists(
    st.sampled_from(
        [b"a,b,c\n", b'"', b",", b"\n", b"\r\n", b"\r", b"x", b'""', b"\x00", b"\xff", b"\xc3\xa9"]
    ),
    max_size=40,
).map(b"".join)


def raw_bytes(record: dict[str, str]) -> bytes:
    if "rawRow" in record:
        return record["rawRow"].encode()
    return base64.b64decode(record["rawRowBase64"], validate=True)


def without_line_ends(data: bytes) -> bytes:
    return data.replace(b"\r", b"").replace(b"\n", b"")


@given(ANY_BYTES, st.booleans())
@settings(max_examples=400, deadline=None)
def test_any_bytes_are_accounted_for_and_none_is_lost(body: bytes, accept_recovered: bool) -> None:
    options = {"valid_out": True, "accept_recovered": accept_recovered}
    batch = validate(taking(*COLUMNS), b"a,b,c\n" + body, **options)
    report = batch.report
    assert report.total_rows == report.valid_rows + report.quarantined_rows
    assert report.quarantined_rows == len(batch.records)
    kept = batch.files["valid.csv"].removeprefix(b"a,b,c\n")
    quarantined = b"".join(raw_bytes(record) for record in batch.records)
    assert sorted(without_line_ends(kept + quarantined)) == sorted(without_line_ends(body))


@given(ANY_BYTES, st.data())
@settings(max_examples=200, deadline=None)
def test_where_the_input_is_cut_changes_nothing(body: bytes, data: st.DataObject) -> None:
    whole = b"a,b,c\n" + body
    wanted = validate(taking(*COLUMNS), whole, valid_out=True).files
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=4)))
    edges = [0, *cuts, len(whole)]
    chunks = [whole[start:end] for start, end in pairwise(edges)]
    assert validate(taking(*COLUMNS), chunks, valid_out=True).files == wanted
