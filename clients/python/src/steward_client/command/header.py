"""The header of a CSV file, read here to ask the daemon which schema it detects.

Reads the first record and nothing more, plain or gzip, UTF-8 or UTF-16 with a byte-order mark. The delimiter is the
one that stands most often outside quotes. What the daemon makes of a whole file only the daemon says: this is for a
look.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import zlib
from pathlib import Path
from typing import IO

from steward_client.errors import InvalidRequest

_MOST_BYTES = 1024 * 1024
_DELIMITERS = ",;\t|"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_SEPARATOR = re.compile(r'"? *sep= *(\\t|[,;\t|]) *\1*"?\1* *', re.IGNORECASE)
"""Excel's first line that names the delimiter."""
_HINT = "`steward validate` reads it as the daemon does"


def columns(file: str) -> list[str]:
    """Returns the columns of a file's header; `-` is stdin. Raises OSError, InvalidRequest."""
    start = _start(file)
    if start.startswith(_ZSTD_MAGIC):
        raise _refused(f"{file} is compressed with zstd, which this command does not read")
    text = _decoded(start, file)
    record, rest = _first_record(text.lstrip("\r\n"))
    named = _SEPARATOR.fullmatch(record)
    if named:
        record, _ = _first_record(rest.lstrip("\r\n"))
    if not record.strip():
        raise _refused(f"{file} has no header")
    delimiter = max(_DELIMITERS, key=_outside_quotes(record).count)
    if named:
        delimiter = named[1].replace("\\t", "\t")
    try:
        return next(csv.reader([record], delimiter=delimiter))
    except csv.Error as error:
        raise _refused(f"the header of {file} cannot be read: {error}") from None


def _start(file: str) -> bytes:
    if file == "-":
        with open(0, "rb", closefd=False) as stdin:
            return _inflated(stdin)
    with Path(file).open("rb") as opened:
        return _inflated(opened)


def _inflated(opened: IO[bytes]) -> bytes:
    start = opened.read(_MOST_BYTES)
    if not start.startswith(b"\x1f\x8b"):
        return start
    with gzip.GzipFile(fileobj=io.BytesIO(start)) as unpacked:
        # Pieces, so that what comes before the cut at the end of the prefix is not lost with it.
        pieces: list[bytes] = []
        try:
            while piece := unpacked.read1(65536):
                pieces.append(piece)
                if sum(map(len, pieces)) >= _MOST_BYTES:
                    break
        except (EOFError, zlib.error):
            pass  # cut by the bound on what is read, or broken: what came before is enough, or is no header
        return b"".join(pieces)


def _decoded(start: bytes, file: str) -> str:
    encoding = "utf-8-sig"
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    try:
        return codecs.getincrementaldecoder(encoding)().decode(start)
    except UnicodeDecodeError:
        # Rows may be broken; only the header has to be text.
        first = start.split(b"\n", 1)[0]
        try:
            return first.decode(encoding)
        except UnicodeDecodeError:
            raise _refused(f"the header of {file} is not UTF-8") from None


def _first_record(text: str) -> tuple[str, str]:
    """Returns the first record, and the text behind it."""
    quoted = False
    for position, each in enumerate(text):
        if each == '"':
            quoted = not quoted
        elif each in "\r\n" and not quoted:
            return text[:position], text[position:]
    return text, ""


def _outside_quotes(record: str) -> str:
    return "".join(record.split('"')[::2])


def _refused(message: str) -> InvalidRequest:
    return InvalidRequest(message, reason="HEADER_UNREADABLE", hint=_HINT)
