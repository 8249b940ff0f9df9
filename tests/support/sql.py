"""SQL on a database, each time on a connection of its own."""

from __future__ import annotations

import psycopg
from stewardd.postgres.target import DatabaseTarget


def run(target: DatabaseTarget, *scripts: str) -> None:
    """Runs scripts; of several statements one after the other, in one transaction a script."""
    with psycopg.connect(target.conninfo, autocommit=True) as connection:
        for each in scripts:
            connection.execute(each.encode())


def rows(target: DatabaseTarget, query: str, *arguments: object) -> list[tuple[object, ...]]:
    """Returns what a query gives."""
    with psycopg.connect(target.conninfo, autocommit=True) as connection:
        return connection.execute(query.encode(), arguments or None).fetchall()


def databases(target: DatabaseTarget) -> set[object]:
    """Returns the names of the server's databases."""
    return {name for (name,) in rows(target, "SELECT datname FROM pg_database")}
