"""Packing files into segments, against tarfile as the oracle."""

from __future__ import annotations

import hashlib
import io
import tarfile
import tempfile
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


@pytest.fixture(scope="module", autouse=True)
def small_pieces():
    """Pieces of a few bytes, so that small files are cut."""
    least, packing._LEAST_PIECE_BYTES = packing._LEAST_PIECE_BYTES, 100
    yield
    packing._LEAST_PIECE_BYTES = least


@settings(deadline=None)
@given(st.lists(st.binary(max_size=2000), max_size=8), st.integers(1, 1500))
def test_tar_unpacks_each_segment_and_the_pieces_join_to_the_files(bodies, segment_bytes):
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        files = {f"{number}.dat": body for number, body in enumerate(bodies)}
        for name, body in files.items():
            (folder / name).write_bytes(body)
        names = iter([*files, None])
        packer = Packer(folder, lambda: next(names), segment_bytes=segment_bytes, sealing=SEALING)
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
