"""Makes up roles on a scratch server: those of the real one are not there."""

from __future__ import annotations

from psycopg import sql

from stewardd.postgres.connect import Connection
from stewardd.postgres.migrating.failures import told


@told
async def make_role(connection: Connection, name: str) -> None:
    """Makes a role that cannot log in. Raises: StatementFailure."""
    await connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(name)))
