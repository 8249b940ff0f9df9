"""Databases: their pools of connections and their breakers, read at each scrape."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stewardd.metrics.metric import DATABASE, Kind, Label, Metric

if TYPE_CHECKING:
    from stewardd.metrics.exposition import Metrics

_STATES = "of the pool: `idle`, `lent` or `connecting`; of the breaker: `closed`, `open`, `half_open` or `forced_open`"
STATE = Label("state", _STATES, ("idle", "lent", "connecting"))
BOUND = Label("bound", "`min` or `max`", ("min", "max"))
LENT = Label(
    "outcome",
    "`lent`, `timed_out`, `cancelled`, or `refused` where too many waited",
    ("lent", "timed_out", "cancelled", "refused"),
)
MADE = Label("result", "`made` or `failed`", ("made", "failed"))
RETIRED_FOR = Label(
    "reason",
    "why a connection was closed: `uses`, `lifetime`, `idle`, `broken`, `drained`, `standby`, `closed`",
    source="retire_reasons",
)
_CAUSES = (
    "why all connections were closed: `broken`, `outage`, `standby`, `retargeted`, `asked`; why the breaker changed: "
    "`failures`, `time_over`, `database_seen`, `probe_succeeded`, `probe_failed`, `reset`, `forced`"
)
DRAINED_FOR = Label("cause", _CAUSES, source="drain_reasons")
CHANGED_FOR = Label("cause", _CAUSES, source="breaker_causes")

BREAKER_STATE = Label("state", _STATES, source="breaker_states")

CONNECTIONS = Metric(
    "steward_pool_connections", Kind.GAUGE, "Connections of the pool.", (DATABASE, STATE)
)
BOUNDS = Metric(
    "steward_pool_connections_bound",
    Kind.GAUGE,
    "How many connections the pool keeps at least, and opens at most.",
    (DATABASE, BOUND),
)
WAITING = Metric(
    "steward_pool_waiting_callers", Kind.GAUGE, "Callers that wait for a connection.", (DATABASE,)
)
ACQUIRES = Metric(
    "steward_pool_acquires_total",
    Kind.COUNTER,
    "Callers that asked for a connection, by what they got.",
    (DATABASE, LENT),
)
CONNECTS = Metric(
    "steward_pool_connects_total",
    Kind.COUNTER,
    "Connections that were made, and attempts that failed.",
    (DATABASE, MADE),
)
RETIRED = Metric(
    "steward_pool_retired_connections_total",
    Kind.COUNTER,
    "Connections that the pool closed.",
    (DATABASE, RETIRED_FOR),
)
DRAINS = Metric(
    "steward_pool_drains_total",
    Kind.COUNTER,
    "Times that the pool closed all of its connections.",
    (DATABASE, DRAINED_FOR),
)
LEAKS = Metric(
    "steward_pool_leaks_total",
    Kind.COUNTER,
    "Loans that lasted longer than the bound; the log says who borrowed.",
    (DATABASE,),
)
LEAKED = Metric(
    "steward_pool_leaked_connections",
    Kind.GAUGE,
    "Connections of such loans that have not come back.",
    (DATABASE,),
)
BREAKER = Metric(
    "steward_breaker_state",
    Kind.GAUGE,
    "1 for the state that the database's breaker is in, 0 for the others.",
    (DATABASE, BREAKER_STATE),
)
FAILURES = Metric(
    "steward_breaker_consecutive_failures",
    Kind.GAUGE,
    "Failures in a row that the breaker has counted.",
    (DATABASE,),
)
OPENED = Metric(
    "steward_breaker_opened_total", Kind.COUNTER, "Times that the breaker opened.", (DATABASE,)
)
CHANGES = Metric(
    "steward_breaker_changes_total",
    Kind.COUNTER,
    "Changes of the breaker's state.",
    (DATABASE, CHANGED_FOR),
)
REFUSED = Metric(
    "steward_breaker_refused_callers_total",
    Kind.COUNTER,
    "Callers that the breaker refused, with CIRCUIT_OPEN.",
    (DATABASE,),
)
METRICS = (
    BREAKER,
    FAILURES,
    OPENED,
    CHANGES,
    REFUSED,
    CONNECTIONS,
    BOUNDS,
    WAITING,
    ACQUIRES,
    CONNECTS,
    RETIRED,
    DRAINS,
    LEAKS,
    LEAKED,
)


@dataclass(frozen=True, slots=True)
class PoolReading:
    """A pool at one moment. The mappings are by the values of the label that they fill."""

    connections: Mapping[str, int]
    min_size: int
    max_size: int
    waiting: int
    acquires: Mapping[str, int]
    connects: Mapping[str, int]
    retired: Mapping[str, int]
    drains: Mapping[str, int]
    leaks: int
    leaked: int


@dataclass(frozen=True, slots=True)
class BreakerReading:
    """A breaker at one moment."""

    state: str
    failures: int
    opened: int
    refused: int


def add_breakers(
    metrics: Metrics, states: Sequence[str], breakers: Callable[[], Mapping[str, BreakerReading]]
) -> Callable[[str, str], None]:
    """Adds the metrics of the breakers, by the names of their databases; returns what counts a change, by its cause."""

    def add_one(metric: Metric, read: Callable[[BreakerReading], int]) -> None:
        metrics.read(metric, lambda: {(name,): read(each) for name, each in breakers().items()})

    metrics.read(
        BREAKER,
        lambda: {
            (name, state): state == each.state
            for name, each in breakers().items()
            for state in states
        },
    )
    add_one(FAILURES, lambda breaker: breaker.failures)
    add_one(OPENED, lambda breaker: breaker.opened)
    add_one(REFUSED, lambda breaker: breaker.refused)
    return metrics.counter(CHANGES).add


def add_pools(metrics: Metrics, pools: Callable[[], Mapping[str, PoolReading]]) -> None:
    """Adds the metrics of the pools, by the names of their databases."""

    def add_one(metric: Metric, read: Callable[[PoolReading], int]) -> None:
        metrics.read(metric, lambda: {(name,): read(pool) for name, pool in pools().items()})

    def add_each(metric: Metric, read: Callable[[PoolReading], Mapping[str, int]]) -> None:
        metrics.read(
            metric,
            lambda: {
                (name, value): count
                for name, pool in pools().items()
                for value, count in read(pool).items()
            },
        )

    add_each(CONNECTIONS, lambda pool: pool.connections)
    add_each(BOUNDS, lambda pool: {"min": pool.min_size, "max": pool.max_size})
    add_one(WAITING, lambda pool: pool.waiting)
    add_each(ACQUIRES, lambda pool: pool.acquires)
    add_each(CONNECTS, lambda pool: pool.connects)
    add_each(RETIRED, lambda pool: pool.retired)
    add_each(DRAINS, lambda pool: pool.drains)
    add_one(LEAKS, lambda pool: pool.leaks)
    add_one(LEAKED, lambda pool: pool.leaked)
