"""The messages of one upload: Open, Chunk*, Commit are sent, and each answer is given to `received`.

This module does no network I/O. A client reads `messages()` no faster than gRPC's flow control lets it send, so that
only one chunk is in memory, however large the file is.

An upload may be sent twice without harm, so it is sent again if its source can be read again. When reading the file
fails, the messages end without Commit, so that the daemon keeps nothing, and `read_error` holds the error.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Generic, TypeVar

import google_crc32c
from google.protobuf.message import Message

from steward_client.errors import Failed
from steward_client.transfer.source import Source

T = TypeVar("T")


class Upload(ABC, Generic[T]):
    """An upload, sent as often as needed. `source` is None where the daemon reads the file itself."""

    path: ClassVar[str]
    """The method, as `/package.Service/Method`."""
    request: ClassVar[Any]
    """The message that is sent: one of open, chunk, commit."""
    answer: ClassVar[Any]
    """The message that comes back."""

    def __init__(
        self, source: Source | None, opened: Message, on_commit: Callable[[], None] | None
    ) -> None:
        self._source = source
        self._open = opened
        self._on_commit = on_commit
        self.read_error: OSError | None = None

    @property
    def is_repeatable(self) -> bool:
        """Whether it can be sent again."""
        return self._source is None or self._source.is_repeatable

    def messages(self) -> Iterator[Message]:
        """Yields the messages from the beginning. It may run in a thread of gRPC: an OSError goes to `read_error`."""
        self.read_error = None
        yield self.request(open=self._open)
        size_bytes, checksum = 0, 0
        try:
            for chunk in self._source.chunks() if self._source else ():
                size_bytes += len(chunk)
                checksum = google_crc32c.extend(checksum, chunk)
                yield self.request(chunk={"data": chunk})
                self.sent(size_bytes)
        except OSError as error:
            self.read_error = error
            return
        if self._on_commit is not None:
            self._on_commit()
        yield self.request(commit={"size_bytes": size_bytes, "crc32c": checksum})

    def sent(self, size_bytes: int) -> None:
        """Called with the number of bytes that gRPC has taken."""

    @abstractmethod
    def received(self, answer: Any) -> T | None:
        """Takes an answer; returns the result when it is the last one."""

    def ended(self, result: T | None) -> T:
        """Returns the result of a call that ended well. Raises Failed when there was none."""
        if result is None:
            raise Failed("the daemon ended the call without a summary", reason="SUMMARY_MISSING")
        return result
