"""The plain client: blocking, safe to share between threads, not between processes.

Thin: what is sent and what is made of the answers stands in calls.py, upload.py and download.py.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Generator, Iterator, Sequence
from types import TracebackType
from typing import Self, TypeVar, Unpack

import grpc
from google.protobuf.message import Message
from steward.v1 import validation_pb2 as pb

from steward_client import calls, channel, status
from steward_client.backups import Backup, BackupProgress
from steward_client.batches import Batch
from steward_client.calls import Call, Pages
from steward_client.channel import DEFAULT_TARGET
from steward_client.download import Download, OnDownloaded
from steward_client.errors import StewardError
from steward_client.health import Health
from steward_client.operations import OperationState
from steward_client.quarantine import QuarantinedRow
from steward_client.retry import Attempts, Deadline, RetryPolicy
from steward_client.schemas import Detection, Schema
from steward_client.shell import LONGEST_WAIT_S, WAIT_PAUSE_S, Shell, watch_broken
from steward_client.upload import FileSource, Judging, Source, Upload

M = TypeVar("M", bound=Message)
T = TypeVar("T")


class Client(Shell):
    """A connection to one daemon, made when it is first needed.

    Every method raises a StewardError as errors.py draws them. `timeout_s` bounds a short call, `transfer_timeout_s` an
    upload or a download with all its retries; each method takes a `timeout_s` of its own.

    >>> with Client("localhost:50551") as client:  # doctest: +SKIP
    ...     batch = client.validate_file("sessions.csv", keep_valid_rows=True)
    ...     client.download_batch_file(f"{batch.name}/files/valid.csv", "valid.csv")
    """

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        timeout_s: float = 30.0,
        transfer_timeout_s: float = 3600.0,
        retry: RetryPolicy | None = None,
    ) -> None:
        super().__init__(
            target, timeout_s=timeout_s, transfer_timeout_s=transfer_timeout_s, retry=retry
        )
        options = channel.options(self.target)
        if credentials is None:
            self._channel = grpc.insecure_channel(self.target.address, options)
        else:
            self._channel = grpc.secure_channel(self.target.address, credentials, options)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection; calls that are under way fail as Cancelled."""
        self._channel.close()

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
        return self._validate(Upload(content, None, judging), self._transfer(timeout_s))

    def validate_uri(
        self, uri: str, *, timeout_s: float | None = None, **judging: Unpack[Judging]
    ) -> Batch:
        """Lets the daemon read a `file:///…` URI itself, below one of its configured roots."""
        return self._validate(Upload(None, uri, judging), self._transfer(timeout_s))

    def get_batch(self, name: str, *, timeout_s: float | None = None) -> Batch:
        """Returns one batch, by its name or its bare id."""
        return self._call(calls.get_batch(name), self._short(timeout_s))

    def list_batches(
        self, *, page_size: int = 0, timeout_s: float | None = None
    ) -> Iterator[Batch]:
        """Yields the batches, newest first, fetching pages as they are needed."""
        return self._items(calls.list_batches(page_size), self._short(timeout_s))

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

    def quarantined_rows(
        self, batch: str, *, page_size: int = 0, timeout_s: float | None = None
    ) -> Iterator[QuarantinedRow]:
        """Yields the quarantined rows of a batch in the order of its file."""
        return self._items(calls.list_quarantined_rows(batch, page_size), self._short(timeout_s))

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
    ) -> Operation:
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

    # --- Operations

    def get_operation(self, name: str, *, timeout_s: float | None = None) -> Operation:
        """Returns an operation as it is now."""
        return Operation(self, self._call(calls.get_operation(name), self._short(timeout_s)))

    def list_operations(
        self, *, page_size: int = 0, timeout_s: float | None = None
    ) -> Iterator[Operation]:
        """Yields the operations, newest first."""
        for state in self._items(calls.list_operations(page_size), self._short(timeout_s)):
            yield Operation(self, state)

    def wait_operation(self, name: str, *, timeout_s: float | None = None) -> Operation:
        """Returns the operation once it is done, for good or ill; without `timeout_s` it waits as long as it takes.

        Raises DeadlineExceeded when it is not done in time; the operation goes on.
        """
        deadline = Deadline(timeout_s)
        attempts = self._attempts(deadline)
        while True:
            wait_s = min(LONGEST_WAIT_S, deadline.remaining_s() or LONGEST_WAIT_S)
            try:
                state = self._call(calls.wait_operation(name, wait_s), wait_s + self.timeout_s)
            except StewardError as error:
                time.sleep(attempts.failed(error))
                continue
            if state.done:
                return Operation(self, state)
            attempts.progressed()
            time.sleep(WAIT_PAUSE_S)

    def watch_operation(self, name: str, *, timeout_s: float | None = None) -> Iterator[Operation]:
        """Yields the operation as it is, and again each time that it changes, until it is done.

        A broken connection is made anew; then the state at that time comes first.
        """
        deadline = Deadline(timeout_s)
        attempts = self._attempts(deadline)
        while True:
            try:
                for state in self._stream(calls.watch_operation(name), deadline.remaining_s()):
                    attempts.progressed()
                    yield Operation(self, state)
                    if state.done:
                        return
                raise watch_broken(name)
            except StewardError as error:
                time.sleep(attempts.failed(error))

    def cancel_operation(self, name: str, *, timeout_s: float | None = None) -> None:
        """Asks for an operation to be cancelled; it may be done before that is seen."""
        self._call(calls.cancel_operation(name), self._short(timeout_s))

    def health(self, *, timeout_s: float | None = None) -> Health:
        """Says how the daemon is."""
        return self._call(calls.health(), self._short(timeout_s))

    # --- How bytes move

    def _call(self, call: Call[M, T], timeout_s: float | None) -> T:
        self._check_process()
        method = self._channel.unary_unary(
            call.path, type(call.request).SerializeToString, call.answer.FromString
        )
        try:
            return call.result(method(call.request, timeout=timeout_s))
        except grpc.RpcError as error:
            raise status.from_rpc(error, self.target) from None

    def _items(self, pages: Pages[M, T], timeout_s: float) -> Iterator[T]:
        token = ""
        while True:
            page = self._call(pages(token), timeout_s)
            yield from page.items
            token = page.next_token
            if not token:
                return

    def _stream(self, call: Call[M, T], timeout_s: float | None) -> Generator[T]:
        self._check_process()
        method = self._channel.unary_stream(
            call.path, type(call.request).SerializeToString, call.answer.FromString
        )
        answers = method(call.request, timeout=timeout_s)
        try:
            for answer in answers:
                yield call.result(answer)
        except grpc.RpcError as error:
            raise status.from_rpc(error, self.target) from None
        finally:
            answers.cancel()

    def _validate(self, upload: Upload, deadline: Deadline) -> Batch:
        attempts = self._attempts(deadline, repeatable=upload.is_repeatable)
        while True:
            try:
                return self._send(upload, deadline.remaining_s())
            except StewardError as error:
                time.sleep(attempts.failed(error))

    def _send(self, upload: Upload, timeout_s: float | None) -> Batch:
        self._check_process()
        method = self._channel.stream_stream(
            upload.path,
            pb.ValidateBatchRequest.SerializeToString,
            pb.ValidateBatchResponse.FromString,
        )
        # gRPC pulls the messages in a thread of its own, and lets go of them as soon as the call has ended: a refusal
        # stops the reading of the file.
        answers = method(
            upload.messages(), timeout=timeout_s, compression=grpc.Compression.NoCompression
        )
        batch = None
        try:
            for answer in answers:
                batch = upload.received(answer) or batch
        except grpc.RpcError as error:
            if upload.read_error is not None:
                raise upload.read_error from None
            raise status.from_rpc(error, self.target) from None
        finally:
            answers.cancel()
        return upload.ended(batch)

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


class Operation:
    """A long-running operation as it was when the daemon last answered, and what can be done about it."""

    def __init__(self, client: Client, state: OperationState) -> None:
        self._client = client
        self.state = state

    def __repr__(self) -> str:
        return f"<Operation {self.name} {'done' if self.done else 'running'}>"

    @property
    def name(self) -> str:
        """`operations/{operation}`."""
        return self.state.name

    @property
    def done(self) -> bool:
        """Whether it has ended, for good or ill."""
        return self.state.done

    @property
    def progress(self) -> BackupProgress | None:
        """How far it has come, where that can be told."""
        return self.state.progress

    def refresh(self) -> Operation:
        """Returns the operation as it is now."""
        return self._client.get_operation(self.name)

    def wait(self, timeout_s: float | None = None) -> Operation:
        """Returns the operation once it is done. Raises DeadlineExceeded when it is not in time; it goes on."""
        return self if self.done else self._client.wait_operation(self.name, timeout_s=timeout_s)

    def watch(self, timeout_s: float | None = None) -> Iterator[Operation]:
        """Yields the operation as it is, and again each time that it changes, until it is done."""
        return self._client.watch_operation(self.name, timeout_s=timeout_s)

    def cancel(self) -> None:
        """Asks for it to be cancelled."""
        self._client.cancel_operation(self.name)

    def result(self, timeout_s: float | None = None) -> Backup:
        """Waits for it to be done and returns what it made, or raises its error."""
        return self.wait(timeout_s).state.outcome()
