"""What a refusal of the server or of a client tool means, and what to do about it: one table.

Read by the English words of PostgreSQL: pg_dump passes no SQLSTATE on, and libpq none of a failure to connect. A server
that speaks another language (lc_messages) is quoted all the same, and only the advice is missing then.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from stewardd.errors import (
    DatabaseFull,
    DatabaseRefused,
    StewardError,
    StorageFull,
    ToolFailed,
    ToolMissing,
)

_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Cause:
    """What a refusal comes to."""

    error: type[StewardError]
    hint: str


def find_cause(said: str, user: str) -> Cause | None:
    """Returns what a complaint comes to for a user of the database, or None for one that the table does not know."""
    for pattern, error, hint in _TABLE:
        found = pattern.search(said)
        if found:
            words = {key: value for key, value in found.groupdict().items() if value}
            words.setdefault("kind", "")
            return Cause(error, hint.format(role=_quoted(user), **_sql(words)))
    return None


def _sql(words: dict[str, str]) -> dict[str, str]:
    """Names an object as a GRANT does."""
    kind = words["kind"]
    grants = {
        "schema": "USAGE",
        "function": "EXECUTE",
        "procedure": "EXECUTE",
        "database": "CONNECT",
    }
    is_readable = kind in ("view", "materialized view", "foreign table", "relation", "table")
    return words | {
        "sql_kind": "TABLE" if is_readable else kind.upper(),
        "right": grants.get(kind, "SELECT"),
    }


def _quoted(name: str) -> str:
    if _PLAIN_NAME.fullmatch(name):
        return name
    return '"' + name.replace('"', '""') + '"'


_DENIED = r"permission denied for "
_GRANT_READING = (
    "give its user the right to read: GRANT pg_read_all_data TO {role}, or for this one "
    "GRANT {right} ON {sql_kind} {name} TO {role}"
)
_GRANT_LARGE_OBJECTS = (
    "back up as the owner of the large objects or as a superuser, or for each of them "
    "GRANT SELECT ON LARGE OBJECT {name} TO {role}; pg_read_all_data does not cover them"
)
_POOLER = (
    "this address seems to be a connection pooler's, which does not take `options`: name the server's own address, or "
    "leave `options` (PGOPTIONS too) out"
)
_SEVERAL_SERVERS = (
    "this address leads to more than one server, or to a pooler in front of several: name one server's own address "
    "for backups"
)
_NO_TLS = (
    "install client tools that speak TLS, or name their folder in `postgres.tools_dir`; where the connection may go "
    "in the clear, write sslmode=disable into the database's URL"
)
_EXCLUSIVE_LOCK = (
    "somebody asked for an exclusive lock during the dump (ALTER TABLE, TRUNCATE, VACUUM FULL …), and pg_dump with "
    "several jobs does not go on then: try again when that is done, or with one job"
)
_RULES: tuple[tuple[str, type[StewardError], str], ...] = (
    (
        r"data for (?P<kind>sequence) \"?(?P<name>[^\";]+)\"?; user may lack SELECT privilege",
        DatabaseRefused,
        _GRANT_READING,
    ),
    (
        _DENIED
        + r"(?P<kind>schema|table|sequence|view|materialized view|foreign table|relation) (?P<name>\S+)",
        DatabaseRefused,
        _GRANT_READING,
    ),
    (
        _DENIED + r"(?P<kind>large object) (?P<name>\d+)",
        DatabaseRefused,
        _GRANT_LARGE_OBJECTS,
    ),
    (
        _DENIED + r"(?P<kind>function|procedure|database) (?P<name>\S+)",
        DatabaseRefused,
        "give its user the right: GRANT {right} ON {sql_kind} {name} TO {role}",
    ),
    (
        r"affected by row-level security policy for table (?P<name>\S+)",
        DatabaseRefused,
        "a backup needs every row of {name}: ALTER ROLE {role} BYPASSRLS, or back up as a superuser",
    ),
    (
        r"permission denied|must be superuser|must be owner|must have privileges",
        DatabaseRefused,
        "give its user that right: GRANT pg_read_all_data TO {role}, or back up as the owner or a superuser",
    ),
    (
        r"server version mismatch|server version: .*pg_dump version",
        ToolMissing,
        "install client tools of the server's major version or newer, or name their folder in `postgres.tools_dir`",
    ),
    (r"invalid when (SSL|GSSAPI) support is not compiled in", ToolMissing, _NO_TLS),
    (
        r"invalid connection option",
        ToolMissing,
        "these client tools are older than that parameter: install newer ones, or leave it out of the database's URL",
    ),
    (
        r"startup parameter|command-line options|unsupported parameter",
        DatabaseRefused,
        _POOLER,
    ),
    (
        r"snapshot \"[^\"]*\" does not exist|invalid snapshot identifier|import the requested snapshot",
        DatabaseRefused,
        _SEVERAL_SERVERS,
    ),
    (
        r"no pg_hba\.conf entry|pg_hba\.conf rejects",
        DatabaseRefused,
        "let the daemon's host in by the server's pg_hba.conf; `no encryption` there means that the server wants TLS",
    ),
    (
        r"too many clients already|remaining connection slots|too many connections for",
        DatabaseFull,
        DatabaseFull.hint,
    ),
    (
        r"authentication (failed|method)|no password supplied|server requested|channel binding required",
        DatabaseRefused,
        "check user and password in the database's URL, and how the server's pg_hba.conf lets that user in",
    ),
    (
        r"database \"[^\"]*\" does not exist",
        DatabaseRefused,
        "check the database's name in the URL; its names are case-sensitive there",
    ),
    (
        r"role \"[^\"]*\" (does not exist|is not permitted to log in)",
        DatabaseRefused,
        "check the user in the database's URL; CREATE ROLE … LOGIN makes one",
    ),
    (
        r"certificate|SSL error|server does not support SSL|root certificate file",
        DatabaseRefused,
        "check the server's certificate against sslmode and sslrootcert in the database's URL",
    ),
    (
        r"No space left on device|could not extend file|disk full",
        StorageFull,
        "free room on the disk of the database's server; the daemon's own disk is not meant",
    ),
    (
        r"due to lock timeout",
        ToolFailed,
        "somebody holds a lock on a table (see pg_locks and pg_stat_activity): try again when that transaction is over",
    ),
    (
        r"could not obtain lock on relation",
        ToolFailed,
        _EXCLUSIVE_LOCK,
    ),
    (
        r"conflict with recovery",
        DatabaseRefused,
        "this is a standby: raise max_standby_streaming_delay, set hot_standby_feedback, or back up from the primary",
    ),
    (
        r"invalid page|missing chunk number|could not read block|invalid memory alloc|checksum",
        ToolFailed,
        "the database itself seems damaged: keep its older backups, and look at the server's log and its disk",
    ),
)
_TABLE = tuple((re.compile(pattern), error, hint) for pattern, error, hint in _RULES)
