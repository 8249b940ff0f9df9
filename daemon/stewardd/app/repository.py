"""The repository: its trial, the lease, the sweep of what dead daemons left, and the expiry of request ids."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from stewardd.app.assembly import Assembly
from stewardd.health import probes
from stewardd.health.monitor import Probe
from stewardd.repository.backend.all import open_repository
from stewardd.repository.backend.folder.trial import check_folder, remove_made
from stewardd.repository.backend.store import Store
from stewardd.repository.claims import Claims
from stewardd.repository.input_files import InputRoots
from stewardd.repository.lease import WriterLease
from stewardd.repository.sweep import Sweep
from stewardd.scheduler.job import Job
from stewardd.telemetry import logger

log = logger("app")

PROBE_INTERVAL_S = 10.0
PROBE_TIMEOUT_S = 10.0
EXPIRY_INTERVAL_S = 86_400.0
"""An expiry reads every claim: once a day is enough."""


@dataclass(frozen=True, slots=True)
class Repository:
    """What others need of it, and the roots of URIs, which are tried with it."""

    store: Store
    lease: WriterLease
    claims: Claims
    uri_roots: InputRoots


async def start_repository(assembly: Assembly) -> Repository:
    """Tries the data folder, the roots of URIs and the repository, takes the lease, and sweeps once.

    A refusal leaves no folder behind.

    Raises: ConfigurationError, RepositoryDown.
    """
    settings = assembly.settings.repository
    data_dir = assembly.settings.data_dir
    made = await asyncio.to_thread(check_folder, data_dir, "data folder", links=False)
    try:
        uri_roots = InputRoots.of(assembly.settings.validation.uri_roots, assembly.open_inbox)
        await uri_roots.check()
        store = await open_repository(assembly.settings.repository_url, assembly.store_options)
    except BaseException:
        await asyncio.to_thread(remove_made, made)
        raise
    lease = await WriterLease.acquire(
        store, data_dir, ttl_s=settings.lease_s, heartbeat_s=settings.heartbeat_s
    )
    assembly.running.push_async_callback(lease.close)
    claims = Claims(store, lease)
    sweep = Sweep(store, lease)
    count_swept = assembly.metrics.add_repository(assembly.monitor, lease)

    async def sweep_once() -> None:
        swept = await sweep.run()
        count_swept(swept)
        if swept:
            kinds = sorted({one.kind for one in swept})
            counts = {kind: sum(one.kind == kind for one in swept) for kind in kinds}
            log.warning("swept what was left unfinished", **counts)

    async def forget_request_ids() -> None:
        forgotten = await claims.expire(settings.request_ids_kept_s)
        log.info("request ids forgotten", count=forgotten)

    await sweep_once()
    assembly.monitor.add(
        Probe("repository", probes.repository(store), PROBE_INTERVAL_S, PROBE_TIMEOUT_S)
    )
    assembly.jobs.extend(
        [
            Job("sweep of the repository", sweep_once, settings.sweep_interval_s),
            Job(
                "expiry of request ids",
                forget_request_ids,
                EXPIRY_INTERVAL_S,
                first_after_s=settings.sweep_interval_s,
                retry_after_s=settings.sweep_interval_s,
            ),
        ]
    )
    return Repository(store, lease, claims, uri_roots)
