"""How bytes move for the asyncio client: one call, a listing page by page, a stream, an upload with its retries.

Files are read in threads, so that a slow disk holds up no other task. A task that is cancelled cancels its call.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message

from steward_client import channel, status
from steward_client.calls import Call, Pages
from steward_client.channel import DEFAULT_TARGET
from steward_client.errors import StewardError
from steward_client.retry import Deadline, RetryPolicy
from steward_client.shell import Shell
from steward_client.upload import Upload
from steward_client.verdict import Verdict

M = TypeVar("M", bound=Message)
T = TypeVar("T")

_Answers = grpc.aio.StreamStreamCall[Any, Any]


class AsyncConnection(Shell):
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
            self._channel = grpc.aio.insecure_channel(self.target.address, options)
        else:
            self._channel = grpc.aio.secure_channel(self.target.address, credentials, options)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the connection; calls that are under way fail as Cancelled."""
        await self._channel.close()

    async def _call(self, call: Call[M, T], timeout_s: float | None) -> T:
        self._check_process()
        method = self._channel.unary_unary(
            call.path, type(call.request).SerializeToString, call.answer.FromString
        )
        try:
            return call.result(await method(call.request, timeout=timeout_s))
        except grpc.RpcError as error:
            raise status.from_rpc(error, self.target) from None

    async def _items(self, pages: Pages[M, T], timeout_s: float) -> AsyncIterator[T]:
        token = ""
        while True:
            page = await self._call(pages(token), timeout_s)
            for item in page.items:
                yield item
            token = page.next_token
            if not token:
                return

    async def _stream(self, call: Call[M, T], timeout_s: float | None) -> AsyncGenerator[T, None]:
        self._check_process()
        method = self._channel.unary_stream(
            call.path, type(call.request).SerializeToString, call.answer.FromString
        )
        answers = method(call.request, timeout=timeout_s)
        try:
            async for answer in answers:
                yield call.result(answer)
        except grpc.RpcError as error:
            raise status.from_rpc(error, self.target) from None
        finally:
            answers.cancel()

    async def _upload(self, upload: Upload[T], deadline: Deadline) -> T:
        attempts = self._attempts(deadline, repeatable=upload.is_repeatable)
        while True:
            try:
                return await self._send(upload, deadline.remaining_s())
            except StewardError as error:
                await asyncio.sleep(attempts.failed(error))

    async def _send(self, upload: Upload[T], timeout_s: float | None) -> T:
        self._check_process()
        # A method that answers once is called in this way too: on the wire it is a stream of one.
        method: Any = self._channel.stream_stream(
            upload.path, upload.request.SerializeToString, upload.answer.FromString
        )
        answers = method(timeout=timeout_s, compression=grpc.Compression.NoCompression)
        verdict = Verdict(answers)
        writing = asyncio.create_task(self._write(upload, answers))
        result = None
        try:
            async for answer in answers:
                found = upload.received(answer)
                result = result if found is None else found
        except grpc.RpcError as error:
            if upload.read_error is not None:
                raise upload.read_error from None
            raise status.from_rpc(await verdict.of(error), self.target) from None
        finally:
            answers.cancel()
            writing.cancel()
            await asyncio.wait([writing])
        return upload.ended(result)

    async def _write(self, upload: Upload[Any], answers: _Answers) -> None:
        # One thread reads the whole file. Spread over the threads of the default executor, whose malloc arenas give
        # each chunk back to the system, an upload costs three times the CPU (260 against 800 MB per CPU second).
        reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="steward-upload")
        loop, messages = asyncio.get_running_loop(), upload.messages()
        try:
            while (message := await loop.run_in_executor(reader, next, messages, None)) is not None:
                await answers.write(message)
            await answers.done_writing()
        except (grpc.RpcError, asyncio.InvalidStateError):
            pass  # a call that has ended takes no more; why it ended is told to the reader, and only there
        finally:
            reader.shutdown(wait=False)
