"""`steward db list | show | breaker`: the databases of the daemon, their connections and their circuit breakers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from steward_client.command import document, screen
from steward_client.command.completing import DATABASE
from steward_client.command.ending import Exit
from steward_client.command.session import Noun, Session, Verb, pass_session
from steward_client.command.text import count, duration, many, moment
from steward_client.errors import InvalidRequest, NotFound

if TYPE_CHECKING:
    from steward_client.client import Client
    from steward_client.databases.types import (
        CircuitBreaker,
        ConnectionPool,
        Database,
        DatabaseServer,
    )

_NAME = click.argument("name", metavar="[DATABASE]", required=False, default="", type=DATABASE)


@click.group(cls=Noun, example="steward db show --watch")
def db() -> None:
    """See the databases of the daemon, their connections and their circuit breakers."""


@db.command("list", cls=Verb, example="steward db list")
@pass_session
def list_(session: Session) -> int:
    """List the databases."""
    with session.client() as client:
        databases = list(client.list_databases(page_size=1000))
    if session.is_json:
        document.emit({"databases": databases})
        return Exit.DONE
    screen.table(
        ("Database", "Server", "Breaker", "Role", "PostgreSQL", "Open", "Idle", "Waiting"),
        [
            (
                _short(each),
                each.server.state.value,
                _word(each.circuit_breaker),
                each.server.role.value,
                each.server.version,
                f"{each.pool.size} of {each.pool.max_size}",
                str(each.pool.idle),
                str(each.pool.waiting),
            )
            for each in databases
        ],
        numbers=("Open", "Idle", "Waiting"),
        names=("Database",),
        states="Server",
        optional=("Role", "PostgreSQL"),
    )
    return Exit.DONE


@db.command(
    cls=Verb,
    example="steward db show\nsteward db show main --watch\nsteward db show --output json | jq .pool",
)
@_NAME
@click.option("--watch", is_flag=True, help="Print a line for each change, until Ctrl-C.")
@pass_session
def show(session: Session, name: str, watch: bool) -> int:
    """Show one database: its server, its connections and its circuit breaker.

    DATABASE is its name in the configuration.  [default: the only one]
    """
    with session.client() as client:
        if watch:
            return _watch(session, client, found_database(client, name))
        return _show(session, client.get_database(found_database(client, name)))


@db.group(cls=Noun, example="steward db breaker reset main")
def breaker() -> None:
    """Close a circuit breaker, or open it by hand."""


@breaker.command(cls=Verb, example="steward db breaker reset main")
@_NAME
@pass_session
def reset(session: Session, name: str) -> int:
    """Close a circuit breaker, whatever its state. If the database is still away, the breaker opens again."""
    with session.client() as client:
        return _show_breaker(session, client.reset_circuit_breaker(found_database(client, name)))


@breaker.command(
    "open", cls=Verb, example="steward db breaker open main --reason 'moving the disk'"
)
@_NAME
@click.option("--reason", default="", metavar="TEXT", help="A note for people.")
@pass_session
def open_(session: Session, name: str, reason: str) -> int:
    """Open a circuit breaker: the daemon refuses all use of the database until somebody resets it."""
    with session.client() as client:
        name = found_database(client, name)
        return _show_breaker(session, client.force_open_circuit_breaker(name, reason=reason))


def found_database(client: Client, name: str) -> str:
    """Returns the name that was given, or the only one that there is. Raises InvalidRequest, NotFound."""
    if name:
        return name
    names = [_short(each) for each in client.list_databases(page_size=1000)]
    if not names:
        raise NotFound("the daemon has no database", reason="DATABASE_NOT_FOUND")
    if len(names) > 1:
        raise InvalidRequest(
            f"the daemon has {len(names)} databases, and none is named",
            reason="DATABASE_NOT_NAMED",
            hint=f"name one of them: {', '.join(names)}",
        )
    return names[0]


def _show(session: Session, database: Database) -> int:
    if session.is_json:
        document.emit(database)
        return Exit.DONE
    server, pool, circuit = database.server, database.pool, database.circuit_breaker
    screen.facts(
        [
            ("database", f"{database.name}{' (embedded)' if database.embedded else ''}"),
            ("server", _server(server)),
            ("seen", "" if server.observe_time is None else moment(server.observe_time)),
            ("breaker", _breaker(circuit)),
            ("last failure", _last_failure(circuit)),
            ("since the start", _openings(circuit)),
            ("connections", _connections(pool)),
            ("since the start", _counts(pool)),
        ]
    )
    if pool.leaks:
        screen.gap()
        screen.line("held for too long:")
        screen.table(
            ("Task", "Borrowed at", "Held"),
            [(each.task, f"{each.file}:{each.line}", duration(each.held_s)) for each in pool.leaks],
            numbers=("Held",),
            indent=2,
        )
    if circuit.state.value == "forced_open":
        screen.command("close its breaker:", f"steward db breaker reset {_short(database)}")
    return Exit.DONE


def _show_breaker(session: Session, database: Database) -> int:
    if session.is_json:
        document.emit(database)
    else:
        screen.line(f"{database.name}: the breaker is {_breaker(database.circuit_breaker)}")
    return Exit.DONE


def _watch(session: Session, client: Client, name: str) -> int:
    last = ""
    try:
        for each in client.watch_database(name, timeout_s=session.timeout_s):
            if session.is_json:
                document.emit_line(each)
            elif (line := _line(each)) != last:
                last = line
                screen.line(f"{moment(datetime.now(UTC))}  {line}")
                screen.out().flush()
    except KeyboardInterrupt:
        pass  # the only way to end it
    return Exit.DONE


def _line(database: Database) -> str:
    """Returns a database in a line."""
    pool = database.pool
    return (
        f"{_short(database)}  server {database.server.state.value}  breaker {_word(database.circuit_breaker)}  "
        f"{pool.size} open, {pool.idle} idle, {pool.lent} lent, {pool.waiting} waiting"
    )


def _short(database: Database) -> str:
    return database.name.partition("/")[2]


def _word(circuit: CircuitBreaker) -> str:
    return {"half_open": "half-open", "forced_open": "forced open"}.get(
        circuit.state.value, circuit.state.value
    )


def _server(server: DatabaseServer) -> str:
    said = [server.state.value + (f" ({server.detail})" if server.detail else "")]
    if server.version:
        said.append(f"PostgreSQL {server.version}")
        said.append(server.role.value)
    if server.latency_s is not None and server.connect_latency_s is not None:
        said.append(f"answers in {duration(server.latency_s)}")
        said.append(f"connects in {duration(server.connect_latency_s)}")
    if server.tls:
        said.append("TLS")
    return ", ".join(said)


def _breaker(circuit: CircuitBreaker) -> str:
    said = [_word(circuit)]
    if circuit.state_time is not None:
        said[0] += f" since {moment(circuit.state_time)}"
    match circuit.state.value:
        case "closed":
            said.append(f"{circuit.failures} of {circuit.failure_threshold} failures in a row")
        case "open":
            due = "" if circuit.half_open_time is None else f" at {moment(circuit.half_open_time)},"
            said.append(f"tries again{due} or when the database is seen")
        case "half_open":
            said.append(
                "one caller tries the database"
                if circuit.probes
                else "the next caller tries the database"
            )
        case "forced_open" if circuit.force_reason:
            said.append(circuit.force_reason)
    return "; ".join(said)


def _last_failure(circuit: CircuitBreaker) -> str:
    if circuit.last_failure_time is None:
        return ""
    return f"{moment(circuit.last_failure_time)}: {circuit.last_failure}"


def _connections(pool: ConnectionPool) -> str:
    return (
        f"{pool.size} open (from {pool.min_size} to {pool.max_size}): {pool.idle} idle, {pool.lent} lent, "
        f"{pool.connecting} being made; {many(pool.waiting, 'caller')} waiting"
    )


def _counts(pool: ConnectionPool) -> str:
    return (
        f"{count(pool.acquire_count)} lent, {count(pool.timeout_count)} not in time, "
        f"{count(pool.refused_count)} refused by a full queue; {many(pool.connect_count, 'connect')}, "
        f"{count(pool.connect_error_count)} failed; {many(pool.leak_count, 'leak')}"
    )


def _openings(circuit: CircuitBreaker) -> str:
    if not circuit.open_count:
        return ""
    return f"opened {many(circuit.open_count, 'time')}, {many(circuit.refused_count, 'caller')} refused"
