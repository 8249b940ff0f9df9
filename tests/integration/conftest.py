"""A real PostgreSQL for the tests: the embedded one, started once, with a fresh database for each test that asks.

It gives up durability for speed; a test of starting, stopping and dying makes a server of its own in `folder`.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from stewardd.postgres.embedded import EmbeddedOptions, EmbeddedServer
from stewardd.postgres.target import DatabaseTarget

FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
}


@pytest.fixture(scope="session")
def embedded_server() -> Iterator[EmbeddedServer]:
    """A running server; it outlives the loop that starts it, as it outlives a daemon."""
    folder = Path(tempfile.mkdtemp(prefix="steward-test-"))
    server = EmbeddedServer(folder, EmbeddedOptions(settings=FAST))
    asyncio.run(server.start())
    try:
        yield server
    finally:
        asyncio.run(server.stop())
        shutil.rmtree(folder)


@pytest.fixture
def database(embedded_server: EmbeddedServer) -> Iterator[DatabaseTarget]:
    """An empty database of the test's own."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(embedded_server.target("admin").conninfo, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield embedded_server.target("main", name)
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
