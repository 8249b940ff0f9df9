"""The calls of DatabaseService."""

from __future__ import annotations

from steward.v1 import database_pb2

from steward_client import protobuf_values
from steward_client.connection.call import Call, Page, Pages
from steward_client.databases.types import Database

SERVICE = "/steward.v1.DatabaseService"


def get_database(name: str) -> Call[database_pb2.Database, Database]:
    """DatabaseService.GetDatabase."""
    request = database_pb2.GetDatabaseRequest(name=_name(name))
    return Call(f"{SERVICE}/GetDatabase", request, database_pb2.Database, Database.from_proto)


def list_databases(page_size: int) -> Pages[database_pb2.ListDatabasesResponse, Database]:
    """DatabaseService.ListDatabases."""

    def page(answer: database_pb2.ListDatabasesResponse) -> Page[Database]:
        return Page(tuple(map(Database.from_proto, answer.databases)), answer.next_page_token)

    return lambda token: Call(
        f"{SERVICE}/ListDatabases",
        database_pb2.ListDatabasesRequest(page_size=page_size, page_token=token),
        database_pb2.ListDatabasesResponse,
        page,
    )


def watch_database(name: str) -> Call[database_pb2.Database, Database]:
    """DatabaseService.WatchDatabase."""
    request = database_pb2.WatchDatabaseRequest(name=_name(name))
    return Call(f"{SERVICE}/WatchDatabase", request, database_pb2.Database, Database.from_proto)


def reset_circuit_breaker(name: str) -> Call[database_pb2.Database, Database]:
    """DatabaseService.ResetCircuitBreaker."""
    request = database_pb2.ResetCircuitBreakerRequest(name=_name(name))
    path = f"{SERVICE}/ResetCircuitBreaker"
    return Call(path, request, database_pb2.Database, Database.from_proto)


def force_open_circuit_breaker(name: str, reason: str) -> Call[database_pb2.Database, Database]:
    """DatabaseService.ForceOpenCircuitBreaker."""
    request = database_pb2.ForceOpenCircuitBreakerRequest(name=_name(name), reason=reason)
    path = f"{SERVICE}/ForceOpenCircuitBreaker"
    return Call(path, request, database_pb2.Database, Database.from_proto)


def _name(name: str) -> str:
    return protobuf_values.resource("databases", name)
