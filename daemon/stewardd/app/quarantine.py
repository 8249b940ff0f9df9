"""The quarantine: finding rows, correcting and exporting them, and the operations that work on many.

`make_quarantine` makes the objects of the domain, for tests too; `build_quarantine` adds them to the daemon.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import fastcsv
from stewardd.app.assembly import Assembly
from stewardd.app.repository import Repository
from stewardd.app.threads import ThreadPools
from stewardd.batches.catalog import BatchCatalog
from stewardd.config.settings import Settings
from stewardd.config.validation import ValidationSettings
from stewardd.operations.operations import Operations
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
from stewardd.repository.lease import WriterLease
from stewardd.repository.store import Store
from stewardd.rpc.quarantine.servicer import QuarantineServicer
from stewardd.scheduler.job import Job
from stewardd.schemas.registry import Registry

EXPIRY_INTERVAL_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Quarantine:
    """The objects of the domain, each with one thing to do."""

    ledger: Ledger
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
    quarantine = make_quarantine(
        assembly.settings,
        repository.store,
        repository.lease,
        registry,
        assembly.scratch,
        rows=threads.rows,
        bulk=threads.bulk,
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
            max_message_bytes=assembly.settings.server.max_message_bytes,
        )
    )
    if assembly.settings.quarantine.keep_closed_s:
        assembly.jobs.append(_expiry(assembly.settings, long_ones))
    return quarantine


def make_quarantine(
    settings: Settings,
    store: Store,
    lease: WriterLease,
    registry: Registry,
    scratch: Path,
    *,
    rows: Threads,
    bulk: Threads,
) -> Quarantine:
    """Makes the objects of the domain: `rows` are the threads for single rows, `bulk` those for many at once."""
    own = settings.quarantine
    max_field_bytes = settings.validation.max_field_bytes
    ledger = Ledger(store, lease, cached_rows=own.cached_rows)
    catalog = BatchCatalog(store, ledger.summary)
    judge = Judge(registry, _engine_options(settings.validation), scratch)
    scope = Scope(catalog)
    rewriting = Rewriting(catalog, ledger, judge, bulk)
    stats_bounds = StatsBounds(own.stats_max_batches, own.stats_scan_bytes)
    sheet_bounds = SheetBounds(
        own.max_concurrent_sheets, own.max_sheet_bytes, own.max_sheet_rows, max_field_bytes
    )
    return Quarantine(
        ledger=ledger,
        catalog=catalog,
        listing=Listing(catalog, ledger, judge, rows, own.page_scan_bytes),
        statistics=Statistics(catalog, ledger, registry, rows, stats_bounds),
        corrections=Corrections(catalog, ledger, judge, rows, max_field_bytes),
        resubmission=Resubmission(catalog, ledger, judge, bulk, sheet_bounds),
        exports=Exports(catalog, ledger, judge, bulk),
        retry=Retry(catalog, ledger, judge, bulk, own.retry_commit_rows),
        purge=Purge(scope, rewriting),
        erasure=Erasure(scope, rewriting, store, registry),
    )


def _engine_options(settings: ValidationSettings) -> fastcsv.Options:
    """How corrections are validated: as an upload is, from the file of cells that `Judge` writes."""
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
