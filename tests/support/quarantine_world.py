"""The quarantine without a daemon around it: a repository, batches in it, and the domain's own objects."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from stewardd.app.quarantine import make_quarantine
from stewardd.batches.catalog import BatchCatalog
from stewardd.batches.file import BatchFile
from stewardd.batches.manifest import BATCH_MANIFEST, KIND, BatchManifest
from stewardd.batches.states import State
from stewardd.config.quarantine import QuarantineSettings
from stewardd.config.settings import Settings
from stewardd.quarantine.changing.corrections import Corrections
from stewardd.quarantine.changing.resubmission import (
    Resubmission,
    SheetOutcome,
    SheetRequest,
)
from stewardd.quarantine.changing.retry import Retry
from stewardd.quarantine.exporting.export_file import ExportFormat, ExportRequest, FileTotals
from stewardd.quarantine.exporting.exports import Exports
from stewardd.quarantine.files.worker_threads import WorkerThreads
from stewardd.quarantine.finding.listing import Listing
from stewardd.quarantine.finding.row_filter import RowFilter
from stewardd.quarantine.finding.stats import Statistics
from stewardd.quarantine.log.batch_logs import BatchLogs
from stewardd.quarantine.log.batch_state import BatchState
from stewardd.quarantine.removing.erasure import Erasure
from stewardd.quarantine.removing.purge import Purge
from stewardd.repository.backend.store import Store
from stewardd.repository.identifiers import uuid7
from stewardd.repository.lease import WriterLease
from stewardd.repository.publication import publish
from stewardd.schemas.kinds import SchemaKind
from stewardd.schemas.registry import Registry

import fastcsv
from tests.support.quarantine_forms import FORMS, HEADER, Form, SheetTable

ROWS = FORMS["rows"]


def registry() -> Registry:
    """Both versions of the schema of each form."""
    return Registry(each for form in FORMS.values() for each in form.schemas())


def lines(count: int, *, bad_every: int) -> bytes:
    """Rows without their header."""
    return ROWS.body(count, bad_every=bad_every).removeprefix(HEADER)


@dataclass
class World:
    """One daemon's share in a repository."""

    store: Store
    lease: WriterLease
    registry: Registry
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
    executor: ThreadPoolExecutor
    folder: Path
    form: Form

    async def publish(self, body: bytes) -> str:
        """Validates a file, and publishes the batch, its valid records kept."""
        batch_id = uuid7()
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            path, out = Path(folder) / "in", Path(folder) / "out"
            path.write_bytes(body)
            schema = self.registry.of_kind(self.form.kind, self.form.schema, "1.0")
            report = self.form.validate(schema, path, out, batch_id)
            async with publish(self.store, self.lease, KIND, batch_id) as draft:
                for file in report.files:
                    await draft.put_file(file.name, out / file.name)
                manifest = _manifest(batch_id, report, self.form.kind)
                await draft.commit(BATCH_MANIFEST.encode(manifest))
        return batch_id

    async def sheet(self, batch_id: str) -> SheetTable:
        """The open rows, as a sheet has them."""
        request = ExportRequest(
            batch_id, None, ExportFormat.SHEET, RowFilter(State.OPEN), False, False
        )
        return self.form.read_sheet(await self.download(request))

    async def download(self, request: ExportRequest) -> bytes:
        file = await self.exports.open_file(request)
        return b"".join([each async for each in file.chunks if not isinstance(each, FileTotals)])

    async def good(self, batch_id: str, export_id: str | None = None) -> list[str]:
        """The session ids of an export, or of all good rows in their original order."""
        everything = export_id is None
        request = ExportRequest(
            batch_id, export_id, ExportFormat.CSV, RowFilter(), everything, True
        )
        return self.form.sessions(await self.download(request))

    async def resubmit(self, batch_id: str, table: SheetTable) -> SheetOutcome:
        path = self.folder / f"{uuid7()}.sheet"
        path.write_bytes(self.form.write_sheet(table))
        request = SheetRequest(batch_id, None, include_unchanged=False, actor="mia", dry_run=False)
        return await self.resubmission.resubmit(path, request)

    async def close(self) -> None:
        await self.lease.close()
        self.executor.shutdown()


async def make_world(store: Store, folder: Path, name: str = "data", form: Form = ROWS) -> World:
    lease = await WriterLease.acquire(store, folder / name)
    known = registry()
    executor = ThreadPoolExecutor(2)
    threads = WorkerThreads(executor)
    # Small enough for a few rows to need several commits.
    bounds = QuarantineSettings(
        retry_commit_rows=50,
        max_concurrent_sheets=2,
        max_sheet_rows=100_000,
        stats_max_batches=1000,
    )
    settings = Settings(data_dir=folder / name, quarantine=bounds)
    scratch = folder / name / "scratch"
    quarantine = make_quarantine(settings, store, lease, known, scratch, rows=threads, bulk=threads)
    return World(
        store=store,
        lease=lease,
        registry=known,
        logs=quarantine.logs,
        catalog=quarantine.catalog,
        listing=quarantine.listing,
        statistics=quarantine.statistics,
        corrections=quarantine.corrections,
        resubmission=quarantine.resubmission,
        exports=quarantine.exports,
        retry=quarantine.retry,
        purge=quarantine.purge,
        erasure=quarantine.erasure,
        executor=executor,
        folder=folder,
        form=form,
    )


def adds_up(state: BatchState) -> bool:
    """Whether the counts that the commits gave are those of the rows."""
    return state.resolved_rows == state.states.count(
        State.RESOLVED
    ) and state.discarded_rows == state.states.count(State.DISCARDED)


def _manifest(batch_id: str, report: fastcsv.Report, kind: SchemaKind) -> BatchManifest:
    return BatchManifest(
        kind=kind,
        batch_id=batch_id,
        schema=report.schema,
        schema_version=report.version,
        source_file=report.source_file,
        uri="",
        request_id="",
        create_time=datetime.now(UTC),
        elapsed_s=0.1,
        total_rows=report.total_rows,
        valid_rows=report.valid_rows,
        quarantined_rows=report.quarantined_rows,
        recovered_rows=report.recovered_rows,
        errors_by_field=dict(report.errors_by_field),
        errors_by_keyword=dict(report.errors_by_keyword),
        unknown_columns=tuple(report.unknown_columns),
        size_bytes=report.size_bytes,
        crc32c=report.crc32c,
        delimiter=report.delimiter,
        encoding=report.encoding,
        compression="",
        files=tuple(BatchFile(file.name, file.size_bytes, file.crc32c) for file in report.files),
    )
