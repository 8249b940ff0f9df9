"""Makes up roles on a scratch server: those of the real one are not there."""

from __future__ import annotations

from contextlib import suppress

import psycopg
from psycopg import sql

from stewardd.postgres.connect import Connection
from stewardd.postgres.migrating.failures import told


@told
async def make_role(connection: Connection, name: str) -> None:
    """Makes a role that cannot log in, unless somebody else just made it. Raises: StatementFailure."""
    with suppress(psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
        await connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(name)))
