"""The members of a tar archive, read as a stream: what `pg_dump --format=tar` writes, or `tar` of a folder of pg_dump.

Both have the same members: a tar archive of pg_dump is its folder in one file. Nothing is written by the name of a
member: only plain files with names that pg_dump gives are taken, all from one folder of the archive.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from stewardd.errors import DumpUnreadable

TABLE_OF_CONTENTS = "toc.dat"
LARGE_OBJECTS = re.compile(r"blobs(?:_\d+)?\.toc")
DATA_FILE = re.compile(r"(?:\d+|blob_\d+)\.dat")
_BLOCK = 512
PACKED = (".gz", ".lz4", ".zst")
_NAME = re.compile(
    rf"(?:{DATA_FILE.pattern}|{LARGE_OBJECTS.pattern})(?:\.gz|\.lz4|\.zst)?|{re.escape(TABLE_OF_CONTENTS)}"
)
_SCRIPT = "restore.sql"  # what pg_dump writes beside it for people
_FOLDER = b"5"
_PLAIN = (b"0", b"\0", b"7")
_LONG_NAME, _EXTENDED, _GLOBAL = b"L", b"x", b"g"
_LONGEST_EXTENSION = 1 << 20
_EXTENDED_RECORD = re.compile(rb"\d+ (path|size)=([^\n]*)\n")


@dataclass(frozen=True, slots=True)
class TarMember:
    """A file of the dump."""

    name: str
    size_bytes: int


class TarMembers:
    """Takes an archive in pieces of any size."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._member: TarMember | None = None
        self._left = 0  # bytes of the present member that are still to come
        self._padding = 0
        self._folder: str | None = None
        self._extended: dict[bytes, bytes] = {}
        self._seen: set[str] = set()
        self._is_ended = False

    def feed(self, data: bytes) -> Iterator[tuple[TarMember, bytes]]:
        """Yields members with pieces of what they hold, each at first with an empty piece. Raises: DumpUnreadable."""
        self._buffer += data
        while not self._is_ended:
            if self._left:
                piece = bytes(self._buffer[: self._left])
                if not piece:
                    return
                del self._buffer[: len(piece)]
                self._left -= len(piece)
                if self._member is not None:
                    yield self._member, piece
                continue
            if len(self._buffer) < self._padding + _BLOCK:
                return
            del self._buffer[: self._padding]
            self._padding = 0
            header = bytes(self._buffer[:_BLOCK])
            if not any(header):
                self._is_ended = True
                return
            if not self._open(header):
                return
            if self._member is not None:
                yield self._member, b""

    def finish(self) -> None:
        """Says that the archive has ended. Raises: DumpUnreadable where it is cut off, or is no dump."""
        if self._left or (not self._is_ended and len(self._buffer) > self._padding):
            raise DumpUnreadable("the tar archive is cut off", hint="have the file sent again")
        if TABLE_OF_CONTENTS not in self._seen:
            raise DumpUnreadable(
                f"the tar archive is no dump of pg_dump: it has no {TABLE_OF_CONTENTS}"
            )
        if not self._is_ended:
            raise DumpUnreadable("the tar archive is cut off", hint="have the file sent again")

    def _open(self, header: bytes) -> bool:
        """Reads a header; returns whether it could: an extension needs all of its bytes."""
        kind = header[156:157]
        size = _number(header[124:136])
        if kind in (_LONG_NAME, _EXTENDED, _GLOBAL):
            return self._read_extension(kind, size)
        del self._buffer[:_BLOCK]
        name = self._extended.pop(b"path", None) or _name(header)
        size = _whole(self._extended.pop(b"size", b"%d" % size))
        self._extended.clear()
        self._left = size
        self._padding = -size % _BLOCK
        self._member = self._accepted(name.decode(errors="replace"), kind, size)
        return True

    def _read_extension(self, kind: bytes, size: int) -> bool:
        if size > _LONGEST_EXTENSION:
            raise DumpUnreadable("the tar archive has a header of more than a mebibyte")
        whole = _BLOCK + size + (-size % _BLOCK)
        if len(self._buffer) < whole:
            return False
        body = bytes(self._buffer[_BLOCK : _BLOCK + size])
        del self._buffer[:whole]
        self._member = None
        if kind == _LONG_NAME:
            self._extended[b"path"] = body.rstrip(b"\0")
        elif kind == _EXTENDED:
            self._extended |= dict(_EXTENDED_RECORD.findall(body))
        return True

    def _accepted(self, path: str, kind: bytes, size: int) -> TarMember | None:
        """The member that a header begins; None for a folder, and for what is passed over."""
        if kind == _FOLDER:
            return None
        folder, _, name = path.removeprefix("./").rpartition("/")
        if name == _SCRIPT or name.startswith("._"):  # macOS puts the latter beside each file
            return None
        if kind not in _PLAIN or not _NAME.fullmatch(name):
            raise DumpUnreadable(f"the tar archive has a member that no dump has: {path[:200]!r}")
        if self._folder not in (None, folder):
            raise DumpUnreadable("the tar archive has files of more than one folder")
        if name in self._seen:
            raise DumpUnreadable(f"the tar archive has {name!r} twice")
        self._folder = folder
        self._seen.add(name)
        return TarMember(name, size)


def _name(header: bytes) -> bytes:
    name = header[:100].split(b"\0", 1)[0]
    # Before ustar's prefix stands its magic with a NUL; GNU's own format has other things there.
    prefix = header[345:500].split(b"\0", 1)[0] if header[257:263] == b"ustar\0" else b""
    return prefix + b"/" + name if prefix else name


def _number(field: bytes) -> int:
    """A size: octal digits, or binary where the first bit is set (GNU, for 8 GiB and more)."""
    if field[0] & 0x80:
        return int.from_bytes(field, "big") & ~(0x80 << (8 * (len(field) - 1)))
    return _whole(field.strip(b" \0") or b"0", 8)


def _whole(digits: bytes, base: int = 10) -> int:
    try:
        return abs(int(digits, base))
    except ValueError:
        raise DumpUnreadable("the tar archive is damaged: a size in it is no number") from None
