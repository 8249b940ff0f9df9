"""The longest query of a stream of reads and writes while migrations are applied, beside psql of the same files.

A report holds its lock on the table for a second, again and again: a plain ALTER TABLE waits behind it, and all others
wait behind the ALTER TABLE.
"""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from benchmarks.migrations.daemon import DATABASE, Served
from tests.support.query_stream import TABLE, QueryStream

ROWS = 1_000_000
_ALONE_S = 10.0
_REPORT_S = 1.0
_BETWEEN_REPORTS_S = 0.2
_WARM_UP_S = 2.0
_CLEAN = "DROP TABLE IF EXISTS visits; CHECKPOINT;"
_UNBATCHED = "UPDATE visits SET score = page WHERE score IS NULL;\n"


@dataclass(frozen=True, slots=True)
class Stalls:
    """The longest query in seconds: with no migration, beside ours, and beside psql; and how long the two took."""

    rows: int
    alone_s: float
    ours_s: float
    psql_s: float
    ours_elapsed_s: float
    psql_elapsed_s: float


def measure(served: Served, tools: Path, folder: Path, rows: int) -> Stalls:
    """Apply the set by the daemon, take it back, and apply the same statements by psql."""
    alone_s, _ = _longest(served, rows, lambda: time.sleep(_ALONE_S))
    ours_s, ours_elapsed_s = _longest(
        served, rows, lambda: served.client.apply_migrations(DATABASE, skip_backup=True).result()
    )
    served.client.roll_back_migrations(DATABASE, 0, skip_backup=True).result()
    psql_s, psql_elapsed_s = _longest(served, rows, lambda: _by_psql(served, tools, folder))
    return Stalls(rows, alone_s, ours_s, psql_s, ours_elapsed_s, psql_elapsed_s)


def _longest(served: Served, rows: int, work: Callable[[], object]) -> tuple[float, float]:
    """Return the longest query beside some work, and how long the work took."""
    with psycopg.connect(served.conninfo, autocommit=True) as connection:
        connection.execute(_CLEAN.encode())
        connection.execute(TABLE.format(rows=rows).encode())
        connection.execute("CHECKPOINT")
    with QueryStream(served.conninfo, rows) as stream, _reports(served.conninfo):
        time.sleep(_WARM_UP_S)
        stream.forget()
        began_s = time.perf_counter()
        work()
        elapsed_s = time.perf_counter() - began_s
        longest_s = stream.longest_s
    if stream.errors:
        raise ValueError(f"a query failed: {stream.errors[0]}")
    return longest_s, elapsed_s


@contextmanager
def _reports(conninfo: str) -> Iterator[None]:
    """Run a transaction that holds its lock for a second, again and again."""
    stopping = threading.Event()

    def report() -> None:
        with psycopg.connect(conninfo) as connection:
            while not stopping.wait(_BETWEEN_REPORTS_S):
                connection.execute("SELECT count(*) FROM visits WHERE id < 1000")
                stopping.wait(_REPORT_S)
                connection.commit()

    thread = threading.Thread(target=report, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def _by_psql(served: Served, tools: Path, folder: Path) -> None:
    """Apply the same files, each in one transaction, and the backfill as one statement."""
    for path in sorted(folder.glob("*.up.sql")):
        statements = path.read_text()
        if "-- steward: batch" in statements:
            statements = _UNBATCHED
        subprocess.run(
            [str(tools / "psql"), "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", served.conninfo],
            input=statements,
            text=True,
            check=True,
            capture_output=True,
        )
