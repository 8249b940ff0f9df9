"""The entity-relationship diagram of a database as Mermaid draws it, grouped by area; a pure function.

One end of a line says how many rows of the parent a row has: exactly one, or none or one if the key may be empty. The
other end says how many rows the parent has: any number, or none or one if the key is unique. Personal data are marked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from stewardd.migrations.areas import Area
from stewardd.postgres.catalogue.entities import Entity, EntityColumn, EntityConstraint

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NOT_IN_A_TYPE = re.compile(r"[^A-Za-z0-9_(),\[\]-]+")
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_]+")
_COLOURS = ("#e8f0fe", "#e6f4ea", "#fef7e0", "#fce8e6", "#f3e8fd", "#e4f7fb", "#f1f3f4")


def mermaid(areas: Sequence[Area]) -> str:
    """The whole diagram; an area has a comment, and its tables a colour of their own."""
    lines = ["erDiagram"]
    for place, area in enumerate(areas):
        lines += [f"    %% {area.title}", *(f"    {line}" for line in _area(area, place))]
    entities = [entity for area in areas for entity in area.entities]
    lines += [f"    {line}" for line in _relationships(entities)]
    lines += [
        f"    classDef area{place} fill:{_COLOURS[place % len(_COLOURS)]},stroke:#5f6368"
        for place in range(len(areas))
    ]
    return "\n".join(lines) + "\n"


def _area(area: Area, place: int) -> Iterator[str]:
    for entity in area.entities:
        identifier = _identifier(entity.name)
        label = "" if identifier == entity.name else f'["{_quotable(entity.name)}"]'
        yield f"{identifier}{label}:::area{place} {{"
        for column in entity.columns:
            yield f"    {_column(entity, column)}"
        yield "}"


def _column(entity: Entity, column: EntityColumn) -> str:
    keys = [
        word
        for word, kind in (("PK", "p"), ("FK", "f"), ("UK", "u"))
        if any(_is_key(constraint, column.name) for constraint in entity.of_kind(kind))
    ]
    parts = [
        _NOT_IN_A_TYPE.sub("_", column.type),
        _NOT_IN_A_NAME.sub("_", column.name),
        ", ".join(keys),
    ]
    notes = ["PII"] if column.is_pii else []
    notes += ["not null"] if column.not_null and "PK" not in keys else []
    if notes:
        parts.append(f'"{", ".join(notes)}"')
    return " ".join(part for part in parts if part)


def _is_key(constraint: EntityConstraint, column: str) -> bool:
    """Of a unique constraint of several columns none is unique by itself."""
    if constraint.kind == "u":
        return constraint.columns == (column,)
    return column in constraint.columns


def _relationships(entities: Sequence[Entity]) -> Iterator[str]:
    shown = {entity.name for entity in entities}
    for entity in entities:
        not_null = {column.name for column in entity.columns if column.not_null}
        for key in entity.of_kind("f"):
            if key.target not in shown:
                continue
            parent = "||" if set(key.columns) <= not_null else "|o"
            child = "o|" if entity.is_unique(key.columns) else "o{"
            label = _quotable(", ".join(key.columns))
            yield (
                f'{_identifier(key.target)} {parent}--{child} {_identifier(entity.name)} : "{label}"'
            )


def _identifier(name: str) -> str:
    """A name that Mermaid takes without quotes. Two names that are alike but for their signs get different ones."""
    if _PLAIN.fullmatch(name):
        return name
    signs = "".join(f"{ord(each):x}" for each in _NOT_IN_A_NAME.findall(name) for each in each)
    return f"t_{_NOT_IN_A_NAME.sub('_', name)}_{signs}"


def _quotable(text: str) -> str:
    """A text in double quotes, in which Mermaid takes neither these nor HTML."""
    return text.replace('"', "'").replace("<", "#lt;").replace(">", "#gt;")
