"""The first payload of a JSON Lines file: its first line that is not blank, as text in UTF-8.

It only serves to find the schema. The engine reads the file itself, from its first byte on, and judges that line too.
"""

from __future__ import annotations

import codecs
import gzip
import zlib
from io import BytesIO

import zstandard

from stewardd.errors import InputRefused

GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
MAX_WINDOW_BYTES = 8 * 1024 * 1024


def first_payload(start: bytes, max_payload_bytes: int, *, is_whole: bool) -> bytes | None:
    """Returns the first payload of a file of which `start` is the beginning; None where more of it is needed.

    `is_whole`: there is no more. Raises: InputRefused where the line is longer than it may be, or there is no payload.
    """
    text = _text(start, max_payload_bytes)
    lines = text.split(b"\n")
    open_line = lines.pop()
    for line in lines:
        if line.strip():
            return line.strip()
    if len(open_line) > max_payload_bytes:
        raise InputRefused(
            f"no schema is named, and the first payload is longer than {max_payload_bytes} bytes",
            hint="name the schema, or raise `validation.max_payload_bytes`",
        )
    if not is_whole:
        return None
    if not open_line.strip():
        raise InputRefused(
            "no schema is named, and there is no payload that would tell it", hint="name the schema"
        )
    return open_line.strip()


def _text(start: bytes, max_payload_bytes: int) -> bytes:
    """Returns the beginning, decompressed and in UTF-8: so much that a payload of the largest size has its line end."""
    most = max_payload_bytes + 2
    try:
        if start.startswith(GZIP):
            start = _read(gzip.GzipFile(fileobj=BytesIO(start)), most)
        elif start.startswith(ZSTD):
            opened = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES)
            start = _read(opened.stream_reader(BytesIO(start)), most)
    except (OSError, zlib.error, zstandard.ZstdError):
        raise InputRefused(
            "no schema is named, and the beginning of the file cannot be decompressed",
            hint="name the schema, and see what the engine says of the file",
        ) from None
    if start.startswith(UTF16):
        return start.decode("utf-16", "ignore").encode()
    return start.removeprefix(codecs.BOM_UTF8)


def _read(opened: gzip.GzipFile | zstandard.ZstdDecompressionReader, most: int) -> bytes:
    """Reads up to so many bytes, and what there is where the compressed data ends in the middle."""
    parts: list[bytes] = []
    size_bytes = 0
    try:
        while size_bytes < most and (part := opened.read(min(64 * 1024, most - size_bytes))):
            parts.append(part)
            size_bytes += len(part)
    except EOFError:
        pass
    return b"".join(parts)
