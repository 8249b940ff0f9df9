"""Bytes that are no message of their method.

grpc calls the deserializer before a handler has the call, and what it raises there reaches the client as UNKNOWN, with
a traceback in the log. So ours raises nothing: it gives a Malformed in the message's place, which becomes an error of
the daemon's own kind where all others do, in the interceptor. Nothing of the bytes is quoted.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from google.protobuf.message import DecodeError

from stewardd.errors import MalformedMessage


class Malformed:
    """Stands for a message that could not be read."""


MALFORMED = Malformed()


def tolerant(read: Callable[[bytes], Any] | None) -> Callable[[bytes], Any] | None:
    """Returns a deserializer that gives MALFORMED instead of raising."""
    if read is None:
        return None

    def read_or_mark(raw: bytes) -> Any:
        try:
            return read(raw)
        except (DecodeError, ValueError):
            return MALFORMED

    return read_or_mark


def well_formed(message: Any, method: str, number: int | None = None) -> Any:
    """Returns the message; `number` counts those of a stream from 1. Raises MalformedMessage."""
    if message is MALFORMED:
        which = "the message" if number is None else f"message {number} of the stream"
        raise MalformedMessage(f"{which} is none of {method}")
    return message


class WellFormed:
    """The messages of a stream, each looked at as it comes. Raises MalformedMessage."""

    def __init__(self, messages: AsyncIterator[Any], method: str) -> None:
        self._messages = messages
        self._method = method
        self._count = 0

    def __aiter__(self) -> WellFormed:
        return self

    async def __anext__(self) -> Any:
        message = await anext(self._messages)
        self._count += 1
        return well_formed(message, self._method, self._count)
