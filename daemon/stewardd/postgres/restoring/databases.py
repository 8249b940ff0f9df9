"""Databases and roles that a restore makes on a server, and removes again when it fails."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

import psycopg
from psycopg import sql

from stewardd.errors import TargetNotEmpty
from stewardd.postgres.connect import Connection, explained
from stewardd.postgres.target import DatabaseTarget


@dataclass(frozen=True, slots=True)
class DatabaseLocale:
    """How text is encoded and compared in a database; "" is whatever the server's template has."""

    encoding: str = ""
    provider: str = ""
    collation: str = ""
    character_type: str = ""
    locale: str = ""

    def creation_statement(self, name: str) -> sql.Composed:
        """The statement that makes an empty database."""
        parts: list[sql.Composable] = [
            sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name))
        ]
        for clause, value in (
            ("ENCODING", self.encoding),
            ("LOCALE_PROVIDER", self.provider),
            ("LC_COLLATE", self.collation),
            ("LC_CTYPE", self.character_type),
            ("ICU_LOCALE", self.locale if self.provider == "icu" else ""),
            ("BUILTIN_LOCALE", self.locale if self.provider == "builtin" else ""),
        ):
            if value:
                parts.append(sql.SQL(f"{clause} {{}}").format(sql.Literal(value)))
        return sql.SQL(" ").join(parts)


async def server_identity(connection: Connection, target: DatabaseTarget) -> str:
    """What tells a server from every other one; "" where the user may not ask. Raises: DatabaseDown."""
    with explained(target, connection):
        try:
            cursor = await connection.execute(
                "SELECT system_identifier::text FROM pg_control_system()"
            )
            row = await cursor.fetchone()
        except psycopg.errors.InsufficientPrivilege:
            return ""
    return row[0] if row else ""


async def create_database(
    connection: Connection, target: DatabaseTarget, name: str, locale: DatabaseLocale
) -> None:
    """Makes an empty database. Raises: TargetNotEmpty where it is there, DatabaseRefused, DatabaseDown."""
    with explained(target, connection):
        try:
            await connection.execute(locale.creation_statement(name))
        except psycopg.errors.DuplicateDatabase:
            raise TargetNotEmpty(f"the server has a database {name!r} already") from None


async def rename_and_comment(
    connection: Connection, target: DatabaseTarget, name: str, new_name: str, comment: str
) -> None:
    """Renames a database and sets its comment, both or none of it.

    Raises: TargetNotEmpty where the new name is taken, DatabaseRefused, DatabaseDown.
    """
    rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
    with explained(target, connection):
        try:
            async with connection.transaction():
                await connection.execute(
                    rename.format(sql.Identifier(name), sql.Identifier(new_name))
                )
                await connection.execute(_comment_statement(new_name, comment))
        except psycopg.errors.DuplicateDatabase:
            raise TargetNotEmpty(f"the server has a database {new_name!r} already") from None


@dataclass(frozen=True, slots=True)
class Finish:
    """What finishes a restore: the comment that its database gets, and the new roles, which lose theirs.

    `database` is "" where its comment stays.
    """

    database: str = ""
    comment: str | None = None
    roles: tuple[str, ...] = ()

    @property
    def statements(self) -> list[sql.Composed]:
        """The statements that do it."""
        first = [_comment_statement(self.database, self.comment)] if self.database else []
        return [*first, *(_role_comment_statement(each, None) for each in self.roles)]


async def finish(connection: Connection, target: DatabaseTarget, what: Finish) -> None:
    """Finishes a restore, wholly or not at all. Raises: DatabaseRefused, DatabaseDown."""
    with explained(target, connection):
        async with connection.transaction():
            for each in what.statements:
                await connection.execute(each)


def _comment_statement(name: str, comment: str | None) -> sql.Composed:
    return sql.SQL("COMMENT ON DATABASE {} IS {}").format(
        sql.Identifier(name), sql.Literal(comment)
    )


async def comment_on_database(
    connection: Connection, target: DatabaseTarget, name: str
) -> str | None:
    """The comment of a database; None where it has none, or is not there. Raises: DatabaseRefused, DatabaseDown."""
    with explained(target, connection):
        cursor = await connection.execute(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s",
            [name],
        )
        row = await cursor.fetchone()
    return row[0] if row else None


async def drop_database(connection: Connection, target: DatabaseTarget, name: str) -> None:
    """Removes a database with whatever is connected to it. Raises: DatabaseRefused, DatabaseDown."""
    with explained(target, connection):
        statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
        await connection.execute(statement.format(sql.Identifier(name)))


def _role_comment_statement(name: str, comment: str | None) -> sql.Composed:
    return sql.SQL("COMMENT ON ROLE {} IS {}").format(sql.Identifier(name), sql.Literal(comment))


async def create_roles(
    connection: Connection, target: DatabaseTarget, names: Iterable[str], comment: str
) -> list[str]:
    """Makes roles that can't log in and have no password, with a comment; returns those that were not there yet.

    Raises: DatabaseRefused, DatabaseDown.
    """
    made = []
    with explained(target, connection):
        for name in names:
            create = sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(name))
            try:
                async with connection.transaction():
                    await connection.execute(create)
                    await connection.execute(_role_comment_statement(name, comment))
            except psycopg.errors.DuplicateObject:
                continue
            made.append(name)
    return made


async def drop_roles(
    connection: Connection, target: DatabaseTarget, names: Iterable[str], comment: str
) -> None:
    """Removes those of the roles that have this comment and that nothing depends on.

    Raises: DatabaseRefused, DatabaseDown.
    """
    with explained(target, connection):
        cursor = await connection.execute(
            "SELECT rolname FROM pg_roles"
            " WHERE rolname = ANY(%s) AND shobj_description(oid, 'pg_authid') = %s",
            [list(names), comment],
        )
        for (name,) in await cursor.fetchall():
            with suppress(psycopg.errors.DependentObjectsStillExist):
                await connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


async def end_sessions(
    connection: Connection, target: DatabaseTarget, database: str, own: Iterable[str] | None = None
) -> int:
    """Ends the sessions of a database: all others, or those with these names; returns how many it ended.

    Raises: DatabaseRefused where the user may not, DatabaseDown.
    """
    with explained(target, connection):
        names = None if own is None else list(own)
        cursor = await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = %s AND pid <> pg_backend_pid()"
            " AND (%s::text[] IS NULL OR application_name = ANY(%s::text[]))",
            [database, names, names],
        )
        return cursor.rowcount
