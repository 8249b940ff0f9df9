"""The quarantine: finding rows, correcting and exporting them, and the operations that work on many.

`make_quarantine` makes the objects of the domain, for tests too; `build_quarantine` adds them to the daemon.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stewardd.app.assembly import Assembly
from stewardd.app.metrics import QuarantineMeter
from stewardd.app.repository import Repository
from stewardd.app.threads import ThreadPools
from stewardd.batches.catalog import BatchCatalog
from stewardd.config.settings import Settings
from stewardd.config.web import WebSettings
from stewardd.operations.operations import Operations
from stewardd.quarantine.changing.corrections import Corrections
from stewardd.quarantine.changing.resubmission import Resubmission, SheetLimits
from stewardd.quarantine.changing.retry import Retry
from stewardd.quarantine.changing.revalidation import Revalidator
from stewardd.quarantine.exporting.exports import Exports
from stewardd.quarantine.files.scratch import Scratch
from stewardd.quarantine.files.worker_threads import WorkerThreads
from stewardd.quarantine.finding.batch_reader import BatchReader
from stewardd.quarantine.finding.batch_selection import BatchSelection
from stewardd.quarantine.finding.listing import Listing
from stewardd.quarantine.finding.open_rows import OpenRowCount
from stewardd.quarantine.finding.stats import Statistics, StatsLimits
from stewardd.quarantine.log.batch_logs import BatchLogs
from stewardd.quarantine.log.commits import BatchCommit
from stewardd.quarantine.operations import QuarantineOperations
from stewardd.quarantine.removing.erasure import Erasure
from stewardd.quarantine.removing.purge import Purge
from stewardd.quarantine.removing.rewriting import BatchRewriter
from stewardd.repository.backend.store import Store
from stewardd.repository.lease import WriterLease
from stewardd.rpc.quarantine.servicer import QuarantineServicer
from stewardd.scheduler.job import Job
from stewardd.schemas.registry import Registry

EXPIRY_INTERVAL_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Quarantine:
    """The objects of the domain, each with one thing to do."""

    logs: BatchLogs
    catalog: BatchCatalog
    listing: Listing
    statistics: Statistics
    corrections: Corrections
    resubmission: Resubmission
    exports: Exports
    retry: Retry
    purge: Purge
    erasure: Erasure


def build_quarantine(
    assembly: Assembly,
    repository: Repository,
    registry: Registry,
    threads: ThreadPools,
    operations: Operations,
) -> Quarantine:
    """Adds the service, and the daily purge of rows that were closed long ago."""
    meter = assembly.metrics.add_quarantine(registry)
    quarantine = make_quarantine(
        assembly.settings,
        repository.store,
        repository.lease,
        registry,
        assembly.scratch,
        rows=threads.rows,
        bulk=threads.bulk,
        on_commit=meter.committed,
    )
    long_ones = QuarantineOperations(
        operations, quarantine.retry, quarantine.purge, quarantine.erasure
    )
    assembly.servicers.append(
        QuarantineServicer(
            catalog=quarantine.catalog,
            listing=quarantine.listing,
            statistics=quarantine.statistics,
            corrections=quarantine.corrections,
            resubmission=quarantine.resubmission,
            exports=quarantine.exports,
            operations=long_ones,
            timeouts=assembly.upload_timeouts,
        )
    )
    if assembly.settings.quarantine.keep_closed_s:
        assembly.jobs.append(_expiry(assembly.settings, long_ones))
    web = assembly.settings.web
    if web.listen and web.counted_batches:
        assembly.jobs.append(
            _count(web, OpenRowCount(quarantine.catalog, web.counted_batches), meter)
        )
    return quarantine


def make_quarantine(
    settings: Settings,
    store: Store,
    lease: WriterLease,
    registry: Registry,
    scratch: Path,
    *,
    rows: WorkerThreads,
    bulk: WorkerThreads,
    on_commit: Callable[[BatchCommit], None] = lambda _: None,
) -> Quarantine:
    """Makes the objects of the domain: `rows` are the threads for single rows, `bulk` those for many at once."""
    own = settings.quarantine
    max_field_bytes = settings.validation.max_field_bytes
    logs = BatchLogs(store, lease, cached_rows=own.cached_rows, on_commit=on_commit)
    catalog = BatchCatalog(store, logs.summary)
    reader, bulk_reader = BatchReader(catalog, logs, rows), BatchReader(catalog, logs, bulk)
    # Corrections are validated with the bounds of uploads, from a file of cells that the revalidator writes.
    options = settings.validation.engine_options(delimiter=",")
    revalidator = Revalidator(
        registry, options, settings.validation.payload_bounds(), Scratch(scratch)
    )
    columns = revalidator.columns
    selection = BatchSelection(catalog)
    rewriter = BatchRewriter(bulk_reader, logs, revalidator.scratch)
    stats_limits = StatsLimits(own.stats_max_batches, own.stats_scan_bytes)
    sheet_limits = SheetLimits(
        own.max_concurrent_sheets, own.max_sheet_bytes, own.max_sheet_rows, max_field_bytes
    )
    return Quarantine(
        logs=logs,
        catalog=catalog,
        listing=Listing(catalog, reader, columns, own.page_scan_bytes),
        statistics=Statistics(catalog, reader, registry, stats_limits),
        corrections=Corrections(reader, logs, revalidator, settings.validation),
        resubmission=Resubmission(bulk_reader, logs, revalidator, sheet_limits),
        exports=Exports(catalog, bulk_reader, logs, columns),
        retry=Retry(selection, bulk_reader, logs, revalidator, own.retry_commit_rows),
        purge=Purge(selection, rewriter),
        erasure=Erasure(selection, rewriter, store, registry),
    )


def _count(settings: WebSettings, counting: OpenRowCount, meter: QuarantineMeter) -> Job:
    async def count() -> None:
        await meter.count_open_rows(counting)

    return Job("count of open rows", count, settings.count_interval_s, first_after_s=0.0)


def _expiry(settings: Settings, operations: QuarantineOperations) -> Job:
    own = settings.quarantine

    async def expire() -> None:
        await operations.expire(own.keep_closed_s, archive=own.archive_purged)

    return Job(
        "purge of closed rows",
        expire,
        EXPIRY_INTERVAL_S,
        first_after_s=settings.repository.sweep_interval_s,
        retry_after_s=settings.repository.sweep_interval_s,
    )
