"""Where a database is, and how to get in: a name and a libpq connection string.

The password travels inside, and must come out nowhere: `repr` and `str` show the string without it, and child processes
get it by their environment, never in argv. libpq itself knows which of its parameters are secrets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from stewardd.errors import ConfigurationError
from stewardd.excerpt import excerpt
from stewardd.postgres.connection_string import check_connection_string

_HIDDEN = b"*"  # libpq's own mark (dispchar) of "password field, hide the value"
_KEYS = {
    "scram_client_key",
    "scram_server_key",
}  # as good as a password, and only marked as "for debugging"

_PATIENCE: dict[str, str | int] = {
    "connect_timeout": 3,
    "keepalives_idle": 5,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,  # milliseconds
}


@dataclass(frozen=True, slots=True)
class DatabaseTarget:
    """One database: `name` is the configured name, `conninfo` a postgresql:// URL or a keyword=value string."""

    name: str
    conninfo: str

    def __post_init__(self) -> None:
        """Refuses a string that libpq can't read or would misread; no complaint quotes it."""
        check_connection_string(self.name, self.conninfo)

    def __repr__(self) -> str:
        return f"DatabaseTarget(name={self.name!r}, conninfo={self.redacted!r})"

    @property
    def redacted(self) -> str:
        """The connection string with every secret masked; fit to be shown."""
        secrets = dict.fromkeys(_secret_parameters(self.conninfo), "***")
        return make_conninfo(self.conninfo, **secrets)

    @property
    def user(self) -> str:
        """The user that the string names, or ""."""
        return str(conninfo_to_dict(self.conninfo).get("user") or "")

    @property
    def database(self) -> str:
        """The database on the server that the string names, or ""."""
        return str(conninfo_to_dict(self.conninfo).get("dbname") or "")

    @property
    def secrets(self) -> list[str]:
        """The values of the secrets that the string holds."""
        return [value for _, value in _secret_parameters(self.conninfo).values()]

    def quote(self, said: object, limit: int) -> str:
        """What somebody said of this database, on one line, its secrets masked."""
        return excerpt(str(said), secrets=self.secrets, limit=limit)

    def with_parameters(self, **parameters: str | int) -> DatabaseTarget:
        """The same database with some parameters of libpq set or replaced."""
        return DatabaseTarget(self.name, make_conninfo(self.conninfo, **parameters))

    def with_patience(self) -> DatabaseTarget:
        """The same database, where it is noticed within 15 s that the other side is gone without a word.

        The system takes two hours. What the string itself says about patience goes before.
        """
        given = conninfo_to_dict(self.conninfo)
        return self.with_parameters(
            **{name: value for name, value in _PATIENCE.items() if name not in given}
        )

    def with_options(self, settings: Mapping[str, str]) -> DatabaseTarget:
        """The same database with server settings added to those that the string's `options` already makes."""
        given = str(conninfo_to_dict(self.conninfo).get("options") or "")
        added = " ".join(f"-c {name}={_escape(value)}" for name, value in settings.items())
        return self.with_parameters(options=f"{given} {added}".strip())

    def for_child(self) -> tuple[str, dict[str, str]]:
        """What a libpq program is started with: a connection string for its argv, and the secrets as environment.

        Raises ConfigurationError for a secret that libpq reads from no environment variable.
        """
        secrets = _secret_parameters(self.conninfo)
        environment: dict[str, str] = {}
        for keyword, (variable, value) in secrets.items():
            if variable is None:
                raise ConfigurationError(
                    f"database {self.name!r}: the secret {keyword!r} cannot be handed to a client tool unseen",
                    hint="use a password, a passfile, or an unencrypted key file that only the daemon can read",
                )
            environment[variable] = value
        shown = {k: v for k, v in conninfo_to_dict(self.conninfo).items() if k not in secrets}
        return make_conninfo("", **shown), environment


def _secret_parameters(conninfo: str) -> dict[str, tuple[str | None, str]]:
    """The secrets that a connection string holds: keyword -> (environment variable, value)."""
    found = {}
    for option in pq.Conninfo.parse(conninfo.encode()):
        keyword = option.keyword.decode()
        if option.val is not None and (option.dispchar == _HIDDEN or keyword in _KEYS):
            variable = option.envvar.decode() if option.envvar else None
            found[keyword] = (variable, option.val.decode())
    return found


def _escape(value: str) -> str:
    """A value as the server splits `options`: at blanks, with a backslash before what is meant literally."""
    return value.replace("\\", "\\\\").replace(" ", "\\ ")
