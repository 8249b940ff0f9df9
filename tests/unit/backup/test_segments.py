"""Cutting, compressing and checksumming a stream, against plain zstd and hashlib."""

from __future__ import annotations

import hashlib
import io
import random
import tracemalloc

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from stewardd.backup.segments import PackedSegment, Segmenter


class Trickle:
    """A source that gives less than it is asked for, as a pipe does."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self._stream = io.BytesIO(data)
        self._sizes = sizes
        self._turn = 0

    def read(self, size: int, /) -> bytes:
        self._turn += 1
        return self._stream.read(min(size, self._sizes[self._turn % len(self._sizes)]))


def cut(source: object, segment_bytes: int) -> tuple[Segmenter, list[PackedSegment]]:
    segmenter = Segmenter(source, segment_bytes=segment_bytes, level=1)  # type: ignore[arg-type]
    found = []
    while (segment := segmenter.next_segment()) is not None:
        found.append(segment)
    return segmenter, found


def unpack(segment: PackedSegment) -> bytes:
    return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(segment.body)).read()


@given(st.binary(max_size=5000), st.lists(st.integers(1, 700), min_size=1), st.integers(1, 2000))
def test_the_segments_unpack_one_by_one_to_what_came_in(data, sizes, segment_bytes):
    segmenter, found = cut(Trickle(data, sizes), segment_bytes)
    assert b"".join(unpack(segment) for segment in found) == data
    assert segmenter.dumped_bytes == len(data)
    assert segmenter.dump_sha256 == hashlib.sha256(data).hexdigest()
    assert [segment.number for segment in found] == list(range(len(found)))
    for segment in found:
        assert segment.sha256 == hashlib.sha256(segment.body).hexdigest()


def test_an_empty_stream_has_no_segments():
    assert cut(io.BytesIO(), 100)[1] == []


@pytest.mark.parametrize("kind", ["random", "zeros"])
def test_segments_are_of_about_the_wanted_size_and_memory_is_bounded(kind):
    total_bytes, segment_bytes = 24 << 20, 4 << 20
    chunk = random.Random(7).randbytes(1 << 20) if kind == "random" else bytes(1 << 20)

    class Endless:
        left = total_bytes

        def read(self, size: int, /) -> bytes:
            given_out = chunk[: min(size, self.left)]
            Endless.left -= len(given_out)
            return given_out

    segmenter = Segmenter(Endless(), segment_bytes=segment_bytes, level=1)
    tracemalloc.start()
    sizes = []
    while (segment := segmenter.next_segment()) is not None:
        sizes.append(len(segment.body))
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert segmenter.dumped_bytes == total_bytes
    assert all(size <= segment_bytes + (2 << 20) for size in sizes)
    assert peak_bytes < 3 * segment_bytes + (4 << 20)
    assert len(sizes) == (
        5 if kind == "random" else 1
    )  # zstd holds back up to a mebibyte before it writes
