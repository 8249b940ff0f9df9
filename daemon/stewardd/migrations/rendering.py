"""Draws the tables of a database as they are now, grouped by the migrations that made them."""

from __future__ import annotations

from dataclasses import dataclass

from stewardd.migrations.areas import areas_of
from stewardd.migrations.diagram import mermaid
from stewardd.migrations.migrations import Migrations
from stewardd.migrations.schema_page import markdown
from stewardd.postgres.catalogue.entities import read_entities


@dataclass(frozen=True, slots=True)
class RenderedDiagram:
    """A diagram in Mermaid, and the tables, constraints and indexes in Markdown."""

    database: str
    server_version: str
    mermaid: str
    markdown: str
    table_count: int
    foreign_key_count: int


class DiagramRenderer:
    """Renders the diagrams of databases."""

    def __init__(self, migrations: Migrations) -> None:
        self._migrations = migrations

    async def render(self, name: str) -> RenderedDiagram:
        """Renders a database. Raises: DatabaseNotFound, DatabaseDown, DatabaseRefused, MigrationSetInvalid."""
        found = await self._migrations.read_set(name)
        async with self._migrations.looking(name) as look:
            entities = await read_entities(look.connection)
            server_version = look.server_version
        areas = areas_of(found, entities)
        return RenderedDiagram(
            name,
            server_version,
            mermaid(areas),
            markdown(areas),
            len(entities),
            sum(len(entity.of_kind("f")) for entity in entities),
        )
