"""pgbench on the source while a backup is made: how many transactions a second it still does."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
from stewardd.postgres.target import DatabaseTarget

from benchmarks.backup.source import call_of

_CLIENTS = 4
_LONGEST_S = 3600
_WARM_UP_S = 2.0
_COMMITS = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"


def commits_per_s(target: DatabaseTarget, tools: str, work: Callable[[], None]) -> float:
    """Return the rate at which transactions are committed while `work` is done beside pgbench."""
    call = call_of(target)
    pgbench = subprocess.Popen(
        [
            str(Path(tools) / "pgbench"),
            "-n",
            "-c",
            str(_CLIENTS),
            "-T",
            str(_LONGEST_S),
            call.conninfo,
        ],
        env=call.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        time.sleep(_WARM_UP_S)
        # Sessions report their counts about a second late, at both ends alike.
        before, began_s = _commits(target), time.monotonic()
        work()
        elapsed_s = time.monotonic() - began_s
        return (_commits(target) - before) / elapsed_s
    finally:
        pgbench.terminate()
        pgbench.wait()


def idle(seconds: float) -> Callable[[], None]:
    """Return work that is none."""
    return lambda: time.sleep(seconds)


def _commits(target: DatabaseTarget) -> int:
    with psycopg.connect(target.conninfo, autocommit=True) as connection:
        row = connection.execute(_COMMITS).fetchone()
    if row is None:
        raise ValueError("the server counts no transactions of this database")
    return int(row[0])
