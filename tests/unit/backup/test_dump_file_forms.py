"""What a dump file is, by its bytes: forms, compressions, and what is refused by its name."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
from collections.abc import AsyncIterator

import pytest
import zstandard
from stewardd.backup.dump_files.form import form_of, packing_of
from stewardd.backup.dump_files.look import open_dump
from stewardd.backup.dump_files.tar import TarMembers
from stewardd.backup.dump_files.unpacking import unpacked
from stewardd.backup.restoring.documents import FileForm, Packing
from stewardd.errors import DumpUnreadable

TEXT = b"--\n-- PostgreSQL database dump\n--\n\nSET statement_timeout = 0;\n"
MIXED = random.Random(7).randbytes(70_000) + b"a" * 1_200_000


async def chunks_of(data: bytes, size: int = 1 << 16) -> AsyncIterator[bytes]:
    for place in range(0, len(data), size):
        yield data[place : place + size]


async def whole(data: bytes, packing: Packing, size: int = 1 << 16) -> bytes:
    return b"".join([chunk async for chunk in unpacked(chunks_of(data, size), packing)])


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


@pytest.mark.parametrize(
    ("head", "form"),
    [
        (TEXT, FileForm.SQL),
        (b"\xef\xbb\xbf" + TEXT, FileForm.SQL),
        (b"/* of\nmine */ create table t (a int);", FileForm.SQL),
        (b"\\restrict abc\n", FileForm.SQL),
        (b"-- a comment " * 6000, FileForm.SQL),
        (b"PGDMP\x01\x10\x00", FileForm.CUSTOM),
        (bytes(257) + b"ustar\x0000" + bytes(247), FileForm.TAR),
    ],
    ids=["plain", "byte-order-mark", "comment", "restricted", "long-comment", "custom", "tar"],
)
def test_a_form_is_recognised_by_its_bytes(head, form):
    assert form_of(head) is form


@pytest.mark.parametrize(
    ("head", "why"),
    [
        (b"", "holds nothing"),
        (b"BZh91AY", "compressed with bzip2"),
        (b"\xfd7zXZ\x00\x00", "compressed with xz"),
        (b"\x04\x22\x4d\x18", "compressed with lz4"),
        (b"PK\x03\x04", "a zip archive"),
        (b"age-encryption.org/v1\n", "encrypted with age"),
        (gzip.compress(TEXT), "compressed twice"),
        ("SELECT 1;".encode("utf-16"), "UTF-16, as PowerShell"),
        (b"-- MySQL dump 10.13\n", "a dump of MySQL"),
        (b"/*!40101 SET NAMES utf8 */;", "a dump of MySQL"),
        (b"--\n-- PostgreSQL database cluster dump\n--\n", "pg_dumpall"),
        (b"id,name\n1,x\n", "does not begin with a statement"),
        (b"<html></html>", "does not begin with a statement"),
        (b"\x7fELF\0\0", "neither an archive nor text"),
    ],
    ids=[
        "nothing", "bzip2", "xz", "lz4", "zip", "age", "twice", "utf-16", "mysqldump", "mysql-comment", "pg_dumpall",
        "csv", "html", "binary",
    ],
)  # fmt: skip
def test_what_is_no_dump_is_refused_by_its_name(head, why):
    with pytest.raises(DumpUnreadable, match=why):
        form_of(head)


@pytest.mark.parametrize("size", [1, 1000, 1 << 20])
@pytest.mark.parametrize(
    ("packing", "packed"),
    [
        (Packing.NONE, MIXED),
        (Packing.GZIP, gzip.compress(MIXED, mtime=0)),
        (Packing.GZIP, gzip.compress(MIXED[:50], mtime=0) + gzip.compress(MIXED[50:], mtime=0)),
        (Packing.GZIP, gzip.compress(MIXED, mtime=0) + bytes(700)),
        (Packing.ZSTD, zstd(MIXED)),
        (
            Packing.ZSTD,
            zstd(MIXED[:70_001]) + b"\x50\x2a\x4d\x18\x02\0\0\0xx" + zstd(MIXED[70_001:]),
        ),
    ],
    ids=["none", "gzip", "two-members", "padded", "zstd", "two-frames"],
)
async def test_a_file_unpacks_to_what_was_packed(packing, packed, size):
    if size == 1:  # a piece of it, byte by byte
        packed = packed[:300]
        if packing is not Packing.NONE:
            with pytest.raises(DumpUnreadable, match="cut off"):
                await whole(packed, packing, size)
            return
        assert await whole(packed, packing, size) == packed
        return
    assert packing_of(packed) is packing
    assert await whole(packed, packing, size) == MIXED


@pytest.mark.parametrize("pack", [gzip.compress, zstd], ids=["gzip", "zstd"])
async def test_what_is_cut_off_or_damaged_is_found(pack):
    packed = pack(MIXED)
    packing = packing_of(packed)
    for end in (20, len(packed) // 2, len(packed) - 1):
        with pytest.raises(DumpUnreadable, match="cut off"):
            await whole(packed[:end], packing)
    for place in (len(packed) // 2, len(packed) - 6):
        damaged = bytearray(packed)
        damaged[place] ^= 0x10
        with pytest.raises(DumpUnreadable, match=r"damaged|cut off"):
            await whole(bytes(damaged), packing)
    with pytest.raises(DumpUnreadable, match="damaged"):
        await whole(packed + b"rubbish", packing)


async def test_a_bomb_is_unpacked_in_pieces():
    bomb = zstd(bytes(100_000_000))
    largest = total = 0
    async for piece in unpacked(chunks_of(bomb), Packing.ZSTD):
        largest, total = max(largest, len(piece)), total + len(piece)
    assert total == 100_000_000
    assert largest <= 64 << 20


async def test_an_empty_file_is_refused():
    with pytest.raises(DumpUnreadable, match="the file is empty"):
        await open_dump(chunks_of(b""))


def tar_of(files: dict[str, bytes], form: int = tarfile.PAX_FORMAT, **changes: object) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=form) as archive:
        for name, body in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            for key, value in changes.items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(body))
    return made.getvalue()


def members_of(data: bytes, size: int) -> dict[str, bytes]:
    members = TarMembers()
    found: dict[str, bytes] = {}
    for place in range(0, len(data), size):
        for member, piece in members.feed(data[place : place + size]):
            found[member.name] = found.get(member.name, b"") + piece
    members.finish()
    return found


FILES = {
    "toc.dat": b"toc",
    "3321.dat": bytes(range(256)) * 5,
    "3322.dat.gz": b"",
    "blobs.toc": b"1 blob_1.dat\n",
}


@pytest.mark.parametrize("size", [1, 511, 1 << 16])
@pytest.mark.parametrize(
    "form",
    [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT],
    ids=["ustar", "gnu", "pax"],
)
def test_the_members_of_a_tar_archive_are_read_whatever_wrote_it(form, size):
    assert members_of(tar_of(FILES, form), size) == FILES
    below = {f"{'d' * 70}/{'e' * 60}/{name}": body for name, body in FILES.items()}
    assert members_of(tar_of(below, form), size) == FILES
    beside = {"toc.dat": b"toc", "restore.sql": b"\\! ls", "._toc.dat": b"x"}
    assert members_of(tar_of(beside, form), size) == {"toc.dat": b"toc"}


@pytest.mark.parametrize(
    ("files", "changes", "why"),
    [
        ({"toc.dat": b"", "../../etc/passwd": b""}, {}, "member that no dump has"),
        ({"toc.dat": b"", "/etc/1.dat": b""}, {}, "more than one folder"),
        ({"toc.dat": b"", "b/1.dat": b""}, {}, "more than one folder"),
        (
            {"toc.dat": b""},
            {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"},
            "member that no dump has",
        ),
        ({"toc.dat": b""}, {"type": tarfile.CHRTYPE}, "member that no dump has"),
        ({"1.dat": b""}, {}, "has no toc.dat"),
        ({"photo.jpg": b""}, {}, "member that no dump has"),
    ],
    ids=["upwards", "root", "two-folders", "link", "device", "no-table", "other"],
)
def test_a_tar_archive_of_other_things_is_refused(files, changes, why):
    with pytest.raises(DumpUnreadable, match=why):
        members_of(tar_of(files, **changes), 1 << 16)


def test_a_tar_archive_that_is_cut_off_or_has_a_file_twice_is_refused():
    whole_archive = tar_of(FILES)
    for end in (300, 700, 1500):
        with pytest.raises(DumpUnreadable, match="cut off"):
            members_of(whole_archive[:end], 1 << 16)
    with pytest.raises(DumpUnreadable, match="twice"):
        members_of(tar_of({"toc.dat": b"1"})[:1024] + tar_of({"toc.dat": b"2"}), 1 << 16)
