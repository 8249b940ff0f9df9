"""The outermost interceptor: limits, counts and times calls, checks every request message, and maps every error.

An exception that leaves a handler would reach the client with its text; here only what the table in status.py says
does. Health is exempt from the limit, so that a full daemon can still say that it is full. CancelledError is raised
again: swallowing it leaks the call. grpc decodes a message before a handler runs, and an error there would reach the
client as UNKNOWN: so the decoder raises nothing, and marks the message. No byte of a malformed message is quoted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, NoReturn

import grpc
from google.protobuf.message import DecodeError
from grpc_status import rpc_status

from stewardd.errors import MalformedMessage, MessageTooLarge, StewardError, TooManyRequests
from stewardd.metrics.calls import CallMetrics
from stewardd.rpc.context import Context
from stewardd.rpc.status import UNEXPECTED, code_of, to_status
from stewardd.rpc.uploads import Chunk
from stewardd.telemetry import logger

log = logger("rpc")

EXEMPT = ("/grpc.health.v1.Health/", "/steward.v1.SystemService/Health")
UNKNOWN = grpc.StatusCode.UNKNOWN
Check = Callable[[Any, str], Any]


class CallGuard(grpc.aio.ServerInterceptor):
    """Wraps every handler. `running` counts the calls that are being served, without the exempt ones."""

    def __init__(
        self, max_concurrent_calls: int, max_message_bytes: int, metrics: CallMetrics
    ) -> None:
        self._max_concurrent_calls = max_concurrent_calls
        self._max_message_bytes = max_message_bytes
        self.metrics = metrics
        self.running = 0

    async def intercept_service(
        self,
        continuation: Callable[
            [grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]
        ],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Returns the handler, guarded. None for an unknown method, as grpc expects it."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return handler
        return self._guarded(handler, handler_call_details.method)

    def _guarded(self, handler: Any, method: str) -> grpc.RpcMethodHandler[Any, Any]:
        coders = {
            "request_deserializer": _marking_malformed(handler.request_deserializer),
            "response_serializer": handler.response_serializer,
        }
        if handler.unary_unary:
            return grpc.unary_unary_rpc_method_handler(
                self._unary(handler.unary_unary, method, self._message), **coders
            )
        if handler.unary_stream:
            return grpc.unary_stream_rpc_method_handler(
                self._stream(handler.unary_stream, method, self._message), **coders
            )
        if handler.stream_unary:
            return grpc.stream_unary_rpc_method_handler(
                self._unary(handler.stream_unary, method, self._messages), **coders
            )
        if handler.stream_stream:
            return grpc.stream_stream_rpc_method_handler(
                self._stream(handler.stream_stream, method, self._messages), **coders
            )
        raise TypeError(f"{method}: no handler of a kind that the contract has")

    def _message(self, request: Any, method: str) -> Any:
        return _checked(request, method, self._max_message_bytes)

    def _messages(self, requests: AsyncIterator[Any], method: str) -> _CheckedMessages:
        return _CheckedMessages(requests, method, self._max_message_bytes)

    def _unary(self, behaviour: Any, method: str, checked: Check) -> Any:
        async def guarded(request: Any, context: Context) -> Any:
            async with _Call(self, method, context):
                return await behaviour(checked(request, method), context)

        return guarded

    def _stream(self, behaviour: Any, method: str, checked: Check) -> Any:
        # A coroutine that writes, not a generator. When a call is cancelled, grpc leaves a generator to the garbage
        # collector, and what the call holds would be released at an unknown time.
        async def guarded(request: Any, context: Context) -> None:
            async with (
                _Call(self, method, context),
                aclosing(behaviour(checked(request, method), context)) as answers,
            ):
                async for response in answers:
                    await context.write(response)

        return guarded

    def enter(self, method: str) -> bool:
        """Counts a call. Returns False for an exempt call. Raises: TooManyRequests."""
        if method.startswith(EXEMPT):
            return False
        if self.running >= self._max_concurrent_calls:
            raise TooManyRequests(f"{self.running} calls are being served", retry_after_s=1.0)
        self.running += 1
        return True


class _Malformed:
    """Stands for a message that could not be decoded."""


_MALFORMED = _Malformed()


def _marking_malformed(decode: Callable[[bytes], Any] | None) -> Callable[[bytes], Any] | None:
    """Returns a decoder that returns _MALFORMED where `decode` raises."""
    if decode is None:
        return None

    def decode_or_mark(raw: bytes) -> Any:
        try:
            return decode(raw)
        except (DecodeError, ValueError):
            return _MALFORMED

    return decode_or_mark


def _checked(message: Any, method: str, max_bytes: int, number: int | None = None) -> Any:
    """Returns the message. `number` is its place in a stream, from 1. Raises: MalformedMessage, MessageTooLarge."""
    if message is _MALFORMED:
        which = "the message" if number is None else f"message {number} of the stream"
        raise MalformedMessage(f"{which} is none of {method}")
    size_bytes = message.size_bytes if isinstance(message, Chunk) else message.ByteSize()
    # grpc's own limit is higher, so that this one can be told with a reason and a hint.
    if size_bytes > max_bytes:
        raise MessageTooLarge(f"a message of {size_bytes} bytes is over the limit of {max_bytes}")
    return message


class _CheckedMessages:
    """The messages of a stream, each checked when it is read. Raises: MalformedMessage, MessageTooLarge."""

    def __init__(self, messages: AsyncIterator[Any], method: str, max_bytes: int) -> None:
        self._messages = messages
        self._method = method
        self._max_bytes = max_bytes
        self._count = 0

    def __aiter__(self) -> _CheckedMessages:
        return self

    async def __anext__(self) -> Any:
        message = await anext(self._messages)
        self._count += 1
        return _checked(message, self._method, self._max_bytes, self._count)


class _Call:
    """One call, from its beginning to its end: it is counted, timed and logged, and its error is mapped."""

    def __init__(self, guard: CallGuard, method: str, context: Context) -> None:
        self._guard = guard
        self._method = method
        self._name = method.removeprefix("/")
        self._context = context
        self._counted = False
        self._began_s = time.monotonic()

    async def __aenter__(self) -> None:
        self._guard.metrics.began(self._name)
        try:
            self._counted = self._guard.enter(self._method)
        except TooManyRequests as error:
            self._measure(error)
            await self._abort(error)

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if self._counted:
            self._guard.running -= 1
        self._measure(error)
        elapsed_ms = round((time.monotonic() - self._began_s) * 1000, 1)
        if error is None:
            log.debug("call done", method=self._method, elapsed_ms=elapsed_ms)
        elif isinstance(error, StewardError):
            log.info(
                "call refused", method=self._method, reason=error.reason, elapsed_ms=elapsed_ms
            )
            await self._abort(error)
        elif isinstance(error, Exception) and not isinstance(error, grpc.aio.AbortError):
            # The edge: an unforeseen error is logged with its traceback, and the client is told only that it happened.
            log.error("call failed", method=self._method, elapsed_ms=elapsed_ms, exc_info=error)
            await self._abort(UNEXPECTED)
        elif isinstance(error, (asyncio.CancelledError, GeneratorExit)):
            log.info("call cancelled", method=self._method, elapsed_ms=elapsed_ms)

    def _measure(self, error: BaseException | None) -> None:
        elapsed_s = time.monotonic() - self._began_s
        code, reason = self._ending(error)
        self._guard.metrics.ended(self._name, code.name, elapsed_s, reason)

    def _ending(self, error: BaseException | None) -> tuple[grpc.StatusCode, str]:
        """Returns the code that the client gets, and the reason of an error of the daemon's own."""
        if error is None:
            return grpc.StatusCode.OK, ""
        if isinstance(error, StewardError):
            return code_of(error), error.reason
        if isinstance(error, grpc.aio.AbortError):
            return _code_numbered(self._context.code()), ""
        if isinstance(error, Exception):
            return code_of(UNEXPECTED), UNEXPECTED.reason
        # The client went away, or its time is over: it does not say which, and its clock began before ours.
        return grpc.StatusCode.CANCELLED, ""

    async def _abort(self, error: StewardError) -> NoReturn:
        assert code_of(error) is not grpc.StatusCode.OK
        await self._context.abort_with_status(rpc_status.to_status(to_status(error)))
        raise AssertionError("abort returned")


def _code_numbered(code: grpc.StatusCode | int) -> grpc.StatusCode:
    """A context keeps the code of an abort as its number, whatever its type says."""
    return next((each for each in grpc.StatusCode if code in (each, each.value[0])), UNKNOWN)
