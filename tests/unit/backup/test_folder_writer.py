"""Writing the files of a dump out of its segments: pieces in any order, damage, a full disk, and a stop."""

from __future__ import annotations

import hashlib
import io
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stewardd.backup.manifest.contents import DumpFile, Piece
from stewardd.backup.reading.folder_writer import FilePart, FolderWriter
from stewardd.backup.reading.segment import OpenedSegment
from stewardd.errors import Corrupt, StorageFull

MIB = 1 << 20


@contextmanager
def writing(folder: Path, *files: DumpFile) -> Iterator[FolderWriter]:
    writer = FolderWriter(folder, files, lambda _: None)
    try:
        yield writer
    finally:
        writer.close()


def segment(body: bytes) -> OpenedSegment:
    return OpenedSegment(io.BytesIO(body), "segment-000000 of a backup")


def file_of(name: str, body: bytes, *pieces: Piece) -> DumpFile:
    return DumpFile(name, len(body), hashlib.sha256(body).hexdigest(), pieces)


def whole(name: str, body: bytes, offset: int = 0) -> tuple[DumpFile, FilePart]:
    file = file_of(name, body, Piece(0, offset, len(body)))
    return file, FilePart(file, file.pieces[0], 0)


def hashing_threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "hashing"]


@settings(max_examples=20)
@given(st.lists(st.integers(1, 3 * MIB // 2), min_size=1, max_size=6), st.randoms())
def test_files_between_other_bytes_are_written_and_hashed_whatever_chunks_they_cross(
    tmp_path_factory, sizes, chance
):
    body, found = b"", []
    for number, size in enumerate(sizes):
        body += b"x" * chance.choice([0, 512, 100_000])
        data = random.Random(number).randbytes(size)
        found.append((data, *whole(f"{number}.dat", data, len(body))))
        body += data
    folder = tmp_path_factory.mktemp("written")
    with writing(folder, *(file for _, file, _ in found)) as writer:
        writer.write(segment(body), [part for *_, part in found])
        assert writer.damaged(file for _, file, _ in found) is None
        for data, file, _ in found:
            assert (folder / file.name).read_bytes() == data
    assert hashing_threads() == []


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["in order", "the end first"])
def test_a_file_is_hashed_whichever_of_its_pieces_comes_first(tmp_path, order):
    body = random.Random(1).randbytes(3 * MIB)
    pieces = Piece(0, 0, MIB + 7), Piece(1, 0, 2 * MIB - 7)
    file = file_of("1.dat", body, *pieces)
    bodies, offsets = (body[: MIB + 7], body[MIB + 7 :]), (0, MIB + 7)
    with writing(tmp_path, file) as writer:
        for each in order:
            writer.write(segment(bodies[each]), [FilePart(file, pieces[each], offsets[each])])
        assert writer.damaged([file]) is None
    assert (tmp_path / "1.dat").read_bytes() == body


def test_a_file_with_other_bytes_or_too_few_is_not_what_was_dumped(tmp_path):
    (one, first), (two, second) = whole("1.dat", b"rows"), whole("2.dat", b"more", 4)
    empty = file_of("3.dat", b"")
    with writing(tmp_path, one, two, empty) as writer:
        writer.write(segment(b"rowsmorX"), [first, second])
        assert [writer.damaged([each]) for each in (one, two, empty)] == [None, two, None]
    assert (tmp_path / "3.dat").read_bytes() == b""


def test_a_segment_that_ends_too_early_is_corrupt(tmp_path):
    file, part = whole("1.dat", b"rows" * 1000)
    with writing(tmp_path, file) as writer, pytest.raises(Corrupt, match="segment-000000"):
        writer.write(segment(b"rows" * 999), [part])


def test_a_disk_without_room_is_named_and_leaves_no_thread(tmp_path):
    (tmp_path / "1.dat").symlink_to("/dev/full")
    file, part = whole("1.dat", b"rows")
    with writing(tmp_path, file) as writer, pytest.raises(StorageFull, match="no room to unpack"):
        writer.write(segment(b"rows"), [part])
    assert hashing_threads() == []


def test_a_writing_that_is_stopped_ends_in_the_middle_of_its_segment(tmp_path):
    body = bytes(8 * MIB)
    file, part = whole("1.dat", body)
    seen: list[int] = []

    def stop(size_bytes: int) -> None:
        seen.append(size_bytes)
        writer.stop()

    writer = FolderWriter(tmp_path, [file], stop)
    writer.write(segment(body), [part])
    writer.close()
    assert seen == [MIB]
    assert hashing_threads() == []
