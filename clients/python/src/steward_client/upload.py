"""One file on its way to ValidateBatch: Open, Chunk*, Commit out; Accepted, Progress*, Summary in.

No I/O of the network stands here. A client pulls `messages()` no faster than gRPC's flow control lets it send, so
that one chunk is in memory however large the file is, and gives every answer to `received()`.

A file object is read from where it stands. What can be read again (a path, bytes, a file object that seeks) may be
sent again, under the same request_id; a pipe may not. A file that fails to be read ends the stream without Commit,
so that the daemon publishes nothing, and `read_error` holds why.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO, Protocol, TypedDict, cast

import google_crc32c
from steward.v1 import validation_pb2 as pb

from steward_client import wire
from steward_client.batches import Accepted, Batch, Progress
from steward_client.calls import new_request_id
from steward_client.errors import Failed

CHUNK_BYTES = 1024 * 1024


class Readable(Protocol):
    """A file object open for reading bytes; `seek`, `tell` and `name` are used where it has them."""

    def read(self, size: int, /) -> bytes | None:
        """Returns at most so many bytes; none at the end."""


FileSource = str | os.PathLike[str] | bytes | bytearray | memoryview | Readable
OnProgress = Callable[[Accepted | Progress], None]


class Judging(TypedDict, total=False):
    """How a file is judged; every key may be left out."""

    schema: str | None
    """The type, such as `language_session`. Left out: detected from the header."""
    schema_version: str | None
    """Left out: detected from the header."""
    source_file: str | None
    """The name that people know the file by. Left out: the last part of its path."""
    delimiter: str | None
    """One of `,` `;` tab `|`. Left out: found from the header."""
    strict: bool
    """An unknown column refuses the file."""
    accept_recovered: bool
    """Valid rows that a broken quote had swallowed count as good."""
    keep_valid_rows: bool
    """The batch keeps its valid rows as `valid.csv`."""
    request_id: str | None
    """Identifies the request, so that sending it again makes no second batch. Left out: a new UUID."""
    progress: OnProgress | None
    """Called with Accepted once and with each Progress. What it raises cancels the call."""
    on_commit: Callable[[], None] | None
    """Called, in some thread, just before Commit goes out: a batch may come of it although no answer does."""


class Source:
    """The bytes of a file, read from the beginning as often as they are asked for, if they can be."""

    def __init__(self, source: FileSource) -> None:
        self._path = Path(source) if isinstance(source, str | os.PathLike) else None
        self._file: Readable | None = None
        if isinstance(source, bytes | bytearray | memoryview):
            self._file = io.BytesIO(source)
        elif self._path is None:
            self._file = cast("Readable", source)
        self._start = _position(self._file)
        self.is_repeatable = self._start is not None or (
            self._path is not None and self._path.is_file()
        )

    @property
    def name(self) -> str:
        """The last part of the path, or of the file object's name; empty where there is none."""
        if self._path is not None:
            return self._path.name
        name = getattr(self._file, "name", "")
        return Path(name).name if isinstance(name, str) else ""

    def check(self) -> None:
        """Raises the OSError that opening the path would raise, before anything is sent."""
        if self._path is not None:
            with self._path.open("rb"):
                pass

    def chunks(self) -> Iterator[bytes]:
        """Yields the bytes from the beginning.

        The first piece is what can be had at once, so that the header is judged also while a slow pipe still trickles;
        the others are full but for the last, so that such a pipe costs few messages.
        """
        with self._open() as file:
            if chunk := _read(file, CHUNK_BYTES):
                yield chunk
            while chunk and (chunk := _read_full(file)):
                yield chunk

    def _open(self) -> AbstractContextManager[Readable]:
        if self._path is not None:
            return self._path.open("rb", buffering=0)
        file = cast("Readable", self._file)
        if self._start is not None:
            cast("BinaryIO", file).seek(self._start)
        return nullcontext(file)


class Upload:
    """A request to validate, from the first message to the batch."""

    path = "/steward.v1.ValidationService/ValidateBatch"

    def __init__(self, source: Source | None, uri: str | None, judging: Judging) -> None:
        self._source = source
        self._progress = judging.get("progress")
        self.request_id = judging.get("request_id") or new_request_id()
        self._open = _open_message(source, uri, self.request_id, judging)
        self._on_commit = judging.get("on_commit")
        self.read_error: OSError | None = None

    @property
    def is_repeatable(self) -> bool:
        """Whether it can be sent again."""
        return self._source is None or self._source.is_repeatable

    def messages(self) -> Iterator[pb.ValidateBatchRequest]:
        """Yields what is to be sent, from the beginning; raises nothing, since it runs in a thread of gRPC's."""
        self.read_error = None
        yield pb.ValidateBatchRequest(open=self._open)
        size_bytes, checksum = 0, 0
        try:
            for chunk in self._source.chunks() if self._source else ():
                size_bytes += len(chunk)
                checksum = google_crc32c.extend(checksum, chunk)
                yield pb.ValidateBatchRequest(chunk=pb.ValidateBatchRequest.Chunk(data=chunk))
        except OSError as error:
            self.read_error = error
            return
        if self._on_commit is not None:
            self._on_commit()
        commit = pb.ValidateBatchRequest.Commit(size_bytes=size_bytes, crc32c=checksum)
        yield pb.ValidateBatchRequest(commit=commit)

    def received(self, answer: pb.ValidateBatchResponse) -> Batch | None:
        """Takes an answer; returns the batch when it is the last one."""
        match answer.WhichOneof("message"):
            case "accepted":
                self._report(Accepted.from_proto(answer.accepted))
            case "progress":
                self._report(Progress.from_proto(answer.progress))
            case "summary":
                return Batch.from_proto(answer.summary.batch)
        return None

    def ended(self, batch: Batch | None) -> Batch:
        """Returns the batch of a stream that ended well. Raises Failed when there was none."""
        if batch is None:
            raise Failed("the daemon ended the call without a summary", reason="SUMMARY_MISSING")
        return batch

    def _report(self, event: Accepted | Progress) -> None:
        if self._progress is not None:
            self._progress(event)


def _open_message(
    source: Source | None, uri: str | None, request_id: str, judging: Judging
) -> pb.ValidateBatchRequest.Open:
    name = judging.get("source_file")
    if name is None:
        name = source.name if source is not None else (uri or "").rsplit("/", 1)[-1]
    message = pb.ValidateBatchRequest.Open(
        schema=wire.resource("schemas", judging.get("schema") or ""),
        schema_version=judging.get("schema_version") or "",
        request_id=request_id,
        source_file=name.encode("utf-8", "replace").decode("utf-8"),
        options=pb.ValidateOptions(
            delimiter=judging.get("delimiter") or "",
            strict=judging.get("strict", False),
            accept_recovered=judging.get("accept_recovered", False),
            keep_valid_rows=judging.get("keep_valid_rows", False),
        ),
    )
    if uri is None:
        message.upload.SetInParent()
    else:
        message.uri = uri
    return message


def _position(file: Readable | None) -> int | None:
    try:
        seekable = file is not None and cast("BinaryIO", file).seekable()
        return cast("BinaryIO", file).tell() if seekable else None
    except (AttributeError, OSError):
        return None


def _read_full(file: Readable) -> bytes:
    """Reads until a chunk is full or the file ends; empty at the end."""
    first = _read(file, CHUNK_BYTES)
    if not first or len(first) == CHUNK_BYTES:
        return first
    parts, size_bytes = [first], len(first)
    while size_bytes < CHUNK_BYTES and (part := _read(file, CHUNK_BYTES - size_bytes)):
        parts.append(part)
        size_bytes += len(part)
    return b"".join(parts)


def _read(file: Readable, size: int) -> bytes:
    part = file.read(size)
    if not isinstance(part, bytes):
        # A text file, or one in non-blocking mode that has nothing now.
        raise OSError(
            f"the file object gave {type(part).__name__}, not bytes; open it with mode 'rb'"
        )
    return part
