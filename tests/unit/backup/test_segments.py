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
from stewardd.backup.keys.encryption import AgeIdentity, Encryptor, decrypt
from stewardd.backup.making.segments import PackedSegment, Sealing, Segmenter
from stewardd.backup.manifest.backup import Compression, CompressionMethod
from stewardd.backup.reading.segment import read_unpacked, unpacker_of
from stewardd.errors import Corrupt, KeyMissing

PLAIN = Sealing(Compression(CompressionMethod.ZSTD, 1), Encryptor(()))


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
    segmenter = Segmenter(source, segment_bytes=segment_bytes, sealing=PLAIN)  # type: ignore[arg-type]
    found = []
    while (segment := segmenter.next_segment()) is not None:
        found.append(segment.seal())
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

    segmenter = Segmenter(Endless(), segment_bytes=segment_bytes, sealing=PLAIN)
    tracemalloc.start()
    sizes = []
    while (segment := segmenter.next_segment()) is not None:
        sizes.append(len(segment.seal().body))
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert segmenter.dumped_bytes == total_bytes
    assert all(size <= segment_bytes + (2 << 20) for size in sizes)
    assert peak_bytes < 3 * segment_bytes + (4 << 20)
    assert len(sizes) == (
        5 if kind == "random" else 1
    )  # zstd holds back up to a mebibyte before it writes


@pytest.mark.parametrize("method", CompressionMethod)
@given(st.binary(max_size=3000), st.integers(1, 900))
def test_whatever_a_segment_is_compressed_by_it_is_read_by(method, data, size):
    level = 0 if method is CompressionMethod.NONE else 5
    sealing = Sealing(Compression(method, level), Encryptor(()))
    segmenter = Segmenter(io.BytesIO(data), segment_bytes=1 << 20, sealing=sealing)
    compressed = segmenter.next_segment()
    if compressed is None:
        assert data == b""
        return
    segment = compressed.seal()
    unpacker, read = unpacker_of(method, io.BytesIO(segment.body)), b""
    while chunk := read_unpacked(unpacker, size, "it"):
        assert len(chunk) <= size
        read += chunk
    assert read == data


@pytest.mark.parametrize("method", [CompressionMethod.ZSTD, CompressionMethod.GZIP])
def test_a_segment_that_is_cut_off_does_not_unpack(method):
    sealing = Sealing(Compression(method, 5), Encryptor(()))
    data = random.Random(3).randbytes(9000)
    compressed = Segmenter(io.BytesIO(data), segment_bytes=1 << 20, sealing=sealing).next_segment()
    assert compressed is not None
    segment = compressed.seal()
    unpacker, read = unpacker_of(method, io.BytesIO(segment.body[:-100])), b""
    with pytest.raises(Corrupt):
        while chunk := read_unpacked(unpacker, 100, "it"):
            read += chunk
        if len(read) < len(data):
            raise Corrupt("zstd gives what there is, and the checksum of the whole is short")


@pytest.mark.parametrize("threads", [2, 3])
def test_several_threads_make_one_frame_that_is_closed_near_its_size(threads):
    data = random.Random(5).randbytes(20 << 20)
    sealing = Sealing(Compression(CompressionMethod.ZSTD, 1), Encryptor(()), threads)
    segmenter = Segmenter(io.BytesIO(data), segment_bytes=6 << 20, sealing=sealing)
    bodies = []
    while (segment := segmenter.next_segment()) is not None:
        bodies.append(segment.seal())
    assert b"".join(unpack(each) for each in bodies) == data
    for each in bodies:
        assert len(each.body) <= (6 << 20) + (threads + 3) * (2 << 20)


def test_memory_is_given_up_while_a_segment_is_encrypted():
    identity = AgeIdentity.generate()
    pieces = [random.Random(number).randbytes(1 << 20) for number in range(8)]
    plain = b"".join(pieces)
    tracemalloc.start()
    sealed = Encryptor([identity.recipient]).seal(pieces)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert pieces == []
    assert decrypt(sealed.body, [identity], "it") == plain
    assert sealed.sha256 == hashlib.sha256(sealed.body).hexdigest()
    assert peak_bytes < 1.5 * len(plain)


def test_an_encrypted_segment_is_read_by_each_of_its_recipients_and_by_nobody_else():
    one, two, other = AgeIdentity.generate(), AgeIdentity.generate(), AgeIdentity.generate()
    encryptor = Encryptor([one.recipient, two.recipient])
    sealed = encryptor.encrypt(b"rows")
    assert b"rows" not in sealed
    assert [decrypt(sealed, [each], "it") for each in (one, two)] == [b"rows", b"rows"]
    assert decrypt(sealed, [other, two], "it") == b"rows"
    with pytest.raises(KeyMissing, match="none of the private keys"):
        decrypt(sealed, [other], "it")
    with pytest.raises(KeyMissing, match="no private key is here"):
        decrypt(sealed, [], "it")
    for damaged in (sealed[:-1], b"x" + sealed, sealed[:200] + b"x" + sealed[201:]):
        with pytest.raises(Corrupt):
            decrypt(damaged, [one], "it")
