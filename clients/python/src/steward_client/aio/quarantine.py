"""The quarantine, for the asyncio client: as plain/quarantine.py, awaited. Files are read and written in threads."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import datetime
from typing import Unpack

from steward_client import quarantine_calls as calls
from steward_client.aio.operations import AsyncOperation, AsyncOperationMethods
from steward_client.batch_filter import BatchFilter, RowState
from steward_client.errors import StewardError
from steward_client.export_download import ExportDownload, OnExported
from steward_client.export_ticket import ExportTicket
from steward_client.exports import Export, ExportedFile, Exporting, export_request
from steward_client.quarantine import QuarantinedRow
from steward_client.sheet import Discarded, Resubmitted, Resubmitting, SheetUpload
from steward_client.source import FileSource, Source
from steward_client.statistics import QuarantineStats
from steward_client.upkeep import ErasedSubject, Purged, QuarantineProgress, Retried


class AsyncQuarantineMethods(AsyncOperationMethods):
    """QuarantineService. Where a batch may be left out, all batches that `batches` leaves are meant."""

    def quarantined_rows(
        self,
        batch: str | None = None,
        *,
        state: RowState | str | None = None,
        field: str | None = None,
        keyword: str | None = None,
        batches: BatchFilter | None = None,
        page_size: int = 0,
        timeout_s: float | None = None,
    ) -> AsyncIterator[QuarantinedRow]:
        """As Client.quarantined_rows."""
        pages = calls.list_rows(
            batch, state=state, field=field, keyword=keyword, batches=batches, page_size=page_size
        )
        return self._items(pages, self._short(timeout_s))

    async def get_quarantined_row(
        self, name: str, *, timeout_s: float | None = None
    ) -> QuarantinedRow:
        """As Client.get_quarantined_row."""
        return await self._call(calls.get_row(name), self._short(timeout_s))

    async def quarantine_stats(
        self,
        batch: str | None = None,
        *,
        batches: BatchFilter | None = None,
        top_values: int = 0,
        timeout_s: float | None = None,
    ) -> QuarantineStats:
        """As Client.quarantine_stats."""
        return await self._call(calls.stats(batch, batches, top_values), self._short(timeout_s))

    async def correct_row(
        self,
        name: str,
        cells: Mapping[str, str],
        *,
        schema_version: str | None = None,
        etag: str = "",
        actor: str = "",
        timeout_s: float | None = None,
    ) -> QuarantinedRow:
        """As Client.correct_row."""
        call = calls.correct_row(name, cells, schema_version=schema_version, etag=etag, actor=actor)
        return await self._call(call, self._short(timeout_s))

    async def discard_rows(
        self,
        batch: str,
        row_numbers: Iterable[int],
        *,
        reason: str,
        actor: str = "",
        timeout_s: float | None = None,
    ) -> Discarded:
        """As Client.discard_rows."""
        call = calls.discard_rows(batch, row_numbers, reason=reason, actor=actor)
        return await self._call(call, self._short(timeout_s))

    async def resubmit_sheet(
        self, source: FileSource, *, timeout_s: float | None = None, **how: Unpack[Resubmitting]
    ) -> Resubmitted:
        """As Client.resubmit_sheet; a file object is read in threads."""
        content = Source(source)
        await asyncio.to_thread(content.check)
        return await self._upload(SheetUpload(content, how), self._transfer(timeout_s))

    async def create_export(
        self,
        batch: str,
        cursor: str,
        *,
        include_valid: bool = False,
        request_id: str | None = None,
        actor: str = "",
        timeout_s: float | None = None,
    ) -> Export:
        """As Client.create_export."""
        call = calls.create_export(
            batch, cursor, include_valid=include_valid, request_id=request_id, actor=actor
        )
        return await self._call(call, self._short(timeout_s))

    def list_exports(
        self,
        batch: str,
        *,
        cursor: str | None = None,
        page_size: int = 0,
        timeout_s: float | None = None,
    ) -> AsyncIterator[Export]:
        """As Client.list_exports."""
        return self._items(calls.list_exports(batch, cursor, page_size), self._short(timeout_s))

    async def export_quarantine(
        self,
        name: str,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = True,
        progress: OnExported | None = None,
        timeout_s: float | None = None,
        **wanted: Unpack[Exporting],
    ) -> ExportedFile:
        """As Client.export_quarantine; `progress` is called in threads."""
        request = export_request(name, wanted)
        deadline = self._transfer(timeout_s)
        attempts = self._attempts(deadline)
        target = ExportDownload(path, progress, overwrite=overwrite)
        opened = await asyncio.to_thread(target.open)
        with contextlib.closing(opened) as download:
            while not download.is_complete:
                download.start_over()
                messages = self._stream(calls.export_quarantine(request), deadline.remaining_s())
                try:
                    async with contextlib.aclosing(messages):
                        async for message in messages:
                            await asyncio.to_thread(download.take, message)
                    download.check_ended()
                except StewardError as error:
                    await asyncio.sleep(attempts.failed(error))
            return await asyncio.to_thread(download.publish)

    async def export_next(
        self,
        batch: str,
        cursor: str,
        path: str | os.PathLike[str],
        *,
        include_valid: bool = False,
        original_order: bool = False,
        actor: str = "",
        progress: OnExported | None = None,
        timeout_s: float | None = None,
    ) -> ExportedFile:
        """As Client.export_next; `progress` is called in threads."""
        deadline = self._transfer(timeout_s)
        with ExportTicket(path, batch, cursor) as ticket:
            export = await self.create_export(
                batch,
                cursor,
                include_valid=include_valid,
                request_id=ticket.request_id,
                actor=actor,
            )
            file = await self.export_quarantine(
                export.name, path, overwrite=ticket.is_resumed, progress=progress,
                timeout_s=deadline.remaining_s(), original_order=original_order,
            )  # fmt: skip
            ticket.done()
            return dataclasses.replace(file, export=export)

    async def retry_quarantine(
        self,
        batch: str | None = None,
        *,
        dry_run: bool,
        batches: BatchFilter | None = None,
        field: str | None = None,
        keyword: str | None = None,
        schema_version: str | None = None,
        actor: str = "",
        request_id: str | None = None,
        timeout_s: float | None = None,
    ) -> AsyncOperation[QuarantineProgress, Retried]:
        """As Client.retry_quarantine."""
        call = calls.retry_quarantine(
            batch, batches=batches, field=field, keyword=keyword, schema_version=schema_version,
            dry_run=dry_run, actor=actor, request_id=request_id,
        )  # fmt: skip
        return AsyncOperation(self, await self._call(call, self._short(timeout_s)))

    async def purge_quarantine(
        self,
        batch: str | None = None,
        *,
        before: datetime,
        dry_run: bool,
        batches: BatchFilter | None = None,
        states: Iterable[RowState | str] = (),
        archive: bool = False,
        actor: str = "",
        request_id: str | None = None,
        timeout_s: float | None = None,
    ) -> AsyncOperation[QuarantineProgress, Purged]:
        """As Client.purge_quarantine."""
        call = calls.purge_quarantine(
            batch, before=before, batches=batches, states=states, archive=archive, dry_run=dry_run,
            actor=actor, request_id=request_id,
        )  # fmt: skip
        return AsyncOperation(self, await self._call(call, self._short(timeout_s)))

    async def erase_subject(
        self,
        email: str,
        *,
        dry_run: bool,
        actor: str = "",
        request_id: str | None = None,
        timeout_s: float | None = None,
    ) -> AsyncOperation[QuarantineProgress, ErasedSubject]:
        """As Client.erase_subject."""
        call = calls.erase_subject(email, dry_run=dry_run, actor=actor, request_id=request_id)
        return AsyncOperation(self, await self._call(call, self._short(timeout_s)))
