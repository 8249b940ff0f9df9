"""The target databases: those of the configuration, or an embedded server; their pools, and their probes."""

from __future__ import annotations

from dataclasses import dataclass

from stewardd.app.assembly import Assembly
from stewardd.config.postgres import PostgresSettings
from stewardd.config.settings import Settings
from stewardd.health import probes
from stewardd.health.monitor import Probe
from stewardd.postgres.embedded import EmbeddedOptions, EmbeddedServer
from stewardd.postgres.pool import Pool, PoolOptions
from stewardd.postgres.service_file import write_service_file
from stewardd.postgres.target import DatabaseTarget

EMBEDDED_NAME = "embedded"


@dataclass(frozen=True, slots=True)
class Databases:
    """Each database by its name: where it is, and the pool of connections to it."""

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
    targets = _configured(settings) if settings.databases else await _start_embedded(assembly)
    options = PoolOptions(
        min_size=settings.pool_min_size,
        max_size=settings.pool_max_size,
        acquire_timeout_s=settings.pool_acquire_timeout_s,
        idle_timeout_s=settings.pool_idle_timeout_s,
    )
    pools = {name: Pool(target, options) for name, target in targets.items()}
    for name, pool in pools.items():
        await pool.open()
        assembly.running.push_async_callback(pool.close)
        # One database is `database`, several are `database/{name}`.
        component = "database" if len(pools) == 1 else f"database/{name}"
        assembly.monitor.add(_probe(component, pool, settings))
    return Databases(targets, pools)


def _configured(settings: PostgresSettings) -> dict[str, DatabaseTarget]:
    return {
        name: DatabaseTarget(name, database.url.get_secret_value())
        for name, database in settings.databases.items()
    }


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
