"""The table of contents of a dump, as `pg_restore --list --verbose` prints it, and the choice of a part of it.

pg_restore's own --table leaves out the indexes, constraints and triggers of a table. Here all that depends on a chosen
table goes with it: the listing says of each entry on which others it depends.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from stewardd.errors import InvalidRequest
from stewardd.postgres.dump_catalog import TableName

_LINE = re.compile(r"(?P<id>\d+); \d+ \d+ (?P<said>.*)")
_DEPENDS = re.compile(r";\tdepends on: (?P<ids>[\d ]+)")
_TABLE_KINDS = ("TABLE", "FOREIGN TABLE", "VIEW", "MATERIALIZED VIEW", "SEQUENCE")
_DATA = "TABLE DATA"
_OF_BLOBS = ("BLOB METADATA", "BLOBS", "BLOB")
# pg_restore's kinds of entries, those of several words before their own beginnings.
_KINDS = tuple(
    sorted(
        (
            *("ACCESS METHOD", "ACL", "AGGREGATE", "BLOB", "BLOB METADATA", "BLOBS", "CAST", "CHECK CONSTRAINT"),
            *("COLLATION", "COMMENT", "CONSTRAINT", "CONVERSION", "DATABASE", "DATABASE PROPERTIES", "DEFAULT"),
            *("DEFAULT ACL", "DOMAIN", "ENCODING", "EVENT TRIGGER", "EXTENSION", "FK CONSTRAINT"),
            *("FOREIGN DATA WRAPPER", "FOREIGN TABLE", "FUNCTION", "INDEX", "INDEX ATTACH", "MATERIALIZED VIEW"),
            *("MATERIALIZED VIEW DATA", "OPERATOR", "OPERATOR CLASS", "OPERATOR FAMILY", "POLICY", "PROCEDURE"),
            *("PROCEDURAL LANGUAGE", "PUBLICATION", "PUBLICATION TABLE", "PUBLICATION TABLES IN SCHEMA"),
            "ROW SECURITY",
            *("RULE", "SCHEMA", "SEARCHPATH", "SECURITY LABEL", "SEQUENCE", "SEQUENCE OWNED BY", "SEQUENCE SET"),
            *("SERVER", "SHELL TYPE", "STATISTICS", "STATISTICS DATA", "STDSTRINGS", "SUBSCRIPTION"),
            *("SUBSCRIPTION TABLE", "TABLE", "TABLE ATTACH", "TABLE DATA", "TEXT SEARCH CONFIGURATION"),
            *("TEXT SEARCH DICTIONARY", "TEXT SEARCH PARSER", "TEXT SEARCH TEMPLATE", "TRANSFORM", "TRIGGER", "TYPE"),
            *("USER MAPPING", "VIEW"),
        ),
        key=len,
        reverse=True,
    )
)  # fmt: skip


@dataclass(slots=True)
class TocEntry:
    """One entry: its number, its kind, and what is said of it: `schema name owner`, with blanks as they are."""

    number: int
    kind: str
    said: str
    line: str
    depends_on: set[int] = field(default_factory=set)

    def is_of(self, schema: str) -> bool:
        """Whether it stands in a schema, or is it."""
        if self.kind == "SCHEMA":
            return self.said.startswith(f"- {schema} ")
        return self.said.startswith(f"{schema} ")

    def is_named(self, name: TableName) -> bool:
        """Whether it is called so."""
        return self.said.startswith(f"{name.schema} {name.name} ")


def read_toc(text: str) -> list[TocEntry]:
    """Reads a listing."""
    found: list[TocEntry] = []
    for line in text.splitlines():
        if found and (depends := _DEPENDS.match(line)):
            found[-1].depends_on |= {int(each) for each in depends["ids"].split()}
        elif entry := _LINE.match(line):
            kind = next((each for each in _KINDS if entry["said"].startswith(f"{each} ")), "")
            said = entry["said"][len(kind) + 1 :] if kind else entry["said"]
            found.append(TocEntry(int(entry["id"]), kind, said, line))
    return found


def choose_entries(
    entries: Sequence[TocEntry], schemas: Collection[str], tables: Collection[TableName]
) -> list[TocEntry]:
    """The entries of schemas and tables, in their order: a table with its rows, indexes, constraints and triggers.

    A foreign key goes with a table only where the table that it refers to is chosen too. Raises: InvalidRequest for
    what the dump does not hold.
    """
    chosen: set[int] = set()
    for schema in schemas:
        own = {each.number for each in entries if each.is_of(schema)}
        if not own:
            raise InvalidRequest(f"the backup holds no schema {schema!r}", field="schemas")
        chosen |= own
    roots = {each.number for table in tables for each in _roots(entries, table)}
    chosen |= _with_dependents(entries, roots)
    held = {each.number for each in entries if each.kind in _TABLE_KINDS}
    kept = (
        chosen
        if not roots
        else {
            each.number
            for each in entries
            if each.number in chosen and not (each.depends_on & held) - chosen
        }
    )
    return [each for each in entries if each.number in kept]


def data_files(entries: Iterable[TocEntry]) -> set[str]:
    """The files of a directory dump that hold the rows of entries, by their names; large objects are not among them."""
    return {f"{each.number}.dat" for each in entries if each.kind == _DATA}


def has_large_objects(entries: Iterable[TocEntry]) -> bool:
    """Whether large objects are among the entries."""
    return any(each.kind in _OF_BLOBS for each in entries)


def count_tables(entries: Iterable[TocEntry]) -> int:
    """How many tables of the entries have rows to restore."""
    return sum(each.kind == _DATA for each in entries)


def _roots(entries: Sequence[TocEntry], table: TableName) -> list[TocEntry]:
    """The entry of a table. A name with blanks may look like another one's and its owner: the shortest is meant."""
    found = [each for each in entries if each.kind in _TABLE_KINDS and each.is_named(table)]
    if not found:
        raise InvalidRequest(f"the backup holds no table {table}", field="tables")
    return [min(found, key=lambda each: len(each.said))]


def _with_dependents(entries: Sequence[TocEntry], roots: set[int]) -> set[int]:
    """Entries, and all that depend on them, save what is a table or a view of its own."""
    found = set(roots)
    while True:
        more = {
            each.number
            for each in entries
            if each.depends_on & found
            and (each.kind not in _TABLE_KINDS or each.kind == "SEQUENCE")
        } - found
        if not more:
            return found
        found |= more
