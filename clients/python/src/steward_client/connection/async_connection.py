"""A connection to one daemon: a call, a listing page by page, a stream of answers.

It knows no service: what is sent and what is made of the answers stands in the calls of each service.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from steward_client.connection import asyncio_io, status
from steward_client.connection.call import Call, Pages
from steward_client.connection.settings import ConnectionSettings

M = TypeVar("M", bound=Message)
T = TypeVar("T")


class AsyncConnection:
    """A channel to one daemon, connected when it is first needed, and ended by `close`.

    A gRPC channel does not survive fork(): a connection that is used in a forked child raises RuntimeError.
    """

    def __init__(
        self, settings: ConnectionSettings, credentials: grpc.ChannelCredentials | None
    ) -> None:
        self.settings = settings
        self._channel = asyncio_io.open_channel(settings.target, credentials)
        self._process = os.getpid()

    async def close(self) -> None:
        """Ends the connection; calls that are under way fail as Cancelled."""
        await self._channel.close()

    async def call(self, call: Call[M, T], timeout_s: float | None) -> T:
        """Sends one request and returns what is made of its answer. Without a time it has that of a short call."""
        self._check_process()
        method = self._channel.unary_unary(
            call.path, type(call.request).SerializeToString, call.answer.FromString
        )
        timeout_s = self.settings.timeout_s if timeout_s is None else timeout_s
        try:
            return call.result(await method(call.request, timeout=timeout_s))
        except grpc.RpcError as error:
            raise status.from_rpc(error, self.settings.target) from None

    async def items(self, pages: Pages[M, T], timeout_s: float | None) -> AsyncIterator[T]:
        """Yields the items of a listing, and fetches each page when it is needed; the time is that of one page."""
        token = ""
        while True:
            page = await self.call(pages(token), timeout_s)
            for item in page.items:
                yield item
            token = page.next_token
            if not token:
                return

    async def stream(self, call: Call[M, T], timeout_s: float | None) -> AsyncGenerator[T, None]:
        """Yields what is made of each answer. Without a time it lasts until the daemon ends it."""
        self._check_process()
        method = self._channel.unary_stream(
            call.path, type(call.request).SerializeToString, call.answer.FromString
        )
        answers = method(call.request, timeout=timeout_s)
        try:
            async for answer in answers:
                yield call.result(answer)
        except grpc.RpcError as error:
            raise status.from_rpc(error, self.settings.target) from None
        finally:
            answers.cancel()

    def exchange(self, path: str, request: type[Message], answer: type[Message]) -> Any:
        """Returns the method that sends a stream of requests and receives a stream of answers."""
        self._check_process()
        return self._channel.stream_stream(path, request.SerializeToString, answer.FromString)

    def _check_process(self) -> None:
        if os.getpid() != self._process:
            raise RuntimeError(
                "this client was made before fork(), and gRPC channels do not survive it: "
                "make a new client in the child process"
            )
