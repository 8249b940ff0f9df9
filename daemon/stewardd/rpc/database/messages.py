"""Databases as messages of the contract."""

from __future__ import annotations

from steward.v1 import database_pb2 as pb

from stewardd.postgres.breaker import BreakerState
from stewardd.postgres.database import DatabaseView, ServerState, ServerView
from stewardd.postgres.observer import Leak
from stewardd.rpc import names
from stewardd.rpc.times import duration, timestamp

_SERVER_STATES = {
    ServerState.UP: pb.DatabaseServer.STATE_UP,
    ServerState.FULL: pb.DatabaseServer.STATE_FULL,
    ServerState.REFUSING: pb.DatabaseServer.STATE_REFUSING,
    ServerState.AWAY: pb.DatabaseServer.STATE_AWAY,
}
_BREAKER_STATES = {
    BreakerState.CLOSED: pb.CircuitBreaker.STATE_CLOSED,
    BreakerState.OPEN: pb.CircuitBreaker.STATE_OPEN,
    BreakerState.HALF_OPEN: pb.CircuitBreaker.STATE_HALF_OPEN,
    BreakerState.FORCED_OPEN: pb.CircuitBreaker.STATE_FORCED_OPEN,
}


def database_message(view: DatabaseView) -> pb.Database:
    """Returns a database as the contract has it."""
    return pb.Database(
        name=names.database(view.name),
        embedded=view.embedded,
        server=None if view.server is None else _server(view.server),
        pool=_pool(view),
        circuit_breaker=_breaker(view),
    )


def breaker_state(state: BreakerState) -> pb.CircuitBreaker.State.ValueType:
    """Returns the state of a breaker as the contract has it."""
    return _BREAKER_STATES[state]


def _server(server: ServerView) -> pb.DatabaseServer:
    message = pb.DatabaseServer(
        state=_SERVER_STATES[server.state],
        detail=server.detail,
        observe_time=timestamp(server.observe_time),
    )
    if (sight := server.sight) is not None:
        message.version = sight.server_version
        message.role = (
            pb.DatabaseServer.ROLE_STANDBY if sight.in_recovery else pb.DatabaseServer.ROLE_PRIMARY
        )
        message.latency.CopyFrom(duration(sight.latency_s))
        message.connect_latency.CopyFrom(duration(sight.connect_s))
        message.tls = sight.tls
    return message


def _pool(view: DatabaseView) -> pb.ConnectionPool:
    stats = view.pool
    return pb.ConnectionPool(
        size=stats.size,
        idle=stats.idle,
        lent=stats.lent,
        connecting=stats.connecting,
        waiting=stats.waiting,
        min_size=stats.min_size,
        max_size=stats.max_size,
        acquire_count=stats.acquires,
        timeout_count=stats.timeouts,
        refused_count=stats.refused,
        connect_count=stats.connects,
        connect_error_count=stats.connect_errors,
        leak_count=stats.leaks,
        leaks=map(_leak, view.leaks),
    )


def _leak(leak: Leak) -> pb.ConnectionPool.Leak:
    return pb.ConnectionPool.Leak(
        task=leak.task, file=leak.file, line=leak.line, held=duration(leak.held_s)
    )


def _breaker(view: DatabaseView) -> pb.CircuitBreaker:
    breaker = view.breaker
    message = pb.CircuitBreaker(
        state=breaker_state(breaker.state),
        state_time=timestamp(view.state_time),
        failures=breaker.failures,
        failure_threshold=view.failure_threshold,
        probes=breaker.probes,
        open_count=breaker.opened,
        refused_count=breaker.refused,
        force_reason=view.force_reason,
    )
    if view.half_open_time is not None:
        message.half_open_time.CopyFrom(timestamp(view.half_open_time))
    if view.last_failure is not None:
        message.last_failure = view.last_failure.message
        message.last_failure_time.CopyFrom(timestamp(view.last_failure.time))
    return message
