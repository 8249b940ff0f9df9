"""Puts a restored database in the place of another one, in one transaction. The other one is kept under a new name.

The server renames a database only while nobody is connected to it, and from the beginning of the statement nobody new
comes in: it holds the lock that every connecting session needs. So sessions are ended while the statement waits (it
waits five seconds), on a second connection. A daemon that dies in between leaves nothing: the transaction is undone.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from contextlib import suppress

import psycopg
from psycopg import sql

from stewardd.errors import DatabaseInUse, StewardError
from stewardd.postgres.connect import Connection, explained
from stewardd.postgres.restoring.databases import Finish, comment_on_database, end_sessions
from stewardd.postgres.restoring.facts import OWN_SESSIONS
from stewardd.postgres.target import DatabaseTarget

_INTERVAL_S = 0.1
# The settings whose value is a list of names (GUC_LIST_QUOTE in the server's guc_tables.c): each is quoted by itself.
_LISTS_OF_NAMES = frozenset(
    {
        "local_preload_libraries",
        "search_path",
        "session_preload_libraries",
        "shared_preload_libraries",
        "temp_tablespaces",
        "unix_socket_directories",
    }
)
_LIST_PART = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^,"]*?))\s*(?:,|$)')
_DATABASE = """
SELECT oid, pg_get_userbyid(datdba), datconnlimit, datacl IS NULL
FROM pg_database WHERE datname = %s
"""
_SETTINGS = """
SELECT CASE WHEN s.setrole = 0 THEN NULL ELSE pg_get_userbyid(s.setrole) END, c
FROM pg_db_role_setting s, unnest(s.setconfig) WITH ORDINALITY AS u (c, n)
WHERE s.setdatabase = %s ORDER BY s.setrole, u.n
"""
_RIGHTS = """
SELECT CASE WHEN a.grantee = 0 THEN NULL ELSE pg_get_userbyid(a.grantee) END, a.privilege_type, a.is_grantable
FROM pg_database d, aclexplode(d.datacl) a WHERE d.oid = %s ORDER BY 1, 2
"""


async def carry_over(
    connection: Connection, target: DatabaseTarget, source: str, to: str
) -> str | None:
    """Gives a database the owner, settings, rights and connection limit of another one; returns that one's comment.

    Raises: DatabaseRefused, DatabaseDown.
    """
    with explained(target, connection):
        async with connection.transaction():
            for statement in await _statements(connection, source, sql.Identifier(to)):
                await connection.execute(statement)
    return await comment_on_database(connection, target, source)


async def swap(
    connection: Connection,
    second: Connection,
    target: DatabaseTarget,
    *,
    live: str,
    restored: str,
    kept: str,
    finish: Finish,
    ends_sessions: bool,
) -> None:
    """Renames `live` to `kept`, and `restored` to `live`, and finishes the restore: all of it or nothing.

    The daemons' own idle sessions are ended always, those of others only where `ends_sessions` says so. Raises:
    DatabaseInUse, DatabaseRefused, DatabaseDown.
    """
    ending = asyncio.create_task(
        _end_sessions(second, target, (live, restored), None if ends_sessions else OWN_SESSIONS)
    )
    try:
        await _rename(connection, target, ((live, kept), (restored, live)), finish)
    except DatabaseInUse:
        if ending.done() and (refused := ending.exception()) is not None:
            raise refused from None  # the sessions are there because they may not be ended
        raise
    finally:
        ending.cancel()
        with suppress(asyncio.CancelledError, StewardError):
            await ending


async def _rename(
    connection: Connection,
    target: DatabaseTarget,
    names: Iterable[tuple[str, str]],
    finish: Finish,
) -> None:
    statement = sql.SQL("ALTER DATABASE {} RENAME TO {}")
    with explained(target, connection):
        try:
            async with connection.transaction():
                for old, new in names:
                    await connection.execute(
                        statement.format(sql.Identifier(old), sql.Identifier(new))
                    )
                for each in finish.statements:
                    await connection.execute(each)
        except psycopg.errors.ObjectInUse as error:
            raise DatabaseInUse(
                f"sessions are connected to the database: {target.quote(error, 200)}"
            ) from None


async def _end_sessions(
    connection: Connection,
    target: DatabaseTarget,
    databases: Iterable[str],
    own: Iterable[str] | None,
) -> None:
    """Ends sessions again and again, until it is cancelled: some begin before the server closes the door."""
    while True:
        for database in databases:
            await end_sessions(connection, target, database, own)
        await asyncio.sleep(_INTERVAL_S)


async def _statements(
    connection: Connection, source: str, to: sql.Identifier
) -> list[sql.Composed]:
    row = await (await connection.execute(_DATABASE, [source])).fetchone()
    if row is None:
        raise psycopg.errors.InvalidCatalogName(f'database "{source}" does not exist')
    oid, owner, limit, has_usual_rights = row
    found = [
        sql.SQL("ALTER DATABASE {} OWNER TO {}").format(to, sql.Identifier(owner)),
        sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}").format(to, sql.Literal(limit)),
    ]
    settings = await (await connection.execute(_SETTINGS, [oid])).fetchall()
    found += [setting_statement(to, role, text) for role, text in settings]
    if not has_usual_rights:
        found.append(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(to))
        found.append(sql.SQL("REVOKE ALL ON DATABASE {} FROM {}").format(to, sql.Identifier(owner)))
        rights = await (await connection.execute(_RIGHTS, [oid])).fetchall()
        found += [_right_statement(to, *each) for each in rights]
    return found


def setting_statement(database: sql.Identifier, role: str | None, text: str) -> sql.Composed:
    """The statement that makes a database's setting, of everybody or of one role, from what the catalog has of it."""
    name, _, value = text.partition("=")
    whose = (
        sql.SQL("ALTER DATABASE {}").format(database)
        if role is None
        else sql.SQL("ALTER ROLE {} IN DATABASE {}").format(sql.Identifier(role), database)
    )
    values = list_parts(value) if name in _LISTS_OF_NAMES else [value]
    literals: list[sql.Composable] = [sql.Literal(each) for each in values]
    return sql.SQL("{} SET {} TO {}").format(
        whose, sql.Identifier(*name.split(".")), sql.SQL(", ").join(literals)
    )


def list_parts(value: str) -> list[str]:
    """The names in a setting that is a list of names; an empty list is one empty name."""
    found, place = [], 0
    while place < len(value):
        match = _LIST_PART.match(value, place)
        if match is None or match.end() == place:
            break
        quoted, plain = match.groups()
        found.append(plain if quoted is None else quoted.replace('""', '"'))
        place = match.end()
    return found or [""]


def _right_statement(
    database: sql.Identifier, role: str | None, right: str, grantable: bool
) -> sql.Composed:
    statement = sql.SQL("GRANT {} ON DATABASE {} TO {}").format(
        sql.SQL(right), database, sql.SQL("PUBLIC") if role is None else sql.Identifier(role)
    )
    return statement + sql.SQL(" WITH GRANT OPTION") if grantable else statement
