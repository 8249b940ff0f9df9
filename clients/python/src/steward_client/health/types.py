"""The types of SystemService: the health of the daemon and of its components."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from steward.v1 import system_pb2 as pb

from steward_client import protobuf_values
from steward_client.databases.types import BREAKER_STATES, BreakerState


class HealthState(StrEnum):
    """The health of the daemon or of a component. A state that only a newer daemon knows is UNKNOWN."""

    UNKNOWN = "unknown"
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    DOWN = "down"


_STATES = {
    pb.HealthResponse.STATE_HEALTHY: HealthState.HEALTHY,
    pb.HealthResponse.STATE_DEGRADED: HealthState.DEGRADED,
    pb.HealthResponse.STATE_DOWN: HealthState.DOWN,
}


@dataclass(frozen=True, slots=True)
class PoolFacts:
    """A pool of connections, in numbers of them; `waiting` counts callers."""

    size: int
    idle: int
    waiting: int
    min_size: int
    max_size: int


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """A target database; `get_database` says more of it. `leaks` are connections that are held for too long."""

    server_version: str
    latency_s: float
    pool: PoolFacts
    embedded: bool
    circuit_breaker: BreakerState = BreakerState.UNKNOWN
    leaks: int = 0


@dataclass(frozen=True, slots=True)
class RepositoryFacts:
    """The repository; `free_bytes` is None where its backend cannot tell."""

    url: str
    writable: bool
    free_bytes: int | None


@dataclass(frozen=True, slots=True)
class BackupFacts:
    """The backups; `last_backup` is empty, and its age None, where there is none.

    `failures` counts those that failed since the last success of their database. The last failure's time is None, and
    its operation and reason are empty, where there is none.
    """

    last_backup: str
    last_backup_age_s: float | None
    running: int
    failures: int = 0
    last_failed_operation: str = ""
    last_failure_time: datetime | None = None
    last_failure_reason: str = ""


@dataclass(frozen=True, slots=True)
class Component:
    """A part of the daemon, or something that it needs. At most one kind of facts is not None.

    `detail` says why it is as it is; of what is healthy it is a notice, or empty.
    """

    name: str
    state: HealthState
    detail: str
    observe_time: datetime | None
    database: DatabaseFacts | None = None
    repository: RepositoryFacts | None = None
    backup: BackupFacts | None = None

    @classmethod
    def from_proto(cls, message: pb.HealthResponse.Component) -> Component:
        """Reads a steward.v1 Component."""
        return cls(
            name=message.name,
            state=_STATES.get(message.state, HealthState.UNKNOWN),
            detail=message.detail,
            observe_time=protobuf_values.time(message.observe_time)
            if message.HasField("observe_time")
            else None,
            database=_database(message.database) if message.HasField("database") else None,
            repository=_repository(message.repository) if message.HasField("repository") else None,
            backup=_backup(message.backup) if message.HasField("backup") else None,
        )


@dataclass(frozen=True, slots=True)
class Health:
    """The health of the daemon as a whole, and its components ordered by name."""

    state: HealthState
    version: str
    uptime_s: float
    components: tuple[Component, ...]

    @classmethod
    def from_proto(cls, message: pb.HealthResponse) -> Health:
        """Reads a steward.v1 HealthResponse."""
        return cls(
            state=_STATES.get(message.state, HealthState.UNKNOWN),
            version=message.version,
            uptime_s=protobuf_values.seconds(message.uptime),
            components=tuple(Component.from_proto(each) for each in message.components),
        )


def _database(facts: pb.HealthResponse.Database) -> DatabaseFacts:
    pool = facts.pool
    return DatabaseFacts(
        server_version=facts.server_version,
        latency_s=protobuf_values.seconds(facts.latency),
        pool=PoolFacts(pool.size, pool.idle, pool.waiting, pool.min_size, pool.max_size),
        embedded=facts.embedded,
        circuit_breaker=BREAKER_STATES.get(facts.circuit_breaker_state, BreakerState.UNKNOWN),
        leaks=facts.leaks,
    )


def _repository(facts: pb.HealthResponse.Repository) -> RepositoryFacts:
    free_bytes = facts.free_bytes if facts.HasField("free_bytes") else None
    return RepositoryFacts(facts.url, facts.writable, free_bytes)


def _backup(facts: pb.HealthResponse.BackupFacts) -> BackupFacts:
    age_s = (
        protobuf_values.seconds(facts.last_backup_age)
        if facts.HasField("last_backup_age")
        else None
    )
    failed_at = facts.last_failure_time if facts.HasField("last_failure_time") else None
    return BackupFacts(
        facts.last_backup,
        age_s,
        facts.running,
        failures=facts.failures,
        last_failed_operation=facts.last_failed_operation,
        last_failure_time=None if failed_at is None else protobuf_values.time(failed_at),
        last_failure_reason=facts.last_failure_reason,
    )
