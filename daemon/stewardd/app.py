"""The daemon, built by hand: every part in the order in which it starts, and in reverse when it stops.

    a trial of the data folder and of the repository → data folder, lease → what the dead left → schemas
        → PostgreSQL → backups, operations → monitor → server

Nothing else in the daemon makes these objects or finds them by itself. A start that fails stops what had been started.
An external database that does not answer is no such failure: the daemon serves, and Health says so.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import fastcsv
from stewardd import __version__
from stewardd.backup.backups import BackupOptions, Backups
from stewardd.backup.creation import BackupCreation
from stewardd.backup.outcomes import BackupOutcomes
from stewardd.batches.catalog import BatchCatalog
from stewardd.config.settings import Settings
from stewardd.errors import ConfigurationError, StewardError
from stewardd.health import probes
from stewardd.health.monitor import Monitor, Probe
from stewardd.operations.kinds import CREATE_BACKUP
from stewardd.operations.operations import Operations
from stewardd.operations.state import OperationState
from stewardd.postgres.embedded import EmbeddedOptions, EmbeddedServer
from stewardd.postgres.pool import Pool, PoolOptions
from stewardd.postgres.service_file import write_service_file
from stewardd.postgres.target import DatabaseTarget
from stewardd.quarantine.blocking import Threads
from stewardd.quarantine.corrections import Corrections
from stewardd.quarantine.erasure import Erasure
from stewardd.quarantine.exports import Exports
from stewardd.quarantine.judge import Judge
from stewardd.quarantine.ledger import Ledger
from stewardd.quarantine.listing import Listing
from stewardd.quarantine.operations import QuarantineOperations
from stewardd.quarantine.purge import Purge
from stewardd.quarantine.resubmission import Resubmission, SheetBounds
from stewardd.quarantine.retry import Retry
from stewardd.quarantine.rewriting import Rewriting
from stewardd.quarantine.scope import Scope
from stewardd.quarantine.stats import Statistics, StatsBounds
from stewardd.repository.claims import Claims
from stewardd.repository.folder_trial import check_folder
from stewardd.repository.lease import WriterLease
from stewardd.repository.opening import open_repository
from stewardd.repository.store import Store, open_store
from stewardd.repository.sweep import Sweep
from stewardd.rpc.addresses import SocketAccess
from stewardd.rpc.backup.servicer import BackupServicer
from stewardd.rpc.health import HealthServicer
from stewardd.rpc.interceptor import Guard
from stewardd.rpc.operations.servicer import OperationServicer, OperationsServicer
from stewardd.rpc.quarantine.servicer import Quarantine, QuarantineServicer
from stewardd.rpc.server import SERVICES, Server
from stewardd.rpc.system.servicer import SystemServicer
from stewardd.rpc.uploads import Patience
from stewardd.rpc.validation.servicer import ValidationServicer
from stewardd.schemas.registry import Registry
from stewardd.telemetry import logger
from stewardd.validation.batches import Admission, Batches
from stewardd.validation.draft import Bounds
from stewardd.validation.engine import Engine
from stewardd.validation.source import Roots

log = logger("app")

EMBEDDED_NAME = "embedded"
SLOW_PROBE_INTERVAL_S = 10.0
EXPIRY_INTERVAL_S = 86_400.0
SLOW_PROBE_TIMEOUT_S = 10.0


class App:
    """One daemon. `start` once, then `stop` once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._running = AsyncExitStack()
        self._monitor = Monitor()
        self._server: Server | None = None
        self._operations: Operations | None = None

    async def start(self) -> None:
        """Starts everything, and returns when the daemon serves. What had been started is stopped if it fails."""
        settings = self._settings
        log.info("starting", version=__version__, data_dir=str(settings.data_dir))
        async with AsyncExitStack() as running:
            lease, store = await self._repository(running)
            scratch = settings.data_dir / "scratch"
            await asyncio.to_thread(_clear, scratch)
            sweep = Sweep(store, lease)
            await _sweep(sweep)
            registry = await asyncio.to_thread(Registry.load, settings.validation.schema_dirs)
            targets = await self._targets(running)
            pools = await self._pools(running, targets)
            engine = Engine(settings.server.engine_threads, settings.server.engine_niceness)
            running.callback(engine.shutdown, wait=False)
            # Threads of its own: a row is found while uploads keep all of the engine's busy.
            row_threads = ThreadPoolExecutor(settings.quarantine.threads, "rows")
            running.callback(row_threads.shutdown, wait=False)
            # And a row is found while sheets of a hundred thousand keep all of those busy.
            bulk_threads = ThreadPoolExecutor(settings.quarantine.bulk_threads, "bulk")
            running.callback(bulk_threads.shutdown, wait=False)
            operations = Operations(store, lease, max_running=settings.operations.max_running)
            running.push_async_callback(operations.close)
            await operations.sweep()
            backups = Backups(store, lease, targets, self._backup_options())
            outcomes = BackupOutcomes(operations, targets)
            self._add_probes(pools, store, backups, outcomes)
            operations.on_end(self._tell_of_backup(outcomes))
            await self._monitor.start()
            running.push_async_callback(self._monitor.stop)
            claims = Claims(store, lease)
            ledger = Ledger(store, lease, cached_rows=settings.quarantine.cached_rows)
            catalog = BatchCatalog(store, ledger.summary)
            creation = BackupCreation(operations, backups)
            quarantine = self._quarantine(
                registry,
                catalog,
                ledger,
                scratch,
                (Threads(row_threads), Threads(bulk_threads)),
                operations,
            )
            _in_background(
                running, self._sweep_on(sweep, operations, claims, quarantine.operations)
            )
            guard = Guard(settings.server.max_concurrent_calls, settings.server.max_message_bytes)
            patience = Patience(
                settings.validation.idle_timeout_s, settings.validation.max_upload_s
            )
            server = Server(guard, settings.server.max_message_bytes)
            server.add(
                validation=ValidationServicer(
                    self._batches(registry, catalog, store, lease, claims, scratch, engine),
                    catalog,
                    registry,
                    patience,
                    settings.server.max_message_bytes,
                ),
                quarantine=QuarantineServicer(
                    quarantine, patience, settings.server.max_message_bytes
                ),
                backup=BackupServicer(backups, creation),
                operations=OperationsServicer(operations),
                operation=OperationServicer(operations),
                system=SystemServicer(self._monitor, __version__),
                health=HealthServicer(self._monitor, SERVICES),
            )
            access = SocketAccess(int(settings.server.socket_mode, 8), settings.server.socket_group)
            addresses = await server.start(settings.server.listen, access)
            self._server, self._operations = server, operations
            self._running = running.pop_all()
        log.info("serving", addresses=addresses, version=__version__)

    async def stop(self, hurry: asyncio.Event) -> None:
        """Takes no more calls, waits for those that run, or until `hurry`, and stops everything in reverse."""
        self._monitor.announce_stop()
        if self._operations is not None:
            self._operations.announce_stop()
        if self._server is not None:
            grace_s = self._settings.server.drain_timeout_s
            log.info("stopping", grace_s=grace_s)
            await _first(self._server.stop(grace_s), hurry)
            if hurry.is_set():
                await self._server.stop(0)
        await self._running.aclose()
        log.info("stopped")

    async def _repository(self, running: AsyncExitStack) -> tuple[WriterLease, Store]:
        settings = self._settings.repository
        if not self._settings.postgres.databases:
            self._embedded().check_place()
        await asyncio.to_thread(check_folder, self._settings.data_dir, "data folder", links=False)
        store = await open_repository(self._settings.repository_url, self._store_options())
        lease = await WriterLease.acquire(
            store, self._settings.data_dir, ttl_s=settings.lease_s, heartbeat_s=settings.heartbeat_s
        )
        running.push_async_callback(lease.close)
        return lease, store

    def _open_inbox(self, url: str) -> Store:
        """A bucket that files are read from; people named them."""
        return open_store(url, self._store_options(), foreign_names=True)

    def _store_options(self) -> dict[str, str]:
        options = self._settings.repository.options
        return {name: value.get_secret_value() for name, value in options.items()}

    async def _targets(self, running: AsyncExitStack) -> dict[str, DatabaseTarget]:
        """The configured databases, or the embedded one, started."""
        settings = self._settings.postgres
        if settings.databases:
            return {
                name: DatabaseTarget(name, database.url.get_secret_value())
                for name, database in settings.databases.items()
            }
        embedded = self._embedded()
        await embedded.start()
        running.push_async_callback(embedded.stop)
        target = embedded.target(EMBEDDED_NAME)
        write_service_file(self._settings.data_dir / "pg_service.conf", target)
        return {EMBEDDED_NAME: target}

    def _embedded(self) -> EmbeddedServer:
        user = self._settings.postgres.embedded_user
        return EmbeddedServer(self._settings.data_dir, EmbeddedOptions(user=user or None))

    async def _pools(
        self, running: AsyncExitStack, targets: dict[str, DatabaseTarget]
    ) -> dict[str, Pool]:
        settings = self._settings.postgres
        options = PoolOptions(
            min_size=settings.pool_min_size,
            max_size=settings.pool_max_size,
            acquire_timeout_s=settings.pool_acquire_timeout_s,
            idle_timeout_s=settings.pool_idle_timeout_s,
        )
        pools = {name: Pool(target, options) for name, target in targets.items()}
        for pool in pools.values():
            await pool.open()
            running.push_async_callback(pool.close)
        return pools

    def _backup_options(self) -> BackupOptions:
        settings = self._settings
        return BackupOptions(
            store_url=settings.repository_url,
            store_options=self._store_options(),
            tools_dir=settings.postgres.tools_dir,
            segment_bytes=settings.backup.segment_bytes,
            compression_level=settings.backup.compression_level,
            max_duration_s=settings.backup.max_duration_s,
        )

    def _batches(
        self,
        registry: Registry,
        catalog: BatchCatalog,
        store: Store,
        lease: WriterLease,
        claims: Claims,
        scratch: Path,
        engine: Engine,
    ) -> Batches:
        settings = self._settings.validation
        return Batches(
            registry=registry,
            catalog=catalog,
            store=store,
            lease=lease,
            claims=claims,
            scratch=scratch,
            engine=engine,
            bounds=Bounds(
                max_upload_bytes=settings.max_upload_bytes,
                max_waiting_bytes=settings.max_waiting_bytes,
                max_decompressed_bytes=settings.max_decompressed_bytes,
                max_output_bytes=settings.max_output_bytes,
                max_expansion=settings.max_expansion,
                expansion_free_bytes=settings.expansion_free_bytes,
                max_record_bytes=settings.max_record_bytes,
                max_record_lines=settings.max_record_lines,
                max_fields=settings.max_fields,
                max_header_bytes=settings.max_header_bytes,
                max_field_bytes=settings.max_field_bytes,
                max_json_depth=settings.max_json_depth,
                max_errors_per_record=settings.max_errors_per_record,
            ),
            roots=Roots.of(settings.uri_roots, self._open_inbox),
            admission=Admission(self._settings.server.max_concurrent_batches),
        )

    def _quarantine(
        self,
        registry: Registry,
        catalog: BatchCatalog,
        ledger: Ledger,
        scratch: Path,
        threads_and_bulk: tuple[Threads, Threads],
        operations: Operations,
    ) -> Quarantine:
        settings = self._settings.quarantine
        threads, bulk = threads_and_bulk
        judge = Judge(registry, self._judging_options(), scratch)
        scope = Scope(catalog)
        rewriting = Rewriting(catalog, ledger, judge, bulk)
        return Quarantine(
            catalog=catalog,
            listing=Listing(catalog, ledger, judge, threads, settings.page_scan_bytes),
            statistics=Statistics(
                catalog,
                ledger,
                registry,
                threads,
                StatsBounds(settings.stats_max_batches, settings.stats_scan_bytes),
            ),
            corrections=Corrections(
                catalog, ledger, judge, threads, self._settings.validation.max_field_bytes
            ),
            resubmission=Resubmission(
                catalog,
                ledger,
                judge,
                bulk,
                SheetBounds(
                    settings.max_concurrent_sheets,
                    settings.max_sheet_bytes,
                    settings.max_sheet_rows,
                    self._settings.validation.max_field_bytes,
                ),
            ),
            exports=Exports(catalog, ledger, judge, bulk),
            operations=QuarantineOperations(
                operations,
                Retry(catalog, ledger, judge, bulk, settings.retry_commit_rows),
                Purge(scope, rewriting),
                Erasure(scope, rewriting, ledger.store, registry),
            ),
        )

    def _judging_options(self) -> fastcsv.Options:
        settings = self._settings.validation
        return fastcsv.Options(
            delimiter=",",
            max_record_bytes=settings.max_record_bytes,
            max_record_lines=settings.max_record_lines,
            max_fields=settings.max_fields,
            max_field_bytes=settings.max_field_bytes,
            max_header_bytes=settings.max_header_bytes,
            max_json_depth=settings.max_json_depth,
            max_errors_per_record=settings.max_errors_per_record,
        )

    def _tell_of_backup(
        self, outcomes: BackupOutcomes
    ) -> Callable[[OperationState], Awaitable[None]]:
        """Lets Health know at once how a backup of this daemon ended."""

        async def tell(state: OperationState) -> None:
            if state.kind == CREATE_BACKUP.name:
                outcomes.expire()
                await self._monitor.look_now("backup")

        return tell

    def _add_probes(
        self,
        pools: dict[str, Pool],
        store: Store,
        backups: Backups,
        outcomes: BackupOutcomes,
    ) -> None:
        """One database is `database`, several are `database/{name}`."""
        settings = self._settings.postgres
        for name, pool in pools.items():
            look = probes.database(
                pool, embedded=not settings.databases, timeout_s=settings.probe_timeout_s
            )
            component = "database" if len(pools) == 1 else f"database/{name}"
            # The probe itself ends in time; the monitor's own bound is for what nobody foresaw.
            timeout_s = settings.probe_timeout_s * 2
            self._monitor.add(Probe(component, look, settings.probe_interval_s, timeout_s))
        for component, look in (
            ("repository", probes.repository(store)),
            ("backup", probes.backup(backups, outcomes.failures)),
        ):
            self._monitor.add(Probe(component, look, SLOW_PROBE_INTERVAL_S, SLOW_PROBE_TIMEOUT_S))

    async def _sweep_on(
        self, sweep: Sweep, operations: Operations, claims: Claims, retention: QuarantineOperations
    ) -> None:
        settings = self._settings.repository
        quarantine = self._settings.quarantine
        expiry_due_s = 0.0
        while True:
            await asyncio.sleep(settings.sweep_interval_s)
            try:
                await operations.sweep()
                await _sweep(sweep)
                if time.monotonic() >= expiry_due_s:  # it reads every claim: once a day is enough
                    forgotten = await claims.expire(settings.request_ids_kept_s)
                    log.info("request ids forgotten", count=forgotten)
                    if quarantine.keep_closed_s:
                        await retention.expire(
                            quarantine.keep_closed_s, archive=quarantine.archive_purged
                        )
                    expiry_due_s = time.monotonic() + EXPIRY_INTERVAL_S
            except StewardError as error:
                log.warning("sweep not finished", error=error.message)
            except Exception as error:  # an edge: without it nothing would be swept any more
                log.error("sweep failed unexpectedly", exc_info=error)


async def _sweep(sweep: Sweep) -> None:
    swept = await sweep.run()
    if swept:
        kinds = sorted({one.kind for one in swept})
        counts = {kind: sum(one.kind == kind for one in swept) for kind in kinds}
        log.warning("swept what was left unfinished", **counts)


def _clear(scratch: Path) -> None:
    """Empties the scratch folder: the data folder is ours alone, so all that stands there is a dead daemon's."""
    try:
        scratch.mkdir(mode=0o700, exist_ok=True)
        left = sorted(scratch.iterdir())
        for each in left:
            if each.is_dir() and not each.is_symlink():
                shutil.rmtree(each)
            else:
                each.unlink()
    except OSError as error:
        raise ConfigurationError(
            f"the scratch folder cannot be emptied: {error}",
            hint="see who owns what stands in the data folder; all of scratch may be removed",
        ) from error
    if left:
        log.warning("removed batches in the making", batches=[each.name for each in left])


def _in_background(running: AsyncExitStack, work: object) -> None:
    task = asyncio.ensure_future(work)  # type: ignore[call-overload]

    async def end() -> None:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    running.push_async_callback(end)


async def _first(work: object, event: asyncio.Event) -> None:
    """Awaits work, or the event, whichever comes first; work that is not done goes on."""
    doing = asyncio.ensure_future(work)  # type: ignore[call-overload]
    told = asyncio.create_task(event.wait())
    await asyncio.wait({doing, told}, return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
