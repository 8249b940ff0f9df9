"""How bytes move for the plain client: one call, a listing page by page, a stream, an upload with its retries.

Thin: what is sent and what is made of the answers stands in calls.py, upload.py and download.py.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc
from google.protobuf.message import Message

from steward_client import channel, status
from steward_client.calls import Call, Pages
from steward_client.channel import DEFAULT_TARGET
from steward_client.errors import StewardError
from steward_client.retry import Deadline, RetryPolicy
from steward_client.shell import Shell
from steward_client.upload import Upload

M = TypeVar("M", bound=Message)
T = TypeVar("T")


class Connection(Shell):
    """A channel to one daemon, made when it is first needed, and ended by `close`."""

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

    def _upload(self, upload: Upload[T], deadline: Deadline) -> T:
        attempts = self._attempts(deadline, repeatable=upload.is_repeatable)
        while True:
            try:
                return self._send(upload, deadline.remaining_s())
            except StewardError as error:
                time.sleep(attempts.failed(error))

    def _send(self, upload: Upload[T], timeout_s: float | None) -> T:
        self._check_process()
        # A method that answers once is called in this way too: on the wire it is a stream of one.
        method: Any = self._channel.stream_stream(
            upload.path, upload.request.SerializeToString, upload.answer.FromString
        )
        # gRPC pulls the messages in a thread of its own, and lets go of them as soon as the call has ended: a refusal
        # stops the reading of the file.
        answers = method(
            upload.messages(), timeout=timeout_s, compression=grpc.Compression.NoCompression
        )
        result = None
        try:
            for answer in answers:
                found = upload.received(answer)
                result = result if found is None else found
        except grpc.RpcError as error:
            if upload.read_error is not None:
                raise upload.read_error from None
            raise status.from_rpc(error, self.target) from None
        finally:
            answers.cancel()
        return upload.ended(result)
