"""The types of DatabaseService: a database with its server, its pool of connections and its circuit breaker."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from google.protobuf.message import Message
from steward.v1 import database_pb2 as pb

from steward_client import protobuf_values


class BreakerState(StrEnum):
    """What a circuit breaker does with callers. A state that only a newer daemon knows is UNKNOWN."""

    UNKNOWN = "unknown"
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    FORCED_OPEN = "forced_open"


class ServerState(StrEnum):
    """What the daemon's last look at a server found. UNKNOWN before its first look."""

    UNKNOWN = "unknown"
    UP = "up"
    FULL = "full"
    REFUSING = "refusing"
    AWAY = "away"


class ServerRole(StrEnum):
    """Whether a server takes writes. UNKNOWN until the daemon has seen it."""

    UNKNOWN = "unknown"
    PRIMARY = "primary"
    STANDBY = "standby"


BREAKER_STATES = {
    pb.CircuitBreaker.STATE_CLOSED: BreakerState.CLOSED,
    pb.CircuitBreaker.STATE_OPEN: BreakerState.OPEN,
    pb.CircuitBreaker.STATE_HALF_OPEN: BreakerState.HALF_OPEN,
    pb.CircuitBreaker.STATE_FORCED_OPEN: BreakerState.FORCED_OPEN,
}
_SERVER_STATES = {
    pb.DatabaseServer.STATE_UP: ServerState.UP,
    pb.DatabaseServer.STATE_FULL: ServerState.FULL,
    pb.DatabaseServer.STATE_REFUSING: ServerState.REFUSING,
    pb.DatabaseServer.STATE_AWAY: ServerState.AWAY,
}
_ROLES = {
    pb.DatabaseServer.ROLE_PRIMARY: ServerRole.PRIMARY,
    pb.DatabaseServer.ROLE_STANDBY: ServerRole.STANDBY,
}


@dataclass(frozen=True, slots=True)
class DatabaseServer:
    """The server of a database, as the daemon's last look found it; `detail` says why it is not up.

    From `version` on it is of the last look that the server answered: empty, unknown or None before that.
    """

    state: ServerState
    detail: str
    observe_time: datetime | None
    version: str
    role: ServerRole
    latency_s: float | None
    """The time of a small query."""
    connect_latency_s: float | None
    tls: bool

    @classmethod
    def from_proto(cls, message: pb.DatabaseServer) -> DatabaseServer:
        """Reads a steward.v1 DatabaseServer."""
        return cls(
            state=_SERVER_STATES.get(message.state, ServerState.UNKNOWN),
            detail=message.detail,
            observe_time=_time(message, "observe_time"),
            version=message.version,
            role=_ROLES.get(message.role, ServerRole.UNKNOWN),
            latency_s=_seconds(message, "latency"),
            connect_latency_s=_seconds(message, "connect_latency"),
            tls=message.tls,
        )


@dataclass(frozen=True, slots=True)
class ConnectionLeak:
    """A connection that a task of the daemon has held for too long, and the line of code that borrowed it."""

    task: str
    file: str
    line: int
    held_s: float


@dataclass(frozen=True, slots=True)
class ConnectionPool:
    """The connections to a database at one moment; what ends in `_count` counts since the daemon's start."""

    size: int
    """Open or being made: idle, lent and connecting."""
    idle: int
    lent: int
    connecting: int
    waiting: int
    """Callers without a connection yet."""
    min_size: int
    max_size: int
    acquire_count: int
    timeout_count: int
    refused_count: int
    connect_count: int
    connect_error_count: int
    leak_count: int
    leaks: tuple[ConnectionLeak, ...]
    """The leaks that are not back yet, the longest first."""

    @classmethod
    def from_proto(cls, message: pb.ConnectionPool) -> ConnectionPool:
        """Reads a steward.v1 ConnectionPool."""
        return cls(
            size=message.size,
            idle=message.idle,
            lent=message.lent,
            connecting=message.connecting,
            waiting=message.waiting,
            min_size=message.min_size,
            max_size=message.max_size,
            acquire_count=message.acquire_count,
            timeout_count=message.timeout_count,
            refused_count=message.refused_count,
            connect_count=message.connect_count,
            connect_error_count=message.connect_error_count,
            leak_count=message.leak_count,
            leaks=tuple(
                ConnectionLeak(each.task, each.file, each.line, protobuf_values.seconds(each.held))
                for each in message.leaks
            ),
        )


@dataclass(frozen=True, slots=True)
class CircuitBreaker:
    """What keeps callers from a database that is away; what ends in `_count` counts since the daemon's start."""

    state: BreakerState
    state_time: datetime | None
    """Since when it has this state."""
    failures: int
    """Failures in a row, of a closed one."""
    failure_threshold: int
    """How many in a row open it."""
    half_open_time: datetime | None
    """When an open one lets a probe in, unless the database is seen before; None in other states."""
    probes: int
    open_count: int
    refused_count: int
    last_failure: str
    last_failure_time: datetime | None
    force_reason: str
    """Why it was opened by hand; empty in other states."""

    @classmethod
    def from_proto(cls, message: pb.CircuitBreaker) -> CircuitBreaker:
        """Reads a steward.v1 CircuitBreaker."""
        return cls(
            state=BREAKER_STATES.get(message.state, BreakerState.UNKNOWN),
            state_time=_time(message, "state_time"),
            failures=message.failures,
            failure_threshold=message.failure_threshold,
            half_open_time=_time(message, "half_open_time"),
            probes=message.probes,
            open_count=message.open_count,
            refused_count=message.refused_count,
            last_failure=message.last_failure,
            last_failure_time=_time(message, "last_failure_time"),
            force_reason=message.force_reason,
        )


@dataclass(frozen=True, slots=True)
class Database:
    """A target database, as one daemon sees it."""

    name: str
    """`databases/{database}`."""
    embedded: bool
    """The daemon runs its server itself."""
    server: DatabaseServer
    pool: ConnectionPool
    circuit_breaker: CircuitBreaker

    @classmethod
    def from_proto(cls, message: pb.Database) -> Database:
        """Reads a steward.v1 Database."""
        return cls(
            name=message.name,
            embedded=message.embedded,
            server=DatabaseServer.from_proto(message.server),
            pool=ConnectionPool.from_proto(message.pool),
            circuit_breaker=CircuitBreaker.from_proto(message.circuit_breaker),
        )


def _time(message: Message, field: str) -> datetime | None:
    return protobuf_values.time(getattr(message, field)) if message.HasField(field) else None


def _seconds(message: Message, field: str) -> float | None:
    return protobuf_values.seconds(getattr(message, field)) if message.HasField(field) else None
