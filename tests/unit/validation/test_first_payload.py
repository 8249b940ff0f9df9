"""The first payload of a JSON Lines file, found however the file comes."""

import gzip

import pytest
import zstandard
from stewardd.errors import InputRefused
from stewardd.validation.first_payload import first_payload

BODY = b'\n \r\n{"a": "\xc3\xbc"}\r\n{"b": 2}\n'
FIRST = b'{"a": "\xc3\xbc"}'
MOST = 1000


@pytest.mark.parametrize(
    "start",
    [
        BODY,
        b"\xef\xbb\xbf" + BODY,
        gzip.compress(BODY),
        zstandard.ZstdCompressor().compress(BODY),
        BODY.decode().encode("utf-16"),
    ],
    ids=["plain", "with a mark", "gzip", "zstd", "utf-16"],
)
def test_the_first_line_that_is_not_blank_is_the_first_payload(start):
    assert first_payload(start, MOST, is_whole=False) == FIRST


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_every_beginning_gives_the_payload_or_asks_for_more(compress):
    whole = compress(BODY)
    found = [first_payload(whole[:cut], MOST, is_whole=False) for cut in range(3, len(whole) + 1)]
    assert set(found) == {None, FIRST}
    assert found[-1] == FIRST


def test_a_whole_file_may_have_no_line_end():
    assert first_payload(b"{}", MOST, is_whole=False) is None
    assert first_payload(b"{}", MOST, is_whole=True) == b"{}"


@pytest.mark.parametrize("start", [b"", b"\n \n", gzip.compress(b"\n")])
def test_a_file_without_a_payload_is_refused(start):
    with pytest.raises(InputRefused):
        first_payload(start, MOST, is_whole=True)


@pytest.mark.parametrize(
    "start",
    [b"x" * (MOST + 1), gzip.compress(b" " * 10_000_000), b"\x1f\x8bxxxxxxxxxxxxxxxxxxxx"],
    ids=["plain", "a bomb", "no gzip"],
)
def test_a_line_that_never_ends_and_a_broken_compression_are_refused(start):
    with pytest.raises(InputRefused):
        first_payload(start, MOST, is_whole=False)
