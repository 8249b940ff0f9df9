"""The client's methods for the quarantine: find rows, correct them, export the good ones, clear the old ones away."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import datetime
from typing import Unpack

from steward_client.connection import asyncio_io
from steward_client.connection.async_service import AsyncService
from steward_client.errors import StewardError
from steward_client.operations.async_operation import AsyncOperation
from steward_client.quarantine import calls
from steward_client.quarantine.export_download import ExportDownload, OnExported
from steward_client.quarantine.export_ticket import ExportTicket
from steward_client.quarantine.exports import Export, ExportedFile, ExportOptions, export_request
from steward_client.quarantine.outcomes import (
    OPERATION_KINDS,
    Discarded,
    ErasedSubject,
    Purged,
    QuarantineProgress,
    Retried,
)
from steward_client.quarantine.resubmission import ResubmitOptions, Resubmitted, SheetUpload
from steward_client.quarantine.rows import QuarantinedRow
from steward_client.quarantine.statistics import QuarantineStats
from steward_client.transfer.async_send import send
from steward_client.transfer.source import FileSource, Source
from steward_client.validation.batch_filter import BatchFilter
from steward_client.validation.row_state import RowState


class AsyncQuarantineMethods(AsyncService):
    """Finds, corrects, exports and clears away rows. Without a batch, a method is for all that match `batches`."""

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
        """Yields the quarantined rows of a batch in the order of its file, or of all batches, the newest batch first.

        `timeout_s` bounds each page.

        >>> async for row in client.quarantined_rows(keyword="format", state="open"):  # doctest: +SKIP
        ...     print(row.name, row.wrong)
        """
        pages = calls.list_rows(
            batch, state=state, field=field, keyword=keyword, batches=batches, page_size=page_size
        )
        return self._connection.items(pages, timeout_s)

    async def get_quarantined_row(
        self, name: str, *, timeout_s: float | None = None
    ) -> QuarantinedRow:
        """Returns `batches/{batch}/rows/{row_number}` with its history."""
        return await self._connection.call(calls.get_row(name), timeout_s)

    async def quarantine_stats(
        self,
        batch: str | None = None,
        *,
        batches: BatchFilter | None = None,
        top_values: int = 0,
        timeout_s: float | None = None,
    ) -> QuarantineStats:
        """Counts the rows of one batch, or of many. `top_values` is how many of the commonest invalid values come."""
        return await self._connection.call(calls.stats(batch, batches, top_values), timeout_s)

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
        """Changes cells of a row, and returns it as it was judged: resolved, or still open with its violations.

        Raises: NotNow / ROW_CLOSED for a row that is resolved or discarded; Conflict / ROW_CHANGED where an etag is
        given and somebody else has changed the row since.

        >>> await client.correct_row(row.name, {"rating": "0.7"}, etag=row.etag, actor="mia")  # doctest: +SKIP
        """
        call = calls.correct_row(name, cells, schema_version=schema_version, etag=etag, actor=actor)
        return await self._connection.call(call, timeout_s)

    async def discard_rows(
        self,
        batch: str,
        row_numbers: Iterable[int],
        *,
        reason: str,
        actor: str = "",
        timeout_s: float | None = None,
    ) -> Discarded:
        """Discards rows of one batch for good, all or none; at most 10,000."""
        call = calls.discard_rows(batch, row_numbers, reason=reason, actor=actor)
        return await self._connection.call(call, timeout_s)

    async def resubmit_sheet(
        self,
        source: FileSource,
        *,
        timeout_s: float | None = None,
        **options: Unpack[ResubmitOptions],
    ) -> Resubmitted:
        """Uploads an edited sheet (a path, bytes, or a file object open in mode 'rb'). All its rows change, or none.

        Rows that are still invalid are no error: the result counts them. When the connection breaks, the sheet is sent
        again, if it can be read again; if the first attempt did arrive, the rows that it changed are counted as
        unchanged. The asyncio client reads the file in threads.

        Raises: OSError when the file cannot be read.

        >>> await client.resubmit_sheet("rows.csv", actor="mia")  # doctest: +SKIP
        """
        content = Source(source)
        await asyncio_io.run_file_work(content.check)
        return await send(self._connection, SheetUpload(content, options), timeout_s)

    async def create_export(
        self,
        batch: str,
        cursor: str,
        *,
        include_valid: bool | None = None,
        request_id: str | None = None,
        actor: str = "",
        timeout_s: float | None = None,
    ) -> Export:
        """Makes an export of the good rows that a cursor has not had yet, and moves the cursor behind them.

        The rows that were valid from the start come once, where the batch kept them; False leaves them out, and with
        True the batch must have kept them.

        Give a request_id of your own where a crash may lose the answer: the same id gets the same export.

        Raises: NotNow / NOTHING_TO_EXPORT where there are no new rows, NotNow / VALID_ROWS_NOT_KEPT.

        >>> export = await client.create_export(batch.name, "importer")  # doctest: +SKIP
        >>> await client.export_quarantine(export.name, "new-rows.csv")  # doctest: +SKIP
        """
        call = calls.create_export(
            batch, cursor, include_valid=include_valid, request_id=request_id, actor=actor
        )
        return await self._connection.call(call, timeout_s)

    def list_exports(
        self,
        batch: str,
        *,
        cursor: str | None = None,
        page_size: int = 0,
        timeout_s: float | None = None,
    ) -> AsyncIterator[Export]:
        """Yields the exports of a batch, oldest first."""
        return self._connection.items(calls.list_exports(batch, cursor, page_size), timeout_s)

    async def export_quarantine(
        self,
        name: str,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = True,
        progress: OnExported | None = None,
        timeout_s: float | None = None,
        **options: Unpack[ExportOptions],
    ) -> ExportedFile:
        """Writes rows of a batch, or an export, to a path (or into a folder), whole and checked or not at all.

        Without options it is a sheet of the open rows. When the connection breaks, it begins again. The asyncio client
        calls `progress` in threads.

        Raises: Corrupt when the bytes are not what the daemon says it sent; OSError when they cannot be written;
        FileExistsError where `overwrite` is False and there is a file.

        >>> await client.export_quarantine("batches/0193", "rows.csv")  # doctest: +SKIP
        >>> await client.export_quarantine("batches/0193", "rows.tar", format="json", field="rating")  # doctest: +SKIP
        """
        request = export_request(name, options)
        deadline = self._connection.settings.transfer_deadline(timeout_s)
        attempts = self._connection.settings.attempts(deadline)
        target = ExportDownload(path, progress, overwrite=overwrite)
        opened = await asyncio_io.run_file_work(target.open)
        with contextlib.closing(opened) as download:
            while not download.is_complete:
                download.start_over()
                messages = self._connection.stream(
                    calls.export_quarantine(request), deadline.remaining_s()
                )
                try:
                    async with asyncio_io.closing(messages):
                        async for message in messages:
                            await asyncio_io.run_file_work(download.take, message)
                    download.check_ended()
                except StewardError as error:
                    await asyncio_io.sleep(attempts.failed(error))
            return await asyncio_io.run_file_work(download.publish)

    async def export_next(
        self,
        batch: str,
        cursor: str,
        path: str | os.PathLike[str],
        *,
        include_valid: bool | None = None,
        original_order: bool = False,
        actor: str = "",
        progress: OnExported | None = None,
        timeout_s: float | None = None,
    ) -> ExportedFile:
        """Writes the good rows that a cursor has not had yet to a path (or into a folder), each row in one file only.

        The rows that were valid from the start come once, as create_export says.

        Until it has returned, the same call writes the very same rows, also in a later process: a ticket beside the
        target holds the request_id. The asyncio client calls `progress` in threads.

        Raises: FileExistsError where there is a file, since it may not have been read yet; NotNow / NOTHING_TO_EXPORT
        where there are no new rows, and nothing is written then.

        >>> await client.export_next(batch.name, "importer", "incoming/")  # doctest: +SKIP
        """
        deadline = self._connection.settings.transfer_deadline(timeout_s)
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
        """Begins to judge open rows again, by the newest version of their schema unless another is named.

        >>> operation = await client.retry_quarantine("batches/0193", keyword="enum", dry_run=True)  # doctest: +SKIP
        >>> retried = await operation.result()  # doctest: +SKIP
        """
        call = calls.retry_quarantine(
            batch, batches=batches, field=field, keyword=keyword, schema_version=schema_version,
            dry_run=dry_run, actor=actor, request_id=request_id,
        )  # fmt: skip
        state = await self._connection.call(call, timeout_s)
        return AsyncOperation(self._connection, OPERATION_KINDS, state)

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
        """Begins to remove rows for good that reached their state before a time; open rows only if `states` names them.

        >>> await client.purge_quarantine("batches/0193", before=then, dry_run=True)  # doctest: +SKIP
        """
        call = calls.purge_quarantine(
            batch, before=before, batches=batches, states=states, archive=archive, dry_run=dry_run,
            actor=actor, request_id=request_id,
        )  # fmt: skip
        state = await self._connection.call(call, timeout_s)
        return AsyncOperation(self._connection, OPERATION_KINDS, state)

    async def erase_subject(
        self,
        email: str,
        *,
        dry_run: bool,
        actor: str = "",
        request_id: str | None = None,
        timeout_s: float | None = None,
    ) -> AsyncOperation[QuarantineProgress, ErasedSubject]:
        """Begins to mask all that the daemon holds of one e-mail address."""
        call = calls.erase_subject(email, dry_run=dry_run, actor=actor, request_id=request_id)
        state = await self._connection.call(call, timeout_s)
        return AsyncOperation(self._connection, OPERATION_KINDS, state)
