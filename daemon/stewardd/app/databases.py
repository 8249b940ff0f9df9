"""The target databases, configured or embedded: their pools, breakers and probes, and the service that shows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import SecretStr

from stewardd.app.assembly import Assembly
from stewardd.config.postgres import DatabaseSettings, PostgresSettings
from stewardd.config.settings import Settings
from stewardd.config.values import SecretFromFile
from stewardd.errors import ConfigurationError
from stewardd.health import probes
from stewardd.health.monitor import Probe
from stewardd.postgres.breaker import BreakerOptions
from stewardd.postgres.database import Database
from stewardd.postgres.databases import Databases
from stewardd.postgres.embedded import EmbeddedOptions, EmbeddedServer
from stewardd.postgres.pool import PoolOptions
from stewardd.postgres.service_file import write_service_file
from stewardd.postgres.target import DatabaseTarget
from stewardd.rpc.database.servicer import DatabaseServicer

EMBEDDED_NAME = "embedded"


def check_databases(assembly: Assembly) -> None:
    """Tries what an embedded server needs, before anything is made. Raises: ConfigurationError."""
    if not assembly.settings.postgres.databases:
        _embedded(assembly.settings).check_place()


async def start_databases(assembly: Assembly) -> Databases:
    """Starts the embedded server where no database is configured, opens the pools, and adds the service.

    An external database that does not answer is no failure: the daemon serves, and Health says so.
    """
    settings = assembly.settings.postgres
    if settings.databases:
        made = [_configured(name, own, settings) for name, own in settings.databases.items()]
    else:
        target = await _start_embedded(assembly)
        pool, breaker = pool_options(settings, None), breaker_options(settings, None)
        made = [Database(target, pool, breaker, embedded=True)]
    databases = Databases(made)
    assembly.metrics.add_databases(databases)  # before any of them connects, which is counted
    for database in databases:
        await database.open()
        assembly.running.push_async_callback(database.close)
        # One database is `database`, several are `database/{name}`.
        component = "database" if len(databases) == 1 else f"database/{database.name}"
        assembly.monitor.add(_probe(component, database, settings))
    assembly.servicers.append(DatabaseServicer(databases, assembly.monitor))
    return databases


def pool_options(settings: PostgresSettings, own: DatabaseSettings | None) -> PoolOptions:
    """What holds for the pool of a database: its own settings, before those of all."""

    def choose(name: str) -> Any:
        chosen = getattr(own, name, None)
        return getattr(settings, name) if chosen is None else chosen

    return PoolOptions(
        min_size=choose("pool_min_size"),
        max_size=choose("pool_max_size"),
        acquire_timeout_s=choose("pool_acquire_timeout_s"),
        idle_timeout_s=choose("pool_idle_timeout_s"),
        max_uses=choose("pool_max_uses"),
        max_lifetime_s=choose("pool_max_lifetime_s"),
        leak_after_s=choose("pool_leak_after_s"),
        pooled=own is not None and own.pooled,
    )


def target_source(name: str, url: SecretStr) -> Callable[[], DatabaseTarget] | None:
    """What reads a target anew, for a URL that stands in a file."""
    if not isinstance(url, SecretFromFile):
        return None

    def read() -> DatabaseTarget:
        try:
            return DatabaseTarget(name, url.read_anew().get_secret_value())
        except ValueError as error:
            raise ConfigurationError(f"database {name!r}: {error}") from None

    return read


def breaker_options(settings: PostgresSettings, own: DatabaseSettings | None) -> BreakerOptions:
    """What holds for the breaker of a database: its own settings, before those of all."""
    return BreakerOptions(
        failures=(own and own.breaker_failures) or settings.breaker_failures,
        open_s=(own and own.breaker_open_s) or settings.breaker_open_s,
    )


def _configured(name: str, own: DatabaseSettings, settings: PostgresSettings) -> Database:
    return Database(
        DatabaseTarget(name, own.url.get_secret_value()),
        pool_options(settings, own),
        breaker_options(settings, own),
        direct=DatabaseTarget(name, (own.direct_url or own.url).get_secret_value()),
        source=target_source(name, own.url),
    )


async def _start_embedded(assembly: Assembly) -> DatabaseTarget:
    embedded = _embedded(assembly.settings)
    await embedded.start()
    assembly.running.push_async_callback(embedded.stop)
    target = embedded.target(EMBEDDED_NAME)
    write_service_file(assembly.settings.data_dir / "pg_service.conf", target)
    return target


def _embedded(settings: Settings) -> EmbeddedServer:
    user = settings.postgres.embedded_user
    return EmbeddedServer(settings.data_dir, EmbeddedOptions(user=user or None))


def _probe(component: str, database: Database, settings: PostgresSettings) -> Probe:
    look = probes.database(database, timeout_s=settings.probe_timeout_s)
    # The probe itself ends in time; the monitor's own bound is for what nobody foresaw.
    return Probe(component, look, settings.probe_interval_s, settings.probe_timeout_s * 2)
