"""A bucket with backups, a live database that has a row more, and a daemon that reaches the bucket by a proxy."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from stewardd.backup.keys.keyring import KeyOptions, open_keyring
from stewardd.postgres.target import DatabaseTarget

from tests.support.failing_restores import (
    ROWS,
    TABLES,
    Far,
    Here,
    back_up,
    daemon,
)
from tests.support.proxy import Proxy
from tests.support.sql import databases, run

MORE_ROWS = "INSERT INTO t0 VALUES (0, 'after the backup')"


@pytest.fixture(scope="module")
def far(embedded_server, session_folder: Path, s3) -> Iterator[Far]:
    source = embedded_server.target("main", f"source_{secrets.token_hex(4)}")
    admin = embedded_server.target("admin")
    run(admin, f'CREATE DATABASE "{source.database}"')
    # The first table that pg_restore fills takes a second: so much time there is to do something in its middle.
    run(
        source,
        "CREATE FUNCTION slow(integer) RETURNS boolean LANGUAGE sql"
        " AS 'SELECT pg_catalog.pg_sleep(1) IS NOT NULL'",
        "CREATE TABLE a_slow (n integer CHECK (public.slow(n)))",
        "INSERT INTO a_slow VALUES (1)",
    )
    for number in range(TABLES):
        run(
            source,
            f"CREATE TABLE t{number} AS SELECT n, (SELECT string_agg(md5(n::text || k), '')"
            f" FROM generate_series(1, 20) k) AS body FROM generate_series(1, {ROWS}) n",
        )
    folder = Path(tempfile.mkdtemp(dir=session_folder))
    made = Far(s3.make_bucket(), open_keyring(KeyOptions(folder / "keys")), source, {})
    yield replace(made, backups=asyncio.run(back_up(made, s3.options, folder)))
    run(admin, f'DROP DATABASE "{source.database}" WITH (FORCE)')


@pytest.fixture
def live(far: Far, embedded_server) -> Iterator[DatabaseTarget]:
    """The live database, which has a row more than its backups; what a test makes beside it is removed."""
    target = embedded_server.target("main", f"live_{secrets.token_hex(4)}")
    admin = embedded_server.target("admin")
    before = databases(admin)
    run(admin, f'CREATE DATABASE "{target.database}" TEMPLATE "{far.source.database}"')
    run(target, MORE_ROWS)
    yield target
    for name in databases(admin) - before:
        run(admin, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def proxy(s3):
    with Proxy(urlsplit(s3.endpoint).netloc) as made:
        yield made


@pytest.fixture
async def here(far, s3, proxy, live, folder) -> AsyncIterator[Here]:
    """One that reaches the bucket through the proxy."""
    reached = s3.through(f"http://{proxy.address}") | {"max_retries": "1"}
    async with daemon(far, reached, live, folder) as made:
        yield made
