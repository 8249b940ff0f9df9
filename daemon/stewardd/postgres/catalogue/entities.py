"""The tables of a database as a diagram shows them: columns, keys, constraints and indexes, from pg_catalog.

Partitions stand for their parent, and are left out. What an extension or steward made is left out as well. Personal
data are what a column's comment marks: it begins with `[PII]`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from stewardd.postgres.connect import Connection
from stewardd.postgres.migrating.failures import told

_PII = "[PII]"
_ORDER = re.compile(r"( DESC)?( NULLS (FIRST|LAST))?$")
_SHORT_TYPES = (
    ("character varying", "varchar"),
    ("timestamp with time zone", "timestamptz"),
    ("timestamp without time zone", "timestamp"),
    ("time without time zone", "time"),
    ("double precision", "float8"),
)
_ENTITIES = """
SELECT s.nspname, c.relname, obj_description(c.oid, 'pg_class'),
  (SELECT coalesce(jsonb_agg(jsonb_build_array(a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
     pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum), a.attidentity, a.attgenerated)
     ORDER BY a.attnum), '[]')
   FROM pg_attribute AS a LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
   WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
  (SELECT coalesce(jsonb_agg(jsonb_build_array(k.conname, k.contype, pg_get_constraintdef(k.oid, true),
     (SELECT jsonb_agg(attname ORDER BY place) FROM unnest(k.conkey) WITH ORDINALITY AS key (number, place)
      JOIN pg_attribute ON attrelid = k.conrelid AND attnum = number),
     (SELECT jsonb_build_array(ts.nspname, t.relname) FROM pg_class AS t JOIN pg_namespace AS ts
      ON ts.oid = t.relnamespace WHERE t.oid = k.confrelid)) ORDER BY k.contype, k.conname), '[]')
   FROM pg_constraint AS k WHERE k.conrelid = c.oid AND k.contype IN ('p', 'u', 'f', 'c', 'x') AND k.conparentid = 0),
  (SELECT coalesce(jsonb_agg(jsonb_build_array(x.relname, i.indisunique, i.indisprimary, i.indisvalid, am.amname,
     (SELECT jsonb_agg(pg_get_indexdef(i.indexrelid, place, true)
      || CASE i.indoption[place - 1] & 3 WHEN 1 THEN ' DESC NULLS LAST' WHEN 2 THEN ' NULLS FIRST' WHEN 3 THEN ' DESC'
         ELSE '' END ORDER BY place)
      FROM generate_series(1, i.indnkeyatts) AS place),
     (SELECT jsonb_agg(pg_get_indexdef(i.indexrelid, place, true) ORDER BY place)
      FROM generate_series(i.indnkeyatts + 1, i.indnatts) AS place),
     pg_get_expr(i.indpred, i.indrelid, true)) ORDER BY x.relname), '[]')
   FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid JOIN pg_am AS am ON am.oid = x.relam
   WHERE i.indrelid = c.oid)
FROM pg_class AS c JOIN pg_namespace AS s ON s.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f') AND NOT c.relispartition
  AND s.nspname !~ '^pg_' AND s.nspname NOT IN ('information_schema', 'steward')
  AND NOT EXISTS (SELECT FROM pg_depend AS made WHERE made.classid = 'pg_class'::regclass AND made.objid = c.oid
    AND made.deptype = 'e')
ORDER BY s.nspname <> 'public', s.nspname, c.relname
"""


@dataclass(frozen=True, slots=True)
class EntityColumn:
    """A column; `default` is its expression, or what makes its value."""

    name: str
    type: str
    not_null: bool
    default: str
    comment: str
    is_pii: bool


@dataclass(frozen=True, slots=True)
class EntityConstraint:
    """A constraint; `kind` is p, u, f, c or x as pg_constraint has it, `target` the table that a foreign key names."""

    name: str
    kind: str
    definition: str
    columns: tuple[str, ...]
    target: str


@dataclass(frozen=True, slots=True)
class EntityIndex:
    """An index: its expressions in order, the columns that it only carries, and the condition of its rows."""

    name: str
    is_unique: bool
    is_primary: bool
    is_valid: bool
    method: str
    keys: tuple[str, ...]
    included: tuple[str, ...]
    condition: str


@dataclass(frozen=True, slots=True)
class Entity:
    """A table, called `users`, or `schema.users` outside of public."""

    name: str
    comment: str
    columns: tuple[EntityColumn, ...]
    constraints: tuple[EntityConstraint, ...]
    indexes: tuple[EntityIndex, ...]

    def of_kind(self, kind: str) -> tuple[EntityConstraint, ...]:
        """The constraints of one kind."""
        return tuple(each for each in self.constraints if each.kind == kind)

    def is_unique(self, columns: tuple[str, ...]) -> bool:
        """Whether no two rows have the same values in these columns."""
        keys = [
            {_ORDER.sub("", key).strip('"') for key in index.keys}
            for index in self.indexes
            if index.is_unique and not index.condition
        ]
        return any(key <= set(columns) for key in keys)


@told
async def read_entities(connection: Connection) -> list[Entity]:
    """Reads all tables, those of public first, by name. Raises: StatementFailure."""
    await connection.execute("BEGIN READ ONLY")
    try:
        cursor = await connection.execute(_ENTITIES)
        return [_entity(*row) for row in await cursor.fetchall()]
    finally:
        await connection.execute("ROLLBACK")


def _entity(
    schema: str, name: str, comment: str | None, columns: Any, constraints: Any, indexes: Any
) -> Entity:
    return Entity(
        _called(schema, name),
        comment or "",
        tuple(_column(*each) for each in columns),
        tuple(
            EntityConstraint(
                each[0],
                each[1],
                each[2],
                tuple(each[3] or ()),
                _called(*each[4]) if each[4] else "",
            )
            for each in constraints
        ),
        tuple(_index(*each) for each in indexes),
    )


def _index(
    name: str,
    is_unique: bool,
    is_primary: bool,
    is_valid: bool,
    method: str,
    keys: Any,
    included: Any,
    condition: str | None,
) -> EntityIndex:
    return EntityIndex(
        name,
        is_unique,
        is_primary,
        is_valid,
        method,
        tuple(keys or ()),
        tuple(included or ()),
        condition or "",
    )


def _column(
    name: str,
    type_name: str,
    not_null: bool,  # a row of the query
    default: str | None,
    comment: str | None,
    identity: str,
    generated: str,
) -> EntityColumn:
    for long, short in _SHORT_TYPES:
        type_name = type_name.replace(long, short)
    value = "identity" if identity else f"generated: {default}" if generated else default or ""
    said = comment or ""
    is_pii = said.startswith(_PII)
    text = said.removeprefix(_PII).strip() if is_pii else said
    return EntityColumn(name, type_name, not_null, value, text, is_pii)


def _called(schema: str, name: str) -> str:
    return name if schema == "public" else f"{schema}.{name}"
