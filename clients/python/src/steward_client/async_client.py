"""The asyncio client: the same methods as `Client`, awaited; listings and watches are asynchronous iterators.

Thin, as the plain one is. Files are read and written in threads, so that a slow disk holds up no other task. A task
that is cancelled cancels its call.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Sequence
from typing import Unpack

from steward_client import calls
from steward_client.aio.operations import AsyncOperation
from steward_client.aio.quarantine import AsyncQuarantineMethods
from steward_client.backups import Backup, BackupProgress
from steward_client.batch_filter import BatchFilter
from steward_client.batch_upload import BatchUpload, Judging
from steward_client.batches import Batch
from steward_client.download import Download, OnDownloaded
from steward_client.errors import StewardError
from steward_client.health import Health
from steward_client.retry import Attempts, Deadline
from steward_client.schemas import Detection, Schema
from steward_client.source import FileSource, Source


class AsyncClient(AsyncQuarantineMethods):
    """As `Client`, for asyncio. Make it where the event loop runs.

    >>> async def main() -> None:
    ...     async with AsyncClient("localhost:50551") as client:
    ...         batch = await client.validate_file("sessions.csv")
    ...         async for row in client.quarantined_rows(batch.name):
    ...             print(row.row_number, row.violations)
    """

    # --- Batches

    async def validate_file(
        self, source: FileSource, *, timeout_s: float | None = None, **judging: Unpack[Judging]
    ) -> Batch:
        """As Client.validate_file; a file object is read in threads."""
        content = Source(source)
        await asyncio.to_thread(content.check)
        return await self._upload(BatchUpload(content, None, judging), self._transfer(timeout_s))

    async def validate_uri(
        self, uri: str, *, timeout_s: float | None = None, **judging: Unpack[Judging]
    ) -> Batch:
        """As Client.validate_uri."""
        return await self._upload(BatchUpload(None, uri, judging), self._transfer(timeout_s))

    async def get_batch(self, name: str, *, timeout_s: float | None = None) -> Batch:
        """As Client.get_batch."""
        return await self._call(calls.get_batch(name), self._short(timeout_s))

    def list_batches(
        self,
        *,
        batches: BatchFilter | None = None,
        page_size: int = 0,
        timeout_s: float | None = None,
    ) -> AsyncIterator[Batch]:
        """As Client.list_batches."""
        return self._items(calls.list_batches(page_size, batches), self._short(timeout_s))

    async def download_batch_file(
        self,
        name: str,
        path: str | os.PathLike[str],
        *,
        progress: OnDownloaded | None = None,
        timeout_s: float | None = None,
    ) -> str:
        """As Client.download_batch_file; `progress` is called in threads."""
        deadline = self._transfer(timeout_s)
        batch, file = calls.split_file_name(name)
        described = (await self.get_batch(batch, timeout_s=self._short(None))).file(file)
        attempts = self._attempts(deadline)
        opened = await asyncio.to_thread(Download(described, path, progress).open)
        with contextlib.closing(opened) as download:
            while not download.is_complete:
                await self._fetch(described.name, download, attempts, deadline)
            return str(await asyncio.to_thread(download.publish))

    # --- Schemas

    async def get_schema(
        self, name: str, version: str | None = None, *, timeout_s: float | None = None
    ) -> Schema:
        """As Client.get_schema."""
        return await self._call(calls.get_schema(name, version), self._short(timeout_s))

    def list_schemas(
        self, *, page_size: int = 0, timeout_s: float | None = None
    ) -> AsyncIterator[Schema]:
        """As Client.list_schemas."""
        return self._items(calls.list_schemas(page_size), self._short(timeout_s))

    async def detect_schema(
        self, columns: Sequence[str], *, timeout_s: float | None = None
    ) -> Detection:
        """As Client.detect_schema."""
        return await self._call(calls.detect_schema(columns), self._short(timeout_s))

    # --- Backups

    async def create_backup(
        self,
        database: str = "",
        *,
        description: str = "",
        request_id: str | None = None,
        timeout_s: float | None = None,
    ) -> AsyncOperation[BackupProgress, Backup]:
        """As Client.create_backup."""
        call = calls.create_backup(database, description, request_id)
        return AsyncOperation(self, await self._call(call, self._short(timeout_s)))

    async def get_backup(self, name: str, *, timeout_s: float | None = None) -> Backup:
        """As Client.get_backup."""
        return await self._call(calls.get_backup(name), self._short(timeout_s))

    def list_backups(
        self, *, page_size: int = 0, timeout_s: float | None = None
    ) -> AsyncIterator[Backup]:
        """As Client.list_backups."""
        return self._items(calls.list_backups(page_size), self._short(timeout_s))

    # --- Health

    async def health(self, *, timeout_s: float | None = None) -> Health:
        """As Client.health."""
        return await self._call(calls.health(), self._short(timeout_s))

    async def _fetch(
        self, name: str, download: Download, attempts: Attempts, deadline: Deadline
    ) -> None:
        call = calls.download_batch_file(name, download.offset_bytes)
        try:
            async with contextlib.aclosing(self._stream(call, deadline.remaining_s())) as pieces:
                async for data in pieces:
                    await asyncio.to_thread(download.write, data)
                    attempts.progressed()
            download.check_ended()
        except StewardError as error:
            await asyncio.sleep(attempts.failed(error))
