"""Refuses a connection string that libpq does not know, or that it would read in another way than it was meant.

A password that is not encoded may end up as a host, a port, a parameter or a database's name, and libpq, the resolver
and the server then say it aloud in their errors. So what cannot be told from a piece of a password is refused here
before anything is connected to, and no message quotes it. What is quoted (a scheme, a parameter's name) stands where no
password can stand.
"""

from __future__ import annotations

import re
from contextlib import suppress
from difflib import get_close_matches
from typing import NoReturn
from urllib.parse import unquote

from psycopg import ProgrammingError, pq
from psycopg.conninfo import conninfo_to_dict

from stewardd.errors import ConfigurationError

_SCHEMES = ("postgresql://", "postgres://")
_OTHER_SCHEME = re.compile(r"((?:j|r2)dbc:(?:[a-z]+:)?[a-z]+|[A-Za-z][A-Za-z0-9+.-]*(?=://))")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,40}")
_PAIR = re.compile(
    r"\s*([^\s=]+)\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s'\\]|\\.)(?:[^\s\\]|\\.)*|)", re.DOTALL
)
_ENCODE = (
    "write postgresql://user@host:port/database; in a password (or user) write @ as %40, / as %2F, : as %3A, # as %23, "
    "? as %3F, & as %26, % as %25, or put the password into a passfile"
)
_QUOTE = "put the password in single quotes, with a backslash before each ' and \\ in it"
_URL_ONLY = {"ssl"}  # libpq takes ssl=true in a URL, for JDBC's sake
_SCHEMA_PARAMETERS = {"schema", "currentschema", "search_path"}
# Of ORMs and other drivers. After a password any other name may be the password's own rest; these are not.
_FOREIGN = {
    "binary_parameters",
    "connection_limit",
    "currentschema",
    "pgbouncer",
    "pool_max_conns",
    "pool_timeout",
    "prepared_statement_cache_size",
    "schema",
    "search_path",
    "socket_timeout",
    "sslaccept",
    "statement_cache_size",
    "uselibpqcompat",
}
_POSTGRES_PORTS = range(1, 65536)


def check_connection_string(name: str, conninfo: str) -> None:
    """Refuses what libpq cannot read, and what it would misread. Raises ConfigurationError, without quoting it."""
    what = f"the connection string of database {name!r}"
    is_url = conninfo.startswith(_SCHEMES)
    if is_url:
        _check_at_signs(what, conninfo)
    else:
        _check_scheme(what, conninfo)
    parameters = None
    with suppress(
        ProgrammingError
    ):  # its text quotes the string, and must not be an error's context either
        parameters = conninfo_to_dict(conninfo)
    if parameters is None:
        _refuse_unknown(what, conninfo, is_url=is_url)
    _check_parts(what, {key: str(value) for key, value in parameters.items()}, is_url=is_url)


def _check_at_signs(what: str, url: str) -> None:
    """One raw @ may stand in a URL: the one before the host. In a parameter alone it is the value's own."""
    rest = url.partition("://")[2]
    before_query, _, query = rest.partition("?")
    place = rest.find("@")
    in_query_alone = "@" not in before_query and "/" in before_query and query.count("@") == 1
    if rest.count("@") > 1 or ("/" in rest[: max(place, 0)] and not in_query_alone):
        raise ConfigurationError(
            f"{what} has an @ or a / in its user or password that is not percent-encoded",
            hint=_ENCODE,
        )


def _check_scheme(what: str, conninfo: str) -> None:
    found = _OTHER_SCHEME.match(conninfo)
    if found:
        raise ConfigurationError(
            f"{what} begins with the scheme {found[1]!r}, which libpq does not know",
            hint="begin it with postgresql://user:password@host:port/database, without the name of a driver",
        )


def _refuse_unknown(what: str, conninfo: str, *, is_url: bool) -> NoReturn:
    pairs = _url_pairs(conninfo) if is_url else [match[1] for match in _PAIR.finditer(conninfo)]
    known = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
    secret = {o.keyword.decode() for o in pq.Conninfo.get_defaults() if o.dispchar}
    unknown, before = [], ""
    for keyword in pairs:
        if keyword not in known and not (is_url and keyword in _URL_ONLY):
            doubtful = before in secret and keyword.lower() not in _FOREIGN
            if doubtful or not _IDENTIFIER.fullmatch(keyword):
                # It may be the rest of a password.
                raise ConfigurationError(
                    f"{what} cannot be parsed", hint=_ENCODE if is_url else _QUOTE
                )
            unknown.append(keyword)
        before = keyword if keyword in known else before
    if not unknown:
        raise ConfigurationError(f"{what} cannot be parsed", hint=_ENCODE if is_url else _QUOTE)
    names = ", ".join(repr(keyword) for keyword in unknown)
    raise ConfigurationError(
        f"{what} has the parameter{'s' if len(unknown) > 1 else ''} {names}, which libpq does not know",
        hint=_advice(unknown, known),
    )


def _advice(unknown: list[str], known: set[str]) -> str:
    """What to do about parameters that are misspelt, or of another driver."""
    meant = {word: get_close_matches(word.lower(), known, n=1, cutoff=0.8) for word in unknown}
    advice = [f"write {near[0]} for {word}" for word, near in meant.items() if near]
    foreign = [word for word, near in meant.items() if not near]
    if foreign:
        advice.append(f"leave out {', '.join(foreign)}: another driver's or an ORM's own")
    if _SCHEMA_PARAMETERS & {word.lower() for word in foreign}:
        advice.append("libpq chooses a schema by options=-csearch_path%3Dname")
    return "; ".join(advice)


def _url_pairs(url: str) -> list[str]:
    rest = url.partition("://")[2]
    query = rest[rest.find("@") + 1 :].partition("?")[2]
    return [unquote(pair.partition("=")[0]) for pair in query.split("&") if pair]


def _check_parts(what: str, parameters: dict[str, str], *, is_url: bool) -> None:
    """Looks at host, port, user and database, those that the environment gives included."""
    defaults = {
        o.keyword.decode(): o.val.decode()
        for o in pq.Conninfo.get_defaults()
        if o.envvar and o.val is not None
    }
    parts = {key: parameters.get(key) or defaults.get(key, "") for key in _PARTS}
    hint = _ENCODE if is_url else _QUOTE
    # A path and an abstract socket (which begins with @) are hosts too.
    hosts = parts["host"].split(",")
    if any("@" in host[1:] and not host.startswith("/") for host in hosts):
        raise ConfigurationError(
            f"{what} gives a host with an @ in it, which no host has", hint=hint
        )
    for port in parts["port"].split(","):
        if port.strip() and not (_is_digits(port) and int(port) in _POSTGRES_PORTS):
            raise ConfigurationError(
                f"{what} gives a port that is no number from 1 to 65535", hint=hint
            )
    if "://" in parts["dbname"] or "password=" in parts["dbname"].replace(" ", ""):
        raise ConfigurationError(
            f"{what} gives a database's name that is a connection string itself",
            hint="give the string alone, without dbname= before it; look at PGDATABASE too",
        )
    if ":" in parts["user"] and not parameters.get("password"):
        raise ConfigurationError(
            f"{what} gives a user with a : in it and no password",
            hint="leave the : between user and password as it is, and percent-encode only what is inside of each",
        )


_PARTS = ("host", "port", "user", "dbname")


def _is_digits(text: str) -> bool:
    stripped = text.strip()
    return stripped.isascii() and stripped.isdigit() and len(stripped) <= len("65535")
