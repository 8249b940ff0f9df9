"""The way that one connection went, as a connection string that leads nowhere else.

A connection string leaves much open: one host of several, one address of a name, TLS or not, a service file, a
passfile, variables of the environment, defaults that differ between two builds of libpq. A backup must read what was
probed, in the way in which it was probed. So the probe's connection is asked what it came to, and the snapshot and
pg_dump are given exactly that: host and address, port, user, database, TLS or none.
"""

from __future__ import annotations

from psycopg import AsyncConnection, pq
from psycopg.conninfo import make_conninfo

from stewardd.postgres.target import DatabaseTarget

# What is settled by now, or is each session's own affair. client_encoding would make pg_dump convert the data.
_SETTLED = {
    "service",
    "servicefile",
    "host",
    "hostaddr",
    "port",
    "user",
    "dbname",
    "password",
    "sslmode",
    "gssencmode",
    "load_balance_hosts",
    "client_encoding",
    "application_name",
    "fallback_application_name",
    "replication",
}
# What libpq fills in by itself, and shows as if it had been asked for.
_FILLED_IN = {"sslcertmode": b"allow"}
_ENCRYPTED_MODES = ("require", "verify-ca", "verify-full")
_SOCKET_MARKS = ("/", "@")


def is_socket(connection: AsyncConnection[object]) -> bool:
    """Whether a connection goes through a Unix socket."""
    return connection.pgconn.host.decode().startswith(_SOCKET_MARKS)


def pinned(
    target: DatabaseTarget, connection: AsyncConnection[object], *, gss_encrypted: bool
) -> DatabaseTarget:
    """Returns the target as a live connection reached it."""
    pgconn = connection.pgconn
    by_tls = pgconn.ssl_in_use
    options = {option.keyword.decode(): option for option in pgconn.info}
    # Only what differs from libpq's own default: an older tool does not know the newest parameters.
    kept = {
        keyword: option.val.decode()
        for keyword, option in options.items()
        if keyword not in _SETTLED
        and option.val
        and option.val not in (option.compiled, _FILLED_IN.get(keyword))
        and (by_tls or not keyword.startswith("ssl"))
    }
    password = (pgconn.password or b"").decode()
    if password:
        kept.pop("passfile", None)
        kept["password"] = password
    if pgconn.hostaddr and not is_socket(connection):
        kept["hostaddr"] = pgconn.hostaddr.decode()
    conninfo = make_conninfo(
        "",
        host=pgconn.host.decode(),
        port=pgconn.port.decode(),
        user=pgconn.user.decode(),
        dbname=pgconn.db.decode(),
        sslmode=_ssl_mode(options) if by_tls else "disable",
        gssencmode="require" if gss_encrypted else "disable",
        **kept,
    )
    return DatabaseTarget(target.name, conninfo)


def _ssl_mode(options: dict[str, pq.ConninfoOption]) -> str:
    """Never less than the string asked for, and never the freedom to go on without TLS."""
    asked = (options["sslmode"].val or b"").decode()
    return asked if asked in _ENCRYPTED_MODES else "require"
