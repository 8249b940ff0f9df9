"""Databases, as the contract's server serves them: `databases` by name, watched through `changed`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from steward.v1 import database_pb2 as pb
from steward.v1 import database_pb2_grpc

from tests.unit.client.contract_state import State, page_of, refuse


def make_database(name: str) -> pb.Database:
    """A database that is well, each number of it another one."""
    database = pb.Database(
        name=f"databases/{name}",
        server=pb.DatabaseServer(
            state=pb.DatabaseServer.STATE_UP, version="18.1", role=pb.DatabaseServer.ROLE_PRIMARY
        ),
        pool=pb.ConnectionPool(
            size=6, idle=3, lent=2, connecting=1, waiting=7, min_size=5, max_size=20, acquire_count=1000,
            timeout_count=8, refused_count=9, connect_count=10, connect_error_count=11, leak_count=12,
        ),
        circuit_breaker=pb.CircuitBreaker(
            state=pb.CircuitBreaker.STATE_CLOSED, failures=1, failure_threshold=5, open_count=2, refused_count=13
        ),
    )  # fmt: skip
    database.server.observe_time.FromJsonString("2026-01-02T03:04:05Z")
    database.server.latency.FromMilliseconds(12)
    database.server.connect_latency.FromMilliseconds(34)
    database.circuit_breaker.state_time.FromJsonString("2026-01-02T03:04:06Z")
    return database


class DatabasesOfTheContract(State, database_pb2_grpc.DatabaseServiceServicer):
    """DatabaseService."""

    def _database(self, name: str, context) -> pb.Database:
        if name not in self.databases:
            refuse(
                context,
                "NOT_FOUND",
                "DATABASE_NOT_FOUND",
                f"there is no {name}",
                "list them",
                "name",
            )
        return self.databases[name]

    def change_database(self, name: str, by: Callable[[pb.Database], None]) -> pb.Database:
        """Changes a database, and tells those who watch it."""
        with self.changed:
            database = pb.Database()
            database.CopyFrom(self.databases[name])
            by(database)
            self.databases[name] = database
            self.changed.notify_all()
        return database

    def GetDatabase(self, request, context) -> pb.Database:
        self.enter("GetDatabase", context)
        return self._database(request.name, context)

    def ListDatabases(self, request, context) -> pb.ListDatabasesResponse:
        self.enter("ListDatabases", context)
        page, token = page_of([self.databases[name] for name in sorted(self.databases)], request)
        return pb.ListDatabasesResponse(databases=page, next_page_token=token)

    def WatchDatabase(self, request, context) -> Iterator[pb.Database]:
        self.enter("WatchDatabase", context)
        seen = None
        while context.is_active() and not self.is_stopping:
            database = self._database(request.name, context)
            if database != seen:
                seen = database
                yield database
            with self.changed:
                self.changed.wait(0.02)

    def ResetCircuitBreaker(self, request, context) -> pb.Database:
        self.enter("ResetCircuitBreaker", context)
        self._database(request.name, context)

        def by(database: pb.Database) -> None:
            database.circuit_breaker.state = pb.CircuitBreaker.STATE_CLOSED
            database.circuit_breaker.ClearField("force_reason")

        return self.change_database(request.name, by)

    def ForceOpenCircuitBreaker(self, request, context) -> pb.Database:
        self.enter("ForceOpenCircuitBreaker", context)
        self._database(request.name, context)

        def by(database: pb.Database) -> None:
            database.circuit_breaker.state = pb.CircuitBreaker.STATE_FORCED_OPEN
            database.circuit_breaker.force_reason = request.reason

        return self.change_database(request.name, by)
