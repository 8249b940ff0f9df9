"""A client's side of an upload, held to its order: Open, Chunk*, Commit, end; and to its time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from stewardd.errors import InvalidRequest, UploadIncomplete
from stewardd.rpc.bounds import check_size
from stewardd.rpc.chunks import Chunk


@dataclass(frozen=True, slots=True)
class UploadTimeouts:
    """How long the daemon waits for an upload: between two messages, and from its first to its last."""

    idle_s: float
    whole_s: float


class UploadMessages:
    """The messages of an upload, each with a oneof `message` of open, chunk and commit."""

    def __init__(
        self, iterator: AsyncIterator[Any], timeouts: UploadTimeouts, max_message_bytes: int
    ) -> None:
        self._iterator = iterator
        self._timeouts = timeouts
        self._ends_s = time.monotonic() + timeouts.whole_s
        self._max_message_bytes = max_message_bytes
        self.commit: Any = None

    async def open(self) -> Any:
        """Returns the first message."""
        message = await self._next()
        if isinstance(message, Chunk) or message.WhichOneof("message") != "open":
            raise InvalidRequest("the first message is not Open", field="open")
        return message.open

    async def chunk(self, *, upload: bool = True) -> bytes | memoryview | None:
        """Returns the bytes of the next Chunk, or None when Commit came; `commit` holds it then."""
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
                message = await anext(self._iterator)
        except StopAsyncIteration:
            raise UploadIncomplete("the stream ended without Commit") from None
        except TimeoutError:
            if left_s < self._timeouts.idle_s:
                raise UploadIncomplete(
                    f"the upload took longer than {self._timeouts.whole_s:g} s",
                    hint="send it faster, or raise `validation.max_upload_s`",
                ) from None
            raise UploadIncomplete(f"nothing came for {self._timeouts.idle_s:g} s") from None
        size_bytes = message.size_bytes if isinstance(message, Chunk) else message.ByteSize()
        check_size(size_bytes, self._max_message_bytes)
        return message
