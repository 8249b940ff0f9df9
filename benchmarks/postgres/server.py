"""The server of a run: the embedded one, without its promises to the disk, and how its peers reach it."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict
from stewardd.postgres.embedded import EmbeddedOptions, EmbeddedServer
from stewardd.postgres.pool import Pool
from stewardd.postgres.target import DatabaseTarget

_SETTINGS = {"fsync": "off", "shared_buffers": "64MB", "max_connections": "100"}
_FILL_TIMEOUT_S = 60


@contextlib.contextmanager
def server() -> Iterator[DatabaseTarget]:
    """Run a server; yield where it is."""
    folder = Path(tempfile.mkdtemp(prefix="steward-bench-"))
    folder.chmod(0o711)  # another account passes through
    embedded = EmbeddedServer(folder, EmbeddedOptions(settings=_SETTINGS))
    try:
        asyncio.run(embedded.start())
        yield embedded.target("bench")
        asyncio.run(embedded.stop())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def filled(pool: Pool) -> None:
    """Wait until the pool has its minimum."""
    deadline_s = time.monotonic() + _FILL_TIMEOUT_S
    while pool.stats().idle < pool.options.min_size:
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"the pool is not filled: {pool.stats()}")
        await asyncio.sleep(0.01)


def socket_path(target: DatabaseTarget) -> str:
    """Return the path of the server's socket."""
    return f"{conninfo_to_dict(target.conninfo)['host']}/.s.PGSQL.5432"


def by_tcp(target: DatabaseTarget, port: int) -> DatabaseTarget:
    """Return the same database by a port of this machine."""
    return target.with_parameters(host="127.0.0.1", port=port)
