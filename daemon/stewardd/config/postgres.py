"""The section `postgres`: the target databases, the pool of each, and its probes."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from stewardd.config.section import Section
from stewardd.config.values import Count, Folder, Seconds, Secret


def _read_database_name(text: str) -> str:
    """Takes what can stand in a resource name (AIP-122), in a metric's label and in a command."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", text) is None:
        raise ValueError(
            "a database is called by at most 63 letters, digits, _ . and -, the first a letter or a digit"
        )
    return text


DatabaseName = Annotated[str, AfterValidator(_read_database_name)]


class DatabaseSettings(Section):
    """One target database."""

    url: Secret
    """postgresql://USER:PASSWORD@HOST:PORT/NAME, or a libpq conninfo; libpq's variables (PG…), service file and
    passfile apply to it. From a file (`url = { file = … }`) it is read anew when the database refuses the daemon"""

    direct_url: Secret | None = None
    """where `url` leads to a connection pooler: the server's own address, for what needs a session (dumps, snapshots,
    advisory locks); default: `url`"""

    pooled: bool = False
    """whether `url` leads to a connection pooler, such as PgBouncer in transaction mode: then `options` are not sent at
    start-up, and no statement is prepared"""

    pool_min_size: Annotated[int, Field(ge=0)] | None = None
    """as in [postgres], for this database alone"""

    pool_max_size: Count | None = None
    """as in [postgres], for this database alone"""

    pool_acquire_timeout_s: Seconds | None = None
    """as in [postgres], for this database alone"""

    pool_idle_timeout_s: Seconds | None = None
    """as in [postgres], for this database alone"""

    pool_max_uses: Count | None = None
    """as in [postgres], for this database alone"""

    pool_max_lifetime_s: Seconds | None = None
    """as in [postgres], for this database alone"""

    pool_leak_after_s: Seconds | None = None
    """as in [postgres], for this database alone"""

    breaker_failures: Count | None = None
    """as in [postgres], for this database alone"""

    breaker_open_s: Seconds | None = None
    """as in [postgres], for this database alone"""

    migrations_dir: Annotated[Folder | None, BeforeValidator(lambda value: value or None)] = None
    """the folder of the database's own migrations; empty: that of [migrations]"""


class PostgresSettings(Section):
    """The target databases and the connections to them."""

    databases: dict[DatabaseName, DatabaseSettings] = {}
    """the databases by the name that callers use; none: the daemon runs an embedded PostgreSQL, which ignores libpq's
    variables (PG…)"""

    embedded_user: str = ""
    """the system user that runs the embedded PostgreSQL when the daemon runs as root; empty: postgres, or nobody where
    there is no such user"""

    tools_dir: Annotated[Folder | None, BeforeValidator(lambda value: value or None)] = None
    """the folder of pg_dump and pg_restore; empty: the daemon looks for the nearest version that fits the server"""

    server_dirs: list[Folder] = []
    """folders of a PostgreSQL server's programs (initdb, postgres) for scratch servers, on which migrations are proven;
    looked at before those that are installed. The nearest major version not below the database's is taken"""

    pool_min_size: Annotated[int, Field(ge=0)] = 5
    """connections kept open"""

    pool_max_size: Count = 20
    """connections opened at most"""

    pool_acquire_timeout_s: Seconds = 5.0
    """how long a caller waits for a connection"""

    pool_idle_timeout_s: Seconds = 30.0
    """a connection above the minimum is closed after it has been idle for this long"""

    pool_max_uses: Count = 7500
    """loans after which a new connection replaces an old one; reduced at random by up to a tenth"""

    pool_max_lifetime_s: Seconds = 1800.0
    """age at which a new connection replaces an old one; reduced at random by up to a tenth"""

    pool_leak_after_s: Seconds = 60.0
    """the log names a caller that holds a connection for longer"""

    breaker_failures: Count = 5
    """consecutive failures that open the circuit breaker of a database; only failures to reach the database count"""

    breaker_open_s: Seconds = 60.0
    """how long an open breaker refuses callers if the daemon does not see the database before; a tenth more or less"""

    probe_interval_s: Seconds = 2.0
    """how often each database is probed for Health"""

    probe_timeout_s: Seconds = 2.0
    """a database whose probe takes longer counts as down"""

    @model_validator(mode="after")
    def _min_below_max(self) -> PostgresSettings:
        if self.pool_min_size > self.pool_max_size:
            raise ValueError("pool_min_size must not exceed pool_max_size")
        for name, own in self.databases.items():
            smallest = self.pool_min_size if own.pool_min_size is None else own.pool_min_size
            if smallest > (own.pool_max_size or self.pool_max_size):
                raise ValueError(f"databases.{name}: pool_min_size must not exceed pool_max_size")
        return self
