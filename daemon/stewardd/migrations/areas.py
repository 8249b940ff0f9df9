"""The areas of a schema: each table belongs to the migration that made it, and an area is called as that migration is.

So the grouping needs no list of its own. A table that was renamed stays in its area; one that no migration made stands
among the others.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from stewardd.migrations.files import MigrationSet
from stewardd.postgres.catalogue.entities import Entity

_NAME = r'(?:(?:"[^"]+"|[\w$]+)\s?\.\s?)?(?:"[^"]+"|[\w$]+)'
_CREATED = re.compile(
    rf"CREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?(?P<name>{_NAME})", re.IGNORECASE
)
_RENAMED = re.compile(
    rf"ALTER TABLE (?:IF EXISTS )?(?:ONLY )?(?P<name>{_NAME}) RENAME TO (?P<to>{_NAME})",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Area:
    """Tables that one migration made. `migration` is "" for the tables that none made."""

    title: str
    migration: str
    entities: tuple[Entity, ...]


def areas_of(migrations: MigrationSet, entities: Sequence[Entity]) -> list[Area]:
    """The areas in the order of their migrations, their tables in the order that they were made in; none is empty."""
    made = _made(migrations)
    by_name = {entity.name: entity for entity in entities}
    areas = []
    for migration in migrations.migrations:
        own = [name for name, label in made.items() if label == migration.label and name in by_name]
        if own:
            title = migration.name.replace("_", " ").capitalize()
            areas.append(Area(title, migration.label, tuple(by_name.pop(name) for name in own)))
    if by_name:
        areas.append(Area("Other tables", "", tuple(by_name.values())))
    return areas


def _made(migrations: MigrationSet) -> dict[str, str]:
    """Which migration made each table, by the name that the table has in the end."""
    made: dict[str, str] = {}
    for migration in migrations.migrations:
        for statement in migration.up.statements:
            if created := _CREATED.match(statement.code):
                made[_called(created["name"])] = migration.label
            elif renamed := _RENAMED.match(statement.code):
                before = _called(renamed["name"])
                if before in made:
                    made[_renamed(before, _called(renamed["to"]))] = made.pop(before)
    return made


def _called(name: str) -> str:
    """A name as the catalogue has it: without quotes, in small letters where there were none, public left out."""
    parts = re.findall(r'"[^"]+"|[\w$]+', name)
    plain = [part[1:-1] if part.startswith('"') else part.lower() for part in parts]
    return ".".join(plain[1:] if plain[0] == "public" and len(plain) > 1 else plain)


def _renamed(before: str, after: str) -> str:
    schema = before.rpartition(".")[0]
    return f"{schema}.{after}" if schema else after
