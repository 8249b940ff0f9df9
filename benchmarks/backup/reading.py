"""What the proof costs the server: the hash of every table beside a COPY of the same tables to nothing."""

import asyncio
import time

import psycopg
from psycopg import sql
from stewardd.postgres.connect import connect
from stewardd.postgres.dump_catalog import TableName
from stewardd.postgres.table_proof import pin_settings, read_table_proof
from stewardd.postgres.target import DatabaseTarget

from benchmarks.backup.source import TABLES


def hashing_s(target: DatabaseTarget) -> float:
    """Return how long one session takes to hash all tables."""
    return asyncio.run(_hash(target))


async def _hash(target: DatabaseTarget) -> float:
    connection = await connect(target, "benchmark")
    try:
        await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        await pin_settings(connection)
        began_s = time.monotonic()
        for table in TABLES:
            proof = await read_table_proof(connection, TableName("public", table), hashed=True)
            if proof.hash is None:
                raise ValueError(f"{table} was not hashed")
        return time.monotonic() - began_s
    finally:
        await connection.close()


def copying_s(target: DatabaseTarget) -> float:
    """Return how long one session takes to copy all tables to /dev/null of the server."""
    with psycopg.connect(target.conninfo, autocommit=True) as connection:
        began_s = time.monotonic()
        for table in TABLES:
            connection.execute(sql.SQL("COPY {} TO '/dev/null'").format(sql.Identifier(table)))
        return time.monotonic() - began_s
