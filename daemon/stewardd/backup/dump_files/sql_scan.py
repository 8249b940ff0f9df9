"""Reads a plain dump once, without running it: which server and pg_dump it is of, which roles and extensions it needs.

It reads by lines, as pg_dump writes them, and passes over the rows of COPY. It is no parser of SQL and nothing of the
safety rests on it: what it does not see, the server or psql refuses later. It says early what would stop the restore
late, such as a role that is missing in the last line of a long dump.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from stewardd.backup.dump_files.form import BYTE_ORDER_MARK
from stewardd.backup.dump_files.left_out_lines import NEWER_SETTING
from stewardd.errors import DumpUnreadable

_LONGEST_LINE = 64 * 1024  # of a line; what follows cannot be one of those that are looked for
_NAME = rb'(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)'
_OWNER = re.compile(rb"ALTER [A-Z][A-Z ]+ .+ OWNER TO (" + _NAME + rb");")
_GRANT = re.compile(
    rb"(?:GRANT .+ ON .+ TO|REVOKE .+ ON .+ FROM) (" + _NAME + rb")(?: WITH GRANT OPTION)?;"
)
_DEFAULT_GRANT = re.compile(
    rb"ALTER DEFAULT PRIVILEGES FOR ROLE ("
    + _NAME
    + rb") .*(?:GRANT|REVOKE) .+ (?:TO|FROM) ("
    + _NAME
    + rb")(?: WITH GRANT OPTION)?;"
)
_EXTENSION = re.compile(rb"CREATE EXTENSION (?:IF NOT EXISTS )?(" + _NAME + rb")[ ;]")
_ENCODING = re.compile(rb"SET client_encoding = '([^']*)';")
_SERVER_VERSION = re.compile(rb"-- Dumped from database version (\S+)")
_TOOL_VERSION = re.compile(rb"-- Dumped by pg_dump version (\S+)")
_OWN_KEY = re.compile(rb"\\restrict ([A-Za-z0-9]{1,200})")
_TABLE = re.compile(rb"-- (?:Data for )?Name: .*; Type: TABLE DATA; Schema: ")
_TRANSACTION = re.compile(
    rb"(?:BEGIN|COMMIT|START TRANSACTION)\b[^;]*;|VACUUM\b|CREATE TABLESPACE\b|"
    rb"(?:CREATE|DROP|REINDEX)\b.*\bCONCURRENTLY\b",
    re.IGNORECASE,
)
_CREATES_DATABASE = re.compile(rb"\s*(?:CREATE DATABASE\b|\\c(?:onnect)?\b)", re.IGNORECASE)
_HEAD_STATEMENT = re.compile(rb"(?:SET|SELECT pg_catalog\.set_config\(|\\restrict|\\unrestrict)")
_BODY = re.compile(rb"\b(?:AS|DO) (\$(?:[A-Za-z_][A-Za-z0-9_]*)?\$)")
_BEGINNING = b"-- PostgreSQL database dump"
_END = b"-- PostgreSQL database dump complete"
_CLUSTER = b"-- PostgreSQL database cluster dump"
_COPY_END = b"\n\\."
_PUBLIC = frozenset({b"public", b"current_user", b"current_role", b"session_user"})


@dataclass(slots=True)
class SqlFacts:
    r"""What a plain dump says of itself; "" is what it does not say.

    `own_key` is the key of its own `\restrict`. `fits_transaction` says that no line begins or ends a transaction, or
    needs to stand outside of one. `is_whole` is None where pg_dump did not write it: nothing marks its end then.
    """

    server_version: str = ""
    tool_version: str = ""
    encoding: str = ""
    own_key: str = ""
    roles: set[str] = field(default_factory=set)
    extensions: set[str] = field(default_factory=set)
    tables: int = 0
    fits_transaction: bool = True
    sets_newer_setting: bool = False
    is_whole: bool | None = None


class SqlScan:
    """Takes a dump in pieces of any size; `facts` are complete when `finish` was called."""

    def __init__(self) -> None:
        self.facts = SqlFacts()
        self._rest = b""
        self._is_long = False  # the rest of a line that was looked at already is passed over
        self._is_first = True
        self._in_copy = False
        self._in_head = True
        self._body = b""  # the dollar quote in which a function's body stands

    def feed(self, data: bytes) -> None:
        """Takes the next bytes. Raises: DumpUnreadable for a dump of several databases, or one that makes its own."""
        if self._is_first:
            data = data.removeprefix(BYTE_ORDER_MARK)
            self._is_first = False
        data = self._rest + data
        place = 0
        while place < len(data):
            if self._in_copy:
                end = _end_of_rows(data, place)
                if end is None:
                    last = data.rfind(b"\n", place)
                    may_end = last >= 0 and len(data) - last <= len(_COPY_END) + 1
                    place = (
                        last if may_end else len(data)
                    )  # what may be a part of the last line stays
                    break
                self._in_copy, place = False, end
            end = data.find(b"\n", place)
            if end < 0:
                break
            if not self._is_long:
                self._line(data[place:end])
            self._is_long = False
            # Rows are searched from the line end before them.
            place = end + (0 if self._in_copy else 1)
        self._rest = data[place:]
        if not self._in_copy and len(self._rest) > _LONGEST_LINE:
            if not self._is_long:
                self._line(self._rest[:_LONGEST_LINE])
            self._is_long, self._rest = True, b""

    def finish(self) -> SqlFacts:
        """Says that the dump has ended. Raises: DumpUnreadable where the end that pg_dump writes is missing."""
        if self._rest and not self._in_copy and not self._is_long:
            self._line(self._rest)
        if self.facts.is_whole is False or self._in_copy:
            raise DumpUnreadable(
                "the file is cut off: the line with which pg_dump ends a dump is missing",
                hint="have the file sent again",
            )
        return self.facts

    def _line(self, line: bytes) -> None:
        line = line.removesuffix(b"\r")
        if line.startswith(b"--"):
            self._comment(line)
            return
        if line.startswith(b"COPY ") and line.endswith(b" FROM stdin;"):
            self._in_copy = True
            self.facts.tables += self.facts.is_whole is None
            self._in_head = False
            return
        is_in_body = self._body != b""
        if b"$" in line:
            self._body = _body_behind(self._body, line)
        if is_in_body:
            return
        if self._in_head and line.strip():
            self._head_line(line)
        self._statement(line)

    def _statement(self, line: bytes) -> None:
        first = line[:1]
        if first == b"C":
            if found := _EXTENSION.match(line):
                self.facts.extensions.add(_unquoted(found[1]))
        elif first in (b"A", b"G", b"R"):
            self._roles(line)
        elif first == b"S" and (found := _ENCODING.match(line)):
            self.facts.encoding = found[1].decode(errors="replace")
        if first in _TRANSACTION_LETTERS and _TRANSACTION.match(line):
            self.facts.fits_transaction = False

    def _comment(self, line: bytes) -> None:
        facts = self.facts
        if line.startswith(_CLUSTER):
            raise DumpUnreadable(
                "the file is a dump of a whole server (pg_dumpall)",
                hint="have one database dumped by pg_dump, or restore the file by hand on a server of its own",
            )
        if line.startswith(_END):
            facts.is_whole = True
        elif line.startswith(_BEGINNING):
            facts.is_whole = False
        elif _TABLE.match(line):
            facts.tables += 1
        elif found := _SERVER_VERSION.match(line):
            facts.server_version = found[1].decode(errors="replace")
        elif found := _TOOL_VERSION.match(line):
            facts.tool_version = found[1].decode(errors="replace")

    def _head_line(self, line: bytes) -> None:
        """Looks at a line before the first statement that makes something."""
        if _CREATES_DATABASE.match(line):
            raise DumpUnreadable(
                "the dump creates its database and connects to it (pg_dump --create): it would go into a database of "
                "its own choice",
                hint="have it dumped without --create, or as an archive: pg_dump --format=custom",
            )
        if line == NEWER_SETTING:
            self.facts.sets_newer_setting = True
        if not self.facts.own_key and (found := _OWN_KEY.fullmatch(line)):
            self.facts.own_key = found[1].decode()
        self._in_head = _HEAD_STATEMENT.match(line) is not None or line.startswith(
            (b"DROP DATABASE", b"ALTER DATABASE")
        )

    def _roles(self, line: bytes) -> None:
        for pattern in (_OWNER, _GRANT, _DEFAULT_GRANT):
            if found := pattern.match(line):
                names = {_unquoted(name) for name in found.groups() if name.lower() not in _PUBLIC}
                self.facts.roles |= names


def _body_behind(body: bytes, line: bytes) -> bytes:
    """The dollar quote in which the line behind this one stands; b"" in none."""
    if body:
        return b"" if line.count(body) % 2 else body
    begun = _BODY.search(line)
    return begun[1] if begun and line.count(begun[1]) % 2 else b""


def _end_of_rows(data: bytes, place: int) -> int | None:
    """Where the line behind the rows begins; None where the rows do not end here. `place` is at a line end."""
    while (found := data.find(_COPY_END, place)) >= 0:
        end = data.find(b"\n", found + len(_COPY_END))
        if end < 0:
            return None
        if data[found + len(_COPY_END) : end].strip(b"\r") == b"":
            return end + 1
        place = found + len(_COPY_END)
    return None


_TRANSACTION_LETTERS = frozenset(bytes([each]) for each in b"BbCcSsVvDdRr")


def _unquoted(name: bytes) -> str:
    try:
        text = name.decode()
    except UnicodeDecodeError:
        text = name.decode("latin-1")  # most often it is that, and no text is lost
    return text[1:-1].replace('""', '"') if text.startswith('"') else text.lower()
