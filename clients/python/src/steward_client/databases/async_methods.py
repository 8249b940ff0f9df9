"""The client's methods for databases: DatabaseService."""

from __future__ import annotations

from collections.abc import AsyncIterator

from steward_client.connection import asyncio_io
from steward_client.connection.async_service import AsyncService
from steward_client.databases import calls
from steward_client.databases.types import Database


class AsyncDatabaseMethods(AsyncService):
    """Reads and watches the databases of a daemon, and opens and closes their circuit breakers."""

    async def get_database(self, name: str, *, timeout_s: float | None = None) -> Database:
        """Returns one database as it is now, by its name in the configuration or as `databases/{database}`."""
        return await self._connection.call(calls.get_database(name), timeout_s)

    def list_databases(
        self, *, page_size: int = 0, timeout_s: float | None = None
    ) -> AsyncIterator[Database]:
        """Yields the databases, by name."""
        return self._connection.items(calls.list_databases(page_size), timeout_s)

    async def watch_database(
        self, name: str, *, timeout_s: float | None = None
    ) -> AsyncIterator[Database]:
        """Yields a database as it is, and again when something of it changes, until the daemon stops.

        A change of its circuit breaker is told at once, all else at most twice a second.

        >>> async for database in client.watch_database("main"):  # doctest: +SKIP
        ...     print(database.circuit_breaker.state, database.pool.idle)
        """
        states = self._connection.stream(calls.watch_database(name), timeout_s)
        async with asyncio_io.closing(states):
            async for state in states:
                yield state

    async def reset_circuit_breaker(self, name: str, *, timeout_s: float | None = None) -> Database:
        """Closes a database's circuit breaker, whatever its state, and returns the database."""
        return await self._connection.call(calls.reset_circuit_breaker(name), timeout_s)

    async def force_open_circuit_breaker(
        self, name: str, *, reason: str = "", timeout_s: float | None = None
    ) -> Database:
        """Opens a database's circuit breaker until it is reset, and returns the database.

        `reason` is for people; it is shown with the breaker and logged.
        """
        return await self._connection.call(
            calls.force_open_circuit_breaker(name, reason), timeout_s
        )
