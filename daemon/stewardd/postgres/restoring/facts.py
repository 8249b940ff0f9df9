"""What a server says before a backup is restored on it: databases, sessions, roles, extensions, and room if it is near.

Everything is read by one connection to a maintenance database, since the database that is to be restored may be gone.
"""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from psycopg import pq

from stewardd.errors import DatabaseDown, DatabaseRefused
from stewardd.postgres.connect import Connection, explained
from stewardd.postgres.pinning import is_socket
from stewardd.postgres.probe import Sight, probe
from stewardd.postgres.target import DatabaseTarget

OWN_SESSIONS = ("stewardd", "stewardd probe")
"""How the daemons call their idle sessions: those of the pool, and the looks at the database."""
_MAINTENANCE = ("postgres", "template1")
_DATABASES = """
SELECT d.datname, pg_get_userbyid(d.datdba),
       CASE WHEN has_database_privilege(d.oid, 'CONNECT') THEN pg_database_size(d.oid) END,
       (SELECT count(*) FROM pg_stat_activity a
        WHERE a.datid = d.oid AND a.pid <> pg_backend_pid() AND a.application_name <> ALL(%s)
          AND COALESCE(a.backend_type, '') NOT IN ('autovacuum worker', 'parallel worker'))
FROM pg_database d
"""
_USER = """
SELECT current_user, rolsuper, rolsuper OR rolcreatedb, rolsuper OR rolcreaterole,
       EXISTS (SELECT FROM unnest('{pg_execute_server_program,pg_read_server_files,pg_write_server_files}'::name[]) r
               WHERE pg_has_role(r, 'MEMBER'))
FROM pg_roles WHERE rolname = current_user
"""


@dataclass(frozen=True, slots=True)
class ServerDatabase:
    """A database of the server: `size_bytes` is None where it may not be asked; `sessions` are those of others."""

    owner: str
    size_bytes: int | None
    sessions: int


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """A server. `free_bytes` of its disk are known only where it runs on this machine.

    `may_run_programs` says that SQL of the user may run programs on the server, or read and write its files.
    """

    version: str
    major: int
    in_recovery: bool
    user: str
    is_superuser: bool
    may_create_databases: bool
    may_create_roles: bool
    databases: dict[str, ServerDatabase] = field(default_factory=dict)
    roles: frozenset[str] = frozenset()
    extensions: frozenset[str] = frozenset()
    free_bytes: int | None = None
    may_run_programs: bool = False


async def find_way(target: DatabaseTarget, timeout_s: float) -> Sight:
    """Looks at the server through a maintenance database, else through the database itself.

    Raises: DatabaseDown, DatabaseRefused.
    """
    names = [each for each in _MAINTENANCE if each != target.database]
    refused: DatabaseRefused | None = None
    for name in names:
        try:
            return await probe(target.with_parameters(dbname=name), timeout_s)
        except DatabaseRefused as error:
            refused = refused or error
    try:
        return await probe(target, timeout_s)
    except DatabaseRefused as error:
        raise refused or error from None


async def live_database(target: DatabaseTarget) -> str:
    """The name of a target's database on its server, be it there or not.

    Where the connection string leaves it to a service file, libpq says what it comes to: it settles that before it
    connects.
    """
    return target.database or await asyncio.to_thread(_settled_name, target.conninfo)


def _settled_name(conninfo: str) -> str:
    connection = pq.PGconn.connect_start(conninfo.encode())
    try:
        return connection.db.decode()
    finally:
        connection.finish()


async def read_facts(connection: Connection, sight: Sight) -> ServerFacts:
    """Reads the facts. Raises: DatabaseDown, DatabaseRefused."""
    with explained(sight.way, connection):
        user = await _one(connection, _USER)
        databases = await (await connection.execute(_DATABASES, [list(OWN_SESSIONS)])).fetchall()
        roles = await (await connection.execute("SELECT rolname FROM pg_roles")).fetchall()
        extensions = await (
            await connection.execute("SELECT name FROM pg_available_extensions")
        ).fetchall()
        free_bytes = await _free_bytes(connection)
    return ServerFacts(
        version=sight.server_version,
        major=sight.major,
        in_recovery=sight.in_recovery,
        user=user[0],
        is_superuser=user[1],
        may_create_databases=user[2],
        may_create_roles=user[3],
        databases={
            name: ServerDatabase(owner, size, sessions) for name, owner, size, sessions in databases
        },
        roles=frozenset(row[0] for row in roles),
        extensions=frozenset(row[0] for row in extensions),
        free_bytes=free_bytes,
        may_run_programs=user[4],
    )


async def is_empty(connection: Connection) -> bool:
    """Whether a database holds nothing of its own: no relation, function, type, or schema but `public`."""
    row = await (
        await connection.execute(
            "SELECT NOT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema')"
            " AND NOT EXISTS (SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
            " WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema')"
            " AND NOT EXISTS (SELECT FROM pg_namespace n WHERE n.nspname !~ '^pg_'"
            " AND n.nspname NOT IN ('information_schema', 'public'))"
            " AND NOT EXISTS (SELECT FROM pg_largeobject_metadata)"
        )
    ).fetchone()
    return row is not None and bool(row[0])


async def _one(connection: Connection, query: str) -> tuple[str, bool, bool, bool, bool]:
    row: tuple[str, bool, bool, bool, bool] | None = await (
        await connection.execute(query)
    ).fetchone()
    if row is None:
        raise DatabaseDown("the server does not know who is connected to it")
    return row


async def _free_bytes(connection: Connection) -> int | None:
    """The room on the server's disk, where the connection goes through a socket of this machine."""
    if not is_socket(connection):
        return None
    row = await (
        await connection.execute("SELECT setting FROM pg_settings WHERE name = 'data_directory'")
    ).fetchone()
    try:
        return shutil.disk_usage(Path(row[0]).parent).free if row and row[0] else None
    except (
        OSError
    ):  # a folder of another machine or container, or one that this account may not pass
        return None
