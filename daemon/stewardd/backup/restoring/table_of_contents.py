"""The table of contents of a pg_dump archive: who owns what, which statements grant rights, which files hold rows.

It stands at the beginning of the form `custom`, and is the file `toc.dat` of the form `directory`. Reading it tells
which roles a restore needs and which entries belong to a table, before pg_restore is started. pg_restore can't put one
role in the place of another, so `with_roles` writes the table anew. Known are the versions 1.14 to 1.16 of the format,
those of PostgreSQL 12 to 18 (pg_backup_archiver.c: ReadHead, ReadToc).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stewardd.errors import Corrupt

MAGIC = b"PGDMP"
_KNOWN = (14, 15, 16)
_COMPRESSION_IS_NAMED_FROM = 15
_RELATION_KIND_FROM = 16
_CUSTOM, _DIRECTORY = (
    1,
    3,
)  # a folder says that it is a tar archive, whose table of contents is the same
_TIME_FIELDS = 7
_MOST_ENTRIES = 10_000_000


@dataclass(frozen=True, slots=True)
class TocEntry:
    """An entry: `kind` is pg_dump's word, such as TABLE DATA; `schema` and `owner` are "" where there is none.

    `definition` are its statements; `depends_on` are numbers of other entries; `file` holds its rows in a folder.
    """

    number: int
    table_oid: int
    oid: int
    name: str
    kind: str
    schema: str
    owner: str
    definition: str
    depends_on: tuple[int, ...]
    file: str

    @property
    def list_line(self) -> str:
        """The line by which `pg_restore --use-list` takes the entry: its number is all that counts."""
        return f"{self.number}; {self.table_oid} {self.oid} {self.kind.replace(chr(10), ' ')}"


@dataclass(frozen=True, slots=True)
class TableOfContents:
    """What an archive says of itself. `size_bytes` is how long the head with the table is.

    `server_version` and `tool_version` are those of the server that was dumped and of its pg_dump.
    """

    database: str
    server_version: str
    tool_version: str
    entries: tuple[TocEntry, ...]
    size_bytes: int


def read_table_of_contents(data: bytes) -> TableOfContents:
    """Reads the head of an archive. Raises: NeedMore where the bytes end too early, Corrupt."""
    return _Walk(data, lambda owner: owner, lambda _, definition: definition).run()


def with_roles(
    data: bytes,
    role: Callable[[str], str],
    definition: Callable[[str, str], str],
) -> bytes:
    """Returns the archive's bytes with other roles: `role` gives the owner, `definition` an entry's statements.

    `definition` is called with the kind of an entry. What follows the table stays as it is: it has no offset of the
    table's in it where the archive was written to a pipe or a folder. Raises: NeedMore, Corrupt.
    """
    walk = _Walk(data, role, definition)
    found = walk.run()
    return b"".join(walk.written) + data[found.size_bytes :]


class NeedMore(Exception):
    """The bytes end before the table of contents does."""


class _Walk:
    """Goes through the head once. `written` is what it went through, with the roles that the caller gives."""

    def __init__(
        self, data: bytes, role: Callable[[str], str], definition: Callable[[str, str], str]
    ) -> None:
        self._data = data
        self._role = role
        self._definition = definition
        self._place = 0
        self._int_bytes = 4
        self._offset_bytes = 8
        self._minor = 0
        self._format = 0
        self.written: list[bytes] = []

    def run(self) -> TableOfContents:
        """Reads it all."""
        if self._take(len(MAGIC)) != MAGIC:
            raise Corrupt("the dump is no archive of pg_dump")
        major, self._minor, _ = self._take(3)
        if major != 1 or self._minor not in _KNOWN:
            raise Corrupt(f"the dump is an archive of the version {major}.{self._minor}")
        self._int_bytes, self._offset_bytes, self._format = self._take(3)
        if not 2 <= self._int_bytes <= 8 or not 2 <= self._offset_bytes <= 8:
            raise Corrupt("the dump has numbers of an impossible size")
        if self._format not in (_CUSTOM, _DIRECTORY):
            raise Corrupt(f"the dump is of the form number {self._format}")
        if self._minor >= _COMPRESSION_IS_NAMED_FROM:
            self._take(1)
        else:
            self._number()
        for _ in range(_TIME_FIELDS):
            self._number()
        database = self._text()
        server_version, tool_version = self._text(), self._text()
        count = self._number()
        if not 0 <= count <= _MOST_ENTRIES:
            raise Corrupt(f"the dump has {count} entries")
        entries = tuple(self._entry() for _ in range(count))
        return TableOfContents(database, server_version, tool_version, entries, self._place)

    def _entry(self) -> TocEntry:
        number = self._number()
        self._number()  # whether a function dumped its rows
        table_oid, oid = self._oid(), self._oid()
        name, kind = self._text(), self._text()
        self._number()  # the section
        definition = self._changed_text(lambda text: self._definition(kind, text))
        self._text()  # the statement that drops it
        self._text()  # the COPY statement
        schema = self._text()
        self._text()  # tablespace
        self._text()  # access method
        if self._minor >= _RELATION_KIND_FROM:
            self._number()
        owner = self._changed_text(lambda text: self._role(text) if text else text)
        self._text()  # "false": once it said whether rows had oids
        depends_on = []
        while (each := self._text_or_none()) is not None:
            depends_on.append(_whole(each))
        file = ""
        if self._format == _CUSTOM:
            self._take(1 + self._offset_bytes)
        else:
            file = self._text()
        return TocEntry(
            number, table_oid, oid, name, kind, schema, owner, definition, tuple(depends_on), file
        )

    def _take(self, size: int) -> bytes:
        found = self._data[self._place : self._place + size]
        if len(found) < size:
            raise NeedMore
        self._place += size
        self.written.append(found)
        return found

    def _number(self) -> int:
        found = self._take(1 + self._int_bytes)
        value = int.from_bytes(found[1:], "little")
        return -value if found[0] else value

    def _oid(self) -> int:
        return _whole(self._text() or "0")

    def _text(self) -> str:
        return self._text_or_none() or ""

    def _text_or_none(self) -> str | None:
        size = self._number()
        return None if size < 0 else _decoded(self._take(size))

    def _changed_text(self, change: Callable[[str], str]) -> str:
        """Reads a text, and writes another one in its place."""
        before = len(self.written)
        size = self._number()
        if size < 0:
            return ""
        found = _decoded(self._take(size))
        changed = change(found)
        if changed != found:
            body = changed.encode("utf-8", "surrogateescape")
            head = b"\0" + len(body).to_bytes(self._int_bytes, "little")
            self.written[before:] = [head, body]
        return found


def _decoded(body: bytes) -> str:
    return body.decode("utf-8", "surrogateescape")


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise Corrupt("the dump names what is no entry of it")
    return int(text)
