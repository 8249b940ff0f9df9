"""Watches whether a restore in place waits for sessions that hold its tables; ends them, or tells who they are.

pg_restore switches lock_timeout off by itself, so it would wait for ever, and everybody who comes after it behind it.
"""

from __future__ import annotations

import asyncio
from typing import NoReturn

from stewardd.errors import DatabaseInUse
from stewardd.postgres.connect import Connection, explained
from stewardd.postgres.target import DatabaseTarget

_INTERVAL_S = 0.5
_BLOCKERS = """
SELECT b.pid, COALESCE(NULLIF(b.application_name, ''), 'unnamed')
FROM pg_stat_activity a, unnest(pg_blocking_pids(a.pid)) p, pg_stat_activity b
WHERE a.datname = %s AND a.application_name = %s AND a.wait_event_type = 'Lock' AND b.pid = p
"""


async def watch_locks(
    connection: Connection,
    target: DatabaseTarget,
    database: str,
    application: str,
    *,
    timeout_s: float,
    ends_sessions: bool,
) -> NoReturn:
    """Watches until it is cancelled. Raises: DatabaseInUse after too long a wait, DatabaseRefused, DatabaseDown."""
    waiting_since: float | None = None
    loop = asyncio.get_running_loop()
    while True:
        with explained(target, connection):
            holders = await (
                await connection.execute(_BLOCKERS, [database, application])
            ).fetchall()
            if ends_sessions:
                for pid, _ in holders:
                    await connection.execute("SELECT pg_terminate_backend(%s)", [pid])
        waiting_since = (waiting_since or loop.time()) if holders else None
        if waiting_since is not None and loop.time() - waiting_since > timeout_s:
            said = ", ".join(f"{name} (process {pid})" for pid, name in holders[:5])
            raise DatabaseInUse(
                f"the restore waited {timeout_s:g} s for tables of {database!r} that are held by {said}"
            )
        await asyncio.sleep(_INTERVAL_S)
