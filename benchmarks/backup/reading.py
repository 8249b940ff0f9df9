"""What the proof costs: the hash of every table beside a COPY of the same tables to nothing."""

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psycopg
from psycopg import sql
from stewardd.backup.worker.psql_session import psql_sessions
from stewardd.postgres.connect import connect
from stewardd.postgres.copy_session import LARGE_BYTES, copy_session
from stewardd.postgres.dump_catalog import TableName, read_tables
from stewardd.postgres.table_proof import (
    METHOD,
    PINNED,
    pin_settings,
    read_table_proof,
    setting_statements,
)
from stewardd.postgres.target import DatabaseTarget

from benchmarks.backup.source import TABLES, tools_folder

_SESSION = "benchmark"
_BEGIN = sql.SQL("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Reading:
    """How long one session took for all tables, and the CPU seconds of its processes of the server."""

    wall_s: float
    server_cpu_s: float


def hash_tables(target: DatabaseTarget) -> Reading:
    """Hash all tables in one session, as a backup does: large ones by psql."""
    return asyncio.run(_hash(target))


async def _hash(target: DatabaseTarget) -> Reading:
    start = psql_sessions(str(Path(tools_folder()) / "psql"), _SESSION)
    connection = await connect(target, _SESSION)
    try:
        await connection.execute(_BEGIN)
        await pin_settings(connection)
        sizes = {each.name: each.size_bytes for each in await read_tables(connection)}
        statements = [_BEGIN, *setting_statements(PINNED)]
        async with copy_session(start, target, connection, statements) as session:
            if session is None:
                raise ValueError("psql does not connect")
            stop = _clock(target)
            for table in TABLES:
                name = TableName("public", table)
                large = session if sizes[name] >= LARGE_BYTES else None
                proof = await read_table_proof(connection, name, METHOD, large)
                if proof.hash is None:
                    raise ValueError(f"{table} was not hashed")
            return stop()
    finally:
        await connection.close()


def copy_tables(target: DatabaseTarget) -> Reading:
    """Copy all tables to /dev/null of the server in one session."""
    with psycopg.connect(target.conninfo, autocommit=True, application_name=_SESSION) as connection:
        stop = _clock(target)
        for table in TABLES:
            connection.execute(sql.SQL("COPY {} TO '/dev/null'").format(sql.Identifier(table)))
        return stop()


def median_of(readings: Sequence[Reading]) -> Reading:
    """Return the medians of wall and CPU."""
    return Reading(
        median(each.wall_s for each in readings), median(each.server_cpu_s for each in readings)
    )


def _clock(target: DatabaseTarget) -> Callable[[], Reading]:
    """Begin to measure the sessions that are there, and return what ends it."""
    with psycopg.connect(target.conninfo, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name = %s", [_SESSION]
        ).fetchall()
    stats = [Path(f"/proc/{row[0]}/stat") for row in rows]
    cpu_s, began_s = sum(map(_cpu_s, stats)), time.monotonic()
    return lambda: Reading(time.monotonic() - began_s, sum(map(_cpu_s, stats)) - cpu_s)


def _cpu_s(stat: Path) -> float:
    user, system = stat.read_text(encoding="ascii").rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / _TICKS
