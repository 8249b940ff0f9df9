"""What a file is, by its first bytes and never by its name: how it is compressed, and which form of dump it has.

What people hand in instead of a dump of one database is refused by its name: other compressions, dumps of MySQL, text
that a Windows shell has written as UTF-16, tables of data.
"""

from __future__ import annotations

import re

from stewardd.backup.restoring.documents import FileForm, Packing
from stewardd.backup.restoring.table_of_contents import MAGIC
from stewardd.errors import DumpUnreadable

HEAD_BYTES = 64 * 1024
"""So much of the beginning is enough to say what a file is."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_TAR_MAGIC_PLACE = 257
_TAR_MAGIC = b"ustar"
_OTHERS = (
    (b"BZh", "compressed with bzip2"),
    (b"\xfd7zXZ\x00", "compressed with xz"),
    (b"\x04\x22\x4d\x18", "compressed with lz4"),
    (b"PK\x03\x04", "a zip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"age-encryption.org/", "encrypted with age"),
    (b"-----BEGIN AGE", "encrypted with age"),
    (b"-----BEGIN PGP", "encrypted with PGP"),
    (b"Salted__", "encrypted with openssl"),
    (b"SQLite format 3", "a database of SQLite"),
    (b"\xff\xfe", "text in UTF-16, as PowerShell writes it"),
    (b"\xfe\xff", "text in UTF-16"),
)
_OTHER_TEXTS = (
    (re.compile(rb"\s*-- (MySQL|MariaDB) dump"), "a dump of MySQL"),
    (re.compile(rb"\s*/\*[!M]"), "a dump of MySQL"),
    (
        re.compile(rb"(?:--[^\n]*\n|\s)*?-- PostgreSQL database cluster dump"),
        "a dump of a whole server (pg_dumpall)",
    ),
)
_COMMENTS = re.compile(rb"(?:\s+|--[^\n]*(?:\n|$)|/\*.*?\*/)*", re.DOTALL)
_FIRST_WORDS = frozenset(
    b"ALTER ANALYZE BEGIN CALL COMMENT COMMIT COPY CREATE DELETE DO DROP END GRANT INSERT LOCK MERGE REFRESH REINDEX "
    b"RESET REVOKE SECURITY SELECT SET START TRUNCATE UPDATE VACUUM VALUES WITH".split()
)
_WORD = re.compile(rb"[A-Za-z]+")
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")


def packing_of(head: bytes) -> Packing:
    """How a file with these first bytes is compressed. Raises: DumpUnreadable for an empty file."""
    if not head:
        raise DumpUnreadable("the file is empty")
    if head.startswith(_GZIP):
        return Packing.GZIP
    if head.startswith(_ZSTD) or _ZSTD_SKIPPABLE.match(head):
        return Packing.ZSTD
    return Packing.NONE


def form_of(head: bytes) -> FileForm:
    """The form of a dump with these first bytes, unpacked. Raises: DumpUnreadable, naming what it is instead."""
    if not head:
        raise DumpUnreadable("the file holds nothing")
    if head.startswith(MAGIC):
        return FileForm.CUSTOM
    if head[_TAR_MAGIC_PLACE:].startswith(_TAR_MAGIC):
        return FileForm.TAR
    for beginning, what in _OTHERS:
        if head.startswith(beginning):
            raise DumpUnreadable(f"the file is no dump of PostgreSQL: it is {what}")
    if packing_of(head) is not Packing.NONE:
        raise DumpUnreadable("the file is compressed twice", hint="unpack it once")
    if b"\0" in head:
        raise DumpUnreadable("the file is no dump of PostgreSQL: it is neither an archive nor text")
    _check_text(head.removeprefix(BYTE_ORDER_MARK))
    return FileForm.SQL


def _check_text(head: bytes) -> None:
    for pattern, what in _OTHER_TEXTS:
        if pattern.match(head):
            raise DumpUnreadable(f"the file is no dump of one database: it is {what}")
    comments = _COMMENTS.match(head)
    rest = head[comments.end() :] if comments else head
    word = _WORD.match(rest)
    if rest.startswith(b"\\") or (word and word[0].upper() in _FIRST_WORDS):
        return
    if not rest and len(head) >= HEAD_BYTES:
        return  # a long comment; the server reads the rest
    raise DumpUnreadable(
        "the file is no dump of PostgreSQL: its text does not begin with a statement of SQL"
    )
