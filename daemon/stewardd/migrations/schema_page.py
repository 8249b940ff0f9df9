"""The tables of a database in Markdown, beside the diagram: columns by area, constraints, indexes; a pure function."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from stewardd.migrations.areas import Area
from stewardd.postgres.catalogue.entities import Entity, EntityIndex

_KINDS = {
    "p": "primary key",
    "u": "unique",
    "f": "foreign key",
    "c": "check",
    "x": "exclusion",
}


def markdown(areas: Sequence[Area]) -> str:
    """The tables by area, then all constraints, then all indexes."""
    lines: list[str] = []
    for area in areas:
        made = f" (migration {area.migration})" if area.migration else ""
        lines += [f"## {area.title}{made}", ""]
        for entity in area.entities:
            lines += [f"### {_text(entity.name)}", "", *_about(entity)]
    entities = [entity for area in areas for entity in area.entities]
    lines += ["## Constraints", "", *_table(("table", "constraint", "kind", "definition"))]
    lines += _rows(_constraints(entities))
    lines += [
        "",
        "## Indexes",
        "",
        *_table(("table", "index", "columns", "kind", "only rows where")),
    ]
    lines += _rows(_indexes(entities))
    return "\n".join(lines) + "\n"


def _about(entity: Entity) -> Iterator[str]:
    if entity.comment:
        yield from (_sentence(entity.comment), "")
    yield from _table(("column", "type", "not null", "default", "personal data", "meaning"))
    yield from _rows(
        (
            _code(column.name),
            _code(column.type),
            "yes" if column.not_null else "",
            _code(column.default),
            "PII" if column.is_pii else "",
            _text(column.comment),
        )
        for column in entity.columns
    )
    yield ""


def _constraints(entities: Sequence[Entity]) -> Iterator[tuple[str, ...]]:
    for entity in entities:
        for each in entity.constraints:
            yield (
                _code(entity.name),
                _code(each.name),
                _KINDS[each.kind],
                _code(each.definition),
            )


def _indexes(entities: Sequence[Entity]) -> Iterator[tuple[str, ...]]:
    for entity in entities:
        for index in entity.indexes:
            yield (
                _code(entity.name),
                _code(index.name),
                _code(", ".join(index.keys))
                + (f" with {_code(', '.join(index.included))}" if index.included else ""),
                _kind(index),
                _code(index.condition),
            )


def _kind(index: EntityIndex) -> str:
    words = [
        "primary key" if index.is_primary else "unique" if index.is_unique else "",
        index.method,
    ]
    return ", ".join(word for word in [*words, "" if index.is_valid else "invalid"] if word)


def _table(titles: Sequence[str]) -> Iterator[str]:
    yield f"| {' | '.join(titles)} |"
    yield f"|{' --- |' * len(titles)}"


def _rows(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield from (
        f"| {' | '.join(row)} |".replace("|  |", "| |").replace("|  |", "| |") for row in rows
    )


def _sentence(text: str) -> str:
    """A comment as a sentence: it begins with a capital and ends with a full stop."""
    said = _text(text)
    return f"{said[:1].upper()}{said[1:]}{'' if said.endswith('.') else '.'}"


def _code(text: str) -> str:
    """What SQL says, in a cell of a table."""
    if not text:
        return ""
    one_line = " ".join(text.split()).replace("|", "\\|")
    return f"`` {one_line} ``" if "`" in one_line else f"`{one_line}`"


def _text(text: str) -> str:
    """What a person wrote, so that it is neither a mark of Markdown nor HTML."""
    one_line = " ".join(text.split())
    for sign in "\\`*<>[]|":
        one_line = one_line.replace(sign, f"\\{sign}")
    return one_line
