"""Drift of a database of a thousand tables, beside pg_dump --schema-only of it."""

import os
import subprocess
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from psycopg.conninfo import conninfo_to_dict, make_conninfo
from steward_client import Client

from benchmarks.migrations.daemon import DATABASE, Served
from benchmarks.migrations.status import timed

TABLES = 1_000


@dataclass(frozen=True, slots=True)
class Drifting:
    """Seconds, medians: the first operation of a daemon, every later one, and pg_dump of the schema."""

    first_s: float
    later_s: float
    dump_s: float


def measure(served: Served, tools: Path, rounds: int, tables: int = TABLES) -> Drifting:
    """Measure in turn."""
    served.client.apply_migrations(DATABASE, skip_backup=True).result()
    first, later, dumps = [], [], []
    for _ in range(rounds):
        served.daemon.stop()
        served.daemon.start()  # another daemon, which has replayed nothing yet
        with Client(served.daemon.address) as client:
            client.health()
            first.append(timed(partial(_detect, client)))
            later.append(timed(partial(_detect, client)))
        dumps.append(timed(lambda: _dump(served, tools, tables)))
    return Drifting(median(first), median(later), median(dumps))


def _detect(client: Client) -> None:
    drift = client.detect_drift(DATABASE).result()
    if drift.differences:
        raise ValueError(f"the database has drifted: {drift.differences[0]}")


def _dump(served: Served, tools: Path, tables: int) -> None:
    parts = conninfo_to_dict(served.conninfo)
    password = str(parts.pop("password"))
    argv = [str(tools / "pg_dump"), "--schema-only", f"--dbname={make_conninfo('', **parts)}"]
    environment = {**os.environ, "PGPASSWORD": password}
    done = subprocess.run(argv, check=True, capture_output=True, env=environment)
    if done.stdout.count(b"CREATE TABLE public.area_") != tables:
        raise ValueError("pg_dump found another number of tables")
