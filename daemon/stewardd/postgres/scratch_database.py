"""A database of a scratch server that is like another one: its encoding and locale, and the roles that it names.

The hashes of rows depend on the encoding, so that one must be the same. A locale that this machine lacks is replaced:
values do not depend on it, and who asks is told.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import psycopg
from psycopg import sql

from stewardd.postgres.connect import Connection, connect, explained
from stewardd.postgres.scratch import ScratchServer
from stewardd.postgres.target import DatabaseTarget

_APPLICATION = "stewardd scratch"
_PROVIDERS_FROM = 15
_ICU_LOCALE = {"icu": "ICU_LOCALE", "builtin": "BUILTIN_LOCALE"}


@dataclass(frozen=True, slots=True)
class DatabaseForm:
    """What is settled when a database is made; an empty encoding where it is not known."""

    encoding: str = ""
    collation: str = ""
    character_type: str = ""
    locale_provider: str = ""
    locale: str = ""


@dataclass(frozen=True, slots=True)
class LikeDatabase:
    """The database that was made, and the locale that was replaced; "" where none was."""

    target: DatabaseTarget
    replaced_locale: str


async def create_like(server: ScratchServer, name: str, form: DatabaseForm) -> LikeDatabase:
    """Makes an empty database. Raises: DatabaseDown, DatabaseRefused."""
    admin = server.target("postgres")
    connection = await connect(admin, _APPLICATION)
    try:
        with explained(admin, connection):
            replaced = await _create(connection, server.major, name, form)
    finally:
        await connection.close()
    return LikeDatabase(server.target(name), replaced)


async def make_roles(server: ScratchServer, names: Iterable[str]) -> None:
    """Makes the roles that are not there. As superusers: only such may own an event trigger.

    Raises: DatabaseDown, DatabaseRefused.
    """
    admin = server.target("postgres")
    connection = await connect(admin, _APPLICATION)
    try:
        with explained(admin, connection):
            rows = await (await connection.execute("SELECT rolname FROM pg_roles")).fetchall()
            there = {row[0] for row in rows}
            for name in names:
                if name not in there:
                    statement = sql.SQL("CREATE ROLE {} SUPERUSER").format(sql.Identifier(name))
                    await connection.execute(statement)
    finally:
        await connection.close()


async def _create(connection: Connection, major: int, name: str, form: DatabaseForm) -> str:
    plain = sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name))
    if not form.encoding:
        await connection.execute(plain)
        return ""
    try:
        await connection.execute(plain + _locale(major, form))
    except (psycopg.OperationalError, psycopg.InterfaceError):
        raise
    except psycopg.Error:
        character_type = "C.UTF-8" if form.encoding == "UTF8" else "C"
        stand_in = DatabaseForm(form.encoding, "C", character_type, "libc")
        await connection.execute(plain + _locale(major, stand_in))
        return form.locale or form.collation
    return ""


def _locale(major: int, form: DatabaseForm) -> sql.Composed:
    parts = [("ENCODING", form.encoding)]
    parts += [("LC_COLLATE", form.collation), ("LC_CTYPE", form.character_type)]
    found = sql.Composed(
        [sql.SQL(f" {word} {{}}").format(sql.Literal(value)) for word, value in parts if value]
    )
    if form.locale_provider and major >= _PROVIDERS_FROM:
        found += sql.SQL(" LOCALE_PROVIDER {}").format(sql.Identifier(form.locale_provider))
        word = _ICU_LOCALE.get(form.locale_provider)
        if word and form.locale:
            found += sql.SQL(f" {word} {{}}").format(sql.Literal(form.locale))
    return found
