"""The quarantine, for the plain client: find rows, put them right, hand the good ones on, clear the old ones away."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Unpack

from steward_client import quarantine_calls as calls
from steward_client.batch_filter import BatchFilter, RowState
from steward_client.errors import StewardError
from steward_client.export_download import ExportDownload, OnExported
from steward_client.export_ticket import ExportTicket
from steward_client.exports import Export, ExportedFile, Exporting, export_request
from steward_client.plain.operations import Operation, OperationMethods
from steward_client.quarantine import QuarantinedRow
from steward_client.sheet import Discarded, Resubmitted, Resubmitting, SheetUpload
from steward_client.source import FileSource, Source
from steward_client.statistics import QuarantineStats
from steward_client.upkeep import ErasedSubject, Purged, QuarantineProgress, Retried


class QuarantineMethods(OperationMethods):
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
    ) -> Iterator[QuarantinedRow]:
        """Yields the quarantined rows of a batch in the order of its file, or of all batches, the newest batch first.

        `timeout_s` bounds each page.

        >>> for row in client.quarantined_rows(keyword="format", state="open"):  # doctest: +SKIP
        ...     print(row.name, row.wrong)
        """
        pages = calls.list_rows(
            batch, state=state, field=field, keyword=keyword, batches=batches, page_size=page_size
        )
        return self._items(pages, self._short(timeout_s))

    def get_quarantined_row(self, name: str, *, timeout_s: float | None = None) -> QuarantinedRow:
        """Returns `batches/{batch}/rows/{row_number}` with its history."""
        return self._call(calls.get_row(name), self._short(timeout_s))

    def quarantine_stats(
        self,
        batch: str | None = None,
        *,
        batches: BatchFilter | None = None,
        top_values: int = 0,
        timeout_s: float | None = None,
    ) -> QuarantineStats:
        """Counts one batch, or all of a period. `top_values` is how many of the commonest invalid values are wanted."""
        return self._call(calls.stats(batch, batches, top_values), self._short(timeout_s))

    def correct_row(
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

        Raises NotNow / ROW_CLOSED for one that is resolved or discarded, and with an etag Conflict / ROW_CHANGED where
        somebody else was faster.

        >>> client.correct_row(row.name, {"rating": "0.7"}, etag=row.etag, actor="mia")  # doctest: +SKIP
        """
        call = calls.correct_row(name, cells, schema_version=schema_version, etag=etag, actor=actor)
        return self._call(call, self._short(timeout_s))

    def discard_rows(
        self,
        batch: str,
        row_numbers: Iterable[int],
        *,
        reason: str,
        actor: str = "",
        timeout_s: float | None = None,
    ) -> Discarded:
        """Gives rows of one batch up for good, all or none; at most 10,000."""
        call = calls.discard_rows(batch, row_numbers, reason=reason, actor=actor)
        return self._call(call, self._short(timeout_s))

    def resubmit_sheet(
        self, source: FileSource, *, timeout_s: float | None = None, **how: Unpack[Resubmitting]
    ) -> Resubmitted:
        """Takes an edited sheet back (a path, bytes, or a file object open in mode 'rb'). All its rows move, or none.

        Rows that are still invalid are no error: the result counts them. What can be read again is sent again when the
        connection breaks; if the first attempt did arrive, the rows that it moved are counted as unchanged. Raises
        OSError when the file cannot be read.

        >>> client.resubmit_sheet("rows.csv", actor="mia")  # doctest: +SKIP
        """
        content = Source(source)
        content.check()
        return self._upload(SheetUpload(content, how), self._transfer(timeout_s))

    def create_export(
        self,
        batch: str,
        cursor: str,
        *,
        include_valid: bool = False,
        request_id: str | None = None,
        actor: str = "",
        timeout_s: float | None = None,
    ) -> Export:
        """Fixes the good rows that a cursor has not had yet, and moves it. Raises NotNow / NOTHING_TO_EXPORT.

        Give a request_id of your own where a crash may lose the answer: the same id gets the same export.

        >>> export = client.create_export(batch.name, "importer")  # doctest: +SKIP
        >>> client.export_quarantine(export.name, "new-rows.csv")  # doctest: +SKIP
        """
        call = calls.create_export(
            batch, cursor, include_valid=include_valid, request_id=request_id, actor=actor
        )
        return self._call(call, self._short(timeout_s))

    def list_exports(
        self,
        batch: str,
        *,
        cursor: str | None = None,
        page_size: int = 0,
        timeout_s: float | None = None,
    ) -> Iterator[Export]:
        """Yields the exports of a batch, oldest first."""
        return self._items(calls.list_exports(batch, cursor, page_size), self._short(timeout_s))

    def export_quarantine(
        self,
        name: str,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = True,
        progress: OnExported | None = None,
        timeout_s: float | None = None,
        **wanted: Unpack[Exporting],
    ) -> ExportedFile:
        """Writes rows of a batch, or an export, to a path (or into a folder), whole and checked or not at all.

        A sheet of the open rows, unless it is told otherwise. When the connection breaks it begins again. Raises
        Corrupt when the bytes are not what the daemon says it sent, OSError when they cannot be written, and
        FileExistsError where `overwrite` is False and there is a file.

        >>> client.export_quarantine("batches/0193", "rows.csv")  # doctest: +SKIP
        >>> client.export_quarantine("batches/0193", "rows.tar", format="json", field="rating")  # doctest: +SKIP
        """
        request = export_request(name, wanted)
        deadline = self._transfer(timeout_s)
        attempts = self._attempts(deadline)
        with contextlib.closing(
            ExportDownload(path, progress, overwrite=overwrite).open()
        ) as download:
            while not download.is_complete:
                download.start_over()
                messages = self._stream(calls.export_quarantine(request), deadline.remaining_s())
                try:
                    with contextlib.closing(messages):
                        for message in messages:
                            download.take(message)
                    download.check_ended()
                except StewardError as error:
                    time.sleep(attempts.failed(error))
            return download.publish()

    def export_next(
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
        """Writes the good rows that a cursor has not had yet to a path (or into a folder), each row in one file only.

        Until it has returned, the same call writes the very same rows, also in a later process: what it is at stands in
        a ticket beside the target. A file that is there is never overwritten, since nobody may have read it yet:
        FileExistsError. Raises NotNow / NOTHING_TO_EXPORT where there are no new rows; nothing is written then.

        >>> client.export_next(batch.name, "importer", "incoming/")  # doctest: +SKIP
        """
        deadline = self._transfer(timeout_s)
        with ExportTicket(path, batch, cursor) as ticket:
            export = self.create_export(
                batch,
                cursor,
                include_valid=include_valid,
                request_id=ticket.request_id,
                actor=actor,
            )
            file = self.export_quarantine(
                export.name, path, overwrite=ticket.is_resumed, progress=progress,
                timeout_s=deadline.remaining_s(), original_order=original_order,
            )  # fmt: skip
            ticket.done()
            return dataclasses.replace(file, export=export)

    def retry_quarantine(
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
    ) -> Operation[QuarantineProgress, Retried]:
        """Begins to judge open rows again, by the newest version of their schema unless another is named.

        >>> client.retry_quarantine("batches/0193", keyword="enum", dry_run=True).result()  # doctest: +SKIP
        """
        call = calls.retry_quarantine(
            batch, batches=batches, field=field, keyword=keyword, schema_version=schema_version,
            dry_run=dry_run, actor=actor, request_id=request_id,
        )  # fmt: skip
        return Operation(self, self._call(call, self._short(timeout_s)))

    def purge_quarantine(
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
    ) -> Operation[QuarantineProgress, Purged]:
        """Begins to remove rows for good that reached their state before a time; open ones only where they are named.

        >>> client.purge_quarantine(batches=BatchFilter(schema="note"), before=then, dry_run=True)  # doctest: +SKIP
        """
        call = calls.purge_quarantine(
            batch, before=before, batches=batches, states=states, archive=archive, dry_run=dry_run,
            actor=actor, request_id=request_id,
        )  # fmt: skip
        return Operation(self, self._call(call, self._short(timeout_s)))

    def erase_subject(
        self,
        email: str,
        *,
        dry_run: bool,
        actor: str = "",
        request_id: str | None = None,
        timeout_s: float | None = None,
    ) -> Operation[QuarantineProgress, ErasedSubject]:
        """Begins to mask all that is held of one e-mail address."""
        call = calls.erase_subject(email, dry_run=dry_run, actor=actor, request_id=request_id)
        return Operation(self, self._call(call, self._short(timeout_s)))
