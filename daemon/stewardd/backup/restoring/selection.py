"""Which entries of a dump belong to chosen schemas and tables.

pg_restore's own `--table` leaves a table's indexes, keys, triggers and sequences behind. Here an entry belongs to a
table when it says so by what it depends on; what the chosen entries need beyond that (types, functions, schemas) comes
along where they are restored into an empty database, and is there already where they are restored in place.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from stewardd.backup.restoring.table_of_contents import TocEntry
from stewardd.errors import InvalidRequest
from stewardd.postgres.dump_catalog import TableName

_TABLES = frozenset({"TABLE", "FOREIGN TABLE"})
_FOREIGN_KEY = "FK CONSTRAINT"
_LARGE_OBJECTS = frozenset({"BLOB", "BLOBS", "BLOB METADATA"})
_SEQUENCES = frozenset({"SEQUENCE", "SEQUENCE SET"})
# What may belong to a table; of other kinds, such as views, an entry only uses it.
_OF_A_TABLE = frozenset(
    {
        "TABLE DATA",
        "DEFAULT",
        "CHECK CONSTRAINT",
        "CONSTRAINT",
        "INDEX",
        "INDEX ATTACH",
        "TABLE ATTACH",
        "STATISTICS",
        "STATISTICS DATA",
        "TRIGGER",
        "RULE",
        "POLICY",
        "ROW SECURITY",
        "SEQUENCE",
        "SEQUENCE OWNED BY",
        "SEQUENCE SET",
        "COMMENT",
        "SECURITY LABEL",
        "ACL",
        _FOREIGN_KEY,
    }
)


@dataclass(frozen=True, slots=True)
class ChosenEntries:
    """Entries in the order of the dump. `left_out` are foreign keys to tables that are not among the chosen."""

    entries: tuple[TocEntry, ...]
    left_out: tuple[TocEntry, ...]

    @property
    def list_file(self) -> str:
        """What `pg_restore --use-list` reads."""
        return "".join(f"{each.list_line}\n" for each in self.entries)

    @property
    def files(self) -> frozenset[str]:
        """The files of a folder that hold the rows of these entries."""
        return frozenset(each.file for each in self.entries if each.file)

    @property
    def has_large_objects(self) -> bool:
        """Whether large objects are among them."""
        return any(each.kind in _LARGE_OBJECTS for each in self.entries)

    @property
    def tables(self) -> frozenset[TableName]:
        """The tables of which rows are restored."""
        return frozenset(
            TableName(each.schema, each.name) for each in self.entries if each.kind == "TABLE DATA"
        )


def choose_entries(
    entries: Sequence[TocEntry],
    *,
    schemas: Iterable[str] = (),
    tables: Iterable[TableName] = (),
    with_needs: bool,
) -> ChosenEntries:
    """The entries of the named schemas and tables; `with_needs` adds what they depend on.

    Raises: InvalidRequest for one that the dump does not have.
    """
    graph = _Graph(entries)
    wanted_schemas, wanted_tables = set(schemas), set(tables)
    _refuse_unknown(entries, wanted_schemas, wanted_tables)
    chosen = {
        each.number
        for each in entries
        if each.schema in wanted_schemas or (each.kind == "SCHEMA" and each.name in wanted_schemas)
    }
    roots = graph.relatives(
        {
            each.number
            for each in entries
            if each.kind in _TABLES and TableName(each.schema, each.name) in wanted_tables
        }
    )
    chosen |= graph.belonging(roots | graph.of_kinds(chosen, _TABLES | {"SCHEMA"}))
    left_out = {
        number
        for number in chosen
        if graph.by_number[number].kind == _FOREIGN_KEY and graph.tables_of(number) - chosen
    }
    chosen -= left_out
    if with_needs:
        chosen |= graph.needs(chosen)
        chosen |= graph.belonging(graph.of_kinds(chosen, frozenset({"SEQUENCE"})))
    in_order = tuple(each for each in entries if each.number in chosen)
    return ChosenEntries(in_order, tuple(each for each in entries if each.number in left_out))


def _refuse_unknown(entries: Sequence[TocEntry], schemas: set[str], tables: set[TableName]) -> None:
    there = {each.schema for each in entries} | {
        each.name for each in entries if each.kind == "SCHEMA"
    }
    for schema in sorted(schemas - there):
        raise InvalidRequest(f"the backup holds no schema {schema!r}", field="selection.schemas")
    named = {TableName(each.schema, each.name) for each in entries if each.kind in _TABLES}
    for table in sorted(tables - named, key=str):
        raise InvalidRequest(f"the backup holds no table {table}", field="selection.tables")


class _Graph:
    """What depends on what."""

    def __init__(self, entries: Sequence[TocEntry]) -> None:
        self.by_number = {each.number: each for each in entries}
        self._users: dict[int, list[int]] = defaultdict(list)
        for each in entries:
            for number in each.depends_on:
                self._users[number].append(each.number)

    def of_kinds(self, numbers: set[int], kinds: frozenset[str]) -> set[int]:
        """Those of the entries that are of some kinds."""
        return {each for each in numbers if self.by_number[each].kind in kinds}

    def relatives(self, tables: set[int]) -> set[int]:
        """The tables with their partitions, children and parents."""

        def are_tables(one: int, other: int) -> bool:
            return {self.by_number[one].kind, self.by_number[other].kind} <= _TABLES

        downwards = self._reached(
            tables, lambda one: [each for each in self._users[one] if are_tables(one, each)]
        )
        attached = self._reached(downwards, self._partitions)
        return self._reached(
            attached,
            lambda one: [
                each
                for each in self._known(self.by_number[one].depends_on)
                if are_tables(one, each)
            ],
        )

    def belonging(self, roots: set[int]) -> set[int]:
        """The roots, and every entry that belongs to one of them.

        A trigger or a default that only uses something of a root belongs to a table that is none of them. A foreign
        key belongs to both of its tables.
        """

        def belongs(number: int) -> bool:
            entry = self.by_number[number]
            tables = self.of_kinds(set(self._known(entry.depends_on)), _TABLES)
            return entry.kind == _FOREIGN_KEY or (entry.kind in _OF_A_TABLE and tables <= roots)

        found = self._reached(roots, lambda one: filter(belongs, self._users[one]))
        # A serial column's sequence stands by itself; that it is owned says the entry that depends on both.
        owned = {
            number
            for each in found
            if self.by_number[each].kind == "SEQUENCE OWNED BY"
            for number in self._known(self.by_number[each].depends_on)
            if self.by_number[number].kind in _SEQUENCES
        }
        new = owned - found
        return found | self.belonging(roots | new) if new else found

    def needs(self, chosen: set[int]) -> set[int]:
        """Everything on which the chosen entries depend."""
        return self._reached(chosen, lambda one: self._known(self.by_number[one].depends_on))

    def tables_of(self, number: int) -> set[int]:
        """The tables on which an entry depends, directly or through a key."""
        return {each for each in self.needs({number}) if self.by_number[each].kind in _TABLES}

    def _partitions(self, table: int) -> list[int]:
        """The other ends of the entries that attach a partition to a table, or the table to its parent."""
        return [
            each
            for user in self._users[table]
            if self.by_number[user].kind == "TABLE ATTACH"
            for each in self._known(self.by_number[user].depends_on)
        ]

    def _known(self, numbers: Iterable[int]) -> list[int]:
        return [each for each in numbers if each in self.by_number]

    @staticmethod
    def _reached(start: set[int], following: Callable[[int], Iterable[int]]) -> set[int]:
        found, waiting = set(start), list(start)
        while waiting:
            for each in following(waiting.pop()):
                if each not in found:
                    found.add(each)
                    waiting.append(each)
        return found
