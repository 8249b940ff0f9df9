"""Neither where the input is cut nor how many threads there are changes a byte of the output."""

from __future__ import annotations

import random

import pytest

from tests.support.csv_batch import schema, validate

LANGUAGE = [schema("language_session", "1.0"), schema("language_session", "1.1")]
HEADER = "session_id,participant_email,volunteer_email,scheduled_at,feedback_text,metadata"
ROWS = (
    's,ana@example.org,bo@example.org,2025-01-31,"said ""hi"", left",',
    "s,ana@localhost,bo@example.org,2025-01-31,,",
    's,ana@example.org,bo@example.org,2025-01-31T09:30:00Z,"two\nlines","{""a"": 1}"',
    "too,few",
    's,ana@example.org,bo@example.org,2025-01-31,stray " quote,',
    's,ana@example.org,bo@example.org,2025-01-31,"unclosed,',
    "s,ana@example.org,bo@example.org,2025-01-31,né\x00,",
    "",
)


def small_file() -> bytes:
    text = "\ufeff" + HEADER + "\r\n" + "\r\n".join(ROWS) + "\n" + "\r".join(ROWS)
    return text.encode() + b"\n\xff,\n"


def large_file(rows: int) -> bytes:
    rng = random.Random(7)
    weights = [40, 4, 20, 1, 1, 1, 1, 1]
    lines = rng.choices(ROWS, weights, k=rows)
    return "\n".join([HEADER, *lines, "last"]).encode()


def test_a_cut_at_every_byte_changes_nothing() -> None:
    data = small_file()
    wanted = validate(LANGUAGE, data, valid_out=True)
    assert wanted.report.quarantined_rows > 5
    assert wanted.report.valid_rows > 1
    for cut in range(len(data) + 1):
        assert validate(LANGUAGE, [data[:cut], data[cut:]], valid_out=True).files == wanted.files
    single = [data[at : at + 1] for at in range(len(data))]
    assert validate(LANGUAGE, single, valid_out=True).files == wanted.files


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_any_number_of_threads_writes_the_same_bytes(threads: int) -> None:
    data = large_file(40_000)
    wanted = validate(LANGUAGE, data, valid_out=True)
    assert wanted.report.quarantined_rows > 1_000
    for step in (1 << 16, 1 << 20, 1 << 30):
        chunks = [data[at : at + step] for at in range(0, len(data), step)]
        batch = validate(LANGUAGE, chunks, valid_out=True, threads=threads)
        assert batch.files == wanted.files
        assert batch.report.errors_by_field == wanted.report.errors_by_field
