"""Errors of a target database."""

from __future__ import annotations

from stewardd.errors.kinds import InvalidRequest, NotFound, NotNow, Unavailable


class DatabaseUnknown(InvalidRequest):
    """There is no database of that name in the configuration."""

    reason = "DATABASE_UNKNOWN"
    hint = "name one of the databases under `postgres.databases`"


class DatabaseNotFound(NotFound):
    """There is no database of that name in the configuration."""

    reason = "DATABASE_NOT_FOUND"
    hint = "list the databases with `steward db list`"


class DatabaseRefused(NotNow):
    """The database answers, and refuses the daemon: a wrong password, no such database, a right that is missing."""

    reason = "DATABASE_REFUSED"
    hint = "check the database's URL, and the rights of its user"


class DatabaseStandby(DatabaseRefused):
    """The database answers, and is a standby where its URL asks for a primary: a fail-over may be under way."""

    reason = "DATABASE_STANDBY"
    hint = "try again when the fail-over is done; name all servers in the URL (host=a,b) to reach the new primary"


class DirectConnectionNeeded(NotNow):
    """The connection leads through a pooler, which lends the session of a dump or of a migration's lock to others."""

    reason = "DIRECT_CONNECTION_NEEDED"
    hint = "name the server's own address in `direct_url` of the database"


class DatabaseDown(Unavailable):
    """The database does not answer."""

    reason = "DATABASE_DOWN"


class DatabaseFull(DatabaseDown):
    """The database answers that all of its connections are taken."""

    reason = "DATABASE_FULL"
    hint = "see who holds them (pg_stat_activity); raise max_connections, or lower `postgres.pool_max_size`"


class DatabaseBusy(Unavailable):
    """Every connection of the pool is taken."""

    reason = "DATABASE_BUSY"


class CircuitOpen(Unavailable):
    """The database was found away several times in a row, or somebody opened its breaker: it is not asked for now."""

    reason = "CIRCUIT_OPEN"
    hint = "wait as long as RetryInfo says; `steward db show` says what the breaker waits for"
