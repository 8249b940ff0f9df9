"""A server that something is restored on, while a restore is connected to it."""

from __future__ import annotations

from dataclasses import dataclass

from stewardd.postgres.connect import Connection, connect
from stewardd.postgres.probe import Sight
from stewardd.postgres.restoring.facts import is_empty
from stewardd.postgres.target import DatabaseTarget

APPLICATION = "stewardd restore"
"""How the sessions of a restore are called."""


@dataclass(frozen=True, slots=True)
class RestoreServer:
    """A server that is connected to. `live` is the name of the configured database on it."""

    database: str
    live: str
    sight: Sight
    connection: Connection

    @property
    def way(self) -> DatabaseTarget:
        """The maintenance database, as it was reached."""
        return self.sight.way

    def target(self, name: str) -> DatabaseTarget:
        """A database of the server, reached in the same way."""
        return DatabaseTarget(self.database, self.way.with_parameters(dbname=name).conninfo)

    async def is_empty(self, name: str) -> bool:
        """Whether a database holds nothing. Raises: DatabaseRefused, DatabaseDown."""
        connection = await connect(self.target(name), APPLICATION)
        try:
            return await is_empty(connection)
        finally:
            await connection.close()
