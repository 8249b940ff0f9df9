"""The calls of SystemService."""

from __future__ import annotations

from steward.v1 import system_pb2

from steward_client.connection.call import Call
from steward_client.health.types import Health

SERVICE = "/steward.v1.SystemService"


def health() -> Call[system_pb2.HealthResponse, Health]:
    """SystemService.Health."""
    return Call(
        f"{SERVICE}/Health",
        system_pb2.HealthRequest(),
        system_pb2.HealthResponse,
        Health.from_proto,
    )
