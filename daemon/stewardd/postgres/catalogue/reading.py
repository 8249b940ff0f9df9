"""Reads the catalogue of a database in one moment of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stewardd.postgres.catalogue.queries import queries
from stewardd.postgres.connect import Connection
from stewardd.postgres.migrating.failures import told

ObjectKey = tuple[str, str]
"""The kind of an object and its name, schema and all: ("column", "public.users.email")."""


@dataclass(frozen=True, slots=True)
class DatabaseCatalogue:
    """Every object of a database by kind and name, with its properties."""

    major: int
    objects: Mapping[ObjectKey, Mapping[str, Any]]

    def of_kind(self, kind: str) -> dict[str, Mapping[str, Any]]:
        """The objects of one kind, by name."""
        return {name: has for (each, name), has in self.objects.items() if each == kind}


@told
async def read_catalogue(connection: Connection) -> DatabaseCatalogue:
    """Reads it; the connection must be in no transaction. Raises: StatementFailure."""
    major = connection.info.server_version // 10000
    objects: dict[ObjectKey, Mapping[str, Any]] = {}
    await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    try:
        await connection.execute("SET LOCAL search_path = pg_catalog")
        for kind, query in queries(major).items():
            cursor = await connection.execute(query.encode())
            objects |= {(kind, row[0]): row[1] for row in await cursor.fetchall()}
    finally:
        await connection.execute("ROLLBACK")
    return DatabaseCatalogue(major, objects)
