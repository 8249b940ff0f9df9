"""Reads the catalogue of a database in one moment of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import set_json_loads
from pydantic_core import from_json

from stewardd.postgres.catalogue.queries import KINDS, queries
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

    def to_json(self) -> dict[str, dict[str, Mapping[str, Any]]]:
        """The objects as JSON: by kind, then by name. Properties that are null are left out."""
        found: dict[str, dict[str, Mapping[str, Any]]] = {}
        for (kind, name), has in self.objects.items():
            kept = {each: value for each, value in has.items() if value is not None}
            found.setdefault(kind, {})[name] = kept
        return found

    @classmethod
    def from_json(
        cls, major: int, found: Mapping[str, Mapping[str, Mapping[str, Any]]]
    ) -> DatabaseCatalogue:
        """Reads what `to_json` wrote."""
        objects = {(kind, name): has for kind, own in found.items() for name, has in own.items()}
        return cls(major, objects)


@told
async def read_catalogue(connection: Connection) -> DatabaseCatalogue:
    """Reads it; the connection must be in no transaction. Raises: StatementFailure."""
    await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    try:
        found = await read_in_transaction(connection)
    except BaseException:
        await connection.execute("ROLLBACK")
        raise
    await connection.execute("COMMIT")  # a ROLLBACK would make psycopg give up what it has prepared
    return found


async def read_in_transaction(connection: Connection) -> DatabaseCatalogue:
    """Reads it in the transaction of the caller, whose search_path is changed. Raises: psycopg.Error."""
    major = connection.info.server_version // 10000
    objects: dict[ObjectKey, Mapping[str, Any]] = {}
    async with connection.pipeline():  # all are asked before the first answer is waited for
        await connection.execute("SET LOCAL search_path = pg_catalog")
        asked = {kind: connection.cursor() for kind in KINDS}
        for kind, query in queries(major).items():
            set_json_loads(from_json, asked[kind])
            await asked[kind].execute(query.encode())
        for kind, cursor in asked.items():
            objects |= {(kind, row[0]): row[1] for row in await cursor.fetchall()}
    return DatabaseCatalogue(major, objects)


def unchanged(before: DatabaseCatalogue, after: DatabaseCatalogue) -> DatabaseCatalogue:
    """The objects that two readings of one database agree on."""
    same = {
        key: has for key, has in after.objects.items() if before.objects.get(key, _NOTHING) == has
    }
    return DatabaseCatalogue(after.major, same)


_NOTHING: Mapping[str, Any] = {"": None}  # equal to the properties of no object
