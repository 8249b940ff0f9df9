"""The section `postgres`: the target databases, the pool of each, and its probes."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from stewardd.config.section import Section
from stewardd.config.values import Count, Folder, Seconds, Secret


class DatabaseSettings(Section):
    """One target database."""

    url: Secret
    """postgresql://USER:PASSWORD@HOST:PORT/NAME, or a libpq conninfo; libpq's variables (PG…), service file and
    passfile apply to it"""


class PostgresSettings(Section):
    """The target databases and the connections to them."""

    databases: dict[str, DatabaseSettings] = {}
    """the databases by the name that callers use; none: the daemon runs an embedded PostgreSQL, which ignores libpq's
    variables (PG…)"""

    embedded_user: str = ""
    """who runs the embedded PostgreSQL when the daemon is root; empty: postgres, else nobody"""

    tools_dir: Annotated[Folder | None, BeforeValidator(lambda value: value or None)] = None
    """the folder of pg_dump and pg_restore; empty: the daemon looks for the nearest version that fits the server"""

    pool_min_size: Annotated[int, Field(ge=0)] = 5
    """connections kept open"""

    pool_max_size: Count = 20
    """connections opened at most"""

    pool_acquire_timeout_s: Seconds = 5.0
    """how long a caller waits for a connection"""

    pool_idle_timeout_s: Seconds = 30.0
    """a connection above the minimum is closed when it has been idle for so long"""

    probe_interval_s: Seconds = 2.0
    """how often each database is probed for Health"""

    probe_timeout_s: Seconds = 2.0
    """a database whose probe takes longer counts as down"""

    @model_validator(mode="after")
    def _min_below_max(self) -> PostgresSettings:
        if self.pool_min_size > self.pool_max_size:
            raise ValueError("pool_min_size must not exceed pool_max_size")
        return self
