"""The payloads of a file or of stdin: the whole content, or in JSON Lines one payload a line.

Lines are read as the daemon reads them: they end with LF or CR LF, a line of blanks counts as a line and is no payload,
a byte-order mark at the beginning is skipped, UTF-16 and gzip are decoded. A file is never in memory as a whole, and of
a line that is too long for a message only its beginning is.
"""

from __future__ import annotations

import codecs
import os
import stat
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import FileIO
from itertools import chain

from steward_client.connection.channel import MAX_MESSAGE_BYTES
from steward_client.errors import StewardError

CHUNK_BYTES = 256 * 1024
LONGEST_BYTES = MAX_MESSAGE_BYTES - 64 * 1024
"""A longer payload does not fit into a message, with all that stands beside it."""
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_LONGEST_MARK = 4
_BLANKS = b" \t\r"


@dataclass(frozen=True, slots=True)
class SourcePayload:
    """A payload as it was read."""

    file: str
    line: int | None
    """Its line in a JSON Lines file, from 1; None where the file is one payload."""
    content: bytes

    @property
    def place(self) -> str:
        """What people call it."""
        name = "stdin" if self.file == "-" else self.file
        return name if self.line is None else f"{name}:{self.line}"

    @property
    def is_too_long(self) -> bool:
        """Whether no message can hold it. What there is of it is only its beginning."""
        return len(self.content) > LONGEST_BYTES


class PayloadSource:
    """One file, or stdin (`-`). Iterate over it once. `read_bytes` says how much of it is read."""

    def __init__(self, file: str, *, of_lines: bool) -> None:
        self.file = file
        self._of_lines = of_lines
        self.read_bytes = 0
        self.size_bytes: int | None = None
        """None where it is not known."""

    def __iter__(self) -> Iterator[SourcePayload]:
        """Yields its payloads. Raises: OSError; StewardError where it cannot be decompressed."""
        # Unbuffered: a thread that still waits for input when the command ends holds no lock that Python wants.
        with FileIO(0 if self.file == "-" else self.file, closefd=self.file != "-") as opened:
            status = os.fstat(opened.fileno())
            self.size_bytes = status.st_size if stat.S_ISREG(status.st_mode) else None
            chunks = self._chunks(opened)
            if not self._of_lines:
                yield SourcePayload(self.file, None, b"".join(chunks))
                return
            for number, line in enumerate(_lines(self._plain(chunks)), start=1):
                if line.strip(_BLANKS):
                    yield SourcePayload(self.file, number, line.removesuffix(b"\r"))

    def _chunks(self, opened: FileIO) -> Iterator[bytes]:
        while chunk := opened.read(CHUNK_BYTES):
            self.read_bytes += len(chunk)
            yield chunk

    def _plain(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Decompresses and decodes what is not plain UTF-8."""
        start, chunks = _begun(chunks)
        if start.startswith(_ZSTD):
            raise self._unusable(
                "is compressed with zstd, which this command does not read",
                "decompress it first: `zstdcat FILE | steward payload … --lines -`",
            )
        if start.startswith(_GZIP):
            start, chunks = _begun(self._inflated(chunks))
        if start.startswith(_UTF16):
            yield from _recoded(chunks)
            return
        start = next(chunks, b"")
        yield start.removeprefix(codecs.BOM_UTF8)
        yield from chunks

    def _inflated(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Decompresses gzip, which may have several members, in pieces of a bounded size."""
        member = zlib.decompressobj(wbits=31)
        try:
            for chunk in chunks:
                rest = chunk
                while rest:
                    if member.eof:
                        member = zlib.decompressobj(wbits=31)
                    if piece := member.decompress(rest, CHUNK_BYTES):
                        yield piece
                    rest = member.unused_data or member.unconsumed_tail
            yield member.flush()
        except zlib.error:
            raise self._unusable("is broken: it cannot be decompressed", "check the file") from None
        if not member.eof:
            raise self._unusable("is broken: the compressed data ends early", "check the file")

    def _unusable(self, message: str, hint: str) -> StewardError:
        name = "stdin" if self.file == "-" else self.file
        return StewardError(f"{name} {message}", code="FILE", reason="FILE_UNUSABLE", hint=hint)


def is_lines(file: str) -> bool:
    """Whether the name of a file says that it is JSON Lines."""
    name = file.lower()
    for ending in (".gz", ".zst"):
        name = name.removesuffix(ending)
    return name.endswith((".jsonl", ".ndjson"))


def _begun(chunks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Returns enough of the beginning to tell what it is, and all chunks with it."""
    start = b""
    while len(start) < _LONGEST_MARK and (chunk := next(chunks, b"")):
        start += chunk
    return start, chain((start,), chunks)


def _recoded(chunks: Iterable[bytes]) -> Iterator[bytes]:
    # Half of a surrogate pair goes on as it is: the daemon says what is wrong with it.
    decoder = codecs.getincrementaldecoder("utf-16")("surrogatepass")
    for chunk in chunks:
        yield decoder.decode(chunk).encode(errors="surrogatepass")
    yield decoder.decode(b"", final=True).encode(errors="surrogatepass")


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yields lines without their LF, each cut where it is too long for a message."""
    line = bytearray()
    for chunk in chunks:
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            line += chunk[start : min(end, start + LONGEST_BYTES + 1 - len(line))]
            yield bytes(line)
            line.clear()
            start = end + 1
        line += chunk[start : start + LONGEST_BYTES + 1 - len(line)]
    if line:
        yield bytes(line)
