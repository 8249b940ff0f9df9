"""Batches of payloads in Python: the records, the counts, the bounds, and lines that harm no other."""

from __future__ import annotations

import base64
import csv
import gzip
import json
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import fastcsv

SCHEMA = fastcsv.PayloadSchema(
    json.dumps(
        {
            "type": "object",
            "required": ["id"],
            "properties": {
                "id": {"type": "string", "maxLength": 5},
                "rating": {"type": "number", "maximum": 1},
                "tags": {"type": "array", "items": {"type": "string"}},
                "more": {"type": "object"},
            },
        }
    ),
    name="thing",
    version="1.0",
)
WHEN = "2026-01-01T00:00:00Z"


def judged(text: bytes, out: Path, **options: Any) -> tuple[fastcsv.Report, list[dict[str, Any]]]:
    validator = fastcsv.PayloadValidator(
        SCHEMA,
        out,
        batch="b1",
        source_file="in.jsonl",
        quarantined_at=WHEN,
        options=fastcsv.PayloadOptions(**options),
    )
    try:
        validator.feed(text)
    except fastcsv.InputError:
        validator.abort()
        raise
    report = validator.finish()
    assert report.total_rows == report.valid_rows + report.quarantined_rows
    assert sum(report.errors_by_field.values()) == report.total_errors
    assert sum(report.errors_by_keyword.values()) == report.total_errors
    records = (out / "records.jsonl").read_bytes().split(b"\n")
    assert records.pop() == b""
    return report, [json.loads(line) for line in records]


def test_a_record_has_the_keys_of_a_row_and_the_payload_as_it_is(tmp_path: Path) -> None:
    first = b'{"id": "a"}\n'
    line = '{"id": "é", "rating": 1.50, "tags": ["x", 7], "free": 1}'.encode()
    report, [record] = judged(first + b" \r\n" + line + b"\r\n", tmp_path / "out", valid_out=True)
    assert record == {
        "rowNumber": 2,
        "rawData": json.loads(line),
        "errors": [
            {
                "field": "/rating",
                "message": "must be at most 1",
                "value": "1.50",
                "keyword": "maximum",
            },
            {
                "field": "/tags/1",
                "message": "must be text",
                "value": "7",
                "keyword": "type",
            },
        ],
        "quarantinedAt": WHEN,
        "sourceFile": "in.jsonl",
        "csvType": "thing",
        "schemaVersion": "1.0",
        "lineNumber": 3,
        "byteOffset": len(first) + 3,
        "rawRow": line.decode(),
    }
    assert (report.batch, report.schema, report.version) == ("b1", "thing", "1.0")
    assert (report.encoding, report.compression, report.delimiter) == ("utf-8", "none", "")
    assert report.errors_by_field == {"/rating": 1, "/tags/*": 1}
    assert report.errors_by_keyword == {"maximum": 1, "type": 1}
    assert report.unknown_columns == ("/free",)
    assert [it.name for it in report.files] == [
        "records.jsonl",
        "errors.csv",
        "valid.jsonl",
        "report.json",
    ]
    assert (tmp_path / "out/valid.jsonl").read_bytes() == first
    assert json.loads((tmp_path / "out/report.json").read_text())["delimiter"] is None
    with (tmp_path / "out/errors.csv").open(newline="") as file:
        assert list(csv.DictReader(file)) == [
            {
                "Row Number": "2",
                "Field": field,
                "Error Message": message,
                "Invalid Value": value,
                "Quarantined At": WHEN,
            }
            for field, message, value in (
                ("/rating", "must be at most 1", "1.50"),
                ("/tags/1", "must be text", "7"),
            )
        ]


BAD = {
    "no JSON": (b'{"id": }', "json"),
    "two values": (b'{"id": "a"} {"id": "b"}', "json"),
    "open at its end": (b'{"id": "a"', "json"),
    "no UTF-8": (b'{"id": "\xff"}', "encoding"),
    "too deep": (b'{"id": "a", "more": ' + b'{"a":' * 70 + b"1" + b"}" * 70 + b"}", "depth"),
    "a doubled member": (b'{"id": "a", "id": "b"}', "duplicateMember"),
    "NUL": (b'{"id": "\\u0000"}', "nul"),
    "half a surrogate pair": (b'{"id": "\\ud800"}', "surrogate"),
    "too many digits": (b'{"id": "a", "more": {"n": 1e200000}}', "number"),
    "a long string": (b'{"id": "' + b"x" * 10_000_000 + b'"}', "payloadBytes"),
    "a million members": (
        b'{"id": "a", "more": {' + b",".join(b'"%d":1' % it for it in range(1_000_000)) + b"}}",
        "payloadBytes",
    ),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""], ids=["LF", "CRLF", "no line end"])
def test_a_bad_line_is_named_and_its_neighbours_are_kept(
    name: str, end: bytes, tmp_path: Path
) -> None:
    line, keyword = BAD[name]
    good = b'{"id": "a"}\n'
    text = good + line + end + (good if end else b"")
    report, [record] = judged(text, tmp_path / "out", valid_out=True)
    assert [it["keyword"] for it in record["errors"]] == [keyword]
    assert report.valid_rows == (2 if end else 1)
    assert (tmp_path / "out/valid.jsonl").read_bytes() == (good * 2 if end else good)
    assert (record["rowNumber"], record["lineNumber"], record["byteOffset"]) == (2, 2, len(good))
    if keyword in ("json", "encoding", "depth", "payloadBytes"):
        assert record["rawData"] is None
        assert record["errors"][0]["field"] == "_row"
        assert record["errors"][0]["value"] is None
    else:
        assert isinstance(record["rawData"], dict)
    if keyword == "encoding":
        assert base64.b64decode(record["rawRowBase64"]) == line
    elif keyword == "payloadBytes":
        assert record["rawRow"] == line[: 64 << 10].decode()
        assert record["rawRowBytes"] == len(line)
    else:
        assert record["rawRow"] == line.decode()


def test_what_parsers_read_differently_comes_as_every_parser_reads_it(tmp_path: Path) -> None:
    text = b'{"id": "a", "id": "b", "rating": 1.0e0}\n{"id": "\\ud800", \r"rating": 0.10}\n'
    _, [doubled, half] = judged(text, tmp_path / "out")
    assert doubled["rawData"] == {"id": "b", "rating": 1.0}
    assert half["rawData"] == {"id": "�", "rating": 0.1}
    raw = (tmp_path / "out/records.jsonl").read_bytes()
    assert b"1.0e0" in raw
    assert b"\r" not in raw


@pytest.mark.parametrize("text", [b"", b"\n", b" \t\r\n\n", b"\xef\xbb\xbf"])
def test_an_input_without_a_payload_is_valid(text: bytes, tmp_path: Path) -> None:
    report, records = judged(text, tmp_path / "out")
    assert (report.total_rows, records) == (0, [])


def test_a_byte_order_mark_is_passed_over_and_utf_16_is_decoded(tmp_path: Path) -> None:
    text = '{"id": "é"}\n{"id": 1}\n'
    for place, encoded in enumerate([b"\xef\xbb\xbf" + text.encode(), text.encode("utf-16")]):
        report, [record] = judged(encoded, tmp_path / str(place))
        assert (report.valid_rows, record["rowNumber"]) == (1, 2)


def test_all_errors_of_a_payload_are_counted_and_a_bounded_number_is_written(
    tmp_path: Path,
) -> None:
    line = json.dumps({"id": "a", "tags": list(range(1000))}).encode()
    report, [record] = judged(line, tmp_path / "out", max_errors_per_record=3)
    assert (len(record["errors"]), record["errorCount"]) == (3, 1000)
    assert report.errors_by_keyword == {"type": 1000}
    assert report.errors_by_field == {"/tags/*": 3, "_other": 997}


def test_strict_refuses_members_without_a_name_in_the_schema(tmp_path: Path) -> None:
    report, [record] = judged(b'{"id": "a", "free": 1}', tmp_path / "out", strict=True)
    assert record["errors"][0]["keyword"] == "additionalProperties"
    assert report.errors_by_field == {"/free": 1}


def drawn(seed: int, count: int) -> bytes:
    """Lines of every kind, good and bad, with both line ends."""
    draw = random.Random(seed)
    lines = [it for it, _ in BAD.values() if len(it) < 1000]
    lines += [b'{"id": "a"}', b'{"id": "abcdef"}', b"", b"  ", b'{"id": "\xc3\xa9", "rating": 0.5}']
    return b"".join(draw.choice(lines) + draw.choice([b"\n", b"\r\n"]) for _ in range(count))


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_files_and_counts_are_the_same_for_any_threads_and_cuts(pack: Any, tmp_path: Path) -> None:
    text = pack(drawn(7, 60_000))
    path = tmp_path / "in.jsonl"
    path.write_bytes(text)
    seen = []
    for threads in (1, 2, 5):
        options = fastcsv.PayloadOptions(threads=threads, valid_out=True)
        out = tmp_path / f"file{threads}"
        report = fastcsv.validate_payload_file(
            SCHEMA, path, out, batch="b", quarantined_at=WHEN, options=options
        )
        seen.append((out, report))
        fed = tmp_path / f"fed{threads}"
        validator = fastcsv.PayloadValidator(
            SCHEMA, fed, batch="b", source_file="in.jsonl", quarantined_at=WHEN, options=options
        )
        cuts = sorted(random.Random(threads).sample(range(len(text)), 9))
        for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
            progress = validator.feed(text[begin:end])
        assert progress.size_bytes == len(text)
        seen.append((fed, validator.finish()))
    wanted = {it.name: it.read_bytes() for it in seen[0][0].iterdir()}
    assert len(wanted["records.jsonl"]) > 1 << 20
    for out, report in seen[1:]:
        assert {it.name: it.read_bytes() for it in out.iterdir()} == wanted
        assert report.errors_by_keyword == seen[0][1].errors_by_keyword


def test_a_batch_finds_in_each_line_what_a_payload_alone_is_told(tmp_path: Path) -> None:
    text = drawn(11, 2000)
    lines = [it for it in text.replace(b"\r\n", b"\n").split(b"\n") if it.strip()]
    report, records = judged(text, tmp_path / "out")
    expected = {}
    for number, line in enumerate(lines, 1):
        found = fastcsv.validate_payload(SCHEMA, line)
        if not found.valid:
            expected[number] = [(it.pointer or "_row", it.keyword) for it in found.violations]
    assert expected == {
        it["rowNumber"]: [(one["field"], one["keyword"]) for one in it["errors"]] for it in records
    }
    keywords = Counter(keyword for found in expected.values() for _, keyword in found)
    assert report.errors_by_keyword == keywords


def test_the_bounds_on_the_whole_input_hold(tmp_path: Path) -> None:
    text = gzip.compress(b'{"id": "a"}\n' * 100_000)
    for place, (options, reason) in enumerate(
        [
            ({"max_decompressed_bytes": 1 << 20}, "DECOMPRESSED_TOO_LARGE"),
            ({"max_expansion": 2, "expansion_free_bytes": 100}, "EXPANSION_TOO_LARGE"),
            ({"max_output_bytes": 1000, "valid_out": True}, "OUTPUT_TOO_LARGE"),
        ]
    ):
        out = tmp_path / str(place)
        with pytest.raises(fastcsv.LimitError) as raised:
            judged(text, out, **options)
        assert raised.value.reason == reason
        assert not out.exists()
    choices: list[dict[str, Any]] = [{"threads": 0}, {"max_payload_bytes": 0}, {"max_depth": 121}]
    for choice in choices:
        with pytest.raises(ValueError):
            fastcsv.PayloadOptions(**choice)


def test_a_validator_is_spent_after_its_end_and_abort_takes_back_its_files(tmp_path: Path) -> None:
    validator = fastcsv.PayloadValidator(SCHEMA, tmp_path / "out", quarantined_at=WHEN)
    validator.feed(b'{"id": 1}')
    validator.abort()
    assert not (tmp_path / "out").exists()
    with pytest.raises(fastcsv.FastcsvError) as raised:
        validator.feed(b"x")
    assert raised.value.reason == "VALIDATOR_SPENT"
    with pytest.raises(FileNotFoundError):
        fastcsv.validate_payload_file(SCHEMA, tmp_path / "none", tmp_path / "other")


MEMORY = """
import sys, tempfile
from pathlib import Path
import fastcsv

schema = fastcsv.PayloadSchema(
    b'{"properties": {"a": {"enum": ["ok"]}}}', name="a", version="1.0")
good, bad = b'{"a": "ok"}\\n', b'{"a": "' + b"y" * 300 + b'"}\\n'
MUCH = {
    "lines of which half are wrong": [(good + bad) * 1000] * 150,
    "a line that never ends": [b"[" * (1 << 20)] * 100,
    "members of many names": [
        b"".join(b'{"%d": 1}\\n' % (it * 10_000 + more) for more in range(10_000))
        for it in range(30)
    ],
    "lines as long as they may be": [b"[" + b"1," * ((1 << 19) - 2) + b"1]\\n"] * 20,
}
def peak_kib():
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])
with tempfile.TemporaryDirectory() as folder:
    pieces = MUCH[sys.argv[1]]
    before = peak_kib()
    validator = fastcsv.PayloadValidator(schema, f"{folder}/out", quarantined_at="2026-01-01T00:00:00Z")
    for piece in pieces:
        validator.feed(piece)
    report = validator.finish()
    assert report.total_rows >= 1
    print(peak_kib() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read where Linux has it")
@pytest.mark.parametrize(
    "name",
    [
        "lines of which half are wrong",
        "a line that never ends",
        "members of many names",
        "lines as long as they may be",
    ],
)
def test_a_batch_of_payloads_costs_little_memory_whatever_it_holds(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, name], stdout=subprocess.PIPE, text=True, check=True
    )
    assert int(done.stdout) < 32 << 10


def test_an_invalid_payload_of_another_candidate_is_told_as_that_and_nothing_else(tmp_path):
    def schema(name: str, member: str) -> fastcsv.PayloadSchema:
        document = {
            "x-steward-detect": {member: "any"},
            "properties": {member: {"type": "string"}},
            "required": [member],
        }
        return fastcsv.PayloadSchema(json.dumps(document), name=name, version="1.0")

    one, two = schema("one", "a"), schema("two", "b")
    path = tmp_path / "mixed.jsonl"
    path.write_text('{"a": "x"}\n{"b": 1, "d": 2}\n{"a": 1}\n{"c": 1}\n{"a": 1, "b": 1}\n{\n')

    def errors(out: str, **options: Any) -> list[list[tuple[str, str]]]:
        fastcsv.validate_payload_file(one, path, tmp_path / out, **options)
        records = (tmp_path / out / "records.jsonl").read_text().splitlines()
        return [
            [(each["field"], each["keyword"]) for each in json.loads(line)["errors"]]
            for line in records
        ]

    plain = errors("plain")
    assert plain[0] == [("/a", "required")]
    told = errors("told", candidates=[one, two])
    assert told[0] == [("_row", "otherSchema")]
    assert told[1:] == plain[1:]
    report = json.loads((tmp_path / "told" / "report.json").read_text())
    (record, *_) = (tmp_path / "told" / "records.jsonl").read_text().splitlines()
    assert json.loads(record)["rawData"] == {"b": 1, "d": 2}
    assert "two/1.0" in json.loads(record)["errors"][0]["message"]
    assert report["unknownColumns"] == ["/b", "/c"]
