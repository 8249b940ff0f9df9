"""DatabaseService: shows and watches the databases, and opens and closes their circuit breakers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
from steward.v1 import database_pb2, database_pb2_grpc

from stewardd.health.monitor import Monitor
from stewardd.postgres.database import Database
from stewardd.postgres.databases import Databases
from stewardd.rpc import names
from stewardd.rpc.context import Context
from stewardd.rpc.database.messages import database_message
from stewardd.rpc.names import word_of
from stewardd.rpc.pages import last_name_of, page_size_of, token_after

WATCH_INTERVAL_S = 0.5
MAX_REASON = 256
_LISTING = "databases"


class DatabaseServicer(database_pb2_grpc.DatabaseServiceServicer):
    """Translates; what a database is, and what its breaker counts, is said in postgres/."""

    service_name = database_pb2.DESCRIPTOR.services_by_name["DatabaseService"].full_name

    def __init__(self, databases: Databases, monitor: Monitor) -> None:
        self._databases = databases
        self._monitor = monitor

    def add_to(self, server: grpc.aio.Server) -> None:
        """Registers the service."""
        database_pb2_grpc.add_DatabaseServiceServicer_to_server(self, server)

    async def GetDatabase(
        self, request: database_pb2.GetDatabaseRequest, context: Context
    ) -> database_pb2.Database:
        """Returns one database."""
        return database_message(self._named(request.name).view())

    async def ListDatabases(
        self, request: database_pb2.ListDatabasesRequest, context: Context
    ) -> database_pb2.ListDatabasesResponse:
        """Returns a page of databases, by name."""
        after_name = last_name_of(_LISTING, request.page_token)
        page = self._databases.page(page_size_of(request.page_size), after_name)
        return database_pb2.ListDatabasesResponse(
            databases=[database_message(each.view()) for each in page.databases],
            next_page_token=token_after(_LISTING, page.last_name),
        )

    async def WatchDatabase(
        self, request: database_pb2.WatchDatabaseRequest, context: Context
    ) -> AsyncIterator[database_pb2.Database]:
        """Sends a database at once, and each time that it has changed, until the daemon stops."""
        database = self._named(request.name)
        sent = None
        while True:
            # What is waited for is from before the sending: what changes meanwhile is another round's.
            events = (database.changed(), self._monitor.changed())
            stopping = self._monitor.stopping
            message = database_message(database.view())
            if message != sent:
                yield message
                sent = message
            if stopping:
                return
            await _first_of(events, WATCH_INTERVAL_S)

    async def ResetCircuitBreaker(
        self, request: database_pb2.ResetCircuitBreakerRequest, context: Context
    ) -> database_pb2.Database:
        """Closes a breaker."""
        database = self._named(request.name)
        database.reset_breaker()
        return database_message(database.view())

    async def ForceOpenCircuitBreaker(
        self, request: database_pb2.ForceOpenCircuitBreakerRequest, context: Context
    ) -> database_pb2.Database:
        """Opens a breaker until it is reset."""
        database = self._named(request.name)
        database.force_open_breaker(word_of(request.reason, field="reason", longest=MAX_REASON))
        return database_message(database.view())

    def _named(self, name: str) -> Database:
        return self._databases.get(names.parse_database(name))


async def _first_of(events: tuple[asyncio.Event, ...], timeout_s: float) -> None:
    """Waits until one of the events is set, or the time is over."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
