"""The boundary that the daemon is written against: objects, errors, files, and what abort leaves."""

from __future__ import annotations

import array
import contextlib
import csv
import errno
import io
import itertools
import json
import os
import resource
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import google_crc32c
import pytest

import fastcsv
from tests.support.csv_batch import SCHEMAS, WHEN, schema, taking, validate

HEADER = b"session_id,participant_email,volunteer_email,scheduled_at,rating\n"
GOOD = b"s1,ana@example.org,bo@example.org,2025-01-31,0.5\n"
BAD = b"s2,ana@localhost,bo@example.org,2025-02-30,=1+1\n"
LANGUAGE = [schema("language_session", "1.0"), schema("language_session", "1.1")]
RECORD_KEYS = {
    "rowNumber",
    "rawData",
    "errors",
    "quarantinedAt",
    "sourceFile",
    "csvType",
    "schemaVersion",
    "lineNumber",
    "byteOffset",
    "rawRow",
}


def validator(folder: Path, **options: object) -> fastcsv.Validator:
    chosen = fastcsv.Options(**options)  # type: ignore[arg-type]
    return fastcsv.Validator(LANGUAGE, folder / "out", quarantined_at=WHEN, options=chosen)


def test_a_schema_says_what_it_is() -> None:
    newest = LANGUAGE[1]
    assert (newest.name, newest.version) == ("language_session", "1.1")
    assert newest.effective_date == "2025-06-01"
    assert not newest.deprecated
    assert [column.name for column in newest.columns if column.required] == [
        "session_id",
        "participant_email",
        "volunteer_email",
        "scheduled_at",
    ]
    assert {column.name for column in newest.columns if column.pii} == {
        "participant_email",
        "volunteer_email",
        "feedback_text",
    }


def test_a_schema_that_is_refused_says_why() -> None:
    with pytest.raises(fastcsv.SchemaError) as raised:
        fastcsv.Schema('{"properties": {"a": {"pattern": "(?=b)"}}}', name="a", version="1")
    assert raised.value.reason == "SCHEMA_PATTERN_UNSUPPORTED"
    assert raised.value.hint


def test_detect_returns_the_very_schema() -> None:
    names = [column.name for column in LANGUAGE[0].columns]
    assert fastcsv.detect(LANGUAGE, names) is LANGUAGE[0]
    assert fastcsv.detect(LANGUAGE, [*names, "metadata"]) is LANGUAGE[1]


def test_a_header_that_fits_nothing_names_what_is_missing_and_the_nearest() -> None:
    with pytest.raises(fastcsv.HeaderError) as raised:
        fastcsv.detect(LANGUAGE, ["session_id", "participant_email", "metadata"])
    assert raised.value.reason == "HEADER_MISMATCH"
    assert set(raised.value.missing) == {"volunteer_email", "scheduled_at"}
    assert raised.value.nearest == "language_session/1.1"


def test_the_schema_is_known_as_soon_as_the_header_is(tmp_path: Path) -> None:
    it = validator(tmp_path)
    it.feed(HEADER[:-1])
    assert it.schema is None
    it.feed(b"\n")
    assert it.schema is LANGUAGE[0]
    it.abort()


def test_progress_counts_bytes_rows_and_the_checksum_of_the_input(tmp_path: Path) -> None:
    it = validator(tmp_path)
    assert it.feed(HEADER) == it.progress
    done = it.feed(GOOD + BAD + GOOD[:5])
    fed = HEADER + GOOD + BAD + GOOD[:5]
    assert done.size_bytes == len(fed)
    assert done.crc32c == google_crc32c.value(fed)
    assert (done.total_rows, done.valid_rows, done.quarantined_rows) == (2, 1, 1)
    it.feed(bytearray(GOOD[5:]))
    report = it.finish()
    assert (report.total_rows, report.size_bytes) == (3, len(fed) + len(GOOD) - 5)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_buffer_can_be_fed(tmp_path: Path, kind: type) -> None:
    it = validator(tmp_path)
    it.feed(kind(HEADER + GOOD))
    assert it.finish().valid_rows == 1


@pytest.mark.parametrize("threads", [None, 0, 1, 2, 3, 99])
def test_pieces_fed_together_are_as_one(tmp_path: Path, threads: int | None) -> None:
    rows = (GOOD + BAD) * 30_000
    whole = validator(tmp_path, threads=1)
    whole.feed(HEADER + rows)
    (tmp_path / "together").mkdir()
    together = validator(tmp_path / "together", threads=3)
    cuts = [0, 1, 700_001, 700_002, 1_500_000, len(rows)]
    pieces = [memoryview(rows)[begin:end] for begin, end in itertools.pairwise(cuts)]
    together.feed()
    done = together.feed(HEADER, *pieces, b"", threads=threads)
    assert done.size_bytes == len(HEADER) + len(rows)
    assert [(it.name, it.crc32c) for it in whole.finish().files[:2]] == [
        (it.name, it.crc32c) for it in together.finish().files[:2]
    ]


WITHOUT_THREADS = """
import os, resource, sys, threading
import fastcsv

folder, document = sys.argv[1:]
schema = fastcsv.Schema(open(document, "rb").read(), name="language_session", version="1.0")
if os.geteuid() == 0:
    os.setuid(65534)  # the limit does not hold for root
resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
try:
    threading.Thread(target=print).start()
except RuntimeError:
    pass
else:
    sys.exit("a thread could be started")
options = fastcsv.Options(threads=4)
report = fastcsv.validate_file(schema, f"{folder}/in.csv", f"{folder}/out", options=options)
print(report.valid_rows, report.quarantined_rows)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="threads count as processes on Linux only")
def test_where_no_thread_can_be_started_one_does_all() -> None:
    document = SCHEMAS / "language_session" / "1.0.json"
    with tempfile.TemporaryDirectory() as parent:
        # Not below pytest's folders, which are closed to the user that root becomes.
        folder = Path(parent)
        folder.chmod(0o777)
        (folder / "in.csv").write_bytes(HEADER + (GOOD + BAD) * 20_000)
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT_THREADS, str(folder), str(document)],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    assert done.stdout.split() == ["20000", "20000"]


SHOWN = HEADER + GOOD


@pytest.mark.parametrize(
    "view",
    [
        memoryview(b"in front" + SHOWN + b"behind")[8:-6],
        memoryview(bytearray(b"in front" + SHOWN))[8:],
        memoryview(b"".join(bytes((byte, 0)) for byte in SHOWN))[::2],
        memoryview(SHOWN[::-1])[::-1],
        memoryview(SHOWN).cast("c"),
        memoryview(SHOWN).cast("B", (1, len(SHOWN))),
        memoryview(array.array("H", SHOWN + b" " * (len(SHOWN) % 2))).cast("B")[: len(SHOWN)],
    ],
    ids=["part", "mutable", "every other", "backwards", "characters", "a matrix", "of an array"],
)
def test_a_view_is_fed_as_it_reads(tmp_path: Path, view: memoryview) -> None:
    assert view.tobytes() == SHOWN
    it = validator(tmp_path)
    it.feed(view[:0])
    it.feed(view)
    report = it.finish()
    assert (report.valid_rows, report.size_bytes) == (1, len(SHOWN))


def test_the_files_say_what_the_report_says(tmp_path: Path) -> None:
    it = validator(tmp_path, valid_out=True)
    it.feed(HEADER + GOOD + BAD)
    report = it.finish()
    folder = tmp_path / "out"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {file.name for file in report.files} == {path.name for path in folder.iterdir()}
    for file in report.files:
        written = (folder / file.name).read_bytes()
        assert stat.S_IMODE((folder / file.name).stat().st_mode) == 0o600
        assert (file.size_bytes, file.crc32c) == (len(written), google_crc32c.value(written))
    said = json.loads((folder / "report.json").read_text())
    assert said["totalRows"] == report.total_rows == 2
    assert said["errorsByField"] == report.errors_by_field
    assert said["errorsByRule"] == report.errors_by_keyword
    assert said["errorsByCsvType"] == {"language_session": report.total_errors}
    assert said["madeAt"] == report.made_at == WHEN
    assert (folder / "valid.csv").read_bytes() == HEADER + GOOD


def test_a_record_has_exactly_the_keys_of_the_domain() -> None:
    [record] = validate(LANGUAGE, HEADER + GOOD + BAD).records
    assert set(record) == RECORD_KEYS
    assert record["rowNumber"] == 2
    assert record["lineNumber"] == 3
    assert record["byteOffset"] == len(HEADER + GOOD)
    assert record["rawRow"].encode() + b"\n" == BAD
    assert record["csvType"] == "language_session"
    assert record["schemaVersion"] == "1.0"
    assert record["sourceFile"] == "sessions.csv"
    assert record["quarantinedAt"] == WHEN
    assert [(error["field"], error["value"]) for error in record["errors"]] == [
        ("participant_email", "ana@localhost"),
        ("scheduled_at", "2025-02-30"),
        ("rating", "=1+1"),
    ]
    assert all(set(error) == {"field", "message", "value", "keyword"} for error in record["errors"])


def test_the_error_csv_is_safe_in_a_spreadsheet() -> None:
    text = validate(LANGUAGE, HEADER + BAD).files["errors.csv"].decode()
    header, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert header == ["Row Number", "Field", "Error Message", "Invalid Value", "Quarantined At"]
    assert [row[1] for row in rows] == ["participant_email", "scheduled_at", "rating"]
    assert rows[2][3] == "'=1+1"
    assert all(row[0] == "1" and row[4] == WHEN for row in rows)


def test_rows_with_the_wrong_number_of_cells_keep_what_they_have() -> None:
    short, long = validate(taking("a", "b"), b"a,b\n1\n1,2,3,4\n").records
    assert short["rawData"] == {"a": "1"}
    assert long["rawData"] == {"a": "1", "b": "2", "_extra": ["3", "4"]}
    assert [error["field"] for error in short["errors"] + long["errors"]] == ["_row", "_row"]
    assert short["errors"][0]["value"] is None


def test_abort_removes_what_was_written_and_may_be_repeated(tmp_path: Path) -> None:
    it = validator(tmp_path)
    it.feed(HEADER + BAD)
    it.abort()
    it.abort()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(fastcsv.FastcsvError) as raised:
        it.feed(GOOD)
    assert raised.value.reason == "VALIDATOR_SPENT"


def test_abort_after_finish_leaves_the_files(tmp_path: Path) -> None:
    it = validator(tmp_path)
    it.feed(HEADER)
    it.finish()
    it.abort()
    assert (tmp_path / "out" / "report.json").exists()


def test_abort_leaves_what_others_put_there(tmp_path: Path) -> None:
    it = validator(tmp_path)
    (tmp_path / "out" / "theirs").write_text("x")
    it.abort()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["theirs"]


def test_an_error_leaves_the_validator_unusable(tmp_path: Path) -> None:
    it = validator(tmp_path)
    with pytest.raises(fastcsv.HeaderError):
        it.feed(b"a,b\n")
    for call in (lambda: it.feed(HEADER), it.finish):
        with pytest.raises(fastcsv.FastcsvError) as raised:
            call()
        assert raised.value.reason == "VALIDATOR_SPENT"
    it.abort()
    assert list(tmp_path.iterdir()) == []


def test_files_are_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "errors.csv").write_text("theirs")
    with pytest.raises(FileExistsError):
        validator(tmp_path)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["errors.csv"]


@pytest.fixture
def small_files() -> Iterator[None]:
    """Let no file grow over 1 MiB, which fails a write as a full disk does."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.usefixtures("small_files")
@pytest.mark.parametrize("threads", [1, 2])
def test_a_write_that_fails_is_told_by_its_number(tmp_path: Path, threads: int) -> None:
    it = validator(tmp_path, threads=threads)
    with pytest.raises(OSError) as raised:
        it.feed(HEADER + BAD * 100_000)
    assert raised.value.errno == errno.EFBIG
    it.abort()
    assert list(tmp_path.iterdir()) == []


def test_validate_file_takes_one_schema_or_several(tmp_path: Path) -> None:
    path = tmp_path / "sessions.csv"
    path.write_bytes(HEADER + GOOD + BAD)
    one = fastcsv.validate_file(LANGUAGE[0], path, tmp_path / "one")
    many = fastcsv.validate_file(
        LANGUAGE, path, tmp_path / "many", batch="b-2", quarantined_at=WHEN
    )
    assert one.source_file == many.source_file == "sessions.csv"
    assert (
        (one.valid_rows, one.quarantined_rows) == (many.valid_rows, many.quarantined_rows) == (1, 1)
    )
    assert (many.batch, many.made_at) == ("b-2", WHEN)


def test_validate_file_leaves_nothing_when_it_fails(tmp_path: Path) -> None:
    path = tmp_path / "empty.csv"
    path.touch()
    with pytest.raises(fastcsv.EmptyInputError):
        fastcsv.validate_file(LANGUAGE, path, tmp_path / "out")
    with pytest.raises(FileNotFoundError):
        fastcsv.validate_file(LANGUAGE, tmp_path / "missing.csv", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["empty.csv"]


def test_progress_can_be_asked_while_rows_are_validated(tmp_path: Path) -> None:
    it = validator(tmp_path)
    it.feed(HEADER)
    feeding = threading.Thread(target=lambda: it.feed(GOOD * 200_000))
    feeding.start()
    asked = 0
    while feeding.is_alive():
        assert it.progress.total_rows in {0, 200_000}
        asked += 1
    feeding.join()
    assert asked > 1
    assert it.finish().valid_rows == 200_000


def test_choices_out_of_range_are_refused() -> None:
    for choice in (
        {"delimiter": ",,"},
        {"delimiter": '"'},
        {"threads": 0},
        {"max_record_bytes": 0},
        {"max_json_depth": 129},
    ):
        with pytest.raises(ValueError):
            fastcsv.Options(**choice)


INTERRUPTED = """
import signal, sys
from pathlib import Path
import fastcsv

# What starts in the background ignores it.
signal.signal(signal.SIGINT, signal.default_int_handler)
schema = fastcsv.Schema(Path(sys.argv[1]).read_bytes(), name="language_session", version="1.1")
options = fastcsv.Options(threads=int(sys.argv[3]))
try:
    fastcsv.validate_file(schema, (*sys.argv[4:], "/dev/stdin")[0], sys.argv[2], options=options)
except KeyboardInterrupt:
    sys.exit(77)
"""


@pytest.mark.parametrize("threads", [1, 2])
def test_ctrl_c_ends_the_validation_of_what_does_not_end(tmp_path: Path, threads: int) -> None:
    out = tmp_path / "out"
    document = SCHEMAS / "language_session" / "1.1.json"
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, document, out, str(threads)], stdin=subprocess.PIPE
    )

    def feed() -> None:
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
            pipe.write(HEADER)
            while True:
                pipe.write(BAD * 1000)

    feeder = threading.Thread(target=feed)
    feeder.start()
    records = out / "records.jsonl"
    while not (records.exists() and records.stat().st_size):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 77
    feeder.join()
    assert not out.exists()


def test_ctrl_c_ends_the_waiting_for_a_pipe_that_is_silent(tmp_path: Path) -> None:
    out = tmp_path / "out"
    document = SCHEMAS / "language_session" / "1.1.json"
    arguments: list[str | Path] = [sys.executable, "-c", INTERRUPTED, document, out, "1"]
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for writes in (False, True):
        process = subprocess.Popen([*arguments, pipe])
        with contextlib.ExitStack() as stack:
            if writes:
                stack.enter_context(pipe.open("wb", buffering=0)).write(HEADER)
                while not out.exists():
                    assert process.poll() is None
                    time.sleep(0.01)
            # It waits by then; before, the signal would find the interpreter, and end it as well.
            time.sleep(0.5)
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=60) == 77
        assert not out.exists()
