"""The SQL that would bring a database from what was found to what is wanted, difference by difference; pure functions.

What no single statement can mend (the position of a column, a label that an enumeration has too many) gives none. A
whole script removes before it makes, dependent objects first. Nothing here runs it: a person reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from stewardd.postgres.catalogue import statements as sql
from stewardd.postgres.catalogue.change import PropertyChange
from stewardd.postgres.catalogue.column_changes import column_change
from stewardd.postgres.catalogue.comparing import CatalogueDifference
from stewardd.postgres.catalogue.identifiers import literal
from stewardd.postgres.catalogue.reading import DatabaseCatalogue

RankedStatement = tuple[int, str]
"""A statement with its place in a whole script."""

_ORDER = (
    *("schema", "extension", "object", "type", "sequence", "function", "table", "column", "constraint", "index"),
    *("view", "trigger", "rule", "policy", "statistics", "event trigger", "default grants"),
)  # fmt: skip
_LAST = len(_ORDER) + 1
_MADE_ANEW = {
    ("view", "definition"),
    ("view", "kind"),
    ("index", "definition"),
    ("trigger", "definition"),
    ("rule", "definition"),
    ("statistics", "definition"),
    *(("policy", each) for each in ("command", "permissive", "using", "check", "roles")),
    *(("event trigger", each) for each in ("event", "function", "tags")),
}
_SWITCHES: dict[str, dict[Any, str]] = {
    "persistence": {"p": "SET LOGGED", "u": "SET UNLOGGED"},
    "row security": {True: "ENABLE ROW LEVEL SECURITY", False: "DISABLE ROW LEVEL SECURITY"},
    "forced row security": {
        True: "FORCE ROW LEVEL SECURITY",
        False: "NO FORCE ROW LEVEL SECURITY",
    },
    "replica identity": {
        "d": "REPLICA IDENTITY DEFAULT",
        "f": "REPLICA IDENTITY FULL",
        "n": "REPLICA IDENTITY NOTHING",
    },
}


def in_order(statements: Iterable[RankedStatement]) -> list[str]:
    """The statements of many differences as one script: each once, in an order that can be run."""
    return list(dict.fromkeys(text for _, text in sorted(statements, key=lambda each: each[0])))


def mend(
    difference: CatalogueDifference, wanted: DatabaseCatalogue, found: DatabaseCatalogue
) -> list[RankedStatement]:
    """The statements that mend one difference between two catalogues."""
    kind, name = difference.kind, difference.name
    rank = 1 + _ORDER.index(kind)
    if difference.wanted is None:
        is_removed_with_another = _comes_with_another(found, kind, name)
        return [] if is_removed_with_another else _ranked(-rank, sql.removed(found, kind, name))
    if difference.found is None:
        if _comes_with_another(wanted, kind, name):
            return []
        owner = wanted.objects[kind, name].get("owned by") if kind == "sequence" else None
        owning = [f"ALTER SEQUENCE {name} OWNED BY {owner}"] if owner else []
        return _ranked(rank, sql.made(wanted, kind, name)) + _ranked(_LAST, owning)
    key = (kind, name)
    change = PropertyChange(
        kind, name, difference.property, found.objects[key], wanted.objects[key], found, wanted
    )
    return list(_change(change, rank))


def _ranked(rank: int, texts: Sequence[str]) -> list[RankedStatement]:
    return [(rank, text) for text in texts]


def _comes_with_another(catalogue: DatabaseCatalogue, kind: str, name: str) -> bool:
    """Whether an object is made and removed by another one: an index by its constraint, a sequence by its column."""
    if kind == "index":
        return sql.is_of_a_constraint(catalogue, name)
    return kind == "sequence" and sql.is_of_an_identity(catalogue, name)


def _change(change: PropertyChange, rank: int) -> Iterator[RankedStatement]:
    kind, name, wanted = change.kind, change.name, change.wanted_catalogue
    if (kind, change.changed) in _MADE_ANEW:
        if not _comes_with_another(wanted, kind, name):
            yield from _anew(change, rank)
    elif change.changed == "comment":
        yield rank, sql.comment(wanted, kind, name, change.value)
    elif change.changed == "grants":
        granted = sql.grants(wanted, kind, name, change.found.get("grants"), change.value)
        yield from _ranked(rank, granted)
    elif change.changed == "enabled" and kind in ("trigger", "rule"):
        yield rank, sql.enabling(kind, name, change.value)
    elif change.changed == "options" and kind in ("table", "view"):
        word = sql.word_of(wanted, kind, name)
        yield from ((rank, f"ALTER {word} {name} {words}") for words in change.options())
    elif kind in _WAYS:
        yield from _WAYS[kind](change, rank)


def _anew(change: PropertyChange, rank: int) -> Iterator[RankedStatement]:
    yield from _ranked(-rank, sql.removed(change.found_catalogue, change.kind, change.name))
    yield from _ranked(rank, sql.made(change.wanted_catalogue, change.kind, change.name))


def _extension(change: PropertyChange, rank: int) -> Iterator[RankedStatement]:
    is_version = change.changed == "version"
    word = f"UPDATE TO {literal(change.value)}" if is_version else f"SET SCHEMA {change.value}"
    yield rank, f"ALTER EXTENSION {change.name} {word}"


def _table(change: PropertyChange, rank: int) -> Iterator[RankedStatement]:
    if change.changed in _SWITCHES:
        if (word := _SWITCHES[change.changed].get(change.value)) is not None:
            yield rank, f"ALTER TABLE {change.name} {word}"
    elif change.changed == "access method" and change.value:
        yield rank, f"ALTER TABLE {change.name} SET ACCESS METHOD {change.value}"
    elif change.changed in ("parents", "partition bound"):
        yield from _ancestry(change, rank)


def _ancestry(change: PropertyChange, rank: int) -> Iterator[RankedStatement]:
    """Out of the parents that a table should not have, and into those that it should."""
    name, found, wanted = change.name, change.found, change.wanted
    for parent in found.get("parents") or ():
        if found.get("partition bound"):
            yield -rank, f"ALTER TABLE {parent} DETACH PARTITION {name}"
        elif parent not in (wanted.get("parents") or ()):
            yield -rank, f"ALTER TABLE {name} NO INHERIT {parent}"
    for parent in wanted.get("parents") or ():
        if wanted.get("partition bound"):
            yield rank, f"ALTER TABLE {parent} ATTACH PARTITION {name} {wanted['partition bound']}"
        elif parent not in (found.get("parents") or ()):
            yield rank, f"ALTER TABLE {name} INHERIT {parent}"


def _constraint(change: PropertyChange, rank: int) -> Iterator[RankedStatement]:
    if change.changed == "enabled":
        word = "ENABLE" if change.value else "DISABLE"
        yield rank, f"ALTER TABLE {change.owner} {word} TRIGGER ALL"
    elif change.changed in ("definition", "valid"):
        unvalidated = change.found["definition"].removesuffix(" NOT VALID")
        if change.wanted["valid"] and unvalidated == change.wanted["definition"]:
            word = "DOMAIN" if change.is_of_a_type else "TABLE"
            yield rank, f"ALTER {word} {change.owner} VALIDATE CONSTRAINT {change.part}"
        else:
            yield from _anew(change, rank)


def _index(change: PropertyChange, rank: int) -> Iterator[RankedStatement]:
    index = sql.index_name(change.name)
    if change.changed in ("valid", "ready") and change.wanted["valid"]:
        yield rank, f"REINDEX INDEX {index}"
    elif change.changed == "clustered":
        word = f"CLUSTER ON {change.part}" if change.value else "SET WITHOUT CLUSTER"
        yield rank, f"ALTER TABLE {change.owner} {word}"
    elif change.changed == "replica identity" and change.value:
        yield rank, f"ALTER TABLE {change.owner} REPLICA IDENTITY USING INDEX {change.part}"
    elif change.changed == "parents" and change.value:
        yield rank, f"ALTER INDEX {change.value[0]} ATTACH PARTITION {index}"


def _sequence(change: PropertyChange, rank: int) -> Iterator[RankedStatement]:
    if change.changed == "owned by":
        yield _LAST, f"ALTER SEQUENCE {change.name} OWNED BY {change.value or 'NONE'}"
    else:
        yield rank, f"ALTER SEQUENCE {change.name} {sql.sequence_options(change.wanted)}"


def _function(change: PropertyChange, rank: int) -> Iterator[RankedStatement]:
    if change.wanted.get("definition"):
        yield rank, change.wanted["definition"].strip()


def _type(change: PropertyChange, rank: int) -> Iterator[RankedStatement]:
    if change.changed == "labels":
        yield from ((rank, text) for text in _labels(change))
    elif change.wanted["kind"] == "d" and change.changed == "not null":
        yield rank, f"ALTER DOMAIN {change.name} {'SET' if change.value else 'DROP'} NOT NULL"
    elif change.wanted["kind"] == "d" and change.changed == "default":
        word = "DROP DEFAULT" if change.value is None else f"SET DEFAULT {change.value}"
        yield rank, f"ALTER DOMAIN {change.name} {word}"


def _labels(change: PropertyChange) -> Iterator[str]:
    """Adds the labels that are missing, each behind the one before it. A label cannot be removed."""
    has, wants = list(change.found["labels"] or ()), list(change.value or ())
    first = f" BEFORE {literal(has[0])}" if has else ""
    for place, label in enumerate(wants):
        if label not in has:
            where = f" AFTER {literal(wants[place - 1])}" if place else first
            yield f"ALTER TYPE {change.name} ADD VALUE {literal(label)}{where}"


def _statistics(change: PropertyChange, rank: int) -> Iterator[RankedStatement]:
    if change.changed == "target":
        yield rank, f"ALTER STATISTICS {change.name} SET STATISTICS {change.value}"


_WAYS: dict[str, Callable[[PropertyChange, int], Iterator[RankedStatement]]] = {
    "extension": _extension,
    "table": _table,
    "column": column_change,
    "constraint": _constraint,
    "index": _index,
    "sequence": _sequence,
    "function": _function,
    "type": _type,
    "statistics": _statistics,
}
