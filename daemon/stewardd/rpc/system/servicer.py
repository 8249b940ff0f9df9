"""SystemService: the daemon about itself."""

from __future__ import annotations

import time

import grpc
from google.protobuf.duration_pb2 import Duration
from steward.v1 import system_pb2, system_pb2_grpc

from stewardd.health.facts import BackupFacts, DatabaseFacts, RepositoryFacts
from stewardd.health.monitor import Monitor
from stewardd.health.state import Component, overall
from stewardd.rpc import names
from stewardd.rpc.context import Context
from stewardd.rpc.database.messages import breaker_state
from stewardd.rpc.times import duration, timestamp

Health = system_pb2.HealthResponse


class SystemServicer(system_pb2_grpc.SystemServiceServicer):
    """Serves Health from the monitor."""

    service_name = system_pb2.DESCRIPTOR.services_by_name["SystemService"].full_name

    def __init__(self, monitor: Monitor, version: str) -> None:
        self._monitor = monitor
        self._version = version
        self._began_s = time.monotonic()

    def add_to(self, server: grpc.aio.Server) -> None:
        """Registers the service."""
        system_pb2_grpc.add_SystemServiceServicer_to_server(self, server)

    async def Health(
        self, request: system_pb2.HealthRequest, context: Context
    ) -> system_pb2.HealthResponse:
        """Returns how the daemon is."""
        components = self._monitor.components()
        return system_pb2.HealthResponse(
            state=overall(components).value,  # type: ignore[arg-type]  # HealthState has the contract's numbers; a test holds them equal
            version=self._version,
            uptime=duration(time.monotonic() - self._began_s),
            components=[_component(component) for component in components],
        )


def _component(component: Component) -> system_pb2.HealthResponse.Component:
    message = Health.Component(
        name=component.name,
        state=component.state.value,  # type: ignore[arg-type]  # as above
        detail=component.detail,
        observe_time=timestamp(component.observe_time),
    )
    match component.facts:
        case DatabaseFacts(server_version, latency_s, pool, embedded, breaker, leaks):
            message.database.server_version = server_version
            message.database.latency.CopyFrom(duration(latency_s))
            message.database.embedded = embedded
            message.database.circuit_breaker_state = breaker_state(breaker)
            message.database.leaks = leaks
            message.database.pool.CopyFrom(
                Health.Pool(
                    size=pool.size,
                    idle=pool.idle,
                    waiting=pool.waiting,
                    min_size=pool.min_size,
                    max_size=pool.max_size,
                )
            )
        case RepositoryFacts(url, writable, free_bytes):
            message.repository.CopyFrom(
                Health.Repository(url=url, writable=writable, free_bytes=free_bytes)
            )
        case BackupFacts() as facts:
            message.backup.CopyFrom(_backup_facts(facts))
    return message


def _backup_facts(facts: BackupFacts) -> system_pb2.HealthResponse.BackupFacts:
    age: Duration | None = (
        None if facts.last_backup_age_s is None else duration(facts.last_backup_age_s)
    )
    message = Health.BackupFacts(
        last_backup=names.backup(facts.last_backup) if facts.last_backup else "",
        last_backup_age=age,
        running=facts.running,
        failures=facts.failures,
    )
    if facts.last_failure is not None:
        message.last_failed_operation = names.operation(facts.last_failure.operation_id)
        message.last_failure_time.CopyFrom(timestamp(facts.last_failure.time))
        message.last_failure_reason = facts.last_failure.reason
    return message
