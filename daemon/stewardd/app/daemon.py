"""The daemon, built by hand: every part in the order in which it starts, and in reverse when it stops.

A start that fails stops what had been started. An external database that does not answer is no such failure: the daemon
serves, and Health says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

from stewardd import __version__
from stewardd.app.assembly import Assembly
from stewardd.app.backups import build_backups
from stewardd.app.copies import build_copies
from stewardd.app.databases import check_databases, start_databases
from stewardd.app.health import start_health
from stewardd.app.migrations import build_migrations
from stewardd.app.operations import start_operations
from stewardd.app.quarantine import build_quarantine
from stewardd.app.repository import start_repository
from stewardd.app.schedule import start_schedule
from stewardd.app.schedules import check_schedules
from stewardd.app.schemas import load_schemas
from stewardd.app.scratch import clear_scratch, sweep_scratch_servers
from stewardd.app.server import start_server
from stewardd.app.telling import check_telling
from stewardd.app.threads import start_threads
from stewardd.app.validation import build_validation
from stewardd.app.verification import check_drills
from stewardd.app.web import start_web
from stewardd.config.settings import Settings
from stewardd.rpc.server import Server
from stewardd.telemetry import logger

log = logger("app")


class Daemon:
    """One daemon. `start` once, then `stop` once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._running = AsyncExitStack()
        self._on_stop: list[Callable[[], None]] = []
        self._server: Server | None = None

    async def start(self) -> None:
        """Starts everything, and returns when the daemon serves. What had been started is stopped if it fails."""
        log.info("starting", version=__version__, data_dir=str(self._settings.data_dir))
        async with AsyncExitStack() as running:
            assembly = Assembly(self._settings, running)
            check_databases(assembly)
            check_schedules(self._settings)
            check_telling(self._settings)
            check_drills(self._settings)
            readiness = await start_web(assembly)
            repository = await start_repository(assembly)
            readiness.use_lease(lambda: repository.lease.valid)
            await clear_scratch(assembly)
            scratch_servers = await sweep_scratch_servers(assembly)
            registry = await load_schemas(assembly)
            databases = await start_databases(assembly)
            threads = start_threads(assembly)
            operations = await start_operations(assembly, repository)
            copying = await build_copies(assembly, repository, operations)
            backups = await build_backups(
                assembly, repository, databases, operations, copying, scratch_servers
            )
            build_migrations(assembly, repository, databases, operations, backups, scratch_servers)
            quarantine = build_quarantine(assembly, repository, registry, threads, operations)
            build_validation(assembly, repository, registry, threads, quarantine.catalog)
            await start_health(assembly)
            start_schedule(assembly)
            self._server = await start_server(assembly)
            readiness.is_serving = True
            self._on_stop = assembly.on_stop
            self._running = running.pop_all()

    async def stop(self, hurry: asyncio.Event) -> None:
        """Takes no more calls, waits for those that run, or until `hurry`, and stops everything in reverse."""
        for announce in self._on_stop:
            announce()
        if self._server is not None:
            grace_s = self._settings.server.drain_timeout_s
            log.info("stopping", grace_s=grace_s)
            await _first(self._server.stop(grace_s), hurry)
            if hurry.is_set():
                await self._server.stop(0)
        await self._running.aclose()
        log.info("stopped")


async def _first(work: Coroutine[Any, Any, None], event: asyncio.Event) -> None:
    """Awaits work, or the event, whichever comes first; work that is not done goes on."""
    doing = asyncio.ensure_future(work)
    told = asyncio.create_task(event.wait())
    await asyncio.wait({doing, told}, return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
