"""Packing files into segments, against tarfile as the oracle."""

from __future__ import annotations

import hashlib
import io
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from stewardd.backup.keys.encryption import Encryptor
from stewardd.backup.making import packing
from stewardd.backup.making.closed_files import watch_closed_files
from stewardd.backup.making.packing import Packer
from stewardd.backup.making.segments import Sealing
from stewardd.backup.manifest.backup import Compression, CompressionMethod

SEALING = Sealing(Compression(CompressionMethod.ZSTD, 1), Encryptor(()))


class Finished:
    """Files that nobody writes to any more."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names: list[str] | None = list(names)

    def take(self, *, wait: bool) -> list[str] | None:
        names, self._names = self._names, None
        return names

    def is_finished(self, name: str) -> bool:
        return True


class Growing:
    """Files that grow whenever somebody waits for them, a step of theirs each time, in turn; then they are finished."""

    def __init__(self, folder: Path, steps: dict[str, list[bytes]]) -> None:
        self._folder = folder
        self._steps = steps
        self._given: set[str] = set()
        self._finished: set[str] = set()

    def take(self, *, wait: bool) -> list[str] | None:
        new = [name for name in self._steps if name not in self._given]
        self._given.update(new)
        for name in new:
            (self._folder / name).touch()
        if wait:
            for name in self._steps.keys() - self._finished:
                if self._steps[name]:
                    with (self._folder / name).open("ab") as stream:
                        stream.write(self._steps[name].pop(0))
                else:
                    self._finished.add(name)
        return None if self._finished == self._steps.keys() and not new else new

    def is_finished(self, name: str) -> bool:
        return name in self._finished


@pytest.fixture(scope="module", autouse=True)
def small_pieces():
    """Pieces of a few bytes, so that small files are cut."""
    least = packing._LEAST_PIECE_BYTES, packing._LEAST_GROWN_BYTES
    packing._LEAST_PIECE_BYTES, packing._LEAST_GROWN_BYTES = 100, 50
    yield
    packing._LEAST_PIECE_BYTES, packing._LEAST_GROWN_BYTES = least


@settings(deadline=None)
@given(st.lists(st.binary(max_size=2000), max_size=8), st.integers(1, 1500))
def test_tar_unpacks_each_segment_and_the_pieces_join_to_the_files(bodies, segment_bytes):
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        files = {f"{number}.dat": body for number, body in enumerate(bodies)}
        for name, body in files.items():
            (folder / name).write_bytes(body)
        packer = Packer(folder, Finished(files), segment_bytes=segment_bytes, sealing=SEALING)
        unpacked: dict[str, bytes] = {}
        plains: list[bytes] = []
        while (segment := packer.next_segment()) is not None:
            assert segment.number == len(plains)
            body = segment.seal().body
            reader = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(body))
            plains.append(reader.read())
            with tarfile.open(fileobj=io.BytesIO(plains[-1])) as archive:
                for member in archive:
                    stream = archive.extractfile(member)
                    assert stream is not None
                    assert member.name not in unpacked
                    unpacked[member.name] = stream.read()
        assert list(folder.iterdir()) == []
    assert [each.name for each in packer.files] == list(files)
    assert packer.dumped_tables == len(files)
    assert packer.dumped_bytes == sum(map(len, bodies))
    for file in packer.files:
        body = files[file.name]
        cut = [
            plains[each.segment][each.offset : each.offset + each.size_bytes]
            for each in file.pieces
        ]
        assert b"".join(cut) == body
        assert file.sha256 == hashlib.sha256(body).hexdigest()
        pieces = [unpacked[name] for name in sorted(unpacked) if name.startswith(f"{file.name}.")]
        assert (b"".join(pieces) if pieces else unpacked[file.name]) == body


@settings(deadline=None)
@given(st.lists(st.lists(st.binary(max_size=300), max_size=6), max_size=4), st.integers(1, 1500))
def test_files_that_grow_while_they_are_packed_come_out_whole(grown, segment_bytes):
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        files = {f"{number}.dat": b"".join(steps) for number, steps in enumerate(grown)}
        source = Growing(
            folder, {f"{number}.dat": list(steps) for number, steps in enumerate(grown)}
        )
        packer = Packer(folder, source, segment_bytes=segment_bytes, sealing=SEALING)
        plains = []
        while (segment := packer.next_segment()) is not None:
            body = segment.seal().body
            plains.append(zstandard.ZstdDecompressor().stream_reader(io.BytesIO(body)).read())
        assert list(folder.iterdir()) == []
    assert sorted(each.name for each in packer.files) == sorted(files)
    for file in packer.files:
        cut = [
            plains[each.segment][each.offset : each.offset + each.size_bytes]
            for each in file.pieces
        ]
        assert b"".join(cut) == files[file.name]
        assert (file.size_bytes, file.sha256) == (
            len(files[file.name]),
            hashlib.sha256(files[file.name]).hexdigest(),
        )


def test_a_dump_that_ends_before_its_files_are_finished_leaves_them(folder):
    class Failed(Finished):
        def is_finished(self, name: str) -> bool:
            return False

    (folder / "1.dat").write_bytes(b"x" * 10)
    packer = Packer(folder, Failed(["1.dat"]), segment_bytes=1000, sealing=SEALING)
    assert packer.next_segment() is None
    packer.close()
    assert packer.files == ()


def test_thousands_of_finished_files_are_open_one_at_a_time(folder):
    names = [f"{number}.dat" for number in range(3000)]
    for name in names:
        (folder / name).write_bytes(b"x")
    packer = Packer(folder, Finished(names), segment_bytes=1 << 20, sealing=SEALING)
    while packer.next_segment() is not None:
        assert len(packer._open) <= 1
    assert len(packer.files) == 3000


def test_only_files_that_were_closed_are_told_of(folder):
    with watch_closed_files(folder) as closed:
        held = (folder / "held").open("wb")
        held.write(b"x")
        held.flush()
        (folder / "done").write_bytes(b"x")
        assert closed.names() == ["done"]
        held.close()
        assert closed.names() == ["held"]
        assert closed.names() == []
