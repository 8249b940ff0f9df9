"""The target databases: those of the configuration, or an embedded server; their pools, and their probes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from stewardd.app.assembly import Assembly
from stewardd.config.postgres import DatabaseSettings, PostgresSettings
from stewardd.config.settings import Settings
from stewardd.config.values import SecretFromFile
from stewardd.errors import ConfigurationError
from stewardd.health import probes
from stewardd.health.monitor import Probe
from stewardd.postgres.embedded import EmbeddedOptions, EmbeddedServer
from stewardd.postgres.pool import Pool, PoolOptions
from stewardd.postgres.service_file import write_service_file
from stewardd.postgres.target import DatabaseTarget

EMBEDDED_NAME = "embedded"


@dataclass(frozen=True, slots=True)
class Databases:
    """Each database by its name: where a session of its own goes, and the pool of connections to it."""

    targets: dict[str, DatabaseTarget]
    pools: dict[str, Pool]


def check_databases(assembly: Assembly) -> None:
    """Tries what an embedded server needs, before anything is made. Raises: ConfigurationError."""
    if not assembly.settings.postgres.databases:
        _embedded(assembly.settings).check_place()


async def start_databases(assembly: Assembly) -> Databases:
    """Starts the embedded server where no database is configured, and opens the pools.

    An external database that does not answer is no failure: the daemon serves, and Health says so.
    """
    settings = assembly.settings.postgres
    if settings.databases:
        targets = {name: _direct_target(name, own) for name, own in settings.databases.items()}
        pools = {name: _pool(name, own, settings) for name, own in settings.databases.items()}
    else:
        targets = await _start_embedded(assembly)
        options = pool_options(settings, None)
        pools = {name: Pool(target, options) for name, target in targets.items()}
    for name, pool in pools.items():
        await pool.open()
        assembly.running.push_async_callback(pool.close)
        # One database is `database`, several are `database/{name}`.
        component = "database" if len(pools) == 1 else f"database/{name}"
        assembly.monitor.add(_probe(component, pool, settings))
    return Databases(targets, pools)


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


def _pool(name: str, own: DatabaseSettings, settings: PostgresSettings) -> Pool:
    target = DatabaseTarget(name, own.url.get_secret_value())
    return Pool(target, pool_options(settings, own), source=target_source(name, own.url))


def _direct_target(name: str, own: DatabaseSettings) -> DatabaseTarget:
    return DatabaseTarget(name, (own.direct_url or own.url).get_secret_value())


async def _start_embedded(assembly: Assembly) -> dict[str, DatabaseTarget]:
    embedded = _embedded(assembly.settings)
    await embedded.start()
    assembly.running.push_async_callback(embedded.stop)
    target = embedded.target(EMBEDDED_NAME)
    write_service_file(assembly.settings.data_dir / "pg_service.conf", target)
    return {EMBEDDED_NAME: target}


def _embedded(settings: Settings) -> EmbeddedServer:
    user = settings.postgres.embedded_user
    return EmbeddedServer(settings.data_dir, EmbeddedOptions(user=user or None))


def _probe(component: str, pool: Pool, settings: PostgresSettings) -> Probe:
    timeout_s = settings.probe_timeout_s
    look = probes.database(pool, embedded=not settings.databases, timeout_s=timeout_s)
    # The probe itself ends in time; the monitor's own bound is for what nobody foresaw.
    return Probe(component, look, settings.probe_interval_s, timeout_s * 2)
