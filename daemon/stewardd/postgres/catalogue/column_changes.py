"""What ALTER TABLE takes to bring one property of a column to what is wanted; one function a property."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from stewardd.postgres.catalogue import statements as sql
from stewardd.postgres.catalogue.change import PropertyChange

_IDENTITIES = {"a": "ALWAYS", "d": "BY DEFAULT"}
_STORAGES = {"p": "PLAIN", "e": "EXTERNAL", "m": "MAIN", "x": "EXTENDED"}
_COMPRESSIONS = {"": "default", "p": "pglz", "l": "lz4"}
_FIRST_SETTING_DEFAULT_STORAGE = 16
_FIRST_SETTING_EXPRESSION = 17


def column_change(change: PropertyChange, rank: int) -> Iterator[tuple[int, str]]:
    """The statements for one property of a column of a table or a composite type."""
    target = f"ALTER TABLE {change.owner}"
    if change.is_of_a_type:
        if change.changed in ("type", "collation"):
            yield (
                rank,
                f"ALTER TYPE {change.owner} ALTER ATTRIBUTE {change.part} TYPE {_type(change)}",
            )
    elif ("table", change.owner) in change.wanted_catalogue.objects:
        if change.changed == "generated" and not _is_alterable(change):
            yield -rank, f"{target} DROP COLUMN {change.part}"
            made = sql.made(change.wanted_catalogue, "column", change.name)
            yield from ((rank, text) for text in made)
        elif change.changed in _WAYS:
            yield from ((rank, f"{target} {text}") for text in _WAYS[change.changed](change))


def _type(change: PropertyChange) -> str:
    collation = change.wanted.get("collation")
    return f"{change.wanted['type']} COLLATE {collation}" if collation else change.wanted["type"]


def _is_alterable(change: PropertyChange) -> bool:
    """Whether a generated column can be changed in place."""
    if not change.value:
        return str(change.found["generated"]).startswith("s ")
    is_generated = bool(change.found.get("generated"))
    return is_generated and change.found_catalogue.major >= _FIRST_SETTING_EXPRESSION


def _retype(change: PropertyChange) -> Iterator[str]:
    cast = f"{change.part}::{change.wanted['type']}"
    yield f"ALTER COLUMN {change.part} TYPE {_type(change)} USING {cast}"


def _not_null(change: PropertyChange) -> Iterator[str]:
    if change.value == "not valid":
        yield f"ADD NOT NULL {change.part} NOT VALID"
    else:
        yield f"ALTER COLUMN {change.part} {'SET' if change.value else 'DROP'} NOT NULL"


def _default(change: PropertyChange) -> Iterator[str]:
    word = "DROP DEFAULT" if change.value is None else f"SET DEFAULT {change.value}"
    yield f"ALTER COLUMN {change.part} {word}"


def _generated(change: PropertyChange) -> Iterator[str]:
    expression = str(change.value or "").partition(" ")[2]
    word = f"SET EXPRESSION AS ({expression})" if expression else "DROP EXPRESSION"
    yield f"ALTER COLUMN {change.part} {word}"


def _identity(change: PropertyChange) -> Iterator[str]:
    if not change.value:
        yield f"ALTER COLUMN {change.part} DROP IDENTITY"
    elif change.found["identity"]:
        yield f"ALTER COLUMN {change.part} SET GENERATED {_IDENTITIES[change.value]}"
    else:
        how = _IDENTITIES[change.value]
        yield f"ALTER COLUMN {change.part} ADD GENERATED {how} AS IDENTITY"


def _statistics(change: PropertyChange) -> Iterator[str]:
    yield f"ALTER COLUMN {change.part} SET STATISTICS {change.value}"


def _storage(change: PropertyChange) -> Iterator[str]:
    usual = "MAIN" if change.wanted["type"].startswith("numeric") else "EXTENDED"
    knows_default = change.found_catalogue.major >= _FIRST_SETTING_DEFAULT_STORAGE
    word = _STORAGES.get(change.value, "DEFAULT" if knows_default else usual)
    yield f"ALTER COLUMN {change.part} SET STORAGE {word}"


def _compression(change: PropertyChange) -> Iterator[str]:
    yield f"ALTER COLUMN {change.part} SET COMPRESSION {_COMPRESSIONS[change.value]}"


def _options(change: PropertyChange) -> Iterator[str]:
    yield from (f"ALTER COLUMN {change.part} {words}" for words in change.options())


_WAYS: dict[str, Callable[[PropertyChange], Iterator[str]]] = {
    "type": _retype,
    "collation": _retype,
    "not null": _not_null,
    "default": _default,
    "generated": _generated,
    "identity": _identity,
    "statistics": _statistics,
    "storage": _storage,
    "compression": _compression,
    "options": _options,
}
