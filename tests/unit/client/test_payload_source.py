"""How the command reads payloads: lines as the daemon reads them, in bounded memory, whatever the file is made of."""

import gzip
import os

import pytest
from steward_client.command.payload.source import LONGEST_BYTES, PayloadSource, is_lines
from steward_client.errors import StewardError

LINES = [(1, b'{"a": 1}'), (4, '{"b": "ä\U0001f600"}'.encode()), (5, b"  {} ")]
TEXT = b"\n".join((LINES[0][1] + b"\r", b"", b" \t\r", LINES[1][1], LINES[2][1]))


def read(path, *, of_lines=True):
    return [(each.line, each.content) for each in PayloadSource(str(path), of_lines=of_lines)]


@pytest.mark.parametrize(
    "content",
    [
        TEXT,
        TEXT + b"\n",
        b"\xef\xbb\xbf" + TEXT,
        TEXT.decode().encode("utf-16"),
        b"\xfe\xff" + TEXT.decode().encode("utf-16-be"),
        gzip.compress(TEXT),
        gzip.compress(TEXT[:9]) + gzip.compress(TEXT[9:]),
        gzip.compress(TEXT.decode().encode("utf-16")),
    ],
    ids=["plain", "ended", "marked", "utf-16-le", "utf-16-be", "gzip", "members", "gzip-utf-16"],
)
@pytest.mark.parametrize("chunk_bytes", [1, 3, 1 << 18])
def test_lines_are_the_same_whatever_the_file_is_made_of(
    tmp_path, monkeypatch, content, chunk_bytes
):
    monkeypatch.setattr("steward_client.command.payload.source.CHUNK_BYTES", chunk_bytes)
    path = tmp_path / "lines"
    path.write_bytes(content)
    assert read(path) == LINES


def test_a_file_of_one_payload_is_read_as_it_is(tmp_path):
    path = tmp_path / "one"
    path.write_bytes(TEXT)
    assert read(path, of_lines=False) == [(None, TEXT)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (gzip.compress(TEXT)[:-5], "ends early"),
        (gzip.compress(TEXT) + b"more", "cannot be decompressed"),
        (b"\x28\xb5\x2f\xfd....", "zstd"),
    ],
)
def test_what_cannot_be_decompressed_is_refused_by_name(tmp_path, content, said):
    path = tmp_path / "broken.gz"
    path.write_bytes(content)
    with pytest.raises(StewardError, match=said) as told:
        read(path)
    assert (told.value.reason, str(path) in told.value.message) == ("FILE_UNUSABLE", True)
    assert told.value.hint


def test_a_line_that_is_too_long_for_a_message_is_cut_and_its_neighbours_are_kept(tmp_path):
    path = tmp_path / "long"
    path.write_bytes(b"{}\n" + b"x" * (3 * LONGEST_BYTES) + b"\n[]\n")
    first, long, last = PayloadSource(str(path), of_lines=True)
    assert (first.content, last.content, last.line) == (b"{}", b"[]", 3)
    assert (long.is_too_long, len(long.content)) == (True, LONGEST_BYTES + 1)
    assert not first.is_too_long


def test_progress_is_known_of_a_file_and_not_of_a_pipe(tmp_path):
    path = tmp_path / "lines"
    path.write_bytes(TEXT)
    source = PayloadSource(str(path), of_lines=True)
    assert len(list(source)) == 3
    assert source.read_bytes == source.size_bytes == len(TEXT)
    pipe, end = os.pipe()
    os.write(end, TEXT)
    os.close(end)
    piped = PayloadSource(f"/dev/fd/{pipe}", of_lines=True)
    assert len(list(piped)) == 3
    os.close(pipe)
    assert (piped.read_bytes, piped.size_bytes) == (len(TEXT), None)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.jsonl", True),
        ("A.NDJSON.gz", True),
        ("a.jsonl.zst", True),
        ("a.json", False),
        ("-", False),
    ],
)
def test_the_name_says_whether_it_is_json_lines(name, expected):
    assert is_lines(name) is expected
