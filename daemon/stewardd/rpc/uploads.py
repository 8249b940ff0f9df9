"""Uploads: the messages Open, Chunk*, Commit of a client, read in this order and within a time.

A Chunk is read without protobuf, which copies its bytes twice: into its message, and out of it. Here the bytes stay in
the message that came, unless they are few, and the engine reads them there. Only the form that every protobuf library
writes for a Chunk is read so; other forms that the encoding allows, and all other messages, are read by protobuf.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from steward.v1 import validation_pb2

from stewardd.errors import InvalidRequest, UploadIncomplete

Request = validation_pb2.ValidateBatchRequest

# A field's number and wire type (a length and so many bytes) in one byte, by the encoding of Protocol Buffers.
LENGTH_DELIMITED = 2
DATA = Request.Chunk.DESCRIPTOR.fields_by_name["data"].number << 3 | LENGTH_DELIMITED

VIEW_BYTES = 16 * 1024
"""A view of fewer bytes takes more memory than a copy: it keeps the whole message, and is an object itself."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """The next bytes of a file; of a large message they are a view. `size_bytes` is the size of the whole message."""

    data: bytes | memoryview
    size_bytes: int


class MessageReader:
    """Reads the messages of an upload. `request` has a oneof `message` of open, chunk and commit."""

    def __init__(self, request: type[Request | validation_pb2.ValidatePayloadsRequest]) -> None:
        self._request = request
        self._chunk = request.DESCRIPTOR.fields_by_name["chunk"].number << 3 | LENGTH_DELIMITED

    def __call__(self, raw: bytes) -> Any:
        """Returns a Chunk, or a message of any other kind. Raises: google.protobuf.message.DecodeError."""
        begin = _content(raw, 0, self._chunk)
        if begin:
            begin = _content(raw, begin, DATA)
        if begin:
            whole = raw if len(raw) < VIEW_BYTES else memoryview(raw)
            return Chunk(whole[begin:], len(raw))
        message = self._request.FromString(raw)
        if message.WhichOneof("message") == "chunk":
            return Chunk(message.chunk.data, len(raw))
        return message


def _content(raw: bytes, position: int, tag: int) -> int:
    """Returns where the content of a field begins that fills the rest of `raw`. 0 where no field does."""
    if position + 1 >= len(raw) or raw[position] != tag:
        return 0
    position += 1
    length = shift = 0
    for byte in raw[position : position + 5]:
        position += 1
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            return position if position + length == len(raw) else 0
        shift += 7
    return 0


@dataclass(frozen=True, slots=True)
class UploadTimeouts:
    """How long an upload may take: between two messages, and from the first to the last."""

    idle_s: float
    whole_s: float


class UploadMessages:
    """The messages of an upload. Each has a oneof `message` of open, chunk and commit."""

    def __init__(self, iterator: AsyncIterator[Any], timeouts: UploadTimeouts) -> None:
        self._iterator = iterator
        self._timeouts = timeouts
        self._ends_s = time.monotonic() + timeouts.whole_s
        self.commit: Any = None

    async def open(self) -> Any:
        """Returns the Open message. Raises: InvalidRequest for another one; UploadIncomplete."""
        message = await self._next()
        if isinstance(message, Chunk) or message.WhichOneof("message") != "open":
            raise InvalidRequest("the first message is not Open", field="open")
        return message.open

    async def chunk(self, *, upload: bool = True) -> bytes | memoryview | None:
        """Returns the bytes of the next Chunk. None when Commit came; `commit` is set then.

        Raises: InvalidRequest for a message out of order, and for a Chunk unless it is an `upload`; UploadIncomplete.
        """
        message = await self._next()
        if isinstance(message, Chunk):
            if upload:
                return message.data
            raise InvalidRequest("chunk does not belong here", field="chunk")
        kind = message.WhichOneof("message")
        if kind == "chunk" and upload:
            data: bytes = message.chunk.data
            return data
        if kind == "commit":
            self.commit = message.commit
            return None
        raise InvalidRequest(
            f"{kind or 'an empty message'} does not belong here", field=kind or "message"
        )

    async def _next(self) -> Any:
        left_s = self._ends_s - time.monotonic()
        try:
            async with asyncio.timeout(min(self._timeouts.idle_s, max(0.0, left_s))):
                return await anext(self._iterator)
        except StopAsyncIteration:
            raise UploadIncomplete("the stream ended without Commit") from None
        except TimeoutError:
            if left_s < self._timeouts.idle_s:
                raise UploadIncomplete(
                    f"the upload took longer than {self._timeouts.whole_s:g} s",
                    hint="send it faster, or raise `validation.max_upload_s`",
                ) from None
            raise UploadIncomplete(f"nothing came for {self._timeouts.idle_s:g} s") from None
