"""What a restore makes on a server: whatever ends the daemon, it can be told from what anybody else has made.

A database is made under a name that holds the token of its record (unfinished.py). Then it gets its own name, and the
comment with the token, in one transaction. So a database that is not finished always carries the token, in its name or
in its comment, and a database that somebody else made never does. A new role gets that comment when it is made.
"""

from __future__ import annotations

from collections.abc import Iterable

from stewardd.backup.restoring.unfinished import UnfinishedRestore, comment_of, first_name_of
from stewardd.postgres.connect import Connection
from stewardd.postgres.restoring.databases import (
    DatabaseLocale,
    comment_on_database,
    create_database,
    create_roles,
    drop_database,
    drop_roles,
    rename_and_comment,
)
from stewardd.postgres.target import DatabaseTarget


async def create_unfinished(
    connection: Connection, way: DatabaseTarget, name: str, locale: DatabaseLocale, token: str
) -> None:
    """Makes an empty database that says that it is unfinished.

    Raises: TargetNotEmpty where one of its name is there, DatabaseRefused, DatabaseDown.
    """
    first_name = first_name_of(token)
    await create_database(connection, way, first_name, locale)
    await rename_and_comment(connection, way, first_name, name, comment_of(token))


async def create_new_roles(
    connection: Connection, way: DatabaseTarget, names: Iterable[str], token: str
) -> list[str]:
    """Makes the roles that are not there; returns which. Raises: DatabaseRefused, DatabaseDown."""
    return await create_roles(connection, way, names, comment_of(token))


async def remove_unfinished(
    connection: Connection, way: DatabaseTarget, left: UnfinishedRestore, token: str
) -> None:
    """Removes what carries the token: the database, under whichever of its two names it is there, and the new roles.

    Raises: DatabaseRefused, DatabaseDown.
    """
    await drop_database(connection, way, first_name_of(token))
    if await comment_on_database(connection, way, left.name) == comment_of(token):
        await drop_database(connection, way, left.name)
    await drop_roles(connection, way, left.roles, comment_of(token))
