"""What is read: encodings, compression, delimiters, line ends; and every bound gone past."""

from __future__ import annotations

import base64
import gzip
import random

import pytest
import zstandard

import fastcsv
from tests.support.csv_batch import Batch, refusing, schema, taking, validate

AB = taking("a", "b")


def rows_of(batch: Batch) -> list[dict[str, str]]:
    return [record["rawData"] for record in batch.records]


@pytest.mark.parametrize("nothing", [b"", b"\n", b"\r\n\r\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
def test_an_input_without_a_header_is_empty(nothing: bytes) -> None:
    with pytest.raises(fastcsv.EmptyInputError) as raised:
        validate(AB, nothing)
    assert raised.value.reason == "EMPTY_INPUT"


@pytest.mark.parametrize("header", [b"a,b", b"a,b\n", b"a,b\r\n", b"a,b\n\n\n", b"\n\na,b\n"])
def test_a_header_alone_is_a_valid_batch_of_no_rows(header: bytes) -> None:
    report = validate(AB, header).report
    assert (report.total_rows, report.valid_rows, report.quarantined_rows) == (0, 0, 0)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(delimiter: str) -> None:
    text = (
        f"a{delimiter}b\n1,;|{delimiter}2\n"
        if delimiter == "\t"
        else f"a{delimiter}b\n1{delimiter}2\n"
    )
    batch = validate(refusing("a", "b"), text.encode())
    assert batch.report.delimiter == delimiter
    assert set(rows_of(batch)[0]) == {"a", "b"}


def test_a_given_delimiter_is_believed() -> None:
    batch = validate(refusing("a;b", "c"), b"a;b,c\n1;2,3\n", delimiter=",")
    assert rows_of(batch) == [{"a;b": "1;2", "c": "3"}]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_of_every_kind_end_lines(end: str) -> None:
    batch = validate(refusing("a", "b"), f"a,b{end}1,2{end}3,4{end}".encode())
    assert rows_of(batch) == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]
    assert [record["lineNumber"] for record in batch.records] == [2, 3]


def test_blank_lines_are_no_rows_but_are_lines() -> None:
    batch = validate(refusing("a"), b"\n\na\n\n1\n\n\n2\n")
    assert [(record["rowNumber"], record["lineNumber"]) for record in batch.records] == [
        (1, 5),
        (2, 8),
    ]


def test_names_count_without_mark_and_blanks() -> None:
    report = validate(AB, b"\xef\xbb\xbf a ,\tb\n1,2\n", delimiter=",").report
    assert report.unknown_columns == ()
    assert report.encoding == "utf-8"


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf_16_with_a_mark_is_read(codec: str) -> None:
    text = "\ufeffa,b\né😀,2\n"
    for step in (1, 3, 1000):
        data = text.encode(codec)
        chunks = [data[at : at + step] for at in range(0, len(data), step)]
        batch = validate(refusing("a", "b"), chunks)
        assert rows_of(batch) == [{"a": "é😀", "b": "2"}]
        assert batch.report.encoding == codec.replace("-le", "le").replace("-be", "be")


def test_damaged_utf_16_costs_its_row_alone() -> None:
    data = "\ufeffa,b\n1,".encode("utf-16-le") + b"\x00\xd8" + "\n3,4\n".encode("utf-16-le") + b"5"
    batch = validate(AB, data)
    assert [record["errors"][0]["keyword"] for record in batch.records] == ["encoding", "encoding"]
    assert batch.report.valid_rows == 1


def test_other_encodings_are_refused_by_name() -> None:
    for data in ("a,b\n".encode("utf-32"), b"a,\xe9\n", "a,b\n".encode("utf-16-le")):
        with pytest.raises(fastcsv.EncodingError) as raised:
            validate(AB, data)
        assert raised.value.reason == "ENCODING_UNSUPPORTED"


def test_a_row_that_is_no_utf_8_is_quarantined_with_its_bytes() -> None:
    batch = validate(AB, b"a,b\n1,2\n\xff,x\n3,4\n")
    [record] = batch.records
    assert base64.b64decode(record["rawRowBase64"]) == b"\xff,x"
    assert "rawRow" not in record
    assert batch.report.valid_rows == 2


def test_a_row_with_nul_is_quarantined_and_its_field_named() -> None:
    batch = validate(AB, b"a,b\n1,2\n3,\x00\n5,6\n")
    [record] = batch.records
    assert [(error["field"], error["keyword"]) for error in record["errors"]] == [("b", "nul")]
    assert record["rawRow"] == "3,\x00"


COMPRESS = {
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,
}


@pytest.mark.parametrize("kind", COMPRESS)
def test_compressed_input_is_found_and_read(kind: str) -> None:
    plain = b"a,b\n" + b"1,2\n" * 50_000
    packed = COMPRESS[kind](plain)
    for step in (7, 1 << 20):
        batch = validate(AB, [packed[at : at + step] for at in range(0, len(packed), step)])
        assert batch.report.valid_rows == 50_000
        assert batch.report.compression == kind
        assert batch.report.size_bytes == len(packed)
    halves = COMPRESS[kind](plain[:1000]) + COMPRESS[kind](plain[1000:])
    assert validate(AB, halves).report.valid_rows == 50_000


@pytest.mark.parametrize("kind", COMPRESS)
def test_damaged_and_short_compressed_input_is_refused(kind: str) -> None:
    noise = random.Random(1).randbytes(5000).hex().encode()
    packed = COMPRESS[kind](b"a,b\n" + noise + b",2\n")
    for wrong in (packed[:-3], packed[:6], packed[:40] + b"\x00" * 40 + packed[80:]):
        with pytest.raises(fastcsv.CompressionError) as raised:
            validate(AB, wrong)
        assert raised.value.reason == "COMPRESSION_INVALID"


@pytest.mark.parametrize("kind", COMPRESS)
def test_a_bomb_is_stopped_at_its_bound(kind: str) -> None:
    bomb = COMPRESS[kind](b"a,b\n" + b"0" * 100_000_000)
    with pytest.raises(fastcsv.LimitError) as raised:
        validate(AB, bomb, max_decompressed_bytes=1 << 20)
    assert raised.value.reason == "DECOMPRESSED_TOO_LARGE"


@pytest.mark.parametrize("threads", [1, 2])
def test_small_rows_that_make_large_records_are_stopped_at_their_bound(threads: int) -> None:
    rows = b"a,b\n" + b"1\n" * 1_000_000
    with pytest.raises(fastcsv.LimitError) as raised:
        validate(AB, rows, max_output_bytes=1 << 20, threads=threads)
    assert raised.value.reason == "OUTPUT_TOO_LARGE"


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (b"a,b,a\n", "HEADER_NAME_DOUBLED"),
        (b"a,b,\n", "HEADER_NAME_EMPTY"),
        (b'a,b"c\n', "HEADER_MALFORMED"),
        (b"a,b,c\n", "HEADER_COLUMNS_UNKNOWN"),
    ],
)
def test_a_bad_header_refuses_the_batch(header: bytes, reason: str) -> None:
    with pytest.raises(fastcsv.HeaderError) as raised:
        validate(AB, header + b"1,2,3\n", strict=True)
    assert raised.value.reason == reason


def test_unknown_columns_are_kept_and_warned_of() -> None:
    report = validate(
        schema("language_session", "1.0"),
        b"x,session_id,participant_email,volunteer_email,scheduled_at\n",
    ).report
    assert report.unknown_columns == ("x",)
    assert "topics" in report.missing_optional_columns


def test_a_header_over_its_bounds_is_refused() -> None:
    with pytest.raises(fastcsv.LimitError) as raised:
        validate(AB, [b"a," * 100, b"b\n"], max_header_bytes=100)
    assert raised.value.reason == "HEADER_TOO_LONG"
    with pytest.raises(fastcsv.LimitError) as raised:
        validate(AB, [b'"a', b"\n" * 100, b'",b\n'], max_header_bytes=100)
    assert raised.value.reason == "HEADER_TOO_LONG"
    kept = validate(AB, [b'"c', b"\n" * 50, b'",a,b\n1,2,3\n'], max_header_bytes=100)
    assert kept.report.valid_rows == 1
    with pytest.raises(fastcsv.LimitError) as raised:
        validate(AB, b"a,b,c\n", max_fields=2)
    assert raised.value.reason == "HEADER_TOO_WIDE"


def only_record(data: bytes, **options: int) -> dict[str, object]:
    batch = validate(AB, b"a,b\n1,2\n" + data + b"3,4\n", **options)
    assert batch.report.valid_rows == 2
    [record] = batch.records
    return {"keyword": record["errors"][0]["keyword"], **record}


def test_a_cell_over_its_bound_is_named() -> None:
    record = only_record(b"1," + b"x" * 101 + b"\n", max_field_bytes=100)
    assert record["keyword"] == "fieldBytes"


def test_a_row_of_too_many_cells_keeps_the_first() -> None:
    record = only_record(b"1,2,3,4,5\n", max_fields=3)
    assert record["keyword"] == "fields"
    assert record["rawData"] == {"a": "1", "b": "2", "_extra": ["3"]}


def test_a_line_over_the_byte_bound_is_kept_by_its_head() -> None:
    for data in (b"1," + b"x" * 20_000_000 + b"\n", b'1,"' + b"x" * 20_000_000 + b'"\n'):
        record = only_record(data)
        assert record["keyword"] == "recordBytes"
        assert record["rawRow"] == data[: 64 << 10].decode()
        assert record["rawRowBytes"] == len(data) - 1
        assert record["byteOffset"] == 8


def test_a_record_of_too_many_lines_is_cut_back_to_its_first() -> None:
    batch = validate(AB, b'a,b\n1,"x\ny\nz"\n3,4\n', max_record_lines=2)
    assert [record["rawRow"] for record in batch.records] == ['1,"x', "y", 'z"']
    assert [record["errors"][0]["keyword"] for record in batch.records] == [
        "recordLines",
        "cells",
        "quoting",
    ]
    assert validate(AB, b'a,b\n1,"x\ny\nz"\n', max_record_lines=3).report.valid_rows == 1


def test_errors_over_the_bound_are_counted_not_written() -> None:
    batch = validate(refusing("a", "b", "c"), b"a,b,c\n1,2,3\n", max_errors_per_record=1)
    [record] = batch.records
    assert len(record["errors"]) == 1
    assert record["errorCount"] == batch.report.total_errors == 3


def test_json_nested_deeper_than_the_bound_is_an_error() -> None:
    header = b"session_id,participant_email,volunteer_email,scheduled_at,metadata\n"
    row = b"s,a@example.org,b@example.org,2025-01-31,%s\n"
    deep = header + row % (b"[" * 5 + b"]" * 5)
    it = schema("language_session", "1.1")
    assert validate(it, deep, max_json_depth=5).report.valid_rows == 1
    assert validate(it, deep, max_json_depth=4).report.errors_by_field == {"metadata": 1}


def test_lines_that_a_broken_cell_swallowed_are_quarantined_or_taken_as_told() -> None:
    data = b'a,b\n1,"open\n2,3\n4,5\n6,"x" y\n7,8\n'
    batch = validate(AB, data)
    assert [record["rawRow"] for record in batch.records] == ['1,"open', "2,3", "4,5", '6,"x" y']
    assert [record.get("recovered", False) for record in batch.records] == [False, True, True, True]
    assert (batch.report.valid_rows, batch.report.recovered_rows) == (1, 3)
    accepted = validate(AB, data, accept_recovered=True, valid_out=True)
    assert accepted.files["valid.csv"] == b"a,b\n2,3\n4,5\n7,8\n"


SEP = {
    "plain": b"sep=;\na;b\n1;2\n",
    "quoted": b'"sep=;"\r\na;b\r\n1;2\r\n',
    "behind a mark": b"\xef\xbb\xbfsep=;\na;b\n1;2\n",
    "utf-16": "\ufeffsep=\t\na\tb\n1\t2\n".encode("utf-16-le"),
    "compressed": gzip.compress(b"SEP=,\ra,b\r1,2\r"),
}


@pytest.mark.parametrize("name", SEP)
def test_a_line_that_names_the_delimiter_is_neither_header_nor_row_but_a_line(name: str) -> None:
    for step in (1, 1000):
        data = SEP[name]
        chunks = [data[at : at + step] for at in range(0, len(data), step)]
        batch = validate(refusing("a", "b"), chunks, valid_out=True)
        [record] = batch.records
        assert record["rawData"] == {"a": "1", "b": "2"}
        assert (record["rowNumber"], record["lineNumber"]) == (1, 3)
        if name in ("plain", "quoted", "behind a mark"):
            assert data[record["byteOffset"] :].startswith(b"1;2")
        assert b"sep" not in batch.files["valid.csv"].lower()


def test_a_given_delimiter_counts_more_than_the_line_and_a_refusal_names_both() -> None:
    assert validate(AB, b"sep=;\na,b\n1,2\n", delimiter=",").report.valid_rows == 1
    with pytest.raises(
        fastcsv.HeaderError, match="delimiter , that was given, its first line names ;"
    ):
        validate(AB, b"sep=;\na;b\n", delimiter=",")
    with pytest.raises(fastcsv.HeaderError) as raised:
        validate(AB, b"sep=^\na^b\n")
    assert raised.value.reason == "HEADER_SEPARATOR_UNREADABLE"
    with pytest.raises(fastcsv.EmptyInputError):
        validate(AB, b"sep=;")


OTHER = {
    "xlsx": (
        b"PK\x03\x04\x14\0\n\0[Content_Types].xml" + b"\0" * 90 + b"PK\x03\x04xl/workbook.xml",
        "xlsx",
    ),
    "zip": (b"PK\x03\x04\x14\0\n\0rows.csva,b\n", "zip archive"),
    "parquet": (b"PAR1" + b"\0" * 40 + b"PAR1", "Parquet"),
    "tar in gzip": (gzip.compress(b"a,b" + b"\0" * 254 + b"ustar\x0000" + b"\0" * 248), "tar"),
    "html": (b"\n<!DOCTYPE html>\n<html></html>", "HTML"),
    "json": (b'[\n {"a": 1, "b": 2}\n]', "JSON"),
    "sqlite": (b"SQLite format 3\0\x10\0", "SQLite"),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3", "PDF"),
    "png": (b"\x89PNG\r\n\x1a\n\0\0\0", "PNG"),
}


@pytest.mark.parametrize("name", OTHER)
@pytest.mark.parametrize("step", [1, 5, 1 << 20])
def test_what_is_no_csv_is_called_what_it_is_wherever_it_is_cut(name: str, step: int) -> None:
    data, wanted = OTHER[name]
    with pytest.raises(fastcsv.FormatError, match=wanted) as raised:
        validate(AB, [data[at : at + step] for at in range(0, len(data), step)])
    assert raised.value.reason == "INPUT_NOT_CSV"


def test_a_header_that_fits_is_taken_whatever_it_begins_with() -> None:
    assert validate(taking("%PDF-1", "a"), b"%PDF-1,a\n1,2\n").report.valid_rows == 1


def test_a_header_of_which_nothing_is_known_is_refused_and_its_columns_are_told() -> None:
    with pytest.raises(fastcsv.HeaderError, match=r"no column that taking .* knows; it has"):
        validate(AB, b"x,y\n1,2\n")


def test_a_misnamed_optional_column_is_told_with_what_it_may_be_meant_for() -> None:
    names = b"session_id,participant_email,volunteer_email,scheduled_at,Rating,topisc\n"
    report = validate(schema("language_session", "1.0"), names).report
    assert report.similar_columns == {"Rating": "rating", "topisc": "topics"}
    assert {"rating", "topics"} <= set(report.missing_optional_columns)
    with pytest.raises(fastcsv.HeaderError) as raised:
        validate(schema("language_session", "1.0"), names.replace(b"session_id", b"SESSION_ID"))
    assert "SESSION_ID differs from session_id only in case" in str(raised.value)
    assert "SESSION_ID to session_id" in raised.value.hint
    assert raised.value.similar["SESSION_ID"] == "session_id"
