"""The plain client: blocking, safe to share between threads, not between processes.

Batches, schemas, backups and health stand here; operations, the quarantine and how bytes move in plain/.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from typing import Unpack

from steward_client import calls
from steward_client.backups import Backup, BackupProgress
from steward_client.batch_filter import BatchFilter
from steward_client.batch_upload import BatchUpload, Judging
from steward_client.batches import Batch
from steward_client.download import Download, OnDownloaded
from steward_client.errors import StewardError
from steward_client.health import Health
from steward_client.plain.operations import Operation
from steward_client.plain.quarantine import QuarantineMethods
from steward_client.retry import Attempts, Deadline
from steward_client.schemas import Detection, Schema
from steward_client.source import FileSource, Source


class Client(QuarantineMethods):
    """A connection to one daemon, made when it is first needed.

    Every method raises a StewardError as errors.py draws them. `timeout_s` bounds a short call, `transfer_timeout_s` an
    upload or a download with all its retries; each method takes a `timeout_s` of its own.

    >>> with Client("localhost:50551") as client:  # doctest: +SKIP
    ...     batch = client.validate_file("sessions.csv", keep_valid_rows=True)
    ...     client.download_batch_file(f"{batch.name}/files/valid.csv", "valid.csv")
    """

    # --- Batches

    def validate_file(
        self, source: FileSource, *, timeout_s: float | None = None, **judging: Unpack[Judging]
    ) -> Batch:
        """Uploads a file (a path, bytes, or a file object open in mode 'rb') and returns its batch once it is durable.

        Rows that fail are no error: the batch counts them. What can be read again is sent again when the connection
        breaks, with the same request_id. Raises OSError when the file cannot be read.

        >>> client.validate_file("sessions.csv", schema="language_session", strict=True)  # doctest: +SKIP
        """
        content = Source(source)
        content.check()
        return self._upload(BatchUpload(content, None, judging), self._transfer(timeout_s))

    def validate_uri(
        self, uri: str, *, timeout_s: float | None = None, **judging: Unpack[Judging]
    ) -> Batch:
        """Lets the daemon read a `file:///…` URI itself, below one of its configured roots."""
        return self._upload(BatchUpload(None, uri, judging), self._transfer(timeout_s))

    def get_batch(self, name: str, *, timeout_s: float | None = None) -> Batch:
        """Returns one batch, by its name or its bare id."""
        return self._call(calls.get_batch(name), self._short(timeout_s))

    def list_batches(
        self,
        *,
        batches: BatchFilter | None = None,
        page_size: int = 0,
        timeout_s: float | None = None,
    ) -> Iterator[Batch]:
        """Yields the batches, newest first, all or those that a filter leaves, fetching pages as they are needed."""
        return self._items(calls.list_batches(page_size, batches), self._short(timeout_s))

    def download_batch_file(
        self,
        name: str,
        path: str | os.PathLike[str],
        *,
        progress: OnDownloaded | None = None,
        timeout_s: float | None = None,
    ) -> str:
        """Writes `batches/{batch}/files/{file}` to a path (or into a folder), whole and checked or not at all.

        Returns the path. Goes on where an earlier attempt was cut. Raises Corrupt when the bytes are not what the batch
        says, and OSError when they cannot be written.

        >>> client.download_batch_file("batches/0193/files/errors.csv", ".")  # doctest: +SKIP
        """
        deadline = self._transfer(timeout_s)
        batch, file = calls.split_file_name(name)
        described = self.get_batch(batch, timeout_s=self._short(None)).file(file)
        attempts = self._attempts(deadline)
        with contextlib.closing(Download(described, path, progress).open()) as download:
            while not download.is_complete:
                self._fetch(described.name, download, attempts, deadline)
            return str(download.publish())

    # --- Schemas

    def get_schema(
        self, name: str, version: str | None = None, *, timeout_s: float | None = None
    ) -> Schema:
        """Returns a version of a schema, the newest where none is named."""
        return self._call(calls.get_schema(name, version), self._short(timeout_s))

    def list_schemas(
        self, *, page_size: int = 0, timeout_s: float | None = None
    ) -> Iterator[Schema]:
        """Yields every version of every schema, without their documents."""
        return self._items(calls.list_schemas(page_size), self._short(timeout_s))

    def detect_schema(self, columns: Sequence[str], *, timeout_s: float | None = None) -> Detection:
        """Says which schema a header detects, exactly as a validation would."""
        return self._call(calls.detect_schema(columns), self._short(timeout_s))

    # --- Backups

    def create_backup(
        self,
        database: str = "",
        *,
        description: str = "",
        request_id: str | None = None,
        timeout_s: float | None = None,
    ) -> Operation[BackupProgress, Backup]:
        """Begins a backup of a database (the only one where none is named).

        >>> backup = client.create_backup(description="before the import").result()  # doctest: +SKIP
        """
        call = calls.create_backup(database, description, request_id)
        return Operation(self, self._call(call, self._short(timeout_s)))

    def get_backup(self, name: str, *, timeout_s: float | None = None) -> Backup:
        """Returns one backup, by its name or its bare id."""
        return self._call(calls.get_backup(name), self._short(timeout_s))

    def list_backups(
        self, *, page_size: int = 0, timeout_s: float | None = None
    ) -> Iterator[Backup]:
        """Yields the backups, newest first."""
        return self._items(calls.list_backups(page_size), self._short(timeout_s))

    # --- Health

    def health(self, *, timeout_s: float | None = None) -> Health:
        """Says how the daemon is."""
        return self._call(calls.health(), self._short(timeout_s))

    def _fetch(self, name: str, download: Download, attempts: Attempts, deadline: Deadline) -> None:
        call = calls.download_batch_file(name, download.offset_bytes)
        try:
            with contextlib.closing(self._stream(call, deadline.remaining_s())) as pieces:
                for data in pieces:
                    download.write(data)
                    attempts.progressed()
            download.check_ended()
        except StewardError as error:
            time.sleep(attempts.failed(error))
