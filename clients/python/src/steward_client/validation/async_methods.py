"""The client's methods for batches and schemas: ValidationService."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Sequence
from typing import Unpack

from steward_client.connection import asyncio_io
from steward_client.connection.async_service import AsyncService
from steward_client.connection.retry import REWRITTEN, Attempts, Deadline
from steward_client.errors import StewardError
from steward_client.transfer.async_send import send
from steward_client.transfer.source import FileSource, Source
from steward_client.validation import calls
from steward_client.validation.batch_file_download import BatchFileDownload, OnDownloaded
from steward_client.validation.batch_filter import BatchFilter
from steward_client.validation.batch_upload import BatchUpload, ValidationOptions
from steward_client.validation.batches import Batch, split_file_name
from steward_client.validation.payloads import CloudEvent, Payload, PayloadVerdict
from steward_client.validation.payloads_upload import PayloadsOptions, PayloadsUpload
from steward_client.validation.schemas import Detection, Schema, SchemaKind


class AsyncValidationMethods(AsyncService):
    """Validates files and payloads, and reads batches, the files that they left, and schemas."""

    async def validate_file(
        self,
        source: FileSource,
        *,
        timeout_s: float | None = None,
        **options: Unpack[ValidationOptions],
    ) -> Batch:
        """Uploads a file (a path, bytes, or a file object open in mode 'rb') and returns its batch once it is durable.

        Rows that fail are no error: the batch counts them. When the connection breaks, the file is sent again with the
        same request_id, if it can be read again. The asyncio client reads the file in threads.

        Raises: OSError when the file cannot be read.

        >>> await client.validate_file("sessions.csv", schema="language_session", strict=True)  # doctest: +SKIP
        """
        content = Source(source)
        await asyncio_io.run_file_work(content.check)
        return await send(self._connection, BatchUpload(content, None, options), timeout_s)

    async def validate_uri(
        self, uri: str, *, timeout_s: float | None = None, **options: Unpack[ValidationOptions]
    ) -> Batch:
        """Lets the daemon read a `file:///…` URI itself, below one of its configured roots."""
        return await send(self._connection, BatchUpload(None, uri, options), timeout_s)

    async def validate_payloads(
        self,
        source: FileSource,
        *,
        timeout_s: float | None = None,
        **options: Unpack[PayloadsOptions],
    ) -> Batch:
        """Uploads a JSON Lines file, one payload a line, and returns its batch once it is durable.

        As `validate_file` does it with rows: payloads that fail are no error, and are quarantined.

        Raises: OSError when the file cannot be read.

        >>> await client.validate_payloads("events.jsonl", schema="ecornell_webhook")  # doctest: +SKIP
        """
        content = Source(source)
        await asyncio_io.run_file_work(content.check)
        return await send(self._connection, PayloadsUpload(content, None, options), timeout_s)

    async def validate_payloads_uri(
        self, uri: str, *, timeout_s: float | None = None, **options: Unpack[PayloadsOptions]
    ) -> Batch:
        """Lets the daemon read a `file:///…` URI of a JSON Lines file itself, below one of its configured roots."""
        return await send(self._connection, PayloadsUpload(None, uri, options), timeout_s)

    async def validate_payload(
        self,
        payload: Payload,
        *,
        schema: str | None = None,
        schema_version: str | None = None,
        strict: bool = False,
        quarantine: bool = False,
        source_file: str = "",
        normalise: bool | CloudEvent = False,
        request_id: str | None = None,
        timeout_s: float | None = None,
    ) -> PayloadVerdict:
        """Judges one JSON payload. One that is not valid is a verdict with its violations, and no error.

        `schema`: detected where none is named; `schema_version`: the newest. `strict`: a member that the schema does
        not name is a violation. `quarantine`: an invalid payload is kept, with `source_file` as its origin, and the
        verdict comes once that is durable. `request_id`: the same id with the same payload gets the same row; left out:
        a new UUID, so that a call that is repeated after a lost answer keeps the payload once. `normalise`: a valid
        payload becomes the event of its schema, in an envelope where a CloudEvent is given.

        >>> verdict = await client.validate_payload(body, schema="buddy_match")  # doctest: +SKIP
        """
        call = calls.validate_payload(
            payload,
            schema,
            schema_version,
            strict=strict,
            quarantine=quarantine,
            source_file=source_file,
            normalise=normalise,
            request_id=request_id,
        )
        return await self._connection.call(call, timeout_s)

    async def get_batch(self, name: str, *, timeout_s: float | None = None) -> Batch:
        """Returns one batch, by its name or its bare id."""
        return await self._connection.call(calls.get_batch(name), timeout_s)

    def list_batches(
        self,
        *,
        batches: BatchFilter | None = None,
        page_size: int = 0,
        id_prefix: str = "",
        timeout_s: float | None = None,
    ) -> AsyncIterator[Batch]:
        """Yields the batches that match a filter (without one: all), newest first. Fetches each page when needed.

        `id_prefix`: only those whose id begins with it.
        """
        pages = calls.list_batches(page_size, batches, id_prefix)
        return self._connection.items(pages, timeout_s)

    async def download_batch_file(
        self,
        name: str,
        path: str | os.PathLike[str],
        *,
        progress: OnDownloaded | None = None,
        overwrite: bool = True,
        timeout_s: float | None = None,
    ) -> str:
        """Writes `batches/{batch}/files/{file}` to a path (or into a folder), whole and checked or not at all.

        Returns the path. Goes on where an earlier attempt was cut, anew where the batch was
        rewritten meanwhile. The asyncio client calls `progress` in threads.

        Raises: Corrupt when the bytes are not what the batch says; OSError when they cannot be written;
        FileExistsError for a file that is there, with overwrite=False.

        >>> await client.download_batch_file("batches/0193/files/errors.csv", ".")  # doctest: +SKIP
        """
        settings = self._connection.settings
        deadline = settings.transfer_deadline(timeout_s)
        batch, file = split_file_name(name)
        described = (await self.get_batch(batch)).file(file)
        attempts = settings.attempts(deadline)
        opened = await asyncio_io.run_file_work(
            BatchFileDownload(described, path, progress, overwrite=overwrite).open
        )
        with contextlib.closing(opened) as download:
            while not download.is_complete:
                await self._fetch(download, attempts, deadline)
            return str(await asyncio_io.run_file_work(download.publish))

    async def get_schema(
        self, name: str, version: str | None = None, *, timeout_s: float | None = None
    ) -> Schema:
        """Returns a version of a schema, the newest where none is named."""
        return await self._connection.call(calls.get_schema(name, version), timeout_s)

    def list_schemas(
        self,
        *,
        kind: SchemaKind | str | None = None,
        page_size: int = 0,
        timeout_s: float | None = None,
    ) -> AsyncIterator[Schema]:
        """Yields every version of every schema, without their documents; of one kind, `csv` or `payload`, if given."""
        return self._connection.items(calls.list_schemas(page_size, kind), timeout_s)

    async def detect_schema(
        self, columns: Sequence[str], *, timeout_s: float | None = None
    ) -> Detection:
        """Says which schema a header detects, exactly as a validation would."""
        return await self._connection.call(calls.detect_schema(columns), timeout_s)

    async def detect_payload(
        self, payload: Payload, *, timeout_s: float | None = None
    ) -> Detection:
        """Says which schema a payload detects by its structure. Its values are not judged."""
        return await self._connection.call(calls.detect_payload(payload), timeout_s)

    async def _fetch(
        self, download: BatchFileDownload, attempts: Attempts, deadline: Deadline
    ) -> None:
        call = calls.download_batch_file(download.file, download.offset_bytes)
        try:
            pieces = self._connection.stream(call, deadline.remaining_s())
            async with asyncio_io.closing(pieces):
                async for data in pieces:
                    await asyncio_io.run_file_work(download.write, data)
                    attempts.progressed()
            download.check_ended()
        except StewardError as error:
            await asyncio_io.sleep(attempts.failed(error))
            if error.reason == REWRITTEN:
                batch, file = split_file_name(download.file.name)
                found = await self.get_batch(batch)
                await asyncio_io.run_file_work(download.become, found.file(file))
