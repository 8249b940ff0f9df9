"""Decodes the escapes of URLs, JSON and HTML in a text, and keeps the place of each character in the original text.

An escape may be in another: a URL in JSON in a cell. An escape that decodes to nothing stays as it is. A backslash with
n, r, t, b or f is an escape only where the text begins like JSON: elsewhere the letter may begin a name.
"""

from __future__ import annotations

import html
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

_DEPTH = 4
_WIDE_AT = "\uff20"  # the @ of East Asian keyboards
_ESCAPES = (
    r"(?:%[0-9A-Fa-f]{2})+|(?<!\\)\\+u[0-9A-Fa-f]{4}"
    r"|&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,8});|\uff20"
)
_ESCAPE = re.compile(_ESCAPES)
_JSON_ESCAPE = re.compile(_ESCAPES + r"|(?<!\\)\\+[nrtbf]")
_CONTROLS = dict(zip("nrtbf", "\n\r\t\b\f", strict=True))
_QUICK = re.compile(
    rb"%[0-7][0-9a-f]|(?<!\\)\\+u00[0-7][0-9a-f]|&(?:#[0-9]{1,7}|#x[0-9a-f]{1,6}|[a-z]{2,8});"
    rb"|\xef\xbc\xa0|%ef%bc%a0|(?<!\\)\\+uff20"
)
_QUICK_KINDS = (
    re.compile(rb"%(?:[0-7][0-9a-f]|ef%bc%a0)"),
    re.compile(rb"\\u(?:00[0-7][0-9a-f]|ff20)"),
    re.compile(rb"&(?:#[0-9]{1,7}|#x[0-9a-f]{1,6}|[a-z]{2,8});"),
    re.compile(rb"\xef\xbc\xa0"),
)


@dataclass(frozen=True, slots=True)
class DecodedText:
    """A text. Its character i was decoded from origin[i] to origin[i + 1] of the original; None: from i."""

    text: str
    origin: array[int] | None = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The place in the original text of the characters from `start` to `end`."""
        return (start, end) if self.origin is None else (self.origin[start], self.origin[end])


def decodings(text: str) -> list[DecodedText]:
    """The text, and the text after each round of decoding, up to _DEPTH rounds."""
    found = [DecodedText(text)]
    escape = _JSON_ESCAPE if text.lstrip().startswith(("{", "[", '"')) else _ESCAPE
    while len(found) <= _DEPTH and escape.search(found[-1].text):
        decoded = _decode(found[-1], escape)
        if decoded.text == found[-1].text:
            break
        found.append(decoded)
    return found


def decoded_near_escapes(data: bytes, reach: int) -> bytes | None:
    """The decoded parts of lower-case bytes, each up to `reach` bytes from an ASCII escape. None without escapes.

    A search for each kind of escape by itself reads 700 MB a second, a search for all kinds in one pattern 23 MB: with
    one first letter the search can jump. So only the bytes near an escape go through the slow pattern.
    """
    places = sorted(found.start() for kind in _QUICK_KINDS for found in kind.finditer(data))
    if not places:
        return None
    windows = [[max(0, places[0] - reach), places[0] + reach]]
    for place in places:
        if place - reach <= windows[-1][1]:
            windows[-1][1] = place + reach
        else:
            windows.append([place - reach, place + reach])
    before = b"\n".join(data[begin:end] for begin, end in windows)
    for _ in range(_DEPTH):
        after = _QUICK.sub(_quick, before)
        if after == before:
            break
        before = after.lower()
    return before


def _quick(escape: re.Match[bytes]) -> bytes:
    (letter, _), *_ = _letters(escape[0].decode())
    if letter == _WIDE_AT:
        return b"@"
    return letter.encode() if letter.isascii() else escape[0]


def _decode(encoded: DecodedText, escape: re.Pattern[str]) -> DecodedText:
    text = encoded.text
    origin = array("I", range(len(text) + 1)) if encoded.origin is None else encoded.origin
    letters: list[str] = []
    places = array("I")
    end = 0
    for found in escape.finditer(text):
        at = found.start()
        letters.append(text[end:at])
        places.extend(origin[end:at])
        for letter, length in _letters(found[0]):
            letters.append(letter)
            places.append(origin[at])
            at += length
        end = found.end()
    return DecodedText("".join((*letters, text[end:])), places + origin[end:])


def _letters(escape: str) -> Iterator[tuple[str, int]]:
    """The characters that an escape decodes to, each with the length of its part of the escape."""
    if escape.startswith("%"):
        body = bytes.fromhex(escape.replace("%", ""))
        at = 0
        for letter in body.decode(errors="surrogateescape"):
            if "\udc80" <= letter <= "\udcff":  # not UTF-8: it stays as it is
                yield from ((each, 1) for each in escape[at : at + 3])
                at += 3
            else:
                length = 3 * len(letter.encode())
                yield letter, length
                at += length
    elif escape.startswith("\\"):
        word = escape.lstrip("\\")
        yield (chr(int(word[1:], 16)) if len(word) > 1 else _CONTROLS[word]), len(escape)
    elif escape == _WIDE_AT:
        yield "@", 1
    else:
        letter = html.unescape(escape)
        if len(letter) == 1:
            yield letter, len(escape)
        else:
            yield from ((each, 1) for each in escape)
